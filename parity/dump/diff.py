"""`diff_dumps`: two runs that were kept in files, compared by the engine of a live check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parity.assemble import assemble, map_bounds
from parity.dump.compatible import notes, refuse_incompatible
from parity.dump.manifest import DumpError
from parity.dump.reader import Dump
from parity.precision import TOLERANCE, TOLERANCE_FLOAT64
from parity.runs import compare_runs
from parity.versions import described
from parity.weights import WeightDifference

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from parity.dump.manifest import Manifest
    from parity.result import ParityResult


def diff_dumps(
    first: str | os.PathLike[str] | Dump,
    second: str | os.PathLike[str] | Dump,
    *,
    tol: float = TOLERANCE,
    tol64: float = TOLERANCE_FLOAT64,
    rename: Mapping[str, str] | None = None,
) -> ParityResult:
    """Compare a dump of a torch network with one of a paddle network; needs numpy alone.

    Args:
        first: One of the two.
        second: The other, in whichever order.
        tol: Bound of the float32 error, relative to the layer's largest value.
        tol64: Bound of the float64 error.
        rename: Torch path prefix to paddle path prefix, where the two name a layer differently.

    Raises:
        DumpError: A file is no complete dump, or the two were not made of the same inputs and
            weights.
        OSError: A file cannot be opened.
    """
    ours, theirs = in_order(*(x if isinstance(x, Dump) else Dump(x) for x in (first, second)))
    refuse_incompatible(ours, theirs)
    common = [p for p in ours.manifest.precisions if p in theirs.manifest.precisions]
    bounds = map_bounds(common, tol, tol64)
    runs = {
        dtype: compare_runs(
            ours.run(dtype), theirs.run(dtype), rename=rename or {}, bound=bounds[dtype]
        )
        for dtype in common
    }
    return assemble(
        runs,
        weights=tuple(WeightDifference(*row) for row in theirs.manifest.converted.items()),
        notes=tuple(notes(ours, theirs)),
        tol=tol,
        tol64=tol64,
        versions=_versions(ours.manifest, theirs.manifest),
        inputs=described(ours.manifest.inputs),
    )


def _versions(ours: Manifest, theirs: Manifest) -> dict[str, str]:
    # Each side names its framework; what both have is told apart where it differs.
    merged = dict(ours.versions)
    for name, version in theirs.versions.items():
        if merged.setdefault(name, version) != version:
            merged[name] = f"{merged[name]} beside torch, {version} beside paddle"
    return merged


def in_order(first: Dump, second: Dump) -> tuple[Dump, Dump]:
    """Give torch's dump, the reference, and paddle's.

    Raises:
        DumpError: Both are of one framework.
    """
    sides = {dump.manifest.framework: dump for dump in (first, second)}
    if len(sides) < 2:
        name = first.manifest.framework
        raise DumpError(
            f"{first.path} and {second.path} are both of {name}: compare one of torch with one of "
            "paddle"
        )
    return sides["torch"], sides["paddle"]
