"""Any network: the classes of the target's layers settle every layout."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from samples import bits, generator, trained

from converters import InputError, RefusedError, convert_file, convert_state_dict
from converters.user_rules import UserRules
from stdc_port import paddle_nets, torch_nets


@contextmanager
def double_precision() -> Iterator[None]:
    before = paddle.get_default_dtype()
    paddle.set_default_dtype("float64")
    try:
        yield
    finally:
        paddle.set_default_dtype(before)


class TorchZoo(torch.nn.Module):
    """One of every layer kind, two of them shared, and a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(6, 6)
        self.square = torch.nn.Linear(6, 6)
        self.again = self.square
        self.norm = torch.nn.LayerNorm(6)
        self.conv = torch.nn.Conv2d(1, 4, 3, padding=1)
        self.bn = torch.nn.BatchNorm2d(4)
        self.bn_again = self.bn
        self.group = torch.nn.GroupNorm(2, 4)
        self.up = torch.nn.ConvTranspose2d(4, 4, 2, stride=2, groups=2)
        self.line = torch.nn.Conv1d(4, 4, 3, bias=False)
        self.scale = torch.nn.Parameter(torch.ones(4, 4))
        self.blocks = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())

    def forward(self, tokens):
        x = self.again(torch.tanh(self.square(self.embedding(tokens))))
        x = self.bn_again(self.bn(self.conv(self.norm(x)[:, None])))
        x = self.up(self.group(x)).flatten(2)
        x = self.line(x).mean(2) @ self.scale
        return self.blocks(x)


