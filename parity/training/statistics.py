"""Paddle's running variance is the biased one, torch's the unbiased one: accounted for exactly.

Both normalise by the biased variance of the batch. Torch then puts n / (n − 1) times as much into
its running variance, n being the number of values a channel; Paddle does not. So what Paddle should
have follows from torch's values before and after each call, torch's momentum, and n alone. It is
computed here call by call, and Paddle's must agree with it to the same bound as everything else: a
wrong momentum does not hide behind a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parity.backends import backend_of
from parity.nested import flatten

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


@dataclass
class BiasedVariance:
    """The running variance that one torch layer would have, were it Paddle's.

    Attributes:
        values: As they are now.
        samples: Values a channel in the last call.
    """

    values: np.ndarray
    samples: int = 0


class BiasedVariances:
    """Follows all batch normalisations of a torch network while it trains."""

    def __init__(self, network: Any) -> None:
        """Watch every layer that keeps a running variance."""
        self.found: dict[str, BiasedVariance] = {}
        self._layers: dict[str, Any] = {}
        self._before: dict[str, np.ndarray] = {}
        self._remove: list[Callable[[], None]] = []
        self._backend = backend_of(network)
        for path, module in self._backend.modules(network):
            if getattr(module, "running_var", None) is not None and hasattr(module, "momentum"):
                name = f"{path}.running_var" if path else "running_var"
                self._layers[name] = module
                self.found[name] = BiasedVariance(self._variance(module))
                self._watch(name, module)

    def restart(self) -> None:
        """Go on from what torch's layers have now."""
        for name, module in self._layers.items():
            self.found[name].values = self._variance(module)

    def close(self) -> None:
        """Stop watching."""
        for remove in self._remove:
            remove()

    def _variance(self, module: Any) -> np.ndarray:
        return self._backend.view(module.running_var).copy()

    def _watch(self, name: str, module: Any) -> None:
        def before(arguments: Any) -> None:
            if module.training:
                _, x = next(iter(flatten(arguments, self._backend.is_tensor)))
                self._before[name] = self._variance(module)
                self.found[name].samples = x.numel() // x.shape[1]

        def after(_: Any) -> None:
            if module.training:
                self._follow(name, module)

        self._remove.append(self._backend.before(module, before))
        self._remove.append(self._backend.after(module, after))

    def _follow(self, name: str, module: Any) -> None:
        followed = self.found[name]
        # Without a momentum torch keeps the mean over all batches.
        share = module.momentum
        if share is None:
            share = 1 / int(module.num_batches_tracked)
        batch = self._variance(module) - (1 - share) * self._before[name]  # unbiased, times share
        n = followed.samples
        followed.values = (1 - share) * followed.values + batch * ((n - 1) / n)
