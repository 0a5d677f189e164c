"""Planning a conversion: every key's fate, decided before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from converters.checkpoint import Checkpoint, LazyTensor
from converters.dtypes import BY_NAME, DType
from converters.errors import InputError, RefusedError
from converters.layouts import Layer, Layout, join, stdc
from converters.layouts import target as target_layout
from converters.rules import BY_KIND, PARAMETER, TensorRule
from converters.transforms import FLOATING, TRANSFORMS

Framework = Literal["torch", "paddle"]
ACTIONS = ("copy", "rename", "transpose", "split", "merge", "fold", "alias", "drop", "missing")
PREFIXES = ("module.", "_orig_mod.")
NAME_SUFFIXES = (("._mean", ".running_mean"), ("._variance", ".running_var"))


@dataclass(frozen=True)
class Entry:
    """The fate of one key.

    Attributes:
        source: key in the source, None if the target's tensor has no source.
        target: key in the target, None if the source's tensor is not carried over.
        action: one of :data:`ACTIONS`.
        shape: shape in the target; in the source where there is no target.
        dtype: element type, likewise.
        reason: why, in words; '' where the action says it all.
        transform: what happens to the elements.
        inverse: the transform is run backwards.
    """

    source: str | None
    target: str | None
    action: str
    shape: tuple[int, ...]
    dtype: str
    reason: str = ""
    transform: str = "copy"
    inverse: bool = False


@dataclass(frozen=True)
class ConversionPlan:
    """What a conversion will do.

    Attributes:
        checkpoint: where the tensors come from.
        to: the framework they go to.
        layout: the network.
        entries: every source key and every target key, each in exactly one.
        problems: what forbids a strict conversion, one line each.
    """

    checkpoint: Checkpoint
    to: Framework
    layout: Layout
    entries: tuple[Entry, ...]
    problems: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of entries per action, those that occur."""
        actions = [entry.action for entry in self.entries]
        return {action: actions.count(action) for action in ACTIONS if action in actions}

    def require_complete(self) -> None:
        """Refuse a plan with problems.

        Raises:
            RefusedError: there are any; all are listed.
        """
        if self.problems:
            where = self.checkpoint.path
            raise RefusedError(
                f"{where}: not converted, {len(self.problems)} problem(s):", self.problems
            )


def plan_conversion(
    checkpoint: Checkpoint,
    *,
    to: Framework = "paddle",
    arch: str = "auto",
    layout: str = "native",
    target: Any = None,
    dtype: str = "keep",
) -> ConversionPlan:
    """Decide the fate of every key; reads no tensor unless two must be compared.

    Args:
        checkpoint: what to convert.
        to: the target framework.
        arch: the network's name, ``auto`` to tell it by the keys.
        layout: naming of the target's keys; ``native`` is the authors'.
        target: a network of the target framework whose layers settle every layout.
        dtype: element type of floating-point tensors in the target, or ``keep``.

    Raises:
        InputError: the network cannot be told, or is another one than ``arch``.
    """
    if layout != "native":
        raise InputError(f"unknown layout {layout!r}: this version writes 'native' alone")
    origin: Framework = "torch" if to == "paddle" else "paddle"
    keys = without_prefix(checkpoint)
    known = settle_layout(checkpoint, keys, arch, origin, target)
    planner = _Planner(checkpoint, keys, origin, known, dtype)
    entries = tuple(planner.entries())
    return ConversionPlan(checkpoint, to, known, entries, tuple(planner.problems))


def detect(checkpoint: Checkpoint, *, origin: Framework = "torch") -> Layout:
    """Return the network that a checkpoint belongs to: its layers, arch, variant, num_classes.

    Raises:
        InputError: its keys belong to no known network.
    """
    return settle_layout(checkpoint, without_prefix(checkpoint), "auto", origin, None)


def without_prefix(keys: Iterable[str]) -> dict[str, str]:
    """Return source keys by their name without a wrapper's prefix that all of them share."""
    names = {key: key for key in keys}
    for prefix in PREFIXES:
        if names and all(name.startswith(prefix) for name in names):
            # Wrappers stand inside one another, in any order.
            inner = without_prefix(name.removeprefix(prefix) for name in names)
            return {name: names[prefix + rest] for name, rest in inner.items()}
    return names