class PaddleZoo(paddle.nn.Layer):
    """The same network."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = paddle.nn.Embedding(6, 6)
        self.square = paddle.nn.Linear(6, 6)
        self.again = self.square
        self.norm = paddle.nn.LayerNorm(6)
        self.conv = paddle.nn.Conv2D(1, 4, 3, padding=1)
        self.bn = paddle.nn.BatchNorm2D(4)
        self.bn_again = self.bn
        self.group = paddle.nn.GroupNorm(2, 4)
        self.up = paddle.nn.Conv2DTranspose(4, 4, 2, stride=2, groups=2)
        self.line = paddle.nn.Conv1D(4, 4, 3, bias_attr=False)
        self.scale = self.create_parameter((4, 4))
        self.blocks = paddle.nn.Sequential(paddle.nn.Linear(4, 3), paddle.nn.ReLU())

    def forward(self, tokens):
        x = self.again(paddle.tanh(self.square(self.embedding(tokens))))
        x = self.bn_again(self.bn(self.conv(self.norm(x)[:, None])))
        x = self.up(self.group(x)).flatten(2)
        x = self.line(x).mean(2) @ self.scale
        return self.blocks(x)


def randomised(network: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        for key, tensor in [*network.named_parameters(), *network.named_buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(torch.from_numpy(generator(3, key).uniform(0.2, 1.5, tensor.shape)))
    return network.double().eval()


@pytest.fixture(scope="module")
def zoo() -> TorchZoo:
    return randomised(TorchZoo())


@pytest.fixture
def paddle_zoo() -> PaddleZoo:
    with double_precision():
        return PaddleZoo()


# The layer of one's own that holds it multiplies from the left in both frameworks.
SCALE = UserRules.of(tensors={"scale": "parameter"})
TOKENS = np.array([[0, 1, 2, 3, 4, 5], [5, 5, 1, 0, 2, 2]])


def test_every_layer_kind_to_paddle(zoo, paddle_zoo):
    weights = convert_state_dict(zoo.state_dict(), paddle_zoo, rules=SCALE)
    assert set(weights) == set(paddle_zoo.state_dict())
    assert paddle_zoo.set_state_dict(weights) == ([], [])
    paddle_zoo.eval()
    with torch.no_grad(), paddle.no_grad():
        expected = zoo(torch.from_numpy(TOKENS)).numpy()
        found = paddle_zoo(paddle.to_tensor(TOKENS)).numpy()
    assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()


def test_every_layer_kind_to_torch(zoo, paddle_zoo):
    paddle_zoo.set_state_dict(convert_state_dict(zoo.state_dict(), paddle_zoo, rules=SCALE))
    back = convert_state_dict(paddle_zoo.state_dict(), zoo, rules=SCALE)
    other = TorchZoo().double()
    other.load_state_dict({key: torch.from_numpy(np.array(v)) for key, v in back.items()})
    for key, value in zoo.state_dict().items():
        assert bits(other.state_dict()[key]) == bits(value), key


def test_only_linears_are_transposed(zoo, paddle_zoo):
    weights, state = convert_state_dict(zoo.state_dict(), paddle_zoo, rules=SCALE), zoo.state_dict()
    for key in ("square.weight", "again.weight", "blocks.0.weight"):
        assert np.array_equal(weights[key], state[key].numpy().T)
        assert not np.array_equal(weights[key], state[key].numpy())
    for key in ("embedding.weight", "scale", "up.weight"):
        assert np.array_equal(weights[key], state[key].numpy())


def test_the_target_is_not_changed(zoo, paddle_zoo):
    before = {key: value.numpy().copy() for key, value in paddle_zoo.state_dict().items()}
    convert_state_dict(zoo.state_dict(), paddle_zoo, rules=SCALE)
    for key, value in paddle_zoo.state_dict().items():
        assert np.array_equal(value.numpy(), before[key])


def test_shared_layers_must_have_equal_tensors(zoo, paddle_zoo):
    state = {key: value.clone() for key, value in zoo.state_dict().items()}
    assert set(convert_state_dict(state, paddle_zoo, rules=SCALE)) == set(paddle_zoo.state_dict())
    state["again.bias"] += 1
    with pytest.raises(RefusedError, match=r"'again.bias' should be the same tensor as"):
        convert_state_dict(state, paddle_zoo, rules=SCALE)


def test_all_that_does_not_fit_is_listed(zoo, paddle_zoo):
    state = dict(zoo.state_dict())
    del state["scale"]
    state["conv.weight"] = torch.ones(4, 1, 5, 5)
    state["strange"] = torch.ones(1)
    with pytest.raises(RefusedError) as caught:
        convert_state_dict(state, paddle_zoo)
    assert len(caught.value.problems) == 3
    for what in ("'scale'", "'conv.weight': shape [4, 1, 5, 5]", "'strange'"):
        assert what in str(caught.value)


def test_a_square_tensor_of_ones_own_layer_is_not_copied_silently(zoo, paddle_zoo):
    """Both frameworks' F.linear may take it, each in its own layout."""
    with pytest.raises(
        RefusedError, match=r"assumed: 'scale' \[4, 4\].*transposed.*\[\[tensor\]\]"
    ):
        convert_state_dict(zoo.state_dict(), paddle_zoo)
    for kind, expected in (("parameter", zoo.scale), ("linear", zoo.scale.T)):
        rules = UserRules.of(tensors={"scale": kind})
        found = convert_state_dict(zoo.state_dict(), paddle_zoo, rules=rules)
        assert bits(found["scale"]) == bits(expected)
        back = convert_state_dict(found, zoo, origin="paddle", rules=rules)
        assert bits(back["scale"]) == bits(zoo.scale)
    with pytest.raises(InputError, match="no key fits 'scales'"):
        convert_state_dict(
            zoo.state_dict(), paddle_zoo, rules=UserRules.of(tensors={"scales": "linear"})
        )


def test_one_that_is_not_square_fits_in_one_way_alone():
    class Ours(torch.nn.Linear):
        """A Linear with a tensor more."""

        def __init__(self) -> None:
            super().__init__(3, 3)
            self.gain = torch.nn.Parameter(torch.randn(2, 5))

    class Theirs(paddle.nn.Linear):
        """The same."""

        def __init__(self, *shape: int) -> None:
            super().__init__(3, 3)
            self.gain = self.create_parameter(shape)

    ours = Ours()
    assert bits(convert_state_dict(ours.state_dict(), Theirs(2, 5))["gain"]) == bits(ours.gain)
    with pytest.raises(RefusedError, match=r"'gain': shape \[2, 5\], expected \[5, 2\]"):
        convert_state_dict(ours.state_dict(), Theirs(5, 2))
    rules = UserRules.of(tensors={"gain": "linear"})
    turned = convert_state_dict(ours.state_dict(), Theirs(5, 2), rules=rules)
    assert bits(turned["gain"]) == bits(ours.gain.T)


