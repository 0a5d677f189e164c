"""The few pickle opcodes that our writers need, as bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable


def text_opcode(text: str) -> bytes:
    """Return BINUNICODE with a text."""
    raw = text.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def integer_opcode(value: int) -> bytes:
    """Return BININT, or LONG1 of eight bytes beyond 31 bits."""
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x08" + struct.pack("<q", value)


def tuple_opcodes(values: Iterable[int]) -> bytes:
    """Return the opcodes of a tuple of integers."""
    return b"(" + b"".join(map(integer_opcode, values)) + b"t"
