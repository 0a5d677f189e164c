"""The two networks that a diagnosis is about, and which of their faults are looked into."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parity.causes.layers import different_settings
from parity.pair import partners
from parity.source import LiveRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy as np

    from parity.backends import FloatType
    from parity.record import CallKey

#: Faults that are examined of those that look alike: of the same classes, the same settings wrong.
ALIKE = 3


@dataclass(frozen=True)
class Patient:
    """What is known of the two networks.

    Attributes:
        torch_module: The reference.
        paddle_layer: The network in question.
        inputs: The positional arguments of both.
        rename: Torch path prefix to paddle path prefix.
        right: The weights that the converter carries over; None where it cannot.
        found: The weights that paddle's network holds.
        copies: Makes copies of both in a precision, with right weights where they are known.
        numbers: Torch's numbers of paddle's calls; see `parity.reorder`.
        training: They run in training mode.
    """

    torch_module: Any
    paddle_layer: Any
    inputs: tuple[np.ndarray, ...]
    rename: Mapping[str, str]
    right: Mapping[str, np.ndarray] | None
    found: Mapping[str, np.ndarray]
    copies: Callable[[FloatType], tuple[Any, Any]]
    numbers: Mapping[CallKey, int]
    training: bool = False

    def runs(self, dtype: FloatType) -> tuple[LiveRun, LiveRun]:
        """Make fresh runs of both networks in a precision."""
        ours, theirs = self.copies(dtype)
        mode = self.training
        return (
            LiveRun(ours, self.inputs, dtype, training=mode),
            LiveRun(theirs, self.inputs, dtype, self.numbers, training=mode),
        )

    @property
    def paths(self) -> dict[str, str]:
        """Paddle's path by torch's."""
        ours = {path for path, _ in self.torch_module.named_modules()}
        theirs = {path for path, _ in self.paddle_layer.named_sublayers(include_self=True)}
        return dict(partners(ours, theirs, self.rename))

    def chosen(self, faults: Iterable[CallKey]) -> dict[CallKey, int]:
        """Choose the faults to look into: of many that look alike the first few.

        Returns:
            The chosen ones in their order, with the number of those like them that were not.
        """
        ours, theirs = (
            dict(self.torch_module.named_modules()),
            dict(self.paddle_layer.named_sublayers(include_self=True)),
        )
        paths, seen = self.paths, Counter[Any]()
        signs: dict[CallKey, Any] = {}
        for key in faults:
            a, b = ours[key[0]], theirs[paths[key[0]]]
            wrong = tuple(str(one) for one in different_settings(a, b))
            signs[key] = type(a), type(b), wrong
        chosen = []
        for key, sign in signs.items():
            seen[sign] += 1
            chosen += [key] if seen[sign] <= ALIKE else []
        last = {signs[key]: key for key in chosen}
        return {
            key: max(seen[signs[key]] - ALIKE, 0) if last[signs[key]] == key else 0
            for key in chosen
        }