def holding(**children: object):
    """Return a torch or Paddle network with the given layers."""
    kind = (
        torch.nn.Module
        if isinstance(next(iter(children.values())), torch.nn.Module)
        else (paddle.nn.Layer)
    )
    network = kind()
    for name, child in children.items():
        setattr(network, name, child)
    return network


UNKNOWN = {
    "torch AdaptiveLogSoftmaxWithLoss": lambda: torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5]),
    "torch CrossEntropyLoss": lambda: torch.nn.CrossEntropyLoss(weight=torch.ones(3)),
    "torch ParametrizationList": lambda: torch.nn.utils.parametrizations.orthogonal(
        torch.nn.Linear(3, 3)
    ),
    "paddle HSigmoidLoss": lambda: paddle.nn.HSigmoidLoss(3, 4),
    "paddle SpectralNorm": lambda: paddle.nn.SpectralNorm([2, 3]),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_layers_without_a_rule_are_refused_by_name(name):
    framework, _, kind = name.partition(" ")
    with pytest.raises(InputError) as caught:
        convert_state_dict({}, holding(layer=UNKNOWN[name]()))
    message = str(caught.value)
    assert f"{framework}'s layer {kind}: " in message


def test_a_class_of_ones_own_that_extends_a_known_one():
    class Squared(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x).square()

    source = holding(layer=Squared(3, 3))
    target = holding(layer=paddle.nn.Linear(3, 3))
    found = convert_state_dict(source.state_dict(), target)
    assert np.array_equal(found["layer.weight"], source.layer.weight.detach().numpy().T)
    back = convert_state_dict(target.state_dict(), source)
    assert np.array_equal(back["layer.weight"], target.layer.weight.numpy().T)


def test_a_parameter_that_a_known_layer_should_not_have_is_refused():
    class Scaled(paddle.nn.Linear):
        def __init__(self) -> None:
            super().__init__(3, 3)
            self.gain = self.create_parameter((3, 3))

    source = holding(layer=torch.nn.Linear(3, 3)).state_dict()
    with pytest.raises((InputError, RefusedError), match="gain"):
        convert_state_dict(source, holding(layer=Scaled()))


def test_norms_that_may_be_inplace_abn_are_refused():
    names = {"one": torch.nn.BatchNorm2d(3), "two": torch.nn.BatchNorm2d(3)}
    state = holding(**names).state_dict()
    target = holding(one=paddle.nn.BatchNorm2D(3), two=paddle.nn.BatchNorm2D(3))
    assert len(convert_state_dict(state, target)) == 8
    del state["two.num_batches_tracked"]
    with pytest.raises(RefusedError, match="'two': counts no batches while other BN layers do"):
        convert_state_dict(state, target)


def test_an_own_network_whose_keys_look_like_stdcs():
    def network(nn, conv):
        stem = nn.Sequential()
        stem.conv = conv(3, 4, 3)
        return holding(features=nn.Sequential(stem))

    source = network(torch.nn, torch.nn.Conv2d)
    target = network(paddle.nn, paddle.nn.Conv2D)
    assert set(source.state_dict()) == {"features.0.conv.weight", "features.0.conv.bias"}
    found = convert_state_dict(source.state_dict(), target)
    assert set(found) == set(target.state_dict())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_element_types_are_kept(dtype):
    source = holding(layer=torch.nn.Linear(3, 4)).to(getattr(torch, dtype))
    target = holding(layer=paddle.nn.Linear(3, 4))
    found = convert_state_dict(source.state_dict(), target)["layer.weight"]
    assert found.dtype == (np.uint16 if dtype == "bfloat16" else np.dtype(dtype))
    assert bits(found) == bits(source.layer.weight.T)


