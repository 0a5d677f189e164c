"""A run that stands still after each record, so that two networks can go side by side.

The network runs in a thread of its own, but never at the same time as the caller: one of the two
always waits. Record after record can then be compared in place, without a copy of any activation.

A signal may end the caller between any two steps of Python. So turns are passed through queues,
whose steps are whole, not through semaphores, whose inner lock would stay held; and a thread that
nobody is left to end dies with the process.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

T = TypeVar("T")


class _Stopped(BaseException):
    """Ends the paused thread; no forward may take it for an error of its own."""


class PausedRun(Generic[T]):
    """Iterates over the records of a run: of calls, of their starts, of gradients.

    Their arrays hold until the next one is asked for.

    A context manager: leaving it ends the run, wherever it stands, and leaves the network as it
    was.
    """

    def __init__(self, work: Callable[[Callable[[T], None]], Any]) -> None:
        """Prepare a run; it starts when the first record is asked for.

        Args:
            work: Runs the network, and calls what it is given with each record.
        """
        #: What `work` returned, once the run is complete.
        self.returned: Any = None
        self._record: T | None = None
        self._error: BaseException | None = None
        self._stop = False
        self._go, self._stands = SimpleQueue[None](), SimpleQueue[None]()
        self._thread = threading.Thread(target=self._work, args=(work,), daemon=True)

    def __enter__(self) -> PausedRun[T]:
        """Start the thread, which waits."""
        try:
            self._thread.start()
        except BaseException:
            # It may run all the same.
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the run."""
        self._end()
        self._thread.join()

    def _end(self) -> None:
        self._stop = True
        self._go.put(None)

    def __iter__(self) -> PausedRun[T]:
        """Iterate over the rest of the run."""
        return self

    def __next__(self) -> T:
        """Run to the next record.

        Raises:
            StopIteration: The run is complete.
            NetworkError: The network's forward raised.
        """
        if self._thread.is_alive():
            self._go.put(None)
            self._stands.get()
        if self._error is not None:
            raise self._error
        if self._record is None:
            raise StopIteration
        return self._record

    def _work(self, work: Callable[[Callable[[T], None]], Any]) -> None:
        try:
            self._wait()
            self.returned = work(self._hand_over)
        except _Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._error = error
        finally:
            self._record = None
            self._stands.put(None)

    def _hand_over(self, record: T) -> None:
        self._record = record
        self._stands.put(None)
        self._wait()

    def _wait(self) -> None:
        # A forward that swallows the end comes here again: it must not wait for ever.
        if not self._stop:
            self._go.get()
        if self._stop:
            raise _Stopped
