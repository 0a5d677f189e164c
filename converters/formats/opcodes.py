"""The few pickle opcodes that our writers need, as bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence


def text_opcode(text: str) -> bytes:
    """Return BINUNICODE with a text."""
    raw = text.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def integer_opcode(value: int) -> bytes:
    """Return BININT1, BININT, or LONG1 of eight bytes beyond 31 bits."""
    if 0 <= value < 256:
        return b"K" + bytes((value,))
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x08" + struct.pack("<q", value)


def tuple_opcodes(values: Sequence[int]) -> bytes:
    """Return the opcodes of a tuple of integers."""
    inside = b"".join(map(integer_opcode, values))
    short = (b")", b"\x85", b"\x86", b"\x87")
    return inside + short[len(values)] if len(values) < len(short) else b"(" + inside + b"t"


def put_opcode(place: int) -> bytes:
    """Return BINPUT or LONG_BINPUT: remember the top of the stack."""
    return b"q" + bytes((place,)) if place < 256 else b"r" + struct.pack("<I", place)


def get_opcode(place: int) -> bytes:
    """Return BINGET or LONG_BINGET: push what was remembered."""
    return b"h" + bytes((place,)) if place < 256 else b"j" + struct.pack("<I", place)
