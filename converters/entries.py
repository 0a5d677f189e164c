"""The fate of a key, as a plan lists it and a conversion carries it out."""

from __future__ import annotations

from dataclasses import dataclass

from converters.bits import equal_bits
from converters.checkpoint import LazyTensor

ACTIONS = (
    *("copy", "rename", "transpose", "split", "merge", "fold"),
    *("alias", "drop", "missing"),
)
Keys = str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Entry:
    """The fate of one key, or of several that become one or come out of one.

    A split has one source and several targets, a merge several sources and one target: both stand
    in a single entry, so that every source key and every target key stands in exactly one.

    Attributes:
        source: key in the source, a tuple of keys where tensors are merged, None if the target's
            tensor has no source.
        target: key in the target, a tuple of keys where a tensor is split, None if the source's
            tensor is not carried over.
        action: one of :data:`ACTIONS`.
        shape: shape in the target, of each part where there are several; in the source where there
            is no target.
        dtype: element type, likewise.
        reason: why, in words; '' where the action says it all.
        transform: what happens to the elements.
        inverse: the transform is run backwards.
        value: what fills a tensor that is made without a source.
    """

    source: Keys
    target: Keys
    action: str
    shape: tuple[int, ...]
    dtype: str
    reason: str = ""
    transform: str = "copy"
    inverse: bool = False
    value: int = 0

    @property
    def sources(self) -> tuple[str, ...]:
        """Its keys in the source: none, one, or those that are merged."""
        return several(self.source)

    @property
    def targets(self) -> tuple[str, ...]:
        """Its keys in the target: none, one, or the parts of a split."""
        return several(self.target)


def several(keys: Keys) -> tuple[str, ...]:
    """Return keys as a tuple."""
    if keys is None:
        return ()
    return keys if isinstance(keys, tuple) else (keys,)


def single(keys: tuple[str, ...]) -> Keys:
    """Return keys as an entry holds them: one alone is no tuple."""
    return keys if len(keys) > 1 else (keys[0] if keys else None)


def same_bits(one: LazyTensor, two: LazyTensor) -> bool:
    """Return whether two tensors agree in type, shape and every bit."""
    if (one.shape, one.type) != (two.shape, two.type):
        return False
    return equal_bits(one.load(), two.load())
