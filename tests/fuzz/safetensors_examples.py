"""A safetensors file for each reason for which its library or we refuse and the other reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def row(kind: str = "F32", shape: Any = (2,), size: int = 8) -> dict[str, Any]:
    """Return what a header says of a tensor at the beginning."""
    return {"dtype": kind, "shape": shape, "data_offsets": [0, size]}


def file(header: Any, size: int = 8) -> bytes:
    """Return a file of a header, or of its text, and zeros."""
    text = header if isinstance(header, str) else json.dumps(header)
    return len(text).to_bytes(8, "little") + text.encode() + bytes(size)


def beside(metadata: Any) -> bytes:
    """Return a file of one tensor and metadata."""
    return file({"__metadata__": metadata, "a": row()})


WHOLE = json.dumps({"a": row()})
EXAMPLES: dict[str, tuple[Callable[[], bytes], ...]] = {
    "a key twice": (
        lambda: file(f"{WHOLE[:-1]}, {WHOLE[1:]}"),
        lambda: file('{"__metadata__": {"x": "1", "x": "2"}, ' + WHOLE[1:]),
    ),
    "a second name of ours of no tensor": (
        lambda: beside({"stdc_convert.second_names": '{"b": "missing"}'}),
    ),
    "a header that begins with spaces": (lambda: file("  " + WHOLE),),
    "no tensors": (lambda: file({}, 0), lambda: file({"__metadata__": {"a": "b"}}, 0)),
    "more dimensions than numpy has": (
        lambda: file({"a": row(shape=[1] * 40, size=4)}, 4),
        lambda: file({"a": row(shape=[0, 2**62, 16], size=0)}, 0),
    ),
    "a type that is not converted": (lambda: file({"a": row("F4", [16])}),),
    "a tensor's facts as a list": (lambda: file({"a": ["F32", [2], [0, 8]]}),),
    "metadata that is no text": (lambda: beside({"x": 1}), lambda: beside({"x": {"y": "z"}})),
    "half of a surrogate pair": (lambda: file({"\ud800": row()}),),
    "a size that is spelt as no integer": (
        lambda: file({"a": row(shape=[2.0])}),
        lambda: file({"a": row(shape=[2, True])}),
    ),
    "NaN in the metadata": (lambda: beside({"x": float("nan")}),),
}
