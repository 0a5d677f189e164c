"""The learning rate as a pure function of the iteration; imports no framework.

Paddle's own schedulers differ from the published recipes in silence: `PolynomialDecay` ends at 1e-4
unless told otherwise, `LinearWarmup` is not the authors' exponential one, and its decay must not
count the warm-up steps. A formula has none of these habits and can be asked for any iteration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WarmupKind = Literal["none", "linear", "exponential"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Warm-up, then polynomial decay.

    For t < warmup_iterations the rate climbs from `warmup_start` towards `base`, reached at
    t = warmup_iterations: exponentially `start * (base / start) ** (t / w)`, the authors' way, or
    linearly. Then `(base - end) * (1 - p) ** power + end`, p being the share of the remaining
    iterations that is over. From `iterations` on the rate stays at `end`.

    Attributes:
        base: the highest rate.
        iterations: length of the whole training, warm-up included.
        warmup: how the rate climbs.
        warmup_iterations: length of the warm-up (ignored by kind none).
        warmup_start: the rate at iteration 0, used by the two warm-ups.
        power: exponent of the decay.
        end: the rate at `iterations`.
    """

    base: float
    iterations: int
    warmup: WarmupKind = "exponential"
    warmup_iterations: int = 1000
    warmup_start: float = 1e-5
    power: float = 0.9
    end: float = 0.0

    def __post_init__(self) -> None:
        """Refuse combinations without a meaning.

        Raises:
            ValueError: naming the fields that do not fit each other.
        """
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, found {self.iterations}")
        if self.base <= 0 or not 0 <= self.end <= self.base:
            raise ValueError(f"0 <= end <= base is required: base {self.base}, end {self.end}")
        if self.warmup == "none":
            return
        if not 0 <= self.warmup_iterations < self.iterations:
            raise ValueError(
                f"warmup_iterations {self.warmup_iterations} must be below iterations "
                f"{self.iterations}; shorten it, or set warmup to 'none'"
            )
        if not 0 < self.warmup_start <= self.base:
            raise ValueError(
                f"warmup_start must lie in (0, base {self.base}], found {self.warmup_start}"
            )

    def rate(self, iteration: int) -> float:
        """Learning rate of one iteration, computed in float64.

        Args:
            iteration: counted from 0.

        Raises:
            ValueError: for a negative iteration.
        """
        if iteration < 0:
            raise ValueError(f"iterations are counted from 0, found {iteration}")
        warmup_iterations = 0 if self.warmup == "none" else self.warmup_iterations
        if iteration < warmup_iterations:
            return self._warm(iteration / warmup_iterations)
        over = (iteration - warmup_iterations) / (self.iterations - warmup_iterations)
        return float((self.base - self.end) * (1 - min(over, 1.0)) ** self.power + self.end)

    def _warm(self, share: float) -> float:
        if self.warmup == "linear":
            return self.warmup_start + (self.base - self.warmup_start) * share
        return float(self.warmup_start * (self.base / self.warmup_start) ** share)
