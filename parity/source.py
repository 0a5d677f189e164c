"""Where the records of a run come from: a network that runs now, or a file that kept its run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from parity.backends import backend_of
from parity.paused import PausedRun
from parity.record import never_called, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import numpy as np

    from parity.backends import FloatType
    from parity.record import Consumer, Event


class Source(Protocol):
    """One network's run in one precision."""

    def paths(self) -> set[str]:
        """Give the paths of all modules, those that are never called too."""

    def paused(self) -> AbstractContextManager[Iterator[Event]]:
        """Run step by step: a record's arrays hold until the next one is asked for.

        Raises:
            NetworkError: The network's forward raised.
        """

    def stream(self, consumer: Consumer) -> None:
        """Run through: a record's arrays hold until the consumer returns.

        Raises:
            NetworkError: The network's forward raised.
        """

    def never_called(self, called: set[str]) -> tuple[str, ...]:
        """List the paths of modules that hold weights and are not among those called."""


@dataclass(frozen=True)
class LiveRun:
    """A network that runs now; see `Source`.

    Attributes:
        network: A torch Module or paddle Layer that has the dtype already.
        inputs: Its positional arguments.
        dtype: The precision of the run.
    """

    network: Any
    inputs: tuple[np.ndarray, ...]
    dtype: FloatType

    def paths(self) -> set[str]:
        """Give the paths of all modules."""
        return {path for path, _ in backend_of(self.network).modules(self.network)}

    def paused(self) -> PausedRun:
        """Run step by step."""
        return PausedRun(self.network, self.inputs, self.dtype)

    def stream(self, consumer: Consumer) -> None:
        """Run through."""
        run(self.network, self.inputs, consumer, self.dtype, share=True)

    def never_called(self, called: set[str]) -> tuple[str, ...]:
        """List modules with weights that are not among those called."""
        return never_called(self.network, called)
