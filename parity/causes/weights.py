"""Weights that are not what the converter carries over: what happened to them.

A hypothesis is confirmed when it gives the wrong tensor exactly, from the right ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Wrong:
    """The tensors of one layer that differ from the conversion.

    Attributes:
        layer: The layer's path in torch.
        kind: Its class in torch.
        right: What the converter gives, by paddle's key.
        found: What paddle's network holds.
        everything: All tensors that the converter gives.
        raw: Torch's own tensors of this layer by name, unconverted.
    """

    layer: str
    kind: str
    right: Arrays
    found: Arrays
    everything: Arrays
    raw: Arrays

    def pairs(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield key, right and found tensor."""
        for key, right in self.right.items():
            yield key, right, self.found[key]


@dataclass(frozen=True)
class Told:
    """What happened to a layer's weights: see `parity.result.Diagnosis`."""

    cause: str
    evidence: str
    mend: str


Rule = Callable[[Wrong], Told | None]
CONVERT = "convert the file with stdc-convert, or take converters.convert_state_dict(…, target=net)"


def explain(wrong: Wrong) -> Told | None:
    """Find what was done to a layer's weights; None if nothing known gives them."""
    for rule in RULES:
        told = rule(wrong)
        if told is not None:
            return told
    return None


def _exchanged_inside(wrong: Wrong) -> Told | None:
    named = {key.rpartition(".")[2]: key for key in wrong.right}
    for one, other, cause in (
        ("_mean", "_variance", "statistics-exchanged"),
        ("weight", "bias", "scale-and-shift-exchanged"),
        ("scale", "bias", "scale-and-shift-exchanged"),
    ):
        if one in named and other in named:
            a, b = named[one], named[other]
            if same(wrong.found[a], wrong.right[b]) and same(wrong.found[b], wrong.right[a]):
                return Told(cause, f"{a} holds what {b} should, and the reverse", CONVERT)
    return None


def _exchanged(wrong: Wrong) -> Told | None:
    """Each tensor is another one's, of this layer or another."""
    owners = {}
    for key, right, found in wrong.pairs():
        if constant(right):
            continue
        others = (k for k, v in wrong.everything.items() if k != key and same(found, v))
        owners[key] = next(others, None)
    if not owners or None in owners.values():
        return None
    key, owner = next(iter(owners.items()))
    projections = all("_proj." in name for pair in owners.items() for name in map(str, pair))
    cause = "projections-exchanged" if projections else "weights-exchanged"
    return Told(cause, f"{key} holds what belongs in {owner}", CONVERT)


def _moved(cause: str, words: str, move: Callable[[np.ndarray], np.ndarray], *kinds: str) -> Rule:
    """Make a rule: the tensor is the right one, its axes or elements moved."""

    def rule(wrong: Wrong) -> Told | None:
        if kinds and not wrong.kind.startswith(kinds):
            return None
        moved = [(key, r, f) for key, r, f in wrong.pairs() if r.ndim > 1]
        if not moved or len(moved) < len(wrong.right):
            return None
        if all(f.shape == move(r).shape and same(f, move(r)) for _, r, f in moved):
            return Told(cause, f"{moved[0][0]} {list(moved[0][1].shape)} {words}", CONVERT)
        return None

    return rule


def _gates(wrong: Wrong) -> Told | None:
    if not wrong.kind.startswith(("LSTM", "GRU")):
        return None
    count = 4 if wrong.kind.startswith("LSTM") else 3
    for order in itertools.permutations(range(count)):
        if all(same(f, _reordered(r, order)) for _, r, f in wrong.pairs()):
            evidence = f"the {count} blocks of gates stand in the order {list(order)}"
            return Told("gates-reordered", evidence, CONVERT)
    return None


