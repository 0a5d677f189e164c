"""`diff_dumps`: two runs that were kept in files, compared by the engine of a live check."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from parity.assemble import assemble, map_bounds
from parity.axes import axes_between, inside_what_agrees
from parity.backward import Backward
from parity.cotangents import random_cotangent
from parity.dump.compatible import notes, refuse_incompatible, where
from parity.dump.manifest import DumpError
from parity.dump.members import ENTRIES_MEMBER
from parity.dump.parameters import StoredGradients, stored_partners
from parity.dump.reader import Dump
from parity.gradient_verdicts import BackwardErrors, with_gradients
from parity.gradients import compare_through
from parity.isolate import wanted, with_own_errors
from parity.parameter_gradients import errors_of
from parity.precision import TOLERANCE, TOLERANCE_FLOAT64
from parity.reorder import could_be_reordered, in_another_order, renumbered
from parity.runs import compare_runs
from parity.structure import structure_between
from parity.turned import TurnedRun
from parity.versions import described
from parity.weights import WeightDifference

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator, Mapping

    from parity.axes import Axes
    from parity.backends import FloatType
    from parity.dump.manifest import Manifest
    from parity.gradients import GradientErrors
    from parity.record import CallKey
    from parity.renaming import Rename
    from parity.result import ParityResult
    from parity.runs import RunErrors
    from parity.source import Source


BY_NAME = (
    "parameters were paired by name, not by a conversion: torch's weights were not at hand where "
    "paddle's dump was made"
)


def diff_dumps(
    first: str | os.PathLike[str] | Dump,
    second: str | os.PathLike[str] | Dump,
    *,
    tol: float = TOLERANCE,
    tol64: float = TOLERANCE_FLOAT64,
    rename: Rename | None = None,
) -> ParityResult:
    """Compare a dump of a torch network with one of a paddle network; needs numpy alone.

    Args:
        first: One of the two.
        second: The other, in whichever order.
        tol: Bound of the float32 error, relative to the layer's largest value.
        tol64: Bound of the float64 error.
        rename: Torch path prefix to paddle path prefix, where the two name a layer differently, or
            rules for keys. What is not said is found out as in a live check, and listed as
            `assumed`.

    Raises:
        DumpError: A file is no complete dump, or the two were not made of the same inputs and
            weights.
        converters.InputError: A rule of the caller's fits nothing.
        OSError: A file cannot be opened.
    """
    ours, theirs = in_order(*(x if isinstance(x, Dump) else Dump(x) for x in (first, second)))
    ours.inputs(), theirs.inputs()
    refuse_incompatible(ours, theirs)
    structure = structure_between(
        ours.inventory, theirs.inventory, (ours.called, theirs.called), rename
    )
    pair = _Pair(ours, theirs, structure.rename, tol, tol64)
    result = pair.compared()
    if could_be_reordered(result):
        pair = pair.reordered()
        result = pair.compared() if pair.numbers else result
    inner = inside_what_agrees(result)
    if inner and (turned := pair.permuted(inner)).axes is not None:
        pair, result = turned, turned.axes.noted(turned.compared())
    forced = theirs.own_errors(ours)
    if forced is not None and pair.axes is None and wanted("auto", result):
        result = with_own_errors(result, forced)
    return replace(
        result,
        weights=tuple(WeightDifference(*row) for row in theirs.manifest.converted.items()),
        notes=(*notes(ours, theirs), *_unmeasured(result, ours), *result.notes),
        versions=_versions(ours.manifest, theirs.manifest),
        inputs=described(ours.manifest.inputs),
        assumed=(*structure.assumed, *in_another_order(pair.numbers)),
    )


@dataclass(frozen=True)
class _Pair:
    """Two dumps to be compared; see `parity.passes.Passes`, which does so with live networks."""

    ours: Dump
    theirs: Dump
    rename: Mapping[str, str]
    tol: float
    tol64: float
    numbers: Mapping[CallKey, int] = field(default_factory=dict)
    axes: Axes | None = None

    @property
    def precisions(self) -> list[FloatType]:
        """Those that both hold."""
        held = self.theirs.manifest.precisions
        return [dtype for dtype in self.ours.manifest.precisions if dtype in held]

    def compared(self) -> ParityResult:
        """Compare all calls, and all gradients if both dumps hold them."""
        bounds = map_bounds(self.precisions, self.tol, self.tol64)
        forward: dict[FloatType, RunErrors] = {}
        gradients: dict[FloatType, BackwardErrors] = {}
        for dtype in self.precisions:
            runs = self._runs(dtype)
            options: dict[str, Any] = {"rename": self.rename, "bound": bounds[dtype]}
            if self.backward:
                # Both passes were made: where they started does not matter any more.
                started = Backward(random_cotangent())
                forward[dtype], outputs = compare_through(*runs, started, **options)
                gradients[dtype] = self._gradients(dtype, outputs, gradients.get("float32"))
            else:
                forward[dtype] = compare_runs(*runs, **options)
        result = assemble(forward, tol=self.tol, tol64=self.tol64)
        if not self.backward:
            return result
        result = with_gradients(result, gradients, tol=self.tol, tol64=self.tol64)
        return replace(result, checks=("forward", "backward"))

    @property
    def backward(self) -> bool:
        """Whether both hold gradients."""
        return all("backward" in x.manifest.checks for x in (self.ours, self.theirs))

    def _gradients(
        self, dtype: FloatType, outputs: GradientErrors, single: BackwardErrors | None
    ) -> BackwardErrors:
        ours, theirs = self.ours.parameters(dtype), self.theirs.parameters(dtype)
        entries = self.theirs.entries([name for one in theirs for name in one.names])
        try:
            found = errors_of(
                stored_partners(ours, theirs, entries, self.rename),
                (StoredGradients(), StoredGradients()),
                dtype,
                outputs,
                single.parameters if single else None,
                tol=self.tol,
                notes=(BY_NAME,) if entries is None else (),
            )
        except (ValueError, KeyError) as error:
            raise self.theirs.odd(ENTRIES_MEMBER, f"does not fit torch's ({error})") from error
        return BackwardErrors(outputs, found)

    def _runs(self, dtype: FloatType) -> tuple[Source, Source]:
        theirs: Source = self.theirs.run(dtype, self.numbers)
        if self.axes is not None:
            theirs = TurnedRun(theirs, self.axes)
        return self.ours.run(dtype), theirs

    def permuted(self, inner: Collection[CallKey]) -> _Pair:
        """Find out which calls keep their axes in another order."""
        axes = axes_between(*self._runs("float64"), inner, rename=self.rename, bound=self.tol64)
        return replace(self, axes=axes)

    def reordered(self) -> _Pair:
        """Find out which calls are made in another order."""
        dtype = self.precisions[0]
        return replace(
            self, numbers=renumbered(self.ours.run(dtype), self.theirs.run(dtype), self.rename)
        )


def _unmeasured(result: ParityResult, ours: Dump) -> Iterator[str]:
    if not result and not any(layer.own for layer in result.layers):
        yield (
            "own errors were not measured: what a layer does wrong by itself and what it inherits "
            f"is told apart where paddle's dump is made with --on {ours.path}"
        )


def _versions(ours: Manifest, theirs: Manifest) -> dict[str, str]:
    # Each side names its framework; what both have is told apart where it differs.
    merged = dict(ours.versions)
    for name, version in theirs.versions.items():
        if merged.setdefault(name, version) != version:
            merged[name] = f"{merged[name]} beside torch, {version} beside paddle"
    return merged | {f"{side.framework} ran on": where(side) for side in (ours, theirs)}


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
