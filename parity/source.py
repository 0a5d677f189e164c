"""Where the records of a run come from: a network that runs now, or a file that kept its run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from parity.backends import backend_of
from parity.backward import run_through
from parity.paused import PausedRun
from parity.record import NetworkError, never_called, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import numpy as np

    from parity.backends import FloatType
    from parity.backward import Backward, Gradient, GradientConsumer
    from parity.precision import Floor
    from parity.record import CallKey, Consumer, Event, GivenConsumer


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

    def paused(self, *, starts: bool = False) -> PausedRun[Event]:
        """Run step by step; `starts`: stand still where a call starts, too."""
        return PausedRun(lambda act: self.stream(act, act if starts else None))

    def stream(self, consumer: Consumer, given: GivenConsumer | None = None) -> None:
        """Run through; see `parity.record.run` for values that the consumers give back."""
        run(self.network, self.inputs, consumer, self.dtype, share=True, given=given)

    def paused_through(self, backward: Backward) -> PausedRun[Event | Gradient]:
        """Run step by step, then backward; a gradient holds until the next one is asked for."""
        return PausedRun(lambda act: self.stream_through(act, act, backward))

    def stream_through(
        self, consumer: Consumer, gradients: GradientConsumer, backward: Backward
    ) -> dict[CallKey, list[Floor]]:
        """Run through, forward and backward; see `parity.backward.run_through`."""
        return run_through(self.network, self.inputs, consumer, gradients, self.dtype, backward)

    def never_called(self, called: set[str]) -> tuple[str, ...]:
        """List modules with weights that are not among those called."""
        return never_called(self.network, called)


def copy_as(network: Any, dtype: FloatType) -> Any:
    """Copy a network in a precision, leaving it untouched.

    Raises:
        NetworkError: It cannot be copied or cast.
    """
    backend = backend_of(network)
    try:
        return backend.copy_as(network, dtype)
    except Exception as error:
        raise NetworkError(
            f"the {backend.name} network cannot be copied as {dtype} ({type(error).__name__}: "
            f"{error}); copy.deepcopy and a cast of all its parameters have to work"
        ) from error
