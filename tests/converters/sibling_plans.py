"""Checkpoints of shapes, and what a plan without a target network makes of them."""

from pathlib import Path

import numpy as np
from samples import array_tensor

from converters import plan_conversion
from converters.checkpoint import Checkpoint
from converters.elements import target_arrays
from converters.plan import ConversionPlan
from converters.state_dict import lazy
from converters.user_rules import UserRules


def shapes(framework: str = "torch", **found: tuple[int, ...]) -> Checkpoint:
    tensors = {
        key.replace("__", "."): array_tensor(np.arange(np.prod(shape), dtype="f4").reshape(shape))
        for key, shape in found.items()
    }
    return Checkpoint(Path("some"), "pdparams" if framework == "paddle" else "torch-zip", tensors)


def state(network: object, form: str) -> Checkpoint:
    tensors = {key: lazy(key, value) for key, value in network.state_dict().items()}
    return Checkpoint(Path("some"), form, tensors)


def plan_of(
    checkpoint: Checkpoint, tensors: dict[str, str] | None = None, **kinds: str
) -> ConversionPlan:
    to = "torch" if checkpoint.framework == "paddle" else "paddle"
    said = {key.replace("__", r"\."): kind for key, kind in kinds.items()}
    return plan_conversion(checkpoint, to=to, rules=UserRules.of(kinds=said, tensors=tensors))


def entry(plan: ConversionPlan, target: str) -> tuple[str, tuple[int, ...]]:
    found = next(one for one in plan.entries if target in one.targets)
    return found.action, found.shape


def written(plan: ConversionPlan) -> dict[str, np.ndarray]:
    plan.require_complete()
    found: dict[str, np.ndarray] = {}
    for one in plan.entries:
        found.update(target_arrays(plan.checkpoint, one))
    return found


def shapes_with(arrays: dict[str, np.ndarray], form: str) -> Checkpoint:
    return Checkpoint(Path("some"), form, {k: array_tensor(v) for k, v in arrays.items()})
