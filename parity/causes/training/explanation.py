"""What explains a training's updates; values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parity.causes.training.course import Course
    from parity.causes.training.rates import Rates
    from parity.causes.training.variants import Variant


@dataclass(frozen=True)
class Decay:
    """Another weight decay of one parameter.

    Attributes:
        course: The parameter.
        wanted: Torch's.
        found: Paddle's.
    """

    course: Course
    wanted: float
    found: float


@dataclass(frozen=True)
class Explanation:
    """A way to make all of paddle's updates.

    Attributes:
        variant: Of the rule.
        decays: Parameters with another decay.
        rates: What the rates come to.
        courses: The parameters.
        left: The largest share of an update that it does not explain.
        before: The same of torch's own way.
    """

    variant: Variant
    decays: tuple[Decay, ...]
    rates: Rates
    courses: tuple[Course, ...]
    left: float
    before: float

    @property
    def cost(self) -> tuple[int, bool]:
        """How much it assumes."""
        causes = bool(self.variant.cause) + bool(self.decays)
        causes += bool(self.rates.cause) + bool(self.rates.factors)
        return causes, bool(self.rates.cause) and self.rates.cause != "step-order"
