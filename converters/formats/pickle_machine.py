"""A pickle reader that runs nothing.

It interprets the opcodes itself and knows no import: a global is looked up in the table that the
caller gives, and whatever is not in it is refused by name. Byte strings stay views of the file,
so a file of gigabytes costs no memory until a tensor is read.
Opcodes after the documentation in CPython's ``pickletools``.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from converters.errors import InputError, brief
from converters.formats.lookalikes import told_by_global
from converters.mapped import LOOK, before_reading

Globals = Mapping[tuple[str, str], "Known"]
# What a broken pickle makes the opcodes run into.
BROKEN = (
    LookupError,
    struct.error,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
)
# Twice what a checkpoint of 200 000 tensors needs: beyond it, a file floods who reads it. The count
# of objects is looked at once in so many opcodes.
STEPS, OBJECTS, CHECKED = 1 << 25, 12_000_000, 1 << 14
# Keys that are neither texts nor numbers.
ODD_KEYS = 1000
STRUCTS = {code: struct.Struct(code) for code in ("<B", "<H", "<i", "<I", "<q", "<Q", ">d")}


@dataclass(frozen=True)
class Known:
    """A global that a file may name, and what stands in for it.

    Attributes:
        name: as the file spells it.
        call: what REDUCE and NEWOBJ run instead; None if it is a mere name.
        value: what a mere name stands for.
    """

    name: str
    call: Callable[..., Any] | None = None
    value: Any = None


@dataclass
class Buildable:
    """An object that a file fills in with BUILD after making it."""

    build: Callable[[Any], None]


class StateDict(dict[Any, Any]):
    """What an OrderedDict of the file becomes; attributes set on it (``_metadata``) are kept."""

    attributes: dict[str, Any]
    metadata: dict[str, str]

    def build(self, state: Any) -> None:
        """Take the attributes that the file sets."""
        self.attributes = dict(state) if isinstance(state, dict) else {}


def is_plain(key: Any) -> bool:
    """Return whether keys of a kind do not collide in a dict by a file's choice.

    Texts do not, Python salts them; nor do numbers of 64 bits. Tuples and longer numbers do.
    """
    return key.__class__ is str or (isinstance(key, int) and -(1 << 63) <= key < 1 << 63)


def ordered_dict(pairs: Any = ()) -> StateDict:
    """Return what the file's call of OrderedDict gives; old Pythons hand it its entries.

    Raises:
        ValueError: too many keys are odd ones; see `is_plain`.
    """
    found = list(pairs.items() if isinstance(pairs, dict) else pairs)
    if sum(not is_plain(key) for key, _ in found) > ODD_KEYS:
        raise ValueError(f"more than {ODD_KEYS} keys that are neither texts nor numbers")
    return StateDict(found)


@dataclass
class PickleMachine:
    """Interprets one pickle.

    Attributes:
        data: the file's bytes.
        known: the closed list of globals.
        persistent: gives the object behind a persistent id.
        where: names the file in errors.
    """

    data: memoryview
    known: Globals
    persistent: Callable[[Any], Any] | None = None
    where: str = "the file"
    position: int = 0
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    odd_keys: int = 0

    def load(self, start: int = 0) -> Any:
        """Interpret from ``start``; ``position`` is then the first byte behind the pickle.

        Raises:
            InputError: the pickle is broken, or names a global that is not in the list.
        """
        self.position, self.stack, self.marks, self.memo = start, [], [], {}
        before = allocated()
        try:
            for _ in range(STEPS // CHECKED):
                before_reading(LOOK, self.data)
                for _ in range(CHECKED):
                    opcode = self.data[self.position]
                    self.position += 1
                    if opcode == 0x2E:  # STOP
                        return self.stack.pop()
                    OPCODES[opcode](self)
                if allocated() - before > OBJECTS:
                    break
            raise ValueError("it never comes to an end with its opcodes and objects")
        except BROKEN as error:
            raise InputError(
                f"{self.where}: not a readable pickle, broken at byte {self.position} "
                f"({brief(error)}); download or save it again"
            ) from error

    def take(self, count: int) -> memoryview:
        """Return the next bytes.

        Raises:
            ValueError: fewer are left.
        """
        if count < 0 or self.position + count > len(self.data):
            raise ValueError(f"{count} bytes announced, {len(self.data) - self.position} left")
        start, self.position = self.position, self.position + count
        return self.data[start : self.position]

    def line(self) -> str:
        """Return the text up to the next newline, which is consumed."""
        end = bytes(self.data[self.position : self.position + 4096]).index(b"\n")
        text = bytes(self.take(end)).decode()
        self.position += 1
        return text

    def byte(self) -> int:
        """Return the next byte."""
        self.position += 1
        return self.data[self.position - 1]

    def number(self, code: str) -> int:
        """Return the next number in a ``struct`` code."""
        form = STRUCTS[code]
        (value,) = form.unpack_from(self.data, self.position)
        self.position += form.size
        return value

    def count_odd(self, key: Any) -> None:
        """Refuse keys without end that a file may choose so that all of them collide in a dict.

        Raises:
            ValueError: there are too many of them; see `is_plain`.
        """
        self.odd_keys += not is_plain(key)
        if self.odd_keys > ODD_KEYS:
            raise ValueError(f"more than {ODD_KEYS} keys that are neither texts nor numbers")

    def pop_mark(self) -> list[Any]:
        """Return what lies above the last mark and remove it."""
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def find(self, module: str, name: str) -> Known:
        """Return the stand-in of a global.

        Raises:
            InputError: it is not in the list.
        """
        known = self.known.get((module, name))
        if known is None:
            raise InputError(f"{self.where}: {told_by_global(self.where, f'{module}.{name}')}")
        return known

    def apply(self, function: Any, arguments: Any) -> Any:
        """Run a stand-in; nothing else is ever called.

        Raises:
            InputError: the file calls something that is no function of the list.
        """
        if not isinstance(function, Known) or function.call is None:
            name = getattr(function, "name", type(function).__name__)
            raise InputError(
                f"{self.where}: refused, the file calls '{name}', which is no function"
            )
        return function.call(*arguments)


def allocated() -> int:
    """Return how many objects Python has, roughly; 0 where it does not count them."""
    count: Callable[[], int] = getattr(sys, "getallocatedblocks", lambda: 0)
    return count()


def _put(machine: PickleMachine, index: int) -> None:
    if index >> 32:
        raise ValueError("a number beyond 32 bits in the memo")
    machine.memo[index] = machine.stack[-1]


def _set_items(machine: PickleMachine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, dict):
        raise TypeError("items set on something that is no dict")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if key.__class__ is not str:
            machine.count_odd(key)
        target[key] = value


def _extend(machine: PickleMachine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, list):
        raise TypeError("items appended to something that is no list")
    target.extend(items)


def _reduce(machine: PickleMachine) -> None:
    arguments, function = machine.stack.pop(), machine.stack.pop()
    if not isinstance(arguments, tuple):
        raise TypeError("arguments are no tuple")
    machine.stack.append(machine.apply(function, arguments))


def _build(machine: PickleMachine) -> None:
    state = machine.stack.pop()
    target = machine.stack[-1]
    if not isinstance(target, (Buildable, StateDict)):
        raise InputError(f"{machine.where}: refused, the file sets attributes of an object")
    target.build(state)


def _find_on_stack(machine: PickleMachine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(machine.find(module, name))


def _global(machine: PickleMachine) -> None:
    module = machine.line()
    machine.stack.append(machine.find(module, machine.line()))


def _persistent(machine: PickleMachine, reference: Any) -> None:
    if machine.persistent is None:
        raise InputError(f"{machine.where}: refused, the file refers to data outside itself")
    machine.stack.append(machine.persistent(reference))


def _integer_line(machine: PickleMachine) -> None:
    text = machine.line()
    machine.stack.append({"00": False, "01": True}[text] if text in ("00", "01") else int(text))


def _long(machine: PickleMachine, size: int) -> None:
    machine.stack.append(int.from_bytes(machine.take(size), "little", signed=True))


def _text(machine: PickleMachine, size: int, encoding: str = "utf-8") -> None:
    errors = "surrogatepass" if encoding == "utf-8" else "strict"
    machine.stack.append(str(machine.take(size), encoding, errors))


def _top(machine: PickleMachine, count: int) -> None:
    items = tuple(machine.stack[-count:])
    if len(items) < count:
        raise IndexError("stack too short")
    del machine.stack[-count:]
    machine.stack.append(items)


def _dict_of(machine: PickleMachine, items: list[Any]) -> None:
    machine.stack.append({})
    _set_items(machine, items)


def _unknown(code: int, name: str) -> Callable[[PickleMachine], None]:
    def refuse(machine: PickleMachine) -> None:
        raise InputError(
            f"{machine.where}: refused, pickle opcode {name} at byte {machine.position - 1} "
            "has no place in a weight file"
        )

    refuse.__doc__ = f"Refuse opcode {code:#x}."
    return refuse


OPCODES: dict[int, Callable[[PickleMachine], None]] = {
    0x80: lambda m: m.take(1) and None,  # PROTO
    0x95: lambda m: m.take(8) and None,  # FRAME
    ord("("): lambda m: m.marks.append(len(m.stack)),
    ord("0"): lambda m: m.stack.pop() and None,
    ord("1"): lambda m: m.pop_mark() and None,
    ord("2"): lambda m: m.stack.append(m.stack[-1]),
    ord("N"): lambda m: m.stack.append(None),
    0x88: lambda m: m.stack.append(True),
    0x89: lambda m: m.stack.append(False),
    ord("I"): _integer_line,
    ord("J"): lambda m: m.stack.append(m.number("<i")),
    ord("K"): lambda m: m.stack.append(m.byte()),
    ord("M"): lambda m: m.stack.append(m.number("<H")),
    ord("L"): lambda m: m.stack.append(int(m.line().rstrip("L"))),
    0x8A: lambda m: _long(m, m.byte()),
    0x8B: lambda m: _long(m, m.number("<i")),
    ord("F"): lambda m: m.stack.append(float(m.line())),
    ord("G"): lambda m: m.stack.append(m.number(">d")),
    ord("T"): lambda m: _text(m, m.number("<i"), "latin-1"),
    ord("U"): lambda m: _text(m, m.byte(), "latin-1"),
    ord("X"): lambda m: _text(m, m.number("<I")),
    0x8C: lambda m: _text(m, m.byte()),
    0x8D: lambda m: _text(m, m.number("<Q")),
    ord("V"): lambda m: m.stack.append(m.line().encode().decode("raw-unicode-escape")),
    ord("B"): lambda m: m.stack.append(m.take(m.number("<I"))),
    ord("C"): lambda m: m.stack.append(m.take(m.byte())),
    0x8E: lambda m: m.stack.append(m.take(m.number("<Q"))),
    0x96: lambda m: m.stack.append(m.take(m.number("<Q"))),  # BYTEARRAY8
    ord("]"): lambda m: m.stack.append([]),
    ord("}"): lambda m: m.stack.append({}),
    ord(")"): lambda m: m.stack.append(()),
    0x8F: lambda m: m.stack.append([]),  # EMPTY_SET: a list will do, nothing looks inside
    ord("l"): lambda m: m.stack.append(m.pop_mark()),
    ord("t"): lambda m: m.stack.append(tuple(m.pop_mark())),
    ord("d"): lambda m: _dict_of(m, m.pop_mark()),
    0x91: lambda m: m.stack.append(tuple(m.pop_mark())),  # FROZENSET
    0x85: lambda m: _top(m, 1),
    0x86: lambda m: _top(m, 2),
    0x87: lambda m: _top(m, 3),
    ord("a"): lambda m: _extend(m, [m.stack.pop()]),
    ord("e"): lambda m: _extend(m, m.pop_mark()),
    0x90: lambda m: _extend(m, m.pop_mark()),  # ADDITEMS
    ord("s"): lambda m: _set_items(m, [m.stack.pop(-2), m.stack.pop()]),
    ord("u"): lambda m: _set_items(m, m.pop_mark()),
    ord("g"): lambda m: m.stack.append(m.memo[int(m.line())]),
    ord("h"): lambda m: m.stack.append(m.memo[m.byte()]),
    ord("j"): lambda m: m.stack.append(m.memo[m.number("<I")]),
    ord("p"): lambda m: _put(m, int(m.line())),
    ord("q"): lambda m: _put(m, m.byte()),
    ord("r"): lambda m: _put(m, m.number("<I")),
    0x94: lambda m: _put(m, len(m.memo)),
    ord("c"): _global,
    0x93: _find_on_stack,
    ord("R"): _reduce,
    0x81: _reduce,  # NEWOBJ: a stand-in makes the object either way
    ord("b"): _build,
    ord("P"): lambda m: _persistent(m, m.line()),
    ord("Q"): lambda m: _persistent(m, m.stack.pop()),
} | {
    code: _unknown(code, name)
    for code, name in (
        (ord("i"), "INST"),
        (ord("o"), "OBJ"),
        (0x82, "EXT1"),
        (0x83, "EXT2"),
        (0x84, "EXT4"),
        (0x92, "NEWOBJ_EX"),
        (0x97, "NEXT_BUFFER"),
        (0x98, "READONLY_BUFFER"),
        (ord("S"), "STRING"),
    )
}