def test_numpy_arrays_and_other_things():
    target = holding(layer=paddle.nn.Linear(3, 4))
    state = {"layer.weight": np.ones((4, 3), np.float32), "layer.bias": np.ones(4, np.float32)}
    assert set(convert_state_dict(state, target, origin="torch")) == set(state)
    with pytest.raises(InputError, match=r"'layer\.bias': list is no tensor"):
        convert_state_dict(state | {"layer.bias": [1, 2]}, target)
    with pytest.raises(InputError, match="dict is neither a torch Module nor a paddle Layer"):
        convert_state_dict(state, {})


@pytest.mark.parametrize("library", [torch, paddle])
def test_a_state_dict_of_the_targets_own_framework_keeps_its_layouts(library):
    """A Linear is square here: transposed, it would fit as well."""
    source, target = library.nn.Linear(4, 4), library.nn.Linear(4, 4)
    found = convert_state_dict(source.state_dict(), target)
    assert all(bits(found[key]) == bits(value) for key, value in source.state_dict().items())


def test_numpy_arrays_do_not_tell_whose_layouts_they_have():
    square = {"weight": np.arange(16, dtype=np.float32).reshape(4, 4), "bias": np.ones(4, "f4")}
    target = paddle.nn.Linear(4, 4)
    with pytest.raises(InputError, match="say origin='torch' or 'paddle'"):
        convert_state_dict(square, target)
    theirs = convert_state_dict(square, target, origin="torch")["weight"]
    ours = convert_state_dict(square, target, origin="paddle")["weight"]
    assert np.array_equal(theirs, square["weight"].T)
    assert np.array_equal(ours, square["weight"])
    # One tensor among arrays tells; against what it tells nothing is believed.
    mixed = square | {"bias": torch.ones(4)}
    assert np.array_equal(convert_state_dict(mixed, target)["weight"], square["weight"].T)
    with pytest.raises(InputError, match="holds tensors of torch; expected paddle alone"):
        convert_state_dict(mixed, target, origin="paddle")
    with pytest.raises(InputError, match="tensors of paddle and torch; expected one alone"):
        convert_state_dict(mixed | {"weight": paddle.ones([4, 4])}, target)


# Tensors with several names.


class Tied(torch.nn.Module):
    """An embedding whose matrix is the head's, too."""

    def __init__(self, size: int = 6, width: int = 6) -> None:
        super().__init__()
        self.emb = torch.nn.Embedding(size, width)
        self.head = torch.nn.Linear(width, size, bias=False)
        self.head.weight = self.emb.weight


class PaddleTied(paddle.nn.Layer):
    """The same layers, tied or apart; in Paddle a tied head multiplies by the transpose."""

    def __init__(self, size: int = 6, width: int = 6, *, tied: bool = False) -> None:
        super().__init__()
        self.emb = paddle.nn.Embedding(size, width)
        self.head = paddle.nn.Linear(width, size, bias_attr=False)
        if tied:
            self.head.weight = self.emb.weight


def test_a_tied_head_there_and_back():
    ours, theirs = Tied(5, 3), PaddleTied(5, 3)
    there = convert_state_dict(ours.state_dict(), theirs)
    assert bits(there["head.weight"]) == bits(ours.emb.weight.T)
    theirs.set_state_dict(there)
    back = convert_state_dict(theirs.state_dict(), ours)
    assert {key: bits(value) for key, value in back.items()} == {
        key: bits(value) for key, value in ours.state_dict().items()
    }
    there["head.weight"] = there["head.weight"] + 1
    with pytest.raises(
        RefusedError, match=r"'head\.weight' is to be one tensor with 'emb\.weight'"
    ):
        convert_state_dict(there, ours, origin="paddle")


