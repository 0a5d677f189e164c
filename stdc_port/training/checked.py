"""A data set looked through before a training begins, by all processes together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.command_line import progress_bar
from stdc_port.training.cityscapes import Pair, check_pairs, find_pairs
from stdc_port.training.labels import NUM_CLASSES
from stdc_port.training.parallel import ALONE, Processes
from stdc_port.training.preflight import SetFacts, set_remarks


def checked_pairs(
    root: Path,
    splits: Sequence[str],
    *,
    quiet: bool,
    tell: Callable[[str], None] = lambda _: None,
    processes: Processes = ALONE,
) -> list[tuple[Pair, ...]]:
    """The pairs of some splits, every file of which has been opened by one of the processes.

    Args:
        root: a Cityscapes folder.
        splits: whose pairs.
        quiet: show no progress.
        tell: told what is unusual about the training split.
        processes: that do this together.

    Raises:
        InputError: listing all that is wrong with the folder.
    """
    found = [find_pairs(root, split) for split in splits]
    every = [pair for pairs in found for pair in pairs]
    own = every[processes.rank :: processes.count]
    with progress_bar("checking the data", len(own), quiet=quiet) as advance:
        checked = processes.gather(check_pairs(root, own, advance=advance).tolist())
    if splits[0] == "train":
        counts = np.zeros((len(every), NUM_CLASSES), np.int64)
        for rank, rows in enumerate(checked):
            counts[rank :: processes.count] = np.reshape(rows, (-1, NUM_CLASSES))
        for remark in set_remarks(_facts(found[0], counts[: len(found[0])])):
            tell(remark)
    return found


def _facts(pairs: Sequence[Pair], counts: NDArray[np.int64]) -> SetFacts:
    empty = (pair.name for pair, row in zip(pairs, counts, strict=True) if not row.any())
    return SetFacts(counts.sum(0), tuple(empty))
