"""How much a pickle may take before it is known to flood who reads it.

A list takes 72 bytes of memory and one of the file, so the size of the file is no bound. Tensors
are: what a checkpoint holds beside them is little, and each of them needs so much.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

# Bytes that Python takes for a small object, a place in a list, an entry in a dict, a view.
OBJECT, SLOT, ENTRY, VIEW = 64, 9, 100, 150
# Bytes and opcodes for what is no tensor: two million numbers. The pickle's size is added.
ROOM, OPCODES = 150 << 20, 6_000_000
# The same for each tensor, twice what it takes, and the most for all: of 280 000.
EACH, EACH_OPCODES, MOST, MOST_OPCODES = 3000, 160, 800 << 20, 24_000_000
# Bytes that are copied between two looks; of a text that is worth a look; that begin a letter which
# takes more than a byte.
LOOK, LONG, WIDE = 4 << 20, 400, re.compile(rb"[\xc4-\xff]")


def allocated() -> int:
    """Return how many objects Python has, roughly; 0 where it does not count them."""
    count: Callable[[], int] = getattr(sys, "getallocatedblocks", lambda: 0)
    return count()


def size_of(values: list[Any]) -> int:
    """Return the bytes that values take, roughly, with all that they hold; a list counts once."""
    size, seen, left = 0, set[int](), values
    while left:
        value = left.pop()
        size += OBJECT
        if isinstance(value, (list, tuple, dict)) and value and id(value) not in seen:
            seen.add(id(value))
            inner = (*value, *value.values()) if isinstance(value, dict) else value
            size += SLOT * len(inner)
            left.extend(inner)
    return size


class Interpreting(Protocol):
    """Who interprets a pickle, with all that it holds."""

    position: int
    stack: list[Any]
    marks: list[int]
    memo: list[Any]


@dataclass(slots=True)
class Budget:
    """Counts what a pickle takes; roughly, in bytes.

    Attributes:
        machine: interprets it.
        start: first byte of the pickle.
        opcodes: interpreted so far.
        tensors: calls that gave one.
        counted: bytes that are not in small objects.
        looked: such bytes at the last look.
        before: objects that there were before.
    """

    machine: Interpreting
    start: int
    opcodes: int = 0
    tensors: int = 0
    counted: int = 0
    looked: int = 0
    before: int = field(default_factory=allocated)

    def charge(self, count: int) -> None:
        """Count bytes that are no small object's; look at once where they are many.

        Raises:
            ValueError: it is too much.
        """
        self.counted += count
        if self.counted - self.looked > LOOK:
            self.require()

    def charge_copies(self, values: Any) -> None:
        """Count what a call copies of its arguments, which a file may hand over again and again.

        Raises:
            ValueError: it is too much.
        """
        for value in values if isinstance(values, tuple) else (values,):
            if isinstance(value, str):
                self.charge(len(value))
            elif isinstance(value, (list, tuple, dict)):
                self.charge(ENTRY * len(value))

    def charge_text(self, data: memoryview) -> None:
        """Count what a long text takes beyond its bytes: one odd letter makes all of them wide.

        Raises:
            ValueError: it is too much.
        """
        if len(data) > LONG and WIDE.search(data):
            self.charge(3 * len(data))

    def require(self) -> None:
        """Refuse what takes more than any checkpoint.

        Raises:
            ValueError: it does.
        """
        machine, self.looked = self.machine, self.counted
        held = SLOT * (len(machine.stack) + len(machine.marks) + len(machine.memo))
        used = OBJECT * (allocated() - self.before) + held + self.counted
        size = machine.position - self.start
        most = ROOM + size + min(EACH * self.tensors, MOST)
        opcodes = min(OPCODES + EACH_OPCODES * self.tensors, MOST_OPCODES)
        if used > most and threading.active_count() > 1:
            # Python counts the objects of all threads together.
            ours = size_of([machine.stack, machine.memo]) + self.counted
            self.before += max(used - ours, 0) // OBJECT
            used = min(used, ours)
        if used > most or self.opcodes > opcodes:
            raise ValueError(
                f"{self.opcodes} opcodes and {used >> 20} MiB of objects for {self.tensors} "
                "tensors, more than any checkpoint: a flood"
            )