@pytest.mark.parametrize("kept", ["emb.weight", "head.weight"])
def test_a_tie_that_transposes_is_no_alias(kept):
    """Torch's tied head computes x·Eᵀ, Paddle's x·E: a square matrix fits both."""
    target = PaddleTied(tied=True)
    both = Tied().state_dict()
    with pytest.raises(
        RefusedError, match=r"'head\.weight' is to be one tensor with 'emb\.weight'"
    ):
        convert_state_dict(both, target)
    one = {kept: both[kept]}
    with pytest.raises(RefusedError, match="tied in torch it would be the other's transpose"):
        convert_state_dict(one, target)
    rules = UserRules.of(kinds={"head": "linear"})
    assert set(convert_state_dict(one, target, rules=rules)) == set(target.state_dict())
    apart = {"emb.weight": both["emb.weight"], "head.weight": both["emb.weight"].T.contiguous()}
    found = convert_state_dict(apart, target)
    assert bits(found["head.weight"]) == bits(found["emb.weight"]) == bits(both["emb.weight"])


def test_a_shared_layer_may_stand_under_any_of_its_names(zoo, paddle_zoo):
    whole = convert_state_dict(zoo.state_dict(), paddle_zoo, rules=SCALE)
    for lost in ("square", "again", "bn", "bn_again"):
        state = {k: v for k, v in zoo.state_dict().items() if not k.startswith(f"{lost}.")}
        found = convert_state_dict(state, paddle_zoo, rules=SCALE)
        assert {key: bits(value) for key, value in found.items()} == {
            key: bits(value) for key, value in whole.items()
        }
    state = {k: v for k, v in state.items() if not k.startswith(("square.", "again."))}
    with pytest.raises(RefusedError, match=r"missing: 'square\.weight'"):
        convert_state_dict(state, paddle_zoo, rules=SCALE)


# Wrappers, on either side.


class Wrapping(torch.nn.Module):
    """A network whose only child is called as a wrapper calls its network."""

    def __init__(self) -> None:
        super().__init__()
        self.module = torch.nn.Linear(4, 4)


class PaddleWrapping(paddle.nn.Layer):
    """The same network."""

    def __init__(self) -> None:
        super().__init__()
        self.module = paddle.nn.Linear(4, 4)


