"""A record as JSON: its tensors are named members of the dump, all else stands in it."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from parity.precision import Floor
from parity.record import Record, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


def records_member(dtype: str) -> str:
    """Name the member that lists a run's records."""
    return f"{dtype}/records.json"


def input_member(index: int) -> str:
    """Name the member of an input."""
    return f"inputs/{index}.npy"


def weight_member(key: str) -> str:
    """Name the member of a weight."""
    return f"weights/{key}.npy"


def as_json(record: Record, store: Callable[[np.ndarray], str]) -> dict[str, Any]:
    """Give a record as plain values.

    Args:
        record: A call.
        store: Keeps an array and returns its member's name.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, Value):
            return {"slot": value.slot, "array": store(value.array)}
        if isinstance(value, Floor):
            return asdict(value)
        return [plain(item) for item in value] if isinstance(value, tuple) else value

    # What is not compared is no value: a way to look at arrays while the network runs.
    values = (field.name for field in fields(record) if field.compare)
    return {name: plain(getattr(record, name)) for name in values}


def from_json(content: dict[str, Any], load: Callable[[str], np.ndarray]) -> Record:
    """Make the record of what `as_json` gave.

    Args:
        content: The plain values.
        load: Gives the array of a member.

    Raises:
        TypeError, KeyError: They describe no record.
    """

    def value_of(plain: Any) -> Any:
        if isinstance(plain, dict):
            if "array" in plain:
                return Value(plain["slot"], load(plain["array"]))
            return Floor(**plain)
        return tuple(value_of(item) for item in plain) if isinstance(plain, list) else plain

    return StoredRecord(**{name: value_of(plain) for name, plain in content.items()})


class StoredRecord(Record):
    """A record whose arrays lie in a file and hold as long as they are wanted."""

    def kept(self) -> Record:
        """Outlive the call without a copy."""
        return self
