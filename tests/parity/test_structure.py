"""Partners where names differ: what pairs, what must not, and what is said about it."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
import parity_toys as toys
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from converters.errors import InputError
from converters.user_rules import UserRules
from parity import State, check_parity
from parity.align import aligned_in_order
from parity.cli import main
from parity.inputs import seed_weights
from parity.pair import partners
from parity.search import AGAINST, BY_ORDER, BY_SHAPE
from parity.structure import structure_of

if TYPE_CHECKING:
    from pathlib import Path

X = np.random.default_rng(3).standard_normal((3, 4)).astype(np.float32)


class Torch(torch.nn.Module):
    """Children by name, called in the order of `calls`."""

    def __init__(self, calls: str = "", **children: Any) -> None:
        super().__init__()
        self.calls = calls.split()
        for name, child in children.items():
            self.add_module(name, child)

    def forward(self, x: Any) -> Any:
        for name in self.calls:
            x = self.get_submodule(name)(x)
        return x


class Paddle(paddle.nn.Layer):
    def __init__(self, calls: str = "", **children: Any) -> None:
        super().__init__()
        self.calls = calls.split()
        for name, child in children.items():
            self.add_sublayer(name, child)

    def forward(self, x: Any) -> Any:
        for name in self.calls:
            layer = self
            for part in name.split("."):
                layer = getattr(layer, part)
            x = layer(x)
        return x


def tl(rows: int = 4, cols: int = 4) -> torch.nn.Module:
    return torch.nn.Linear(rows, cols)


def pl(rows: int = 4, cols: int = 4) -> paddle.nn.Layer:
    return paddle.nn.Linear(rows, cols)


def check(ours: Any, theirs: Any, *inputs: np.ndarray, **options: Any) -> Any:
    return check_parity(ours, theirs, inputs or (X,), **options)


def assumed(result: Any) -> list[tuple[str, str, str]]:
    return [(pair.torch, pair.paddle, pair.how) for pair in result.assumed]


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_only_what_every_alignment_has_is_aligned(ours: str, theirs: str) -> None:
    def alignments(length: int) -> list[set[tuple[int, int]]]:
        return [
            set(zip(one, other, strict=True))
            for one in combinations(range(len(ours)), length)
            for other in combinations(range(len(theirs)), length)
            if all(ours[i] == theirs[j] for i, j in zip(one, other, strict=True))
        ]

    longest = next(found for n in range(7, -1, -1) if (found := alignments(n)))
    assert set(aligned_in_order(ours, theirs)) == set.intersection(*longest)


def test_names_that_agree_win_over_an_exchanged_call_order() -> None:
    ours = Torch("a b", a=tl(), b=tl())
    result = check(ours, Paddle("b a", a=pl(), b=pl()))
    assert not result
    assert not result.assumed
    assert {layer.name for layer in result.layers if not layer.state.passes} == {"a", "b", ""}


def test_other_names_pair_by_call_order_and_it_is_said() -> None:
    ours = Torch("a act b", a=tl(), act=torch.nn.ReLU(), b=tl(4, 2))
    result = check(ours, Paddle("first f second", first=pl(), f=paddle.nn.ReLU(), second=pl(4, 2)))
    assert result, result.failures
    assert assumed(result) == [("a", "first", BY_ORDER), ("b", "second", BY_ORDER)]
    assert [layer.name for layer in result.layers] == ["a", "b", ""]
    assert [call.path for call in result.torch_only] == ["act"]
    assert [call.path for call in result.paddle_only] == ["f"]


def test_a_call_order_that_registration_contradicts_is_said_to_be_one() -> None:
    ours = Torch("a b", a=tl(), b=tl())
    result = check(ours, Paddle("y x", x=pl(), y=pl()))
    assert result, result.failures
    assert assumed(result) == [("a", "y", AGAINST), ("b", "x", AGAINST)]


def test_another_call_order_pairs_what_is_the_only_one_of_its_kind() -> None:
    class Branches(Torch):
        def forward(self, x: Any) -> Any:
            return self.a(x).sum() + self.b(x).sum()

    class Others(Paddle):
        def forward(self, x: Any) -> Any:
            return self.y(x).sum() + self.z(x).sum()

    result = check(Branches(a=tl(), b=tl(4, 2)), Others(y=pl(4, 2), z=pl()))
    assert result, result.failures
    assert sorted(assumed(result)) == [("a", "z", BY_SHAPE), ("b", "y", BY_SHAPE)]


def test_what_could_have_either_of_two_partners_has_none_and_both_lists_are_given() -> None:
    ours = Torch("a b c", a=tl(), b=tl(), c=tl(4, 2))
    result = check(ours, Paddle("x z", x=pl(), z=pl(4, 2)))
    assert not result
    assert [(call.path, call.kind) for call in result.torch_only] == [
        ("a", "Linear"),
        ("b", "Linear"),
    ]
    assert [call.path for call in result.paddle_only] == ["x"]
    assert any("torch layer a (Linear, call 0) has weights and no partner" in line
               for line in result.failures)  # fmt: skip
    loaded = check(ours, Paddle("x z", x=pl(), z=pl(4, 2)), transfer=False)
    assert [call.path for call in loaded.torch_only if call.weights] == ["a", "b"]
    assert [call.path for call in loaded.paddle_only if call.weights] == ["x"]


def test_a_layer_more_at_the_end_leaves_the_rest_paired() -> None:
    ours = Torch("a b c", a=tl(4, 2), b=tl(2, 4), c=tl(4, 2))
    result = check(ours, Paddle("x y", x=pl(4, 2), y=pl(2, 4)), transfer=False)
    assert assumed(result) == [("a", "x", BY_ORDER), ("b", "y", BY_ORDER)]
    assert [call.path for call in result.torch_only if call.weights] == ["c"]


def test_numbers_that_mean_other_layers_are_no_names() -> None:
    ours = torch.nn.Sequential(tl(), torch.nn.Dropout(0.5), torch.nn.ReLU(), tl(), torch.nn.Tanh())
    theirs = paddle.nn.Sequential(pl(), paddle.nn.ReLU(), pl(), paddle.nn.Tanh())
    result = check(ours, theirs)
    assert result, result.failures
    assert assumed(result) == [("3", "2", BY_ORDER)]
    # Not the dropout with the activation of the same number.
    assert {layer.name: layer.paddle_kind for layer in result.layers} == {
        "0": "Linear", "3": "Linear", "": "Sequential"
    }  # fmt: skip


def block(side: Any, linear: Any, relu: Any, names: str) -> Any:
    one, act, two = names.split()
    return side(names, **{one: linear(), act: relu(), two: linear()})


def test_containers_follow_from_what_they_hold() -> None:
    ours = Torch("enc.0 enc.1 head", enc=torch.nn.Sequential(
        block(Torch, tl, torch.nn.ReLU, "a act b"), block(Torch, tl, torch.nn.ReLU, "a act b")
    ), head=tl(4, 2))  # fmt: skip
    theirs = Paddle("one two out", one=block(Paddle, pl, paddle.nn.ReLU, "x act y"),
                    two=block(Paddle, pl, paddle.nn.ReLU, "x act y"), out=pl(4, 2))  # fmt: skip
    result = check(ours, theirs)
    assert result, result.failures
    names = [layer.name for layer in result.layers]
    # The activations have the same name in blocks that are partners.
    assert names == ["enc.0.a", "enc.0.act", "enc.0.b", "enc.0",
                     "enc.1.a", "enc.1.act", "enc.1.b", "enc.1", "head", ""]  # fmt: skip


def test_one_container_more_around_the_same_layers() -> None:
    ours = Torch("body", body=torch.nn.Sequential(torch.nn.Sequential(tl(), torch.nn.ReLU(), tl())))
    theirs = Paddle("body", body=paddle.nn.Sequential(pl(), paddle.nn.ReLU(), pl()))
    result = check(ours, theirs)
    assert result, result.failures
    assert {layer.name for layer in result.layers} >= {"body", "body.0.0", "body.0.2", ""}
    other = check(ours, Paddle("body", body=paddle.nn.Sequential(pl(), paddle.nn.Tanh(), pl())))
    assert not other


@pytest.mark.parametrize("side", ["torch", "paddle", "both"])
def test_wrappers_are_seen_through(side: str) -> None:
    ours, theirs = toys.torch_model(), toys.paddle_model()
    if side != "paddle":
        ours = Torch("model.net", model=Torch("net", net=ours))
    if side != "torch":
        theirs = Paddle("inner", inner=theirs)
    result = check(ours, theirs, toys.images())
    assert result, result.failures
    assert not result.assumed
    assert len([layer for layer in result.layers if layer.name.endswith("skip")]) == 2


def test_wrappers_of_the_frameworks_are_taken_off() -> None:
    ours, theirs = toys.torch_model(), toys.paddle_model()
    result = check(torch.nn.DataParallel(ours), theirs, toys.images())
    assert result, result.failures
    assert result.layers[0].name == "block.conv"
    compiled = check(torch.compile(ours), paddle.DataParallel(theirs), toys.images())
    assert compiled, compiled.failures


@pytest.mark.parametrize("aliases_first", [True, False])
def test_any_of_a_shared_modules_names_will_do(aliases_first: bool) -> None:
    class Authors(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            features = torch.nn.Sequential(tl(), torch.nn.ReLU(), tl())
            if not aliases_first:
                self.features = features
            self.x2, self.x4 = features[:1], features[1:]
            if aliases_first:
                self.features = features

        def forward(self, x: Any) -> Any:
            return self.x4(self.x2(x))

    theirs = Paddle("features", features=paddle.nn.Sequential(pl(), paddle.nn.ReLU(), pl()))
    result = check(Authors(), theirs)
    assert result, result.failures
    assert not result.assumed
    linear = "x2.0" if aliases_first else "features.0"
    assert next(layer for layer in result.layers if layer.kind == "Linear").name == linear


def test_layers_that_no_output_depends_on_need_no_partner() -> None:
    ours = Torch("a b", a=tl(), spare=Torch(deep=tl(4, 9)), b=tl(4, 2))
    theirs = Paddle("a b", a=pl(), b=pl(4, 2), other=Paddle(deep=pl(7, 7)))
    before = {key: value.numpy().copy() for key, value in theirs.state_dict().items()}
    result = check(ours, theirs)
    assert result, result.failures
    assert result.never_called == ("spare.deep",)
    assert {key: value.numpy().tolist() for key, value in theirs.state_dict().items()} == {
        key: value.tolist() for key, value in before.items()
    }
    assert list(theirs.state_dict()) == list(before)
    # In use, they do.
    theirs.calls = ["a", "b", "more"]
    theirs.more = pl(2, 2)
    assert [call.path for call in check(ours, theirs).paddle_only] == ["more"]


def test_another_shape_under_the_same_name_is_a_refusal_with_both_lists() -> None:
    result = check(Torch("a b", a=tl(), b=tl(4, 2)), Paddle("a b", a=pl(), b=pl(4, 3)))
    assert not result
    assert [call.path for call in result.torch_only] == ["b"]
    assert [call.path for call in result.paddle_only] == ["b"]
    assert any("b.weight" in line for line in result.failures)


def test_attention_and_recurrent_layers_under_other_names() -> None:
    class Ours(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = torch.nn.MultiheadAttention(8, 2, batch_first=True)
            self.rnn = torch.nn.LSTM(8, 4, batch_first=True, bidirectional=True)
            self.out = torch.nn.Linear(8, 8)

        def forward(self, x: Any) -> Any:
            return self.out(self.rnn(self.mix(x, x, x, need_weights=False)[0])[0])

    class Theirs(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.attention = paddle.nn.MultiHeadAttention(8, 2)
            self.recurrent = paddle.nn.LSTM(8, 4, direction="bidirect")
            self.linear = paddle.nn.Linear(8, 8)

        def forward(self, x: Any) -> Any:
            return self.linear(self.recurrent(self.attention(x, x, x))[0])

    x = np.random.default_rng(5).standard_normal((2, 5, 8)).astype(np.float32)
    result = check(Ours(), Theirs(), x)
    assert result, result.failures
    assert [pair[:2] for pair in assumed(result)] == [
        ("mix", "attention"), ("rnn", "recurrent"), ("out", "linear")
    ]  # fmt: skip


def test_two_paths_never_get_the_same_partner() -> None:
    assert partners(["0", "1", "2"], {"0", "1"}, {"2": "1"}) == {"0": "0", "2": "1"}
    structure = structure_of(Torch("a", a=tl()), Paddle("a", a=pl()), (X,), {})
    assert dict(structure.rename) == {}


def test_somebodys_own_conversion_to_other_names_is_compared() -> None:
    ours = Torch("a b", a=tl(), b=tl())
    theirs = Paddle("x y", x=pl(), y=pl())
    with paddle.no_grad():
        for name, other in (("a", "y"), ("b", "x")):
            layer = getattr(theirs, other)
            layer.weight.set_value(ours.get_submodule(name).weight.detach().numpy().T.copy())
            layer.bias.set_value(ours.get_submodule(name).bias.detach().numpy())
    result = check(ours, theirs, transfer=False)
    assert not result
    assert result.faulty[0].name == "a"
    assert result.faulty[0].own_state is State.MISMATCH
    assert {difference.name for difference in result.weights} == {
        "x.weight", "x.bias", "y.weight", "y.bias"
    }  # fmt: skip


def test_a_flat_port_with_other_names_in_another_order() -> None:
    result = check(toys.torch_model(), toys.OtherNames(), toys.images())
    assert result, result.failures
    assert {pair.torch: pair.paddle for pair in result.assumed} == {
        "block.conv": "first", "block.bn": "norm", "block.side": "second", "block.head": "fc",
        "out": "classifier",
    }  # fmt: skip


RULES = {
    r"block\.(conv|bn)\.(.*)": r"stem.\1_layer.\2",
    r"block\.(side|skip|relu)\.(.*)": r"\1.\2",
    r"block\.head\.(.*)": r"fc.\1",
    r"out\.(.*)": r"classifier.\1",
}


class Ruled(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.stem = paddle.nn.Sequential(
            ("conv_layer", paddle.nn.Conv2D(3, 4, 3, padding=1, bias_attr=False)),
            ("bn_layer", paddle.nn.BatchNorm2D(4)),
        )
        self.relu = paddle.nn.ReLU()
        self.side = paddle.nn.Conv2D(4, 4, 1)
        self.skip = paddle.nn.AvgPool2D(3, 2, 1, exclusive=False)
        self.fc = paddle.nn.Linear(8, 8, bias_attr=False)
        self.classifier = paddle.nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        out = self.relu(self.stem(x))
        both = paddle.concat([self.skip(out), self.skip(self.side(out))], 1)
        return self.classifier(self.fc(both.mean((2, 3))))


def test_the_converters_rules_rename_layers_too() -> None:
    rules = UserRules.of(renames=RULES)
    result = check(toys.torch_model(), Ruled(), toys.images(), rename=rules)
    assert result, result.failures
    assert not result.assumed
    # Modules without tensors are renamed as a tensor in them would be.
    assert [layer.name for layer in result.layers if not layer.kind.startswith("Conv")] == [
        "block.bn", "block.relu", "block.skip", "block.skip", "block.head", "out", ""
    ]  # fmt: skip
    dropped = UserRules.of(renames=RULES, drops={r"classifier\.bias": "not wanted"})
    refused = check(toys.torch_model(), Ruled(), toys.images(), rename=dropped)
    assert any("classifier.bias" in line for line in refused.failures)
    with pytest.raises(InputError, match="no key fits"):
        check(toys.torch_model(), Ruled(), toys.images(), rename=UserRules.of(renames={"a": "b"}))


def test_a_file_of_rules_through_the_command_line(tmp_path: Path) -> None:
    tables = [f"[[rename]]\npattern = '{old}'\nto = '{new}'\n" for old, new in RULES.items()]
    file = tmp_path / "rules.toml"
    file.write_text("\n".join(tables))
    np.save(tmp_path / "x.npy", toys.images())
    arguments = ["--torch", "parity_toys:torch_model", "--paddle", "test_structure:Ruled",
                 "--input", str(tmp_path / "x.npy"), "--rules"]  # fmt: skip
    assert CliRunner().invoke(main, [*arguments, str(file)]).exit_code == 0
    file.write_text("[[rename]]\npattern = '('\nto = ''")
    wrong = CliRunner().invoke(main, [*arguments, str(file)])
    assert wrong.exit_code == 2
    assert "rules.toml" in wrong.stderr


class InPlaceABNSync(torch.nn.BatchNorm1d):
    """The authors' norm: its scale is |weight| + eps, and it counts no batches."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        del self.num_batches_tracked

    def forward(self, x: Any) -> Any:
        scale = self.weight.abs() + self.eps
        return torch.nn.functional.batch_norm(
            x, self.running_mean, self.running_var, scale, self.bias, False, 0.1, self.eps
        )


@pytest.mark.parametrize("name", ["norm", "abn"])
def test_an_in_place_abn_is_folded_under_any_name(name: str) -> None:
    ours = Torch("a norm b", a=tl(), norm=InPlaceABNSync(4), b=tl())
    seed_weights(ours, 3)
    ours.norm.weight.data[0] = -1.0
    theirs = Paddle(f"a {name} b", **{"a": pl(), name: paddle.nn.BatchNorm1D(4), "b": pl()})
    result = check(ours, theirs)
    assert result, result.failures
    assert max(layer.error64 for layer in result.layers) < 1e-13