WRAPPED = {
    "a child called module": (Wrapping, PaddleWrapping),
    "that behind a wrapper": (lambda: torch.nn.DataParallel(Wrapping()), PaddleWrapping),
    "a torch wrapper": (
        lambda: torch.nn.DataParallel(torch.nn.Linear(4, 4)),
        lambda: paddle.nn.Linear(4, 4),
    ),
    "a compiled network": (
        lambda: torch.compile(torch.nn.DataParallel(torch.nn.Linear(4, 4))),
        lambda: paddle.nn.Linear(4, 4),
    ),
    "a Paddle wrapper": (
        lambda: torch.nn.Linear(4, 4),
        lambda: paddle.DataParallel(paddle.nn.Linear(4, 4)),
    ),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrappers_of_source_and_target_are_seen_through(name):
    ours, theirs = (make() for make in WRAPPED[name])
    there = convert_state_dict(ours.state_dict(), theirs)
    assert set(there) == set(theirs.state_dict())
    theirs.set_state_dict(there)
    (weight,) = (value for key, value in ours.state_dict().items() if key.endswith("weight"))
    assert bits(next(v for k, v in there.items() if k.endswith("weight"))) == bits(weight.T)
    back = convert_state_dict(theirs.state_dict(), ours)
    assert {key: bits(value) for key, value in back.items()} == {
        key: bits(value) for key, value in ours.state_dict().items()
    }


# The flagship, in memory.


@pytest.mark.parametrize("variant", ["authors", "authors-bn"])
def test_inplace_abn_is_folded_in_memory_too(variant):
    state = trained("stdc1-seg", variant=variant, num_classes=3).state_dict()
    found = convert_state_dict(state, paddle_nets.build("stdc1-seg", num_classes=3))
    key = "ffm.convblk.bn.weight"
    weight = state[key].numpy()
    folded = (np.abs(weight.astype(np.float64)) + 1e-5).astype(np.float32)
    assert bits(found[key]) == bits(folded if variant == "authors" else weight)
    assert (weight < 0).any()
    assert (weight == 0).any()


@pytest.mark.parametrize(("variant", "folded"), [("authors", 0), ("authors-bn", 15)])
def test_within_torch_only_a_plain_network_gets_folded_scales(variant, folded):
    source = trained("stdc1-seg", variant="authors", num_classes=3).state_dict()
    target = torch_nets.build("stdc1-seg", variant=variant, num_classes=3)
    found = convert_state_dict(source, target)
    assert set(found) == set(target.state_dict())
    changed = {key for key, value in source.items() if bits(found[key]) != bits(value)}
    assert len(changed) == folded


def test_a_fold_has_no_way_back():
    state = paddle_nets.build("stdc1-seg").state_dict()
    plain = torch_nets.build("stdc1-seg", variant="authors-bn")
    assert set(convert_state_dict(state, plain)) == set(plain.state_dict())
    with pytest.raises(RefusedError, match=r"fold has no way back.*variant 'authors-bn'"):
        convert_state_dict(state, torch_nets.build("stdc1-seg"))


@pytest.mark.parametrize(("width", "doubtful"), [(4, True), (6, False)])
def test_a_square_weight_norm_from_paddle_is_no_silent_guess(width: int, doubtful: bool) -> None:
    ours = torch.nn.Sequential(torch.nn.utils.weight_norm(torch.nn.Linear(4, width)))
    theirs = paddle.nn.Sequential(paddle.nn.utils.weight_norm(paddle.nn.Linear(4, width), dim=1))
    theirs.set_state_dict(convert_state_dict(ours.state_dict(), theirs))
    if doubtful:
        with pytest.raises(RefusedError, match="fits both"):
            convert_state_dict(theirs.state_dict(), ours)
        return
    back = convert_state_dict(theirs.state_dict(), ours)
    assert all(np.array_equal(value.numpy(), back[key]) for key, value in ours.state_dict().items())


def test_a_weight_norm_along_paddles_own_axis_and_one_norm_for_all_are_no_doubt():
    for ours_dim, theirs_dim in ((1, 0), (None, None)):
        ours = torch.nn.utils.weight_norm(torch.nn.Linear(4, 4), dim=ours_dim)
        theirs = paddle.nn.utils.weight_norm(paddle.nn.Linear(4, 4), dim=theirs_dim)
        there = convert_state_dict(ours.state_dict(), theirs)
        theirs.set_state_dict(there)
        back = convert_state_dict(theirs.state_dict(), ours)
        assert {key: bits(value) for key, value in back.items()} == {
            key: bits(value) for key, value in ours.state_dict().items()
        }


@pytest.mark.parametrize("parametrised", [False, True])
def test_a_user_says_along_which_axis_norms_run(parametrised):
    library = torch.nn.utils.parametrizations if parametrised else torch.nn.utils
    ours = library.weight_norm(torch.nn.Linear(4, 4))
    theirs = paddle.nn.utils.weight_norm(paddle.nn.Linear(4, 4), dim=1)
    state = {key: value + 1 for key, value in theirs.state_dict().items()}
    with pytest.raises(RefusedError, match=r"fits both; .*norm_along_0 or norm_along_1"):
        convert_state_dict(state, ours)
    rules = UserRules.of(tensors={"weight_g": "norm_along_0"})
    assert set(convert_state_dict(state, ours, rules=rules)) == set(ours.state_dict())
    against = UserRules.of(tensors={"weight_g": "norm_along_1"})
    with pytest.raises(
        RefusedError, match="says norm_along_1, but in the target it is norm_along_0"
    ):
        convert_state_dict(state, ours, rules=against)


SPECTRAL = {
    "linear": (lambda: torch.nn.Linear(6, 6), lambda: paddle.nn.Linear(6, 6), 0, 1),
    "conv": (lambda: torch.nn.Conv2d(4, 4, 2), lambda: paddle.nn.Conv2D(4, 4, 2), 1, 1),
    "conv_transpose": (
        lambda: torch.nn.ConvTranspose2d(4, 4, 2),
        lambda: paddle.nn.Conv2DTranspose(4, 4, 2),
        0,
        0,
    ),
}


@pytest.mark.parametrize("name", SPECTRAL)
@pytest.mark.parametrize("parametrised", [False, True])
def test_a_spectral_norm_along_another_axis_is_no_silent_guess(name, parametrised):
    make, make_paddles, dim, axis = SPECTRAL[name]
    library = torch.nn.utils.parametrizations if parametrised else torch.nn.utils
    ours = library.spectral_norm(make()).state_dict()
    usual = paddle.nn.utils.spectral_norm(make_paddles())
    assert set(convert_state_dict(ours, usual)) == set(usual.state_dict())
    other = paddle.nn.utils.spectral_norm(make_paddles(), dim=dim)
    with pytest.raises(RefusedError, match=f"runs along torch's axis {axis}.*fits both"):
        convert_state_dict(ours, other)
    rules = UserRules.of(tensors={r".*_u": f"norm_along_{axis}"})
    assert set(convert_state_dict(ours, other, rules=rules)) == set(other.state_dict())
    # The way back: the target is torch's.
    target = library.spectral_norm(make(), dim={"linear": 1, "conv": 1}.get(name, 0))
    with pytest.raises(RefusedError, match=f"runs along torch's axis {axis}.*paddle's own default"):
        convert_state_dict(usual.state_dict(), target)


def test_a_file_for_a_target_network(tmp_path: Path) -> None:
    ours, theirs = torch.nn.Embedding(5, 5), paddle.nn.Embedding(5, 5)
    torch.save(ours.state_dict(), tmp_path / "a.pth")
    with pytest.raises(RefusedError, match="weight"):
        convert_file(tmp_path / "a.pth")
    convert_file(tmp_path / "a.pth", target=theirs)
    theirs.set_state_dict(paddle.load(str(tmp_path / "a.pdparams")))
    assert np.array_equal(theirs.weight.numpy(), ours.weight.detach().numpy())
    named = "paddle.nn:Embedding(num_embeddings=5, embedding_dim=5)"
    report = convert_file(tmp_path / "a.pth", tmp_path / "b.pdparams", target=named)
    assert (report.counts, report.verified) == ({"copy": 1}, True)


def test_a_norm_that_the_rules_call_in_place_abn_is_folded():
    weight = torch.tensor([-0.5, 0.0, 2.0])
    source = torch.nn.BatchNorm1d(3)
    with torch.no_grad():
        source.weight.copy_(weight)
    target = paddle.nn.Sequential(("abn", paddle.nn.BatchNorm1D(3)))
    state = {f"abn.{key}": value for key, value in source.state_dict().items()}
    del state["abn.num_batches_tracked"]
    rules = UserRules.of(kinds={"abn": "inplace_abn"})
    found = convert_state_dict(state, target, rules=rules)
    expected = (weight.double().abs() + 1e-5).float().numpy()
    np.testing.assert_array_equal(found["abn.weight"], expected)
    np.testing.assert_array_equal(convert_state_dict(state, target)["abn.weight"], weight.numpy())


def test_a_target_of_the_other_framework_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "a.pth")
    with pytest.raises(InputError, match="the target network is torch's; to='paddle' needs"):
        convert_file(tmp_path / "a.pth", target=torch.nn.Linear(2, 2))


@pytest.mark.parametrize(("dtype", "how"), [("float32", "widened"), ("bfloat16", "rounded")])
def test_a_report_says_what_became_of_the_element_types(tmp_path, dtype, how) -> None:
    torch.save(torch.nn.Linear(2, 2).half().state_dict(), tmp_path / "a.pth")
    report = convert_file(tmp_path / "a.pth", target=paddle.nn.Linear(2, 2), dtype=dtype)
    assert all(entry.reason.endswith(f"float16 {how} to {dtype}") for entry in report.entries)
