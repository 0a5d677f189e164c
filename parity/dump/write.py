"""`write_dump`: run one network and keep its run in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from converters.files import check_target, temporary_beside
from parity.arguments import as_arguments
from parity.backends import unwrapped
from parity.carry import Weights
from parity.dump.compatible import Described, refuse_incompatible
from parity.dump.dumping import Dumping
from parity.dump.manifest import Manifest
from parity.dump.reader import Dump
from parity.dump.writer import DumpWriter
from parity.precision import PRECISIONS

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from parity.renaming import Rename

#: The checks that a dump serves.
KEPT = ("forward", "backward")


def write_dump(
    network: Any,
    inputs: Any,
    path: str | os.PathLike[str],
    *,
    weights: Weights | None = None,
    precision: Literal["float32", "float64", "both"] = "both",
    rename: Rename | None = None,
    converted: str | os.PathLike[str] | None = None,
    on: str | os.PathLike[str] | Dump | None = None,
    checks: Sequence[str] = ("forward",),
    title: str = "",
    force: bool = False,
) -> Manifest:
    """Run a network once in each precision and write all its module calls to a file.

    Nothing of a run is held but the tensor that is being written; the caller's network is only
    read. The other network's framework need not be installed.

    Args:
        network: A torch Module or paddle Layer.
        inputs: One array or tensor, a tuple or list of them, or a mapping from arguments' names.
        path: The dump; it appears under this name when it is complete.
        weights: What the network is to run with, converted if they are the other framework's;
            None takes its own. Torch's own go into the dump, for paddle's side to be made with.
        precision: 'both' lets a comparison tell rounding from meaning.
        rename: Torch path prefix to paddle path prefix, or rules for keys, for weights that are
            converted; see `parity.check.check_parity`.
        converted: A converted file, the one that a training will read, to compare bit for bit
            with the conversion of the weights; the comparison of the dumps reports it.
        on: The dump that torch's network has left, for paddle's: it tells which layer's weights
            are which where names do not, and paddle's network runs once more on torch's values,
            so that a comparison tells each layer's own error from what it inherits.
        checks: What is to be compared. 'backward' keeps the gradients by what every call returned,
            by the inputs and by every parameter; the values of torch's weights, too.
        title: What the dump is, for people; the network's class by default.
        force: Replace an existing file.

    Returns:
        What the dump says of itself.

    Raises:
        converters.InputError: The file cannot be written, or the converter knows no rule for a
            layer.
        converters.RefusedError: The weights cannot all be accounted for.
        DumpError: `on` is no dump of torch's, or was made of other inputs or weights.
        ValueError: The weights do not fit, or an unknown precision.
        TypeError: It is no network.
        NetworkError: The network's forward raised, or it cannot be copied.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    if set(checks) - set(KEPT):
        raise ValueError(f"checks {list(checks)}: a dump keeps {' and '.join(KEPT)}")
    path = Path(path)
    check_target(path, (), force=force)
    dumping = Dumping(
        unwrapped(network),
        as_arguments(inputs),
        PRECISIONS[precision],
        weights,
        rename,
        on if on is None or isinstance(on, Dump) else Dump(on),
        "backward" in checks,
    )
    manifest = dumping.manifest(title, converted)
    if dumping.on is not None:
        refuse_incompatible(dumping.on, Described(path, manifest))
    with temporary_beside(path) as temporary:
        with temporary.open("wb") as file, DumpWriter(file) as writer:
            dumping.write(writer, manifest)
        temporary.replace(path)
    return manifest
