"""Partners through containers, wrappers and shared names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import paddle
import parity_toys as toys
import pytest
import torch

if TYPE_CHECKING:
    pass
from structure_toys import Paddle, Torch, check, pl, tl


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
