"""What each opcode of a pickle does to the machine that interprets it.

After the documentation in CPython's ``pickletools``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from converters.errors import InputError
from converters.formats.pickle_budget import ENTRY, SLOT, VIEW
from converters.formats.pickle_values import Buildable, StateDict

if TYPE_CHECKING:
    from converters.formats.pickle_machine import PickleMachine


def _set_items(machine: PickleMachine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, dict):
        raise TypeError("items set on something that is no dict")
    machine.budget.charge(ENTRY * (len(items) // 2))
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
    machine.budget.charge_copies(state)
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
    machine.budget.charge(size)
    machine.stack.append(int.from_bytes(machine.take(size), "little", signed=True))


def _text(machine: PickleMachine, size: int, encoding: str = "utf-8") -> None:
    errors = "surrogatepass" if encoding == "utf-8" else "strict"
    data = machine.take(size)
    if encoding == "utf-8":
        machine.budget.charge_text(data)
    machine.stack.append(str(data, encoding, errors))


def _view(machine: PickleMachine, size: int) -> None:
    machine.budget.charge(VIEW)
    machine.stack.append(machine.take(size))


def _append(machine: PickleMachine) -> None:
    machine.budget.charge(SLOT)
    _extend(machine, [machine.stack.pop()])


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
    ord("B"): lambda m: _view(m, m.number("<I")),
    ord("C"): lambda m: _view(m, m.byte()),
    0x8E: lambda m: _view(m, m.number("<Q")),
    0x96: lambda m: _view(m, m.number("<Q")),  # BYTEARRAY8
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
    ord("a"): _append,
    ord("e"): lambda m: _extend(m, m.pop_mark()),
    0x90: lambda m: _extend(m, m.pop_mark()),  # ADDITEMS
    ord("s"): lambda m: _set_items(m, [m.stack.pop(-2), m.stack.pop()]),
    ord("u"): lambda m: _set_items(m, m.pop_mark()),
    ord("g"): lambda m: m.recall(int(m.line())),
    ord("h"): lambda m: m.recall(m.byte()),
    ord("j"): lambda m: m.recall(m.number("<I")),
    ord("p"): lambda m: m.remember(int(m.line())),
    ord("q"): lambda m: m.remember(m.byte()),
    ord("r"): lambda m: m.remember(m.number("<I")),
    0x94: lambda m: m.remember(len(m.memo) + len(m.far)),  # MEMOIZE
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