def settle_layout(
    checkpoint: Checkpoint, keys: Mapping[str, str], arch: str, origin: Framework, target: Any
) -> Layout:
    """Return the network's layout: the family's if the keys are of one, else the target's.

    Raises:
        InputError: neither is to be had.
    """
    shapes = {torch_name(name, origin): checkpoint[key].shape for name, key in keys.items()}
    if target is not None:
        # Keys of a user's own network may look like the beginning of a family.
        with suppress(InputError):
            if family := stdc.detect(shapes, framework=origin):
                return with_family(target_layout.layout_of(target), family)
        return target_layout.layout_of(target)
    family = stdc.detect(shapes, arch, framework=origin)
    if family is None:
        raise InputError(
            f"{checkpoint.path}: the keys (first: {next(iter(keys), 'none')!r}) belong to no known "
            "network; give the target network in Python: convert_state_dict(state_dict, target)"
        )
    return family


def with_family(layout: Layout, family: Layout) -> Layout:
    """Return a target's layout with what the family knows beyond the classes of its layers."""
    folded = {layer.path for layer in family.layers if layer.kind == "inplace_abn"}
    layers = tuple(
        replace(layer, kind="inplace_abn") if layer.path in folded else layer
        for layer in layout.layers
    )
    return replace(family, layers=layers, aliases=dict(family.aliases) | dict(layout.aliases))


def torch_name(name: str, framework: Framework) -> str:
    """Return a key with Paddle's names of running statistics spelt as torch has them."""
    if framework == "paddle":
        for paddle, torch in NAME_SUFFIXES:
            if name.endswith(paddle):
                return name.removesuffix(paddle) + torch
    return name


