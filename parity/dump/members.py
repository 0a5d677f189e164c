"""A record as JSON: its tensors are named members of the dump, all else stands in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from converters.entries import Entry
from parity.backward import Gradient
from parity.compare import TensorError
from parity.dump.parameters import Parameter
from parity.error_map import Border, ErrorMap
from parity.forced import ForcedCall
from parity.inventory import Inventory, Module, Unit
from parity.isolate import Forced
from parity.precision import Floor
from parity.record import Given, Record, Value
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
    """Give a record, or another value made of `KINDS`, as plain values.

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


def from_json(plain: Any, load: Callable[[str], np.ndarray]) -> Any:
    """Make what `as_json` gave.

    Args:
        plain: The plain values.
        load: Gives the array of a member.

    Raises:
        TypeError, KeyError: They describe nothing of the kind.
    """
    if isinstance(plain, list):
        return tuple(from_json(item, load) for item in plain)
    if not isinstance(plain, dict):
        return plain
    if "pairs" in plain:
        return dict(from_json(pair, load) for pair in plain["pairs"])
    if "is" not in plain:
        return load(plain["array"])
    parts = {name: from_json(part, load) for name, part in plain.items() if name != "is"}
    return KINDS[plain["is"]](**parts)


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


KINDS: dict[str, Callable[..., Any]] = {
    "Record": StoredRecord,
    "Given": StoredGiven,
    "Gradient": StoredGradient,
    "Value": Value,
    "Floor": Floor,
    "Parameter": Parameter,
    "Entry": Entry,
    "Forced": Forced,
    "ForcedCall": ForcedCall,
    "Slot": Slot,
    "TensorError": TensorError,
    "ErrorMap": ErrorMap,
    "Border": Border,
    "Inventory": Inventory,
    "Module": Module,
    "Unit": Unit,
}
