"""What a check is asked to do, and what it cannot be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parity.cotangents import COTANGENTS
from parity.isolate import ISOLATION
from parity.precision import CHECKS, PRECISIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parity.losses import Losses
    from parity.training import Training

STORES = ("memory", "disk")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The choices of `parity.check.check_parity`, under its names."""

    checks: Sequence[str]
    precision: str
    isolation: str
    store: str
    cotangent: str
    losses: Losses | None
    training: Training | None
    steps: int

    def __post_init__(self) -> None:
        """Refuse what does not exist or lacks something.

        Raises:
            ValueError: Names the argument.
        """
        unknown = [check for check in self.checks if check not in CHECKS]
        if unknown or not self.checks:
            raise ValueError(f"checks {list(self.checks)}: only {', '.join(CHECKS)} exist")
        for name, value, known in (
            ("precision", self.precision, PRECISIONS),
            ("isolation", self.isolation, ISOLATION),
            ("store", self.store, STORES),
            ("cotangent", self.cotangent, COTANGENTS),
        ):
            if value not in known:
                raise ValueError(f"{name} {value!r}: expected one of {', '.join(known)}")
        if "loss" in self.checks and self.losses is None:
            raise ValueError("the check 'loss' needs losses=parity.losses.Losses(...)")
        for asked, what in (
            ("train" in self.checks, "the check 'train'"),
            (self.cotangent == "loss", "cotangent='loss'"),
        ):
            if asked and self.training is None:
                raise ValueError(f"{what} needs training=parity.training.Training(...)")
        if self.cotangent == "loss" and "backward" not in self.checks:
            raise ValueError("cotangent='loss' is of the check 'backward', which is not asked for")

    @property
    def backward(self) -> bool:
        """Gradients are compared."""
        return "backward" in self.checks
