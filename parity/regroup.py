"""Layers that the two networks cut up differently: a folded BN, joint projections.

No layer inside has a partner then, or one of its name that holds something else. What can be shown
is that the calls around them return the same, and that what they return depends on these layers:
whatever the layers do to this input has been compared there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from parity.backward import Backward
from parity.cotangents import random_cotangent
from parity.pair import NO_PARTNER, partners
from parity.result import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from parity.backward import Gradient
    from parity.layer_result import LayerResult
    from parity.passes import Passes
    from parity.result import ParityResult
    from parity.source import LiveRun


@dataclass(frozen=True)
class Regrouped:
    """Layers without partners that were compared where the calls around them return.

    Attributes:
        ours: Torch's.
        theirs: Paddle's.
        around: Torch's paths of the calls around them.
    """

    ours: frozenset[str]
    theirs: frozenset[str]
    around: frozenset[str]

    def apart(self, passes: Passes) -> Passes:
        """Let none of them be partners, whatever their names."""
        structure = passes.weights.structure
        rename = {**structure.rename, **dict.fromkeys(self.ours, NO_PARTNER)}
        weights = replace(passes.weights, structure=replace(structure, rename=rename))
        return replace(passes, weights=weights, rename=rename)

    def accounted(self, result: ParityResult) -> ParityResult:
        """Take them out of what speaks against parity, and say where they were compared."""
        note = (
            f"cut up differently: {_listed(self.ours)} in torch, {_listed(self.theirs)} in paddle; "
            f"compared where {_listed(self.around)} returns, which depends on each of them"
        )
        kept = (g for g in result.gradients if g.name.rpartition(".")[0] not in self.ours)
        return replace(
            result,
            torch_only=tuple(call for call in result.torch_only if call.path not in self.ours),
            paddle_only=tuple(call for call in result.paddle_only if call.path not in self.theirs),
            gradients=tuple(kept),
            notes=(*result.notes, note),
        )


def _listed(paths: Iterable[str]) -> str:
    return ", ".join(shown(path) for path in sorted(paths)) or "nothing"


def regrouped(result: ParityResult, passes: Passes) -> Regrouped | None:
    """Find layers that were cut up differently; None without any, or if one of them fails.

    Args:
        result: What a first comparison found.
        passes: Makes fresh runs of both networks.

    Raises:
        NetworkError: A network's forward or backward raised.
    """
    ours, theirs = (
        {call.path for call in calls if call.weights}
        for calls in (result.torch_only, result.paddle_only)
    )
    if "float64" not in result.precisions or not (ours or theirs):
        return None
    runs = _runs(passes)
    names = partners(runs[0].paths(), runs[1].paths(), passes.rename)
    calls = _by_path(result)
    in_torch = {paddle: torch for torch, paddle in names.items()}
    around = {_around(path, calls) for path in ours}
    around |= {_around(path, calls, in_torch) for path in theirs}
    if not all(call.state.passes for path in around for call in calls[path]):
        return None
    failing = {
        path
        for path, made in calls.items()
        if any(_within(path, outer) for outer in around)
        and not all(call.state.passes for call in made)
    }
    ours, theirs = ours | failing, theirs | {names[path] for path in failing}
    if ours <= _acting(runs[0]) and theirs <= _acting(runs[1]):
        return Regrouped(frozenset(ours), frozenset(theirs), frozenset(around))
    return None


def _runs(passes: Passes) -> tuple[LiveRun, LiveRun]:
    from parity.source import LiveRun

    ours, theirs = passes.weights.copies("float64")
    return LiveRun(ours, passes.inputs, "float64"), LiveRun(theirs, passes.inputs, "float64")


def _by_path(result: ParityResult) -> dict[str, list[LayerResult]]:
    found: dict[str, list[LayerResult]] = {}
    for layer in result.layers:
        if layer.phase == "forward":
            found.setdefault(layer.name, []).append(layer)
    return found


def _around(path: str, calls: Collection[str], names: Mapping[str, str] | None = None) -> str:
    """Give torch's path of the innermost call around a layer that both networks have."""
    while path:
        path = path.rpartition(".")[0]
        partner = names.get(path) if names is not None else path
        if partner is not None and partner in calls:
            return partner
    return ""


def _within(path: str, outer: str) -> bool:
    return path != outer and (not outer or path.startswith(f"{outer}."))


def _acting(run: LiveRun) -> set[str]:
    """Give the modules each of whose calls returned something that the network's result needs."""
    called: set[tuple[str, int]] = set()
    needed: set[tuple[str, int]] = set()

    def note(gradient: Gradient) -> None:
        if gradient.key is not None and gradient.array.any():
            needed.add(gradient.key)

    run.stream_through(lambda record: called.add(record.key), note, Backward(random_cotangent()))
    idle = {path for path, _ in called - needed}
    return {path for path, _ in needed} - idle
