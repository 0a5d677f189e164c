"""The difference of two tensors, in numpy alone.

The error is max|a − b| / max|a| over the whole tensor, a being torch's: a fixed absolute bound
calls the same port right or wrong by the size of its inputs, and an element-wise quotient blows up
wherever a value happens to be near zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

#: What an all-zero tensor is measured against, there being no largest value: its error is absolute.
ZERO_SCALE = 1.0

#: Elements compared at a time: three such pieces of float64 fit a processor core's own cache.
CHUNK = 1 << 16


@dataclass(frozen=True)
class TensorError:
    """How far one tensor is from its partner.

    Attributes:
        error: max|a − b| / max|a|; of integers and booleans the share of unequal elements.
            None where it cannot be had: see `fault`, or nothing finite to compare.
        scale: max|a| over the finite values.
        exact: The values are integers or booleans, which have no tolerance.
        fault: Why the pair cannot be equal whatever the tolerance, '' if there is no such reason.
        note: What else is known of the difference: that it is a tie, say.
        alike: How many values are not finite, and that alike on both sides: NaN or an infinity.
    """

    error: float | None
    scale: float
    exact: bool = False
    fault: str = ""
    note: str = ""
    alike: int = 0


def tensor_error(reference: np.ndarray, other: np.ndarray) -> TensorError:
    """Measure how far a tensor is from its reference.

    Equal infinities and NaN at the same places on both sides count as equal; the error is that of
    the finite rest. If nothing finite is left, or the tensors are empty, nothing was compared.

    Args:
        reference: Torch's values.
        other: Paddle's values.
    """
    fault = _unlike(reference, other)
    if fault:
        return TensorError(None, 0.0, fault=fault)
    if reference.dtype.kind in "iub":
        return _exact_error(reference, other)
    with np.errstate(over="ignore", invalid="ignore"):
        return _float_error(reference, other)


def _unlike(reference: np.ndarray, other: np.ndarray) -> str:
    if reference.shape != other.shape:
        return f"shape {list(reference.shape)} in torch, {list(other.shape)} in paddle"
    kinds = {"i": "integer", "u": "integer", "b": "bool", "f": "float", "c": "complex"}
    ours, theirs = (kinds.get(x.dtype.kind, x.dtype.kind) for x in (reference, other))
    if ours != theirs:
        return f"{reference.dtype} in torch, {other.dtype} in paddle"
    return ""


def _exact_error(reference: np.ndarray, other: np.ndarray) -> TensorError:
    if not reference.size:
        return TensorError(None, 0.0, exact=True)
    share = float(np.mean(reference != other))
    return TensorError(share, float(np.max(np.abs(reference.astype("float64")))), exact=True)


def _float_error(reference: np.ndarray, other: np.ndarray) -> TensorError:
    if not reference.size:
        return TensorError(None, 0.0)
    largest, scale = _largest_difference(reference.reshape(-1), other.reshape(-1))
    if not (np.isfinite(largest) and np.isfinite(scale)):
        return _nonfinite_error(reference, other)
    if scale < _flushed_below(reference.dtype) and reference.tobytes() != other.tobytes():
        return _tiny_error(reference, other)
    return TensorError(largest / (scale or ZERO_SCALE), scale)


def _flushed_below(kind: np.dtype[Any]) -> float:
    """Give the size below which a difference may get lost where subnormals are flushed to zero.

    A framework may have told the processor to (`torch.set_flush_denormal`): numpy's subtraction and
    comparison are then flushed, too.
    """
    facts = np.finfo(kind)
    return float(facts.smallest_normal / facts.eps**2)


def _tiny_error(reference: np.ndarray, other: np.ndarray) -> TensorError:
    """Measure values near the end of their range, in long double, which is not flushed."""
    wide = np.result_type(reference, np.longdouble)
    values, others = reference.astype(wide), other.astype(wide)
    largest, scale = np.max(np.abs(values - others)), np.max(np.abs(values))
    return TensorError(float(largest / (scale or ZERO_SCALE)), float(scale))


def _largest_difference(reference: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Give max|a − b| and max|a| of two vectors; NaN or infinite where one of their values is."""
    differences, values = [], []
    buffer = np.empty(min(CHUNK, reference.size), np.result_type(reference, other))
    # In pieces that stay in the cache: no array of the tensors' size, and one trip to memory.
    for start in range(0, reference.size, CHUNK):
        piece = reference[start : start + CHUNK]
        difference = buffer[: piece.size]
        np.subtract(piece, other[start : start + CHUNK], out=difference)
        differences.append(_largest(difference))
        values.append(_largest(piece))
    # The negative of the least of only zeros is a negative zero.
    return abs(float(np.max(differences))), abs(float(np.max(values)))


def _largest(values: np.ndarray) -> np.floating[Any]:
    if values.dtype.kind == "c":
        return np.max(np.abs(values))
    # Two reductions instead of one over |values|, which would have to be written; NaN stays NaN.
    return np.maximum(np.max(values), -np.min(values))


def _nonfinite_error(reference: np.ndarray, other: np.ndarray) -> TensorError:
    finite = np.isfinite(reference) & np.isfinite(other)
    same = finite | (reference == other) | (np.isnan(reference) & np.isnan(other))
    if not same.all():
        return TensorError(None, 0.0, fault=_nonfinite_fault(reference, other, ~same))
    alike = finite.size - int(finite.sum())
    if not finite.any():
        return TensorError(None, 0.0, alike=alike)
    # In long double a difference of finite values cannot overflow.
    rest = _float_error(*(x[finite].astype(np.longdouble) for x in (reference, other)))
    return replace(rest, alike=alike)


def _nonfinite_fault(reference: np.ndarray, other: np.ndarray, where: np.ndarray) -> str:
    count, total = int(where.sum()), where.size
    first = reference[where][0], other[where][0]
    return f"{count} of {total} values not finite alike: {first[0]} in torch, {first[1]} in paddle"
