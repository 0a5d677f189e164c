"""Batch normalisations in training: by which statistics, and with which momentum?

Each layer's own input tells what its running statistics should become, whatever went wrong before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.backends import backend_of
from parity.causes.settings import MEASURED
from parity.nested import flatten
from parity.result import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CLOSE = 1e-6
NAMES = {
    "torch": ("running_mean", "running_var", "eps"),
    "paddle": ("_mean", "_variance", "_epsilon"),
}


@dataclass(frozen=True)
class Normed:
    """One call of a batch normalisation in training.

    Attributes:
        mean: Of its input, by channel.
        variance: The biased one.
        before: Running mean and variance before the call.
        after: The same after it.
        by_batch: How far its output is from the input normalised by these.
        by_running: How far it is from the input normalised by the running statistics.
    """

    mean: np.ndarray
    variance: np.ndarray
    before: tuple[np.ndarray, np.ndarray]
    after: tuple[np.ndarray, np.ndarray]
    by_batch: float
    by_running: float

    @property
    def kept(self) -> tuple[float, float]:
        """The share of the old mean in the new one, and how much of the change it leaves."""
        old, new = self.before[0] - self.mean, self.after[0] - self.mean
        share = float(new @ old) / float(old @ old) if old.any() else 0.0
        left = float(np.abs(new - share * old).max()) / (float(np.abs(old).max()) or 1.0)
        return share, left

    @property
    def learns(self) -> bool:
        """Whether it went on with its running statistics."""
        share, left = self.kept
        return left <= CLOSE and abs(share - 1) > CLOSE


class NormWatch:
    """Writes down the first call of every batch normalisation of a network."""

    def __init__(self, network: Any) -> None:
        """Watch every layer that keeps running statistics."""
        self.found: dict[str, Normed] = {}
        self._backend = backend_of(network)
        self._names = NAMES[self._backend.name]
        self._inputs: dict[str, tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]] = {}
        self._remove: list[Callable[[], None]] = []
        for path, layer in self._backend.modules(network):
            if all(getattr(layer, name, None) is not None for name in self._names):
                self._watch(path, layer)

    def close(self) -> None:
        """Stop watching."""
        for remove in self._remove:
            remove()

    def _watch(self, path: str, layer: Any) -> None:
        def before(arguments: Any) -> None:
            if path not in self.found:
                _, x = next(iter(flatten(arguments, self._backend.is_tensor)))
                self._inputs[path] = self._backend.view(x).copy(), self._statistics(layer)

        def after(output: Any) -> None:
            if path not in self.found:
                x, statistics = self._inputs.pop(path)
                out = self._backend.view(output)
                self.found[path] = self._normed(layer, x, out, statistics)

        self._remove.append(self._backend.before(layer, before))
        self._remove.append(self._backend.after(layer, after))

    def _statistics(self, layer: Any) -> tuple[np.ndarray, np.ndarray]:
        mean, variance, _ = (getattr(layer, name) for name in self._names)
        return self._backend.view(mean).copy(), self._backend.view(variance).copy()

    def _normed(
        self, layer: Any, x: np.ndarray, out: np.ndarray, before: tuple[np.ndarray, np.ndarray]
    ) -> Normed:
        axes = tuple(axis for axis in range(x.ndim) if axis != 1)
        batch = x.mean(axes), x.var(axes)
        scale, shift = (
            None if tensor is None else self._backend.view(tensor)
            for tensor in (layer.weight, layer.bias)
        )

        def far(statistics: tuple[np.ndarray, np.ndarray]) -> float:
            shape = (1, -1, *[1] * (x.ndim - 2))
            mean, variance = (array.reshape(shape) for array in statistics)
            wanted = (x - mean) / np.sqrt(variance + getattr(layer, self._names[2]))
            wanted = wanted if scale is None else wanted * scale.reshape(shape)
            wanted = wanted if shift is None else wanted + shift.reshape(shape)
            return float(np.abs(wanted - out).max()) / (float(np.abs(out).max()) or 1.0)

        return Normed(*batch, before, self._statistics(layer), far(batch), far(before))


def examine(
    modules: Mapping[str, Any],
    ours: Mapping[str, Normed],
    theirs: Mapping[str, Normed],
    paths: Mapping[str, str],
) -> Iterator[Diagnosis]:
    """Compare what the layers did.

    Args:
        modules: Torch's modules by path.
        ours: What torch's did.
        theirs: What paddle's did, by paddle's paths.
        paths: Paddle's path by torch's.
    """
    for path, mine in ours.items():
        other = theirs.get(paths.get(path, ""))
        if other is None:
            continue
        found = _frozen(path, mine, other) or _momentum(path, modules[path], mine, other)
        if found is not None:
            yield found


def _frozen(path: str, ours: Normed, theirs: Normed) -> Diagnosis | None:
    running = [one.by_running <= CLOSE < one.by_batch for one in (ours, theirs)]
    batch = [one.learns or one.by_batch <= CLOSE < one.by_running for one in (ours, theirs)]
    told = (
        f"in training its output is its input normalised by {{}} statistics (to "
        f"{min(theirs.by_running, theirs.by_batch):.1e}), torch's by {{}}"
    )
    if batch[0] and running[1] and not running[0]:
        mend = "leave the layer in training mode: no eval() in train(), no use_global_stats=True"
        evidence = told.format("the running", "the batch's")
        return Diagnosis("bn-frozen", path, evidence, mend, MEASURED)
    if running[0] and batch[1] and not running[1]:
        mend = "nn.BatchNorm2D(…, use_global_stats=True)"
        evidence = told.format("the batch's", "the running ones")
        return Diagnosis("bn-unfrozen", path, evidence, mend, MEASURED)
    return None


def _momentum(path: str, module: Any, ours: Normed, theirs: Normed) -> Diagnosis | None:
    (wanted, plain), (kept, left) = ours.kept, theirs.kept
    if max(plain, left) > CLOSE or abs(kept - wanted) <= CLOSE:
        return None
    _, variance = theirs.before
    predicted = kept * variance + (1 - kept) * theirs.variance
    off = float(np.abs(predicted - theirs.after[1]).max()) / float(np.abs(predicted).max())
    if off > CLOSE:
        return None
    why = ""
    if module.momentum is not None and abs(kept - module.momentum) <= CLOSE:
        why = "; that is torch's number, which counts the new values' share: paddle's is 1 - it"
    evidence = (
        f"{kept:.6g} of its running mean stays in a step, {wanted:.6g} of torch's; with that "
        f"number mean and variance are predicted to {max(left, off):.1e}{why}"
    )
    mend = f"nn.BatchNorm2D(…, momentum={wanted:.6g})"
    return Diagnosis("bn-momentum", path, evidence, mend, MEASURED)
