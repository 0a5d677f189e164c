"""How Paddle builds layers: in another type, or fast, where their weights come from elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import paddle
from paddle.nn.initializer.constant import ConstantInitializer
from paddle.nn.initializer.normal import NormalInitializer

from stdc_port import paddle_nets

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def default_dtype(name: str) -> Iterator[None]:
    """Let Paddle build layers of a type; what it had before is restored."""
    before = paddle.get_default_dtype()
    paddle.set_default_dtype(name)
    try:
        yield
    finally:
        paddle.set_default_dtype(before)


def blank(arch: str, *, dtype: str = "float32", **options: Any) -> paddle.nn.Layer:
    """Build a network of ours whose kernels are zero: drawing them takes most of the time."""
    zero = ConstantInitializer(0.0)
    with (
        default_dtype(dtype),
        patch.object(NormalInitializer, "forward", lambda _, *tensor: zero.forward(*tensor)),
    ):
        return paddle_nets.build(arch, **options)
