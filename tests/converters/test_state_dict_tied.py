"""Tensors that a target ties, and networks that stand in a wrapper."""

import paddle
import pytest
import torch
from samples import bits

from converters import RefusedError, convert_state_dict
from converters.user_rules import UserRules


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