@dataclass
class _Planner:
    """Goes through the layers once and takes each key off the list of those still open."""

    checkpoint: Checkpoint
    names: Mapping[str, str]
    origin: Framework
    layout: Layout
    dtype: str
    problems: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def entries(self) -> Iterator[Entry]:
        for layer in self.layout.layers:
            for tensor in tensors_of(layer):
                yield from self.tensor(layer, tensor)
        yield from self.aliases()
        self.problems.extend(self.doubtful_norms())
        for name, key in self.names.items():
            if name not in self.used:
                yield from self.left_over(name, key)

    def tensor(self, layer: Layer, tensor: TensorRule) -> Iterator[Entry]:
        torch_key = join(layer.path, tensor.torch)
        again = torch_key in self.layout.aliases
        paddle_key = join(layer.path, tensor.paddle) if tensor.paddle else None
        source, target = torch_key, paddle_key
        if self.origin == "paddle":
            source, target = paddle_key or "", torch_key
        if source in self.names:
            self.used.add(source)
            yield self.carried(layer, tensor, source, target)
        elif again and self.origin == "paddle":
            return  # written again at the end
        elif tensor.paddle is None:
            if self.origin == "paddle" and tensor.torch in layer.shapes:
                counted = target in self.checkpoint.counters
                how = "as the file carries it along" if counted else "set to 0"
                yield Entry(None, target, "missing", (), "int64", f"{tensor.reason}; {how}")
        elif tensor.torch in layer.shapes:
            self.problems.append(f"missing: {source!r}, needed for {target!r}")
            shape = layer.shapes[tensor.torch]
            yield Entry(
                None,
                target,
                "missing",
                self.target_shape(tensor, shape),
                "",
                "the source has no such tensor",
            )

    def carried(self, layer: Layer, tensor: TensorRule, source: str, target: str | None) -> Entry:
        found = self.checkpoint[self.names[source]]
        if target is None:
            return Entry(self.names[source], None, "drop", found.shape, found.dtype, tensor.reason)
        inverse = self.origin == "paddle"
        if inverse and TRANSFORMS[tensor.transform].undo is None:
            self.problems.append(
                f"{source!r}: {tensor.transform} has no way back ({tensor.reason}); "
                "convert into a network with plain BN, variant 'authors-bn'"
            )
            tensor = replace(tensor, transform="copy")
        transform = TRANSFORMS[tensor.transform]
        expected = layer.shapes.get(tensor.torch)
        wanted = None if expected is None else self.source_shape(tensor, expected)
        if found.shape != wanted:
            self.problems.append(
                f"{self.names[source]!r}: shape {list(found.shape)}, expected "
                + (str(list(wanted)) if wanted is not None else "no such tensor")
                + f" for {target!r}"
            )
        action = transform.action
        if action == "copy" and target != self.names[source]:
            action = "rename"
        dtype = self.target_type(found)
        reason = tensor.reason
        if dtype.name != found.dtype:
            reason = "; ".join(filter(None, (reason, f"{found.dtype} rounded to {dtype.name}")))
        return Entry(
            self.names[source],
            target,
            action,
            transform.shape(found.shape),
            dtype.name,
            reason,
            tensor.transform,
            inverse,
        )

    def source_shape(self, tensor: TensorRule, shape: tuple[int, ...]) -> tuple[int, ...]:
        return TRANSFORMS[tensor.transform].shape(shape) if self.origin == "paddle" else shape

    def target_shape(self, tensor: TensorRule, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape if self.origin == "paddle" else TRANSFORMS[tensor.transform].shape(shape)

    def doubtful_norms(self) -> Iterator[str]:
        """Name the norms that may be in-place ABN: no counter where others of the file have one."""
        if self.origin == "paddle":
            return
        norms = [layer.path for layer in self.layout.layers if layer.kind == "batch_norm"]
        odd = [path for path in norms if join(path, "num_batches_tracked") not in self.names]
        if len(odd) < len(norms):
            for path in odd:
                yield (
                    f"{path!r}: counts no batches while other BN layers do, which is how in-place "
                    "ABN (scale |weight| + eps) looks; its scale must be folded first"
                )

    def target_type(self, tensor: LazyTensor) -> DType:
        if self.dtype == "keep" or tensor.type not in FLOATING:
            return tensor.type
        return BY_NAME[self.dtype]

    def aliases(self) -> Iterator[Entry]:
        names = {torch_name(name, self.origin): key for name, key in self.names.items()}
        shapes = {
            join(layer.path, name): shape
            for layer in self.layout.layers
            for name, shape in layer.shapes.items()
        }
        used = {torch_name(name, self.origin) for name in self.used}
        for second, first in self.layout.aliases.items():
            if second in names and first in names:
                entry = self.alias(names[second], names[first])
                if second not in used:
                    self.used.add(second)
                    yield entry
            elif self.origin == "paddle":
                why = f"the same tensor as {first!r}"
                yield Entry(None, second, "alias", shapes[first], "", why)

    def alias(self, second: str, first: str) -> Entry:
        one, two = self.checkpoint[first], self.checkpoint[second]
        how = "shared storage"
        if one.identity is None or one.identity != two.identity:
            how = "equal bits"
            if not same_bits(one, two):
                self.problems.append(
                    f"{second!r} should be the same tensor as {first!r}, but differs"
                )
                how = "but its bits differ"
        return Entry(second, None, "alias", two.shape, two.dtype, f"{first!r} again, {how}")

    def left_over(self, name: str, key: str) -> Iterator[Entry]:
        found = self.checkpoint[key]
        self.problems.append(
            f"unaccounted for: {name!r} {list(found.shape)} {found.dtype} is in the source and "
            f"nowhere in {self.layout.arch}"
        )
        yield Entry(key, None, "drop", found.shape, found.dtype, "nowhere in the target network")


def tensors_of(layer: Layer) -> tuple[TensorRule, ...]:
    """Return the rules for a layer's tensors; a user's own parameters are copied as they are."""
    if layer.kind == PARAMETER.kind:
        why = "parameter of a custom layer, copied as it is"
        return tuple(TensorRule(name, name, reason=why) for name in layer.shapes)
    return BY_KIND[layer.kind].tensors


def same_bits(one: LazyTensor, two: LazyTensor) -> bool:
    """Return whether two tensors agree in type, shape and every bit."""
    if (one.shape, one.type) != (two.shape, two.type):
        return False
    return np.array_equal(as_bytes(one.load()), as_bytes(two.load()))


def as_bytes(array: np.ndarray) -> np.ndarray:
    """Return an array's bytes, so that NaN equals NaN and −0 differs from 0."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)
