"""Networks of Paddle's whose weights come from elsewhere, built fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from paddle.nn.initializer.constant import ConstantInitializer
from paddle.nn.initializer.normal import NormalInitializer

from parity.traps.tools import default_dtype
from stdc_port import paddle_nets

if TYPE_CHECKING:
    import paddle


def blank(arch: str, *, dtype: str = "float32", **options: Any) -> paddle.nn.Layer:
    """Build a network of ours whose kernels are zero: drawing them takes most of the time."""
    zero = ConstantInitializer(0.0)
    with (
        default_dtype(dtype),
        patch.object(NormalInitializer, "forward", lambda _, *tensor: zero.forward(*tensor)),
    ):
        return paddle_nets.build(arch, **options)
