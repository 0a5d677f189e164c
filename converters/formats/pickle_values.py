"""What stands in for the objects of a pickle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Globals = Mapping[tuple[str, str], "Known"]
# Keys that are neither texts nor numbers.
ODD_KEYS = 1000


@dataclass(frozen=True)
class Known:
    """A global that a file may name, and what stands in for it.

    Attributes:
        name: as the file spells it.
        call: what REDUCE and NEWOBJ run instead; None if it is a mere name.
        value: what a mere name stands for.
        tensor: a call gives a tensor, or an array for one.
    """

    name: str
    call: Callable[..., Any] | None = None
    value: Any = None
    tensor: bool = False


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
