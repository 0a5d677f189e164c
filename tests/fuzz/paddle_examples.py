"""A .pdparams file for each reason for which ``paddle.load`` or we refuse and the other reads."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

Changed = Callable[[Any, tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]


def file(content: Any, protocol: int = 2) -> bytes:
    """Return what ``paddle.save`` writes of arrays."""
    return pickle.dumps(content, protocol)


def beside(value: Any, key: Any = "b") -> bytes:
    """Return a file of one array and another value."""
    return file({"a": np.ones(2, np.float32), key: value})


def written(change: Changed) -> bytes:
    """Return a file in which an array is made in another way: by function, arguments and state."""

    class Pickler(pickle.Pickler):
        def reducer_override(self, value: Any) -> Any:
            return change(*value.__reduce__()) if isinstance(value, np.ndarray) else NotImplemented

    made = io.BytesIO()
    Pickler(made, 2).dump({"a": np.ones(2, np.float32)})
    return made.getvalue()


def long_frame() -> bytes:
    """Return a file whose frame is longer than any file."""
    data = file({"a": np.ones(2, np.float32)}, 4)
    at = data.index(b"\x95") + 1
    return data[:at] + (2**64 - 1).to_bytes(8, "little") + data[at + 8 :]


EXAMPLES: dict[str, tuple[Callable[[], bytes], ...]] = {
    "a name off our list": (lambda: beside(np.load),),
    "no dict of tensors": (lambda: file(np.ones(2)), lambda: file([7])),
    "a type as a key": (lambda: beside(1, np.dtype("f4")),),
    "an array's state of four parts": (
        lambda: written(lambda make, given, state: (make, given, state[1:])),
    ),
    "keys that may collide": (lambda: beside({(n,): 1 for n in range(1001)}),),
    "opcodes or objects without end": (lambda: beside([[] for _ in range(2**15)]),),
    "an array's facts that numpy does not take": (
        lambda: written(lambda make, given, state: (make, (7, *given[1:]), state)),
    ),
    "a frame longer than any file": (long_frame,),
}
