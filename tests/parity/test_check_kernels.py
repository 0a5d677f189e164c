"""Operations that compute in single precision in either framework: their floors, and no more."""

from typing import Any

import paddle
import parity_toys as toys
import pytest
import torch
from parity_toys import first

from parity import State, check_parity

F = torch.nn.functional
G = paddle.nn.functional


@pytest.mark.parametrize("corners", [True, False])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_a_resize_has_its_floor_named_and_what_follows_it_stays_strict(
    mode: str, corners: bool
) -> None:
    options = {"size": (23, 31), "mode": mode, "align_corners": corners}

    class Resize(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.after = torch.nn.BatchNorm2d(3)

        def forward(self, x: Any) -> Any:
            return self.after(F.interpolate(x, **options))

    class PaddleResize(paddle.nn.Layer):
        def __init__(self, epsilon: float = 1e-5, **changed: Any) -> None:
            super().__init__()
            self.after = paddle.nn.BatchNorm2D(3, epsilon=epsilon)
            self.changed = changed

        def forward(self, x: Any) -> Any:
            return self.after(G.interpolate(x, **options | self.changed))

    x = toys.images()
    result = check_parity(Resize(), PaddleResize(), x)
    assert result, result.failures
    assert f"float64 floor of {mode} resize" in result.layers[-1].reason
    assert all(layer.error64 < 1e-13 for layer in result.layers)
    assert first(check_parity(Resize(), PaddleResize(epsilon=1.1e-5), x)).name == "after"
    wrong = PaddleResize(align_corners=not corners)
    assert first(check_parity(Resize(), wrong, x)).name == ""


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (torch.nn.Hardsigmoid(), paddle.nn.Hardsigmoid()),
        (torch.nn.SELU(), paddle.nn.SELU()),
        (torch.nn.ELU(0.7), paddle.nn.ELU(0.7)),
        (torch.nn.CELU(0.7), paddle.nn.CELU(0.7)),
        (torch.nn.Hardtanh(-0.3, 0.3), paddle.nn.Hardtanh(-0.3, 0.3)),
        (torch.nn.Softshrink(0.3), paddle.nn.Softshrink(0.3)),
        (torch.nn.LayerNorm((9, 7)), paddle.nn.LayerNorm((9, 7), epsilon=1e-5)),
        (torch.nn.GroupNorm(3, 3), paddle.nn.GroupNorm(3, 3)),
        (
            torch.nn.InstanceNorm2d(3),
            paddle.nn.InstanceNorm2D(3, weight_attr=False, bias_attr=False),
        ),
    ],
)
def test_single_precision_kernels_are_no_differences(ours: Any, theirs: Any) -> None:
    result = check_parity(ours, theirs, toys.images(3e-3), tol=1e-4, transfer=False)
    assert [layer.state for layer in result.layers] == [State.MATCH], result.layers
    assert result.layers[0].error64 < 1e-12


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (torch.nn.ELU(0.7), paddle.nn.ELU(0.7001)),
        (torch.nn.Hardtanh(-0.3, 0.3), paddle.nn.Hardtanh(-0.3, 0.30001)),
        (torch.nn.LayerNorm((9, 7)), paddle.nn.LayerNorm((9, 7), epsilon=1.1e-5)),
    ],
)
def test_a_wrong_attribute_of_such_a_kernel_is_one(ours: Any, theirs: Any) -> None:
    assert not check_parity(ours, theirs, toys.images(), transfer=False)
