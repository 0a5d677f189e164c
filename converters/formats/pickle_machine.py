"""A pickle reader that runs nothing.

It interprets the opcodes itself and knows no import: a global is looked up in the table that the
caller gives, and whatever is not in it is refused by name. Byte strings stay views of the file,
so a file of gigabytes costs no memory until a tensor is read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import proxy

from converters.errors import InputError, brief
from converters.formats.lookalikes import told_by_global
from converters.formats.pickle_budget import ENTRY, SLOT, Budget
from converters.formats.pickle_opcodes import OPCODES
from converters.formats.pickle_values import ODD_KEYS, Globals, Known, is_plain
from converters.mapped import LOOK, before_reading

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
# Opcodes between two looks at the file and at the memory in use.
CHECKED = 1 << 13
STRUCTS = {code: struct.Struct(code) for code in ("<B", "<H", "<i", "<I", "<q", "<Q", ">d")}


@dataclass
class PickleMachine:
    """Interprets one pickle.

    Attributes:
        data: the file's bytes.
        known: the closed list of globals.
        persistent: gives the object behind a persistent id.
        where: names the file in errors.
        position: of the next byte.
        stack: values that the next opcodes take.
        marks: lengths of the stack where something began.
        memo: values to come back to, by the number that the file gave each, in order.
        far: the same under numbers out of order.
        odd_keys: keys so far that a file may choose to collide.
        budget: what was taken so far.
    """

    data: memoryview
    known: Globals
    persistent: Callable[[Any], Any] | None = None
    where: str = "the file"
    position: int = 0
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: list[Any] = field(default_factory=list)
    far: dict[int, Any] = field(default_factory=dict)
    odd_keys: int = 0
    budget: Budget = field(init=False)

    def load(self, start: int = 0) -> Any:
        """Interpret from ``start``; ``position`` is then the first byte behind the pickle.

        Raises:
            InputError: the pickle is broken, or names a global that is not in the list.
        """
        self.position, self.stack, self.marks = start, [], []
        self.memo, self.far = [], {}
        # Held by each other they would stay, memo and all, where no garbage is collected.
        self.budget = Budget(proxy(self), start)
        try:
            while True:
                before_reading(LOOK, self.data)
                self.budget.require()
                self.budget.opcodes += CHECKED
                for _ in range(CHECKED):
                    opcode = self.data[self.position]
                    self.position += 1
                    if opcode == 0x2E:  # STOP
                        return self.stack.pop()
                    OPCODES[opcode](self)
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
        self.budget.charge(SLOT * len(items))
        return items

    def remember(self, index: int) -> None:
        """Give the top of the stack a number.

        Raises:
            ValueError: no writer gives such a number.
        """
        if not 0 <= index < 1 << 32:
            raise ValueError("a number beyond 32 bits in the memo")
        if index == len(self.memo):
            self.memo.append(self.stack[-1])
        elif index < len(self.memo):
            self.memo[index] = self.stack[-1]
        else:
            self.far[index] = self.stack[-1]
            self.budget.charge(ENTRY)

    def recall(self, index: int) -> None:
        """Push the value of a number.

        Raises:
            KeyError: there is none.
        """
        near = 0 <= index < len(self.memo)
        self.stack.append(self.memo[index] if near else self.far[index])

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
        if function.tensor:
            self.budget.tensors += 1
        else:
            self.budget.charge_copies(arguments)
        return function.call(*arguments)
