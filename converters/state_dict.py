"""Conversion of a state dict in memory, in one call.

No framework is imported here; whose a tensor is, its class tells.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from converters.bits import contiguous
from converters.checkpoint import Checkpoint, LazyTensor
from converters.dtypes import BY_NAME, of_paddle_array
from converters.elements import target_arrays
from converters.errors import InputError
from converters.execution import alias_targets, written_entries
from converters.layouts.network import framework_of
from converters.plan import ConversionPlan, Framework, plan_conversion
from converters.user_rules import UserRules

# What a torch module adds beside its tensors (get_extra_state).
EXTRA_STATE = "_extra_state"


def convert_state_dict(
    state_dict: Mapping[str, Any],
    target: Any,
    *,
    origin: Framework | None = None,
    rules: UserRules | None = None,
) -> dict[str, np.ndarray]:
    """Convert a state dict to the names and layouts of a network, of the other framework or not.

    The classes of the target's layers settle every layout; the target is not changed.

    Args:
        state_dict: tensors (torch, paddle or numpy) by key.
        target: a paddle Layer or a torch Module.
        origin: the framework whose layouts the tensors have; theirs if None, which numpy arrays
            alone do not tell.
        rules: renames and drops of keys, and kinds that the target's classes cannot tell.

    Returns:
        Arrays by the target's keys, ready for ``set_state_dict``; bfloat16 as uint16.

    Raises:
        RefusedError: a key is unaccounted for, or a shape disagrees; all are listed.
        InputError: the target holds a layer for which no rule is known, or nothing tells whose
            layouts the tensors have.
    """
    plan = plan_state_dict(state_dict, target, origin=origin, rules=rules)
    return converted_arrays(plan)


def converted_arrays(plan: ConversionPlan) -> dict[str, np.ndarray]:
    """Return a plan's tensors by the target's keys, second names too.

    Raises:
        RefusedError: the plan has problems; all are listed.
    """
    plan.require_complete()
    converted: dict[str, np.ndarray] = {}
    for entry in written_entries(plan):
        arrays = target_arrays(plan.checkpoint, entry).items()
        converted.update((key, contiguous(array)) for key, array in arrays)
    for second, first in alias_targets(plan).items():
        converted[second] = converted[first]
    return converted


def plan_state_dict(
    state_dict: Mapping[str, Any],
    target: Any,
    *,
    origin: Framework | None = None,
    rules: UserRules | None = None,
) -> ConversionPlan:
    """Plan the conversion of a state dict; arguments as in :func:`convert_state_dict`.

    Raises:
        InputError: the target holds a layer for which no rule is known, or nothing tells whose
            layouts the tensors have.
    """
    to: Framework = "paddle" if framework_of(target) == "paddle" else "torch"
    beside = {key for key, value in state_dict.items() if is_beside(key, value)}
    tensors = {key: lazy(key, value) for key, value in state_dict.items() if key not in beside}
    skipped = {key: type(state_dict[key]).__name__ for key in beside}
    checkpoint = Checkpoint(Path("state dict"), "memory", tensors, skipped=skipped)
    origin = origin_of(state_dict, origin)
    return plan_conversion(checkpoint, to=to, target=target, origin=origin, rules=rules)


def origin_of(state_dict: Mapping[str, Any], said: Framework | None) -> Framework | None:
    """Return the framework whose tensors a state dict holds; None for an empty one.

    Raises:
        InputError: its tensors are of both, or of none, or of another than somebody says.
    """
    whose = {framework for value in state_dict.values() if (framework := _owner(value))}
    if len(whose) > 1 or (said and whose - {said}):
        found = " and ".join(sorted(whose))
        raise InputError(f"the state dict holds tensors of {found}; expected {said or 'one'} alone")
    if not whose and state_dict and said is None:
        raise InputError(
            "numpy arrays do not tell whose layouts they have; say origin='torch' or 'paddle'"
        )
    return whose.pop() if whose else said


def _owner(value: Any) -> Framework | None:
    packages = {base.__module__.partition(".")[0] for base in type(value).__mro__}
    return "torch" if "torch" in packages else "paddle" if "paddle" in packages else None


def is_beside(key: str, value: Any) -> bool:
    """Return whether an entry of a state dict is what a torch module adds beside its tensors."""
    return key.rpartition(".")[2] == EXTRA_STATE and not hasattr(value, "dtype")


def lazy(key: str, value: Any) -> LazyTensor:
    """Return a tensor in memory as the checkpoint formats give it.

    Raises:
        InputError: it is no tensor, or one whose elements numpy cannot have.
    """
    name = str(getattr(value, "dtype", "")).removeprefix("torch.").removeprefix("paddle.")
    if problem := unusable(value, name):
        raise InputError(f"{key!r}: {problem}")
    shape = tuple(int(size) for size in value.shape)
    if isinstance(value, np.ndarray):
        return LazyTensor(shape, of_paddle_array(value.dtype), lambda: value, id(value))
    value = value.detach() if hasattr(value, "detach") else value
    return LazyTensor(shape, BY_NAME[name], lambda: _array(value, name), _identity(value))


def unusable(value: Any, name: str) -> str:
    """Return why a tensor cannot be converted, and how to mend it; '' if it can.

    Args:
        value: a tensor of either framework, an array, or anything else.
        name: of its element type.
    """
    if without := _without_elements(value):
        return without
    layout = "sparse" if _owner(value) == "paddle" and value.is_sparse() else ""
    layout = layout or str(value.layout if _owner(value) == "torch" else "")
    if layout not in ("", "torch.strided"):
        return f"a tensor of layout {layout}; call to_dense() on it"
    if name.startswith("float8"):
        return f"{name}, which numpy has not; cast it to bfloat16 first, which loses nothing"
    return "" if name in BY_NAME else f"{type(value).__name__} is no tensor that can be converted"


def _without_elements(value: Any) -> str:
    """Return why a tensor has no elements yet although its shape says so, '' if it has them."""
    if type(value).__name__.startswith("Uninitialized"):
        return "a lazy layer's, without shape; run the network once first"
    if not getattr(value, "_is_initialized", lambda: True)() and 0 not in value.shape:
        return "without elements, as under paddle.LazyGuard; initialize the network first"
    if getattr(value, "is_meta", False):
        return "a tensor on the meta device, without elements; load its weights first"
    return ""


def _identity(value: Any) -> Hashable:
    """Return what is equal for two tensors that are the same elements of the same memory."""
    if _owner(value) != "torch":
        return id(value)
    lazily = (value.is_conj(), value.is_neg())
    return (value.data_ptr(), tuple(value.shape), tuple(value.stride()), value.dtype, *lazily)


def _array(value: Any, name: str) -> np.ndarray:
    if _owner(value) == "torch":
        # A conjugate, or the imaginary part of one, may not have been computed yet.
        value = value.resolve_conj().resolve_neg()
    if name == "bfloat16" and _owner(value) == "torch":
        # torch refuses to give bfloat16 to numpy; its bits as int16 are the same.
        int16 = value.new_empty(0).short().dtype
        return np.asarray(value.cpu().view(int16).numpy()).view(np.uint16)
    return np.asarray(value.cpu().numpy() if hasattr(value, "cpu") else value)
