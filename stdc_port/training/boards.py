"""Curves and pictures for TensorBoard and VisualDL, by their own writers where installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

TENSORBOARD, VISUALDL = "tensorboard", "visualdl"


class Board(Protocol):
    """Something that draws what it is given, by iteration."""

    def scalar(self, name: str, value: float, iteration: int) -> None:
        """Add a point of a curve."""

    def picture(self, name: str, pixels: NDArray[np.uint8], iteration: int) -> None:
        """Add an (H, W, 3) RGB picture."""

    def close(self) -> None:
        """Write what is still in memory."""


class TensorBoard:
    """Event files of TensorBoard, by tensorboardX."""

    def __init__(self, folder: Path, iteration: int) -> None:
        with _unimportable("torch"):  # which it would load, and has no need of
            from tensorboardX import SummaryWriter
        # What a killed process wrote after its checkpoint is hidden from there on.
        self._writer: Any = SummaryWriter(str(folder), purge_step=iteration or None)

    def scalar(self, name: str, value: float, iteration: int) -> None:
        """Add a point of a curve."""
        self._writer.add_scalar(name, value, iteration)

    def picture(self, name: str, pixels: NDArray[np.uint8], iteration: int) -> None:
        """Add an (H, W, 3) RGB picture."""
        self._writer.add_image(name, pixels, iteration, dataformats="HWC")

    def close(self) -> None:
        """Write what is still in memory."""
        self._writer.close()


class VisualDL:
    """Records of VisualDL, by its own writer; its package is large and installed by choice."""

    def __init__(self, folder: Path, iteration: int) -> None:  # noqa: ARG002  it has no purging
        from visualdl import LogWriter

        self._writer: Any = LogWriter(logdir=str(folder))

    def scalar(self, name: str, value: float, iteration: int) -> None:
        """Add a point of a curve."""
        self._writer.add_scalar(tag=name, value=value, step=iteration)

    def picture(self, name: str, pixels: NDArray[np.uint8], iteration: int) -> None:
        """Add an (H, W, 3) RGB picture."""
        self._writer.add_image(tag=name, img=pixels, step=iteration)

    def close(self) -> None:
        """Write what is still in memory."""
        self._writer.close()


_KINDS: dict[str, Callable[[Path, int], Board]] = {TENSORBOARD: TensorBoard, VISUALDL: VisualDL}


def boards(folder: Path, iteration: int) -> dict[str, Board]:
    """Open those whose package is installed, each in a folder of its name.

    Args:
        folder: of the run.
        iteration: the next one.
    """
    opened = {}
    for name, kind in _KINDS.items():
        try:
            opened[name] = kind(folder / name, iteration)
        except ImportError:  # noqa: PERF203  not installed: no curves there
            continue
    return opened


@contextmanager
def _unimportable(name: str) -> Iterator[None]:
    """Let a package find another one missing, unless that is loaded already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
