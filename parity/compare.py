"""The difference of two tensors, in numpy alone.

The error is max|a − b| / max|a| over the whole tensor, a being torch's: a fixed absolute bound
calls the same port right or wrong by the size of its inputs, and an element-wise quotient blows up
wherever a value happens to be near zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: What an all-zero tensor is measured against, there being no largest value: its error is absolute.
ZERO_SCALE = 1.0


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
    """

    error: float | None
    scale: float
    exact: bool = False
    fault: str = ""
    note: str = ""


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
    largest, scale = _largest(np.subtract(reference, other)), _largest(reference)
    if np.isfinite(largest) and np.isfinite(scale):
        return TensorError(largest / (scale or ZERO_SCALE), scale)
    return _nonfinite_error(reference, other)


def _largest(values: np.ndarray) -> float:
    if values.dtype.kind == "c":
        return float(np.max(np.abs(values)))
    # Two reductions instead of one over |values|: no second array of that size; NaN stays NaN.
    return float(max(np.max(values), -np.min(values), key=_nan_first))


def _nan_first(value: float) -> float:
    return np.inf if np.isnan(value) else value


def _nonfinite_error(reference: np.ndarray, other: np.ndarray) -> TensorError:
    finite = np.isfinite(reference) & np.isfinite(other)
    same = finite | (reference == other) | (np.isnan(reference) & np.isnan(other))
    if not same.all():
        return TensorError(None, 0.0, fault=_nonfinite_fault(reference, other, ~same))
    if not finite.any():
        return TensorError(None, 0.0)
    # In long double a difference of finite values cannot overflow.
    return _float_error(*(x[finite].astype(np.longdouble) for x in (reference, other)))


def _nonfinite_fault(reference: np.ndarray, other: np.ndarray, where: np.ndarray) -> str:
    count, total = int(where.sum()), where.size
    first = reference[where][0], other[where][0]
    return f"{count} of {total} values not finite alike: {first[0]} in torch, {first[1]} in paddle"
