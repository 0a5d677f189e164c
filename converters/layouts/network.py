"""What a network at hand is asked for: its framework, its tensors, and what its layers say.

No framework is imported here; a network is known by its classes' names and attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from converters.errors import InputError
from converters.rules import LayerRule, TensorRule, is_frameworks

Shape = tuple[int, ...]


def framework_of(network: Any) -> str:
    """Return ``torch`` or ``paddle``, whichever a network belongs to.

    Raises:
        InputError: it is neither a torch Module nor a paddle Layer.
    """
    for base in type(network).__mro__:
        if base.__module__.startswith("paddle.") and base.__name__ == "Layer":
            return "paddle"
        if base.__module__.startswith("torch.nn") and base.__name__ == "Module":
            return "torch"
    raise InputError(f"{type(network).__name__} is neither a torch Module nor a paddle Layer")


def unwrapped(network: Any) -> Any:
    """Return the network inside Paddle's DataParallel, which gives its keys out as its own."""
    outer = type(network).__name__ == "DataParallel" and framework_of(network) == "paddle"
    return network._layers if outer else network  # noqa: SLF001


def state_of(network: Any, framework: str) -> Mapping[str, Any]:
    """Return the state dict with the network's own tensors, so that shared ones are identical."""
    options = {"keep_vars": True} if framework == "torch" else {}
    state: Mapping[str, Any] = network.state_dict(**options)
    # What a layer adds beside its tensors (torch's get_extra_state) is no tensor.
    return {key: value for key, value in state.items() if hasattr(value, "dtype")}


def keys_of(network: Any) -> tuple[str, ...]:
    """Return the keys of a network's tensors."""
    return tuple(state_of(network, framework_of(network)))


def holders(network: Any, state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the layers that tensors lie in by path, parents first, shared ones under each path."""
    found = {"": network}
    for key in state:
        parts = key.split(".")[:-1]
        for depth in range(1, len(parts) + 1):
            path, parent = ".".join(parts[:depth]), ".".join(parts[: depth - 1])
            if path not in found:
                found[path] = getattr(found[parent], parts[depth - 1])
    return found


def is_users_own(holder: Any, framework: str) -> bool:
    """Return whether a layer's class is the user's, perhaps extending one of the framework's."""
    return not is_frameworks(type(holder), framework)


def broken_limits(holder: Any, rule: LayerRule, framework: str, path: str) -> Iterator[str]:
    """Yield what a layer does that the other framework cannot."""
    for limit in rule.limits:
        value = getattr(holder, limit.attribute, None)
        if limit.framework == framework and limit.broken(value):
            yield f"{path!r}: {limit.reason.format(value=value)}"


def blank_rows(holder: Any, rows: tuple[TensorRule, ...]) -> Iterator[tuple[str, int]]:
    """Yield the rows of tensors that a Paddle layer always returns as zeros, by torch name."""
    for row in rows:
        place = getattr(holder, row.blank, None) if row.blank else None
        # Paddle's -1 stands for none; it turns a negative index into a positive one.
        if isinstance(place, int) and place >= 0:
            yield row.torch, place
