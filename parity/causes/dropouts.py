"""A dropout layer in training mode: its rate and its scale are read from what it let through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from parity.backends import backend_of
from parity.causes.settings import MEASURED
from parity.nested import flatten
from parity.result import Diagnosis

if TYPE_CHECKING:
    from parity.suspect import Suspect

CLOSE = 1e-6


@dataclass(frozen=True)
class Dropped:
    """What a dropout did.

    Attributes:
        kept: The elements that it let through.
        scale: What it multiplied them by.
    """

    kept: np.ndarray
    scale: float

    @property
    def drops(self) -> bool:
        """Whether it dropped anything."""
        return not bool(self.kept.all())

    @property
    def rate(self) -> float:
        """The rate that its scale stands for."""
        return 1 - 1 / self.scale


def examine(suspect: Suspect) -> Diagnosis | None:
    """Explain a dropout layer; both frameworks drew the same numbers.

    Args:
        suspect: A call in training mode.
    """
    if "Dropout" not in type(suspect.torch_module).__name__ or not suspect.training:
        return None
    backend = backend_of(suspect.paddle_layer)
    given = next(iter(flatten(suspect.arguments, backend.is_tensor)), None)
    if given is None or not suspect.found or not suspect.wanted:
        return None
    x = backend.view(given[1])
    ours, theirs = (_dropped(x, found[0].array) for found in (suspect.wanted, suspect.found))
    if ours is None or theirs is None:
        return None
    return _told(suspect.key[0], ours, theirs)


def _dropped(x: np.ndarray, out: np.ndarray) -> Dropped | None:
    """Read what was done; None if it is no dropout."""
    if x.shape != out.shape or not x.any() or not out.any():
        return None
    kept = (out != 0) | (x == 0)
    some = kept & (x != 0)
    scales = out[some] / x[some]
    scale = float(np.median(scales))
    close = bool((np.abs(scales - scale) <= CLOSE * abs(scale)).all())
    return Dropped(kept, scale) if close and scale > 0 else None


def _told(layer: str, ours: Dropped, theirs: Dropped) -> Diagnosis | None:
    nested = not (ours.kept & ~theirs.kept).any() or not (theirs.kept & ~ours.kept).any()
    if not nested:
        return None
    rate = f"{ours.rate:.6g}"
    if not theirs.drops:
        return _diagnosis(layer, "dropout-off", "paddle's lets everything through", rate)
    if not ours.drops:
        return _diagnosis(layer, "dropout-on", "torch's lets everything through", "0")
    if abs(theirs.scale - 1) <= CLOSE and abs(ours.scale - 1) > CLOSE:
        said = "what paddle's lets through is not scaled, which is mode='downscale_in_infer'"
        return _diagnosis(layer, "dropout-mode", said, rate)
    if abs(theirs.scale - ours.scale) <= CLOSE:
        return None
    said = f"paddle's scale is that of the rate {theirs.rate:.6g}, torch's of {rate}"
    return _diagnosis(layer, "dropout-rate", said, rate)


def _diagnosis(layer: str, cause: str, said: str, rate: str) -> Diagnosis:
    evidence = f"in training, of the same random numbers, {said}"
    return Diagnosis(cause, layer, evidence, f"nn.Dropout({rate})", MEASURED)
