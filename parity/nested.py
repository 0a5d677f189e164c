"""Tensors inside the tuples, lists, dicts and dataclasses that modules take and return."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    IsTensor = Callable[[Any], bool]


def flatten(value: Any, is_tensor: IsTensor) -> Iterator[tuple[str, Any]]:
    """Yield the tensors inside nested tuples, lists, dicts and dataclasses with their slots."""
    if is_tensor(value):
        yield "", value
        return
    for name, item in _items(value):
        for slot, tensor in flatten(item, is_tensor):
            yield _slot(name, slot), tensor


def rebuilt(value: Any, is_tensor: IsTensor, new: Mapping[str, Any]) -> Any:
    """Give a value with some of its tensors exchanged; what holds none of them stays itself.

    Args:
        value: A tensor, or a nest of them; it is not changed.
        is_tensor: Tells a tensor.
        new: Slot to the tensor that is to stand there.
    """
    if is_tensor(value):
        return new.get("", value)
    changed = {}
    for name, item in _items(value):
        inner = {slot: new[_slot(name, slot)] for slot, _ in flatten(item, is_tensor)
                 if _slot(name, slot) in new}  # fmt: skip
        if inner:
            changed[name] = rebuilt(item, is_tensor, inner)
    return _with_items(value, changed) if changed else value


def _slot(name: Any, inner: str) -> str:
    return f"{name}.{inner}".rstrip(".")


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, tuple | list):
        yield from enumerate(value)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from vars(value).items()


def _with_items(value: Any, changed: Mapping[Any, Any]) -> Any:
    if isinstance(value, tuple):
        items = [changed.get(place, item) for place, item in enumerate(value)]
        # A named tuple takes its fields one by one.
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    clone = copy.copy(value)
    for name, item in changed.items():
        if isinstance(value, list | Mapping):
            clone[name] = item
        else:
            object.__setattr__(clone, name, item)  # a frozen dataclass, too
    return clone
