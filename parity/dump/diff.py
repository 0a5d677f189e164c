"""`diff_dumps`: two runs that were kept in files, compared by the engine of a live check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parity.assemble import assemble, map_bounds
from parity.dump.manifest import DumpError
from parity.dump.reader import Dump
from parity.precision import TOLERANCE, TOLERANCE_FLOAT64
from parity.runs import compare_runs
from parity.versions import described
from parity.weights import WeightDifference

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from parity.dump.manifest import Manifest
    from parity.result import ParityResult

#: What float32 leaves of a value that a conversion computed in double precision.
FOLD_ROUNDING = 6e-8


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
    _refuse_incompatible(ours, theirs)
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
        notes=tuple(_notes(ours, theirs)),
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


def _refuse_incompatible(ours: Dump, theirs: Dump) -> None:
    reasons = [*_other_inputs(ours, theirs), *_other_weights(ours, theirs)]
    if not set(ours.manifest.precisions) & set(theirs.manifest.precisions):
        here, there = _runs(ours.manifest), _runs(theirs.manifest)
        reasons.append(f"{ours.path} holds {here} alone, {theirs.path} {there}")
    if reasons:
        raise DumpError(
            f"{'; '.join(reasons)}. Make the second from the first, which brings its inputs and "
            f"weights along: stdc-parity dump {ours.path} --framework paddle --out {theirs.path}"
        )


def _other_inputs(ours: Dump, theirs: Dump) -> Iterator[str]:
    mine, others = ours.manifest.inputs, theirs.manifest.inputs
    if len(mine) != len(others):
        yield f"{ours.path} was made of {len(mine)} inputs, {theirs.path} of {len(others)}"
        return
    for index, (one, other) in enumerate(zip(mine, others, strict=True)):
        here, there = (f"{x.dtype} {'×'.join(map(str, x.shape))}" for x in (one, other))
        if here != there:
            yield f"input {index} is {here} in {ours.path}, {there} in {theirs.path}"
        elif one.sha256 != other.sha256:
            yield f"input {index} has other values in {theirs.path} than in {ours.path}"


def _other_weights(ours: Dump, theirs: Dump) -> Iterator[str]:
    mine, others = ours.manifest, theirs.manifest
    if mine.weights_sha256 != others.weights_sha256 and not others.own_weights:
        yield (
            f"{ours.path} was made with other weights ({mine.weights_from}) than {theirs.path} "
            f"({others.weights_from})"
        )


def _notes(ours: Dump, theirs: Dump) -> Iterator[str]:
    for dump in (ours, theirs):
        yield from dump.manifest.notes
    if ours.manifest.device != theirs.manifest.device:
        yield "; ".join(_where(dump.manifest) for dump in (ours, theirs))
    if set(ours.manifest.precisions) != set(theirs.manifest.precisions):
        alone = min((ours, theirs), key=lambda dump: len(dump.manifest.precisions))
        yield f"{alone.path} holds {_runs(alone.manifest)} alone: only that was compared"
    if ours.manifest.weights_sha256 != theirs.manifest.weights_sha256:
        yield (
            f"{theirs.path} was made with weights of its own ({theirs.manifest.weights_from}): "
            "that they are torch's shows only in what they compute. Where a conversion folded "
            f"values and rounded them to float32, float64 differs by up to {FOLD_ROUNDING:.0e}; "
            "torch's side made from the same file has the same values"
        )


def _runs(manifest: Manifest) -> str:
    return " and ".join(manifest.precisions)


def _where(manifest: Manifest) -> str:
    facts = manifest.device
    tf32 = f", TF32 {facts['tf32']}" if "tf32" in facts else ""
    return f"{manifest.framework} ran on {facts['kind']} ({facts['name']}{tf32})"
