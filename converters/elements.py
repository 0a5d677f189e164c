"""The elements of an entry's tensors: carried over, and brought back to be compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from converters.checkpoint import LazyTensor
from converters.dtypes import BY_NAME
from converters.entries import Entry, as_bytes
from converters.errors import ConverterError
from converters.transforms import FLOATING, TRANSFORMS, cast

Tensors = Mapping[str, LazyTensor]


def target_arrays(source: Tensors, entry: Entry) -> dict[str, np.ndarray]:
    """Return the tensors of an entry as the target holds them, by key; none for a gap or a drop.

    A tensor that the source does not keep and that is known to be zero is made so.
    """
    if not entry.sources:
        made = entry.dtype != "" and entry.action == "missing"
        zeros = np.zeros(entry.shape, BY_NAME[entry.dtype].numpy) if made else None
        return {} if zeros is None else dict.fromkeys(entry.targets, zeros)
    if not entry.targets:
        return {}
    transform = TRANSFORMS[entry.transform]
    change = transform.undo if entry.inverse else transform.apply
    if change is None:
        raise ConverterError(f"{entry.source!r}: {entry.transform} has no way back")
    dtype = source[entry.sources[0]].type
    changed = change(gathered(source, entry.sources), dtype)
    if dtype in FLOATING:
        changed = cast(changed, dtype, BY_NAME[entry.dtype])
    parts = changed if len(entry.targets) > 1 else (changed,)
    return {key: part.reshape(entry.shape) for key, part in zip(entry.targets, parts, strict=True)}


def gathered(tensors: Tensors, keys: tuple[str, ...]) -> np.ndarray:
    """Return one tensor as it is, several stacked along a new first axis."""
    if len(keys) == 1:
        return tensors[keys[0]].load()
    return np.stack([tensors[key].load() for key in keys])


def agrees(source: Tensors, entry: Entry, written: Tensors) -> bool:
    """Return whether an entry's written tensors, brought back, have the source's bits.

    Where there is no way back (a fold, a rounding) the conversion is done again and compared.
    """
    transform = TRANSFORMS[entry.transform]
    back = transform.apply if entry.inverse else transform.undo
    found = [written[key] for key in entry.targets]
    if any(one.shape != entry.shape or one.dtype != entry.dtype for one in found):
        return False
    changed = any(source[key].dtype != entry.dtype for key in entry.sources)
    if not entry.sources or back is None or changed:
        wanted = target_arrays(source, entry)
        return bool(wanted) and all(
            np.array_equal(as_bytes(wanted[key]), as_bytes(written[key].load())) for key in wanted
        )
    returned = back(gathered(written, entry.targets), found[0].type)
    # The same bytes one after the other, in whatever shape.
    return np.array_equal(as_bytes(gathered(source, entry.sources)), as_bytes(returned))
