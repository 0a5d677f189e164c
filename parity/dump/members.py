"""A record as JSON: its tensors are named members of the dump, all else stands in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from parity.backends import FloatType
from parity.backward import Gradient
from parity.compare import TensorError
from parity.dump.typed import Load, Types
from parity.error_map import Border, ErrorMap
from parity.forced import ForcedCall
from parity.precision import Floor
from parity.record import CallKey, Given, Record
from parity.runs import Slot

#: The member that tells what the network consists of.
INVENTORY_MEMBER = "network.json"
#: How torch's parameters became paddle's, in paddle's dump of a run that went backward.
ENTRIES_MEMBER = "entries.json"
#: What each call of paddle's does wrong by itself, in a dump that was made on torch's.
OWN_MEMBER = "own.json"


def events_member(dtype: str) -> str:
    """Name the member that lists what happened in a run: starts and ends of calls."""
    return f"{dtype}/events.json"


def gradients_member(dtype: str) -> str:
    """Name the member that lists the gradients of a run."""
    return f"{dtype}/gradients.json"


def parameters_member(dtype: str) -> str:
    """Name the member that lists the parameters of a run that went backward."""
    return f"{dtype}/parameters.json"


def input_member(index: int) -> str:
    """Name the member of an input."""
    return f"inputs/{index}.npy"


def weight_member(key: str) -> str:
    """Name the member of a weight."""
    return f"weights/{key}.npy"


def as_json(value: Any, store: Callable[[np.ndarray], str]) -> Any:
    """Give a record, or another value made of dataclasses, as plain values.

    Args:
        value: It, or a part of it.
        store: Keeps an array and returns its member's name.
    """
    if isinstance(value, np.ndarray):
        return {"array": store(value)}
    if isinstance(value, tuple):
        return [as_json(item, store) for item in value]
    if isinstance(value, Mapping):
        return {"pairs": [as_json(pair, store) for pair in value.items()]}
    if is_dataclass(value):
        # What is not shown is of the process alone.
        names = [part.name for part in fields(value) if part.repr]
        parts = {name: as_json(getattr(value, name), store) for name in names}
        return {"is": type(value).__name__, **parts}
    return value


def from_json(plain: Any, expected: Any, load: Load) -> Any:
    """Make what `as_json` gave.

    Args:
        plain: The plain values.
        expected: The type that they are to be of.
        load: Gives the array of a member.

    Raises:
        OddValueError: They are something else.
    """
    return TYPES.read(plain, expected, load)


class StoredRecord(Record):
    """A record whose arrays lie in a file and hold as long as they are wanted."""

    def kept(self) -> Record:
        """Outlive the call without a copy."""
        return self


class StoredGiven(Given):
    """A start of a call, of the same kind."""

    def kept(self) -> Given:
        """Outlive the call without a copy."""
        return self


class StoredGradient(Gradient):
    """A gradient, of the same kind."""

    def kept(self) -> Gradient:
        """Outlive the call without a copy."""
        return self


#: Reads a dump's plain values; annotations name types that modules import for checkers alone.
TYPES = Types(
    {one.__name__: one for one in (Mapping, Floor, Slot, TensorError, ErrorMap, Border, ForcedCall)}
    | {"CallKey": CallKey, "FloatType": FloatType},
    {Record: StoredRecord, Given: StoredGiven, Gradient: StoredGradient},
)
