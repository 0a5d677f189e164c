"""Any network: the classes of the target's layers settle every layout."""

import numpy as np
import paddle
import pytest
import torch
from samples import bits, generator
from zoo import PaddleZoo, TorchZoo

from converters import InputError, RefusedError, convert_state_dict
from converters.user_rules import UserRules
from parity.traps.tools import default_dtype


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
    with default_dtype("float64"):
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
