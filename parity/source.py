"""Where the records of a run come from: a network that runs now, or a file that kept its run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parity.backends import backend_of
from parity.backward import run_through
from parity.paused import PausedRun
from parity.record import NetworkError
from parity.running import never_called, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from parity.backends import FloatType
    from parity.backward import Backward, Gradient, GradientConsumer
    from parity.precision import Floor
    from parity.record import CallKey, Consumer, Event, GivenConsumer, Record


class Source(ABC):
    """One network's run in one precision.

    Attributes:
        dtype: The precision.
    """

    dtype: FloatType

    @abstractmethod
    def paths(self) -> set[str]:
        """Give the paths of all modules, those that are never called too."""

    @abstractmethod
    def stream(self, consumer: Consumer, given: GivenConsumer | None = None) -> None:
        """Run through: a record's arrays hold until the consumer returns.

        Args:
            consumer: Called with each record.
            given: Called with each start of a call.

        Raises:
            NetworkError: The network's forward raised.
        """

    @abstractmethod
    def stream_through(
        self, consumer: Consumer, gradients: GradientConsumer, backward: Backward
    ) -> dict[CallKey, list[Floor]]:
        """Run through, forward and backward; see `parity.backward.run_through`."""

    @abstractmethod
    def never_called(self, called: set[str]) -> tuple[str, ...]:
        """List the paths of modules that hold weights and are not among those called."""

    def called(self) -> dict[str, str]:
        """Run through, and give the classes of the modules that ran, by path, as they completed."""
        kinds: dict[str, str] = {}

        def note(record: Record) -> None:
            kinds.setdefault(record.path, record.kind)

        self.stream(note)
        return kinds

    def paused(self, *, starts: bool = False) -> PausedRun[Event]:
        """Run step by step: a record's arrays hold until the next one is asked for.

        Args:
            starts: Stand still where a call starts, too.
        """
        return PausedRun(lambda act: self.stream(act, act if starts else None))

    def paused_through(self, backward: Backward) -> PausedRun[Event | Gradient]:
        """Run step by step, then backward; a gradient holds until the next one is asked for."""
        return PausedRun(lambda act: self.stream_through(act, act, backward))


@dataclass(frozen=True)
class LiveRun(Source):
    """A network that runs now.

    Attributes:
        network: A torch Module or paddle Layer that has the dtype already.
        inputs: Its arguments.
        dtype: The precision of the run.
        numbers: Other numbers for calls of repeated modules; see `parity.reorder`.
        training: The network runs in training mode, not in evaluation mode.
    """

    network: Any
    inputs: tuple[np.ndarray, ...]
    dtype: FloatType
    numbers: Mapping[CallKey, int] | None = None
    training: bool = False

    def paths(self) -> set[str]:
        """Give the paths of all modules."""
        return {path for path, _ in backend_of(self.network).modules(self.network)}

    def stream(self, consumer: Consumer, given: GivenConsumer | None = None) -> None:
        """Run through; values that the consumers give back take the place of the network's own."""
        run(
            self.network,
            self.inputs,
            consumer,
            self.dtype,
            share=True,
            given=given,
            numbers=self.numbers,
            training=self.training,
        )

    def stream_through(
        self, consumer: Consumer, gradients: GradientConsumer, backward: Backward
    ) -> dict[CallKey, list[Floor]]:
        """Run through, forward and backward."""
        return run_through(
            self.network,
            self.inputs,
            consumer,
            gradients,
            self.dtype,
            backward,
            numbers=self.numbers,
            training=self.training,
        )

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