def _reordered(array: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    if len(array) % len(order):
        return np.zeros(0)
    parts = np.split(array, len(order))
    return np.concatenate([parts[place] for place in order])


def _not_folded(wrong: Wrong) -> Told | None:
    for key, right, found in wrong.pairs():
        raw = wrong.raw.get("weight")
        if raw is None or right.ndim != 1 or same(raw, right) or not same(found, raw):
            return None
        evidence = (
            f"{key} is torch's weight as it stands; in-place ABN scales by |weight| + 1e-5, "
            f"and {int(np.sum(raw < 0))} of {raw.size} weights are negative"
        )
        return Told("abn-not-folded", evidence, CONVERT)
    return None


def _fresh_statistics(wrong: Wrong) -> Told | None:
    if not all(key.endswith(("._mean", "._variance")) for key in wrong.right):
        return None
    fresh = {"_mean": 0.0, "_variance": 1.0}
    if all(np.all(f == fresh[key.rpartition(".")[2]]) for key, _, f in wrong.pairs()):
        return Told(
            "statistics-never-loaded", "mean 0 and variance 1, as in a fresh layer", CONVERT
        )
    return None


def _rounded(wrong: Wrong) -> Told | None:
    pairs = [(key, r, f) for key, r, f in wrong.pairs() if r.dtype.kind == "f"]
    for name, bits in (("float16", 0), ("bfloat16", 16)):
        if pairs and all(_rounds_to(r, f, bits) for _, r, f in pairs):
            return Told("weights-rounded", f"{pairs[0][0]} went through {name}", CONVERT)
    return None


def _rounds_to(right: np.ndarray, found: np.ndarray, bits: int) -> bool:
    single = right.astype(np.float32)
    if not bits:
        with np.errstate(over="ignore"):
            return same(found, single.astype(np.float16).astype(right.dtype))
    whole = single.view(np.uint32).astype(np.uint64)
    nearest = ((whole + 0x7FFF + ((whole >> 16) & 1)) >> 16 << 16).astype(np.uint32)
    return same(found, nearest.view(np.float32).astype(right.dtype))


def _scaled(wrong: Wrong) -> Told | None:
    for key, right, found in wrong.pairs():
        norm = float(np.vdot(right, right).real)
        factor = float(np.vdot(right, found).real) / norm if norm else 0.0
        if abs(factor) < 1e-3 or not same(found, factor * right, 1e-5):
            return None
        return Told("weights-scaled", f"{key} is {factor:.6g} times the right one", CONVERT)
    return None


def _fresh(wrong: Wrong) -> Told | None:
    """Values that have nothing to do with torch's: those of a fresh layer."""
    for _, right, found in wrong.pairs():
        if right.shape != found.shape:
            return None
        if not constant(found) and abs(_correlation(right, found)) > 6 / np.sqrt(right.size):
            return None
    keys = ", ".join(list(wrong.right)[:3])
    evidence = f"{keys}: constant, or uncorrelated with torch's, as in a fresh layer"
    return Told("weights-never-loaded", evidence, CONVERT)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    a, b = (array.astype(np.float64).ravel() for array in (one, other))
    spread = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / spread if spread else 0.0


def same(one: np.ndarray, other: np.ndarray, tol: float = 1e-6) -> bool:
    """Tell whether two tensors hold the same values but for rounding to float32."""
    if one.shape != other.shape or not one.size:
        return False
    return bool(np.max(np.abs(one - other)) <= tol * np.max(np.abs(one)))


def constant(array: np.ndarray) -> bool:
    """Tell whether all elements are equal."""
    return bool(np.all(array == array.flat[0]))


RULES = (
    _exchanged_inside,
    _moved("attention-untransposed", "is not transposed", lambda a: a.T, "MultiheadAttention"),
    _moved("embedding-transposed", "is transposed like a Linear", lambda a: a.T, "Embedding"),
    _moved(
        "linear-untransposed",
        "is not transposed: torch keeps [out, in], paddle [in, out]",
        lambda a: a.T,
        "Linear",
        "NonDynamicallyQuantizableLinear",
    ),
    _moved("kernel-transposed", "height and width exchanged", lambda a: a.swapaxes(-1, -2), "Conv"),
    _moved("channels-transposed", "in and out exchanged", lambda a: a.swapaxes(0, 1), "Conv"),
    _moved("input-channels-reversed", "reversed along its inputs", lambda a: a[:, ::-1], "Conv"),
    _moved("input-channels-reversed", "reversed along its channels", lambda a: a[::-1], "Conv"),
    _gates,
    _not_folded,
    _fresh_statistics,
    _exchanged,
    _rounded,
    _scaled,
    _fresh,
)
