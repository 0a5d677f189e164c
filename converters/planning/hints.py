"""What a conversion's user should know although nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from converters.dtypes import BY_NAME
from converters.entries import Entry
from converters.layouts import Layout
from converters.planning.doubts import uncounted_norms
from converters.planning.source import WRAPPED, Source, shared_prefix
from converters.transforms import FLOATING
from stdc_port import spec

SINGLE = "float32"
ASSUMED = "name the network with --model, or kinds of layers in --rules"
# What float16 cannot hold, float32 and bfloat16 can.
NARROW, WIDE = "float16", ("float32", "float64", "bfloat16")


def hints(
    entries: tuple[Entry, ...], layout: Layout, source: Source, to: str, target: Any
) -> Iterator[str]:
    """Yield what helps against an assumption or when the target is loaded, one line each.

    Args:
        entries: every key's fate.
        layout: the network.
        source: the checkpoint's keys.
        to: the target framework.
        target: the target network if it is at hand.
    """
    if any(layer.assumption for layer in layout.layers):
        yield ASSUMED
    if target is None and WRAPPED in shared_prefix(source.checkpoint):
        yield (
            f"{WRAPPED!r} was taken off all names, where a wrapper puts it; if a layer of the "
            "network is called so, name the network with --model"
        )
    yield from norms_taken(layout, source)
    if squares := squares_taken(layout, source):
        yield (
            f"{few(squares)}: square, and laid out as the file's other matrices tell; one of a "
            "layer of your own may lie otherwise; --model or kinds in --rules settle it"
        )
    yield from types_written(entries, source, to, target)


def norms_taken(layout: Layout, source: Source) -> Iterator[str]:
    """Yield for what batch norms were taken that could be something else with the same tensors."""
    if source.framework != "torch" or layout.arch in spec.ARCHS:
        return
    if layout.at_hand and (frozen := list(uncounted_norms(source, layout))):
        yield (
            f"{few(frozen)}: no count of batches, where other batch norms have one; taken for a "
            "batch norm, as in the network (frozen, most likely); in-place ABN, whose scale is "
            "folded, is kind inplace_abn in --rules"
        )
    norms = [
        layer.path
        for layer in layout.layers
        if layer.kind == "batch_norm"
        and not layer.assumption
        and not source.rules.kind_of(layer.path)
    ]
    if norms and not layout.at_hand:
        yield (
            f"{few(norms)}: running statistics, taken for a batch norm; an InstanceNorm that "
            "keeps some has the same tensors, and Paddle has no such layer; --model or kinds in "
            "--rules settle it"
        )


def squares_taken(layout: Layout, source: Source) -> list[str]:
    """Return the layers taken for a Linear whose matrix would fit transposed, too."""
    if layout.at_hand or layout.arch in spec.ARCHS:
        return []
    attentions = {layer.path for layer in layout.layers if layer.kind == "attention"}
    return [
        layer.path
        for layer in layout.layers
        if layer.kind == "linear"
        and len(set(layer.shapes.get("weight", (0, 1)))) == 1
        and not (layer.assumption or source.rules.kind_of(layer.path))
        and layer.path.rpartition(".")[0] not in attentions
    ]


def few(paths: list[str]) -> str:
    """Return the first of some layers, and how many more there are."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]!r}{more}"


def types_written(
    entries: tuple[Entry, ...], source: Source, to: str, target: Any
) -> Iterator[str]:
    """Yield what the target's element types mean for its values, and for loading it."""
    narrowed = [
        entry
        for entry in entries
        if entry.dtype == NARROW
        and any(source.checkpoint[key].dtype in WIDE for key in entry.sources)
    ]
    if narrowed:
        yield (
            f"{NARROW} ends at 65504; the plan looks at no values, and one beyond is refused when "
            "it is written"
        )
    if to == "torch":  # which casts what it loads
        return
    floating = {entry.dtype for entry in entries if entry.targets and is_floating(entry.dtype)}
    wanted = {SINGLE} if target is None else types_of(target)
    odd = floating - wanted
    if odd and wanted:
        network = "a network" if target is None else "this network"
        goal = SINGLE if SINGLE in wanted else min(wanted)
        yield (
            f"the target holds {' and '.join(sorted(odd))}, which Paddle does not load into "
            f"{network} in {' and '.join(sorted(wanted))}; {mend(goal, odd)}"
        )


def mend(goal: str, found: set[str]) -> str:
    """Return how the target gets another type."""
    if goal == "float64":
        return "cast it when it is loaded: --dtype has no float64"
    exact = goal == SINGLE and "float64" not in found
    return f"--dtype {goal} writes {goal} and {'loses nothing' if exact else 'rounds'}"


def is_floating(name: str) -> bool:
    """Return whether a type's name is one that ``--dtype`` can change."""
    return name in BY_NAME and BY_NAME[name] in FLOATING


def types_of(network: Any) -> set[str]:
    """Return the floating-point types of a Paddle network's tensors."""
    names = {str(value.dtype).rpartition(".")[2] for value in network.state_dict().values()}
    return {name for name in names if is_floating(name)}
