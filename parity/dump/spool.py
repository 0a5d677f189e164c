"""A run that is laid down on disk and read back, so that both networks are never in memory."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from parity.dump.archive import Archive
from parity.dump.stored import StoredRun
from parity.dump.writer import DumpWriter, RunWriter
from parity.inventory import modules_of

if TYPE_CHECKING:
    from pathlib import Path

    from parity.backward import Backward
    from parity.source import LiveRun


def spooled(run: LiveRun, path: Path, backward: Backward | None = None) -> StoredRun:
    """Run a network and give its run from disk.

    Args:
        run: The run; its network is not needed any more.
        path: A file of one's own; it disappears with the run.
        backward: Run backward, too; the gradients of the parameters stay in the network.

    Raises:
        NetworkError: The network's forward or backward raised.
        OSError: The file cannot be written.
    """
    with path.open("wb") as file, DumpWriter(file) as writer:
        events = RunWriter(writer, run.dtype)
        if backward is None:
            run.stream(events.call, events.start)
            events.close()
        else:
            events.close(run.stream_through(events.call, events.gradient, backward))
    archive = Archive(path, trusted=True)
    with suppress(OSError):
        # The mapping keeps it; a system that forbids this leaves it to whoever owns the folder.
        path.unlink()
    return StoredRun(archive, run.dtype, modules_of(run.network))
