"""The type of the layers that Paddle builds, for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import paddle


@contextmanager
def default_dtype(name: str) -> Iterator[None]:
    """Let Paddle build layers of a type; what it had before is restored."""
    before = paddle.get_default_dtype()
    paddle.set_default_dtype(name)
    try:
        yield
    finally:
        paddle.set_default_dtype(before)
