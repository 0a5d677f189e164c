"""The elements of an entry's tensors: carried over, and brought back to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from converters.bits import equal_bits
from converters.checkpoint import Checkpoint, LazyTensor
from converters.dtypes import BY_NAME
from converters.entries import Entry
from converters.errors import ConverterError, RefusedError
from converters.transforms import TRANSFORMS, narrowed, rounded, to_float64

Tensors = Mapping[str, LazyTensor]


def target_arrays(source: Tensors, entry: Entry) -> dict[str, np.ndarray]:
    """Return the tensors of an entry as the target holds them, by key; none for a gap or a drop.

    A tensor that the source does not keep and that is known is made.

    Raises:
        RefusedError: a value does not fit into the target's type.
    """
    if not entry.sources:
        return dict.fromkeys(entry.targets, made(entry)) if entry.dtype else {}
    if not entry.targets:
        return {}
    transform = TRANSFORMS[entry.transform]
    change = transform.undo if entry.inverse else transform.apply
    if change is None:
        raise ConverterError(f"{entry.source!r}: {entry.transform} has no way back")
    found, dtype = source[entry.sources[0]].type, BY_NAME[entry.dtype]
    array = gathered(source, entry.sources)
    try:
        if dtype == found:
            changed = change(array, found)
        elif transform.exact:
            changed = change(rounded(array, found, dtype), dtype)
        else:
            # Through double precision, so that a fold and the new type round together, once.
            changed = narrowed(change(to_float64(array, found), BY_NAME["float64"]), dtype)
    except OverflowError as error:
        problem = f"{entry.source!r}: {error}; use --dtype keep or bfloat16"
        where = f"{source.place}: " if isinstance(source, Checkpoint) else ""
        raise RefusedError(f"{where}not converted, 1 problem:", [problem]) from error
    parts = changed if len(entry.targets) > 1 else (changed,)
    return {key: part.reshape(entry.shape) for key, part in zip(entry.targets, parts, strict=True)}


def made(entry: Entry) -> np.ndarray:
    """Return a tensor that the source lacks: a count of batches as the file has it, else zeros."""
    return np.full(entry.shape, entry.value, BY_NAME[entry.dtype].numpy)


def gathered(tensors: Tensors, keys: tuple[str, ...]) -> np.ndarray:
    """Return one tensor as it is, several stacked along a new first axis."""
    if len(keys) == 1:
        return tensors[keys[0]].load()
    return np.stack([tensors[key].load() for key in keys])


def pulled_back(
    entry: Entry, gradients: Sequence[np.ndarray], values: np.ndarray, *, power: int = 1
) -> np.ndarray:
    """Return the gradient by an entry's source, given those by its targets: the chain rule.

    Args:
        entry: one source, its transform run forwards.
        gradients: one for each of the entry's targets, in their layout.
        values: the source.
        power: what is given is of this power in the gradient.

    Raises:
        ConverterError: the transform has no derivative here.
    """
    transform = TRANSFORMS[entry.transform]
    whole = gradients[0] if len(gradients) == 1 else np.stack(gradients)
    if transform.slope is not None and not entry.inverse:
        return np.asarray(whole * transform.slope(values) ** power)
    # Where elements are only moved, the derivative moves them back.
    back = transform.apply if entry.inverse else transform.undo
    if back is None or len(entry.sources) != 1 or not transform.exact:
        raise ConverterError(f"{entry.source!r}: no gradient can be carried back through it")
    return back(whole, BY_NAME[whole.dtype.name]).reshape(values.shape)


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
        return bool(wanted) and all(equal_bits(wanted[key], written[key].load()) for key in wanted)
    returned = back(gathered(written, entry.targets), found[0].type)
    # The same bytes one after the other, in whatever shape.
    return equal_bits(gathered(source, entry.sources), returned)
