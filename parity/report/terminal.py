"""A parity result on a terminal: the verdict first, then what matters."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parity.precision import State
from parity.result import shown

if TYPE_CHECKING:
    from parity.result import LayerResult, ParityResult

STYLES = {
    State.MATCH: "green",
    State.ROUNDING: "yellow",
    State.MISMATCH: "bold red",
    State.NOT_COMPARED: "magenta",
}
WORST = 5
FAILING = 8
LISTED = 8


def show(result: ParityResult, console: Console, *, everything: bool = False) -> None:
    """Print a result.

    Args:
        result: What the check found.
        console: Where to print.
        everything: Every layer instead of the failing ones and the few worst of the rest.
    """
    for line in _headline(result):
        console.print(line)
    console.print()
    if result.layers:
        console.print(_table(result, everything=everything))
        console.print()
    for line in _lists(result):
        console.print(line)


def as_text(result: ParityResult, *, everything: bool = False) -> str:
    """Give what `show` prints, without colours."""
    console = Console(file=io.StringIO(), width=110, color_system=None)
    show(result, console, everything=everything)
    assert isinstance(console.file, io.StringIO)  # noqa: S101 - made two lines above
    return console.file.getvalue()


def _headline(result: ParityResult) -> list[Text]:
    counts = ", ".join(f"{n} {state}" for state, n in result.counts().items() if n)
    verdict = "parity holds" if result else "PARITY DOES NOT HOLD"
    runs = " and ".join(result.precisions)
    style = "bold green" if result else "bold red"
    lines = [Text.assemble((verdict, style), f": {counts or 'nothing compared'} ({runs})")]
    first = result.first_divergence
    if first is not None:
        where = Text.assemble("first divergence: ", (shown(first.name), "bold"), f" ({first.kind})")
        figures = f"float32 {_number(first.error32)}, float64 {_number(first.error64)}"
        lines += [where, Text(f"  {first.reason or first.state.value} ({figures})")]
    return lines


def _table(result: ParityResult, *, everything: bool) -> Table:
    layers = list(result.layers) if everything else _what_matters(result)
    told = any(_fault(layer) for layer in layers)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("layer", overflow="fold")
    table.add_column("kind", overflow="ellipsis", no_wrap=True, max_width=24)
    for name in ("float32", "float64", "verdict"):
        justify: Literal["left", "right"] = "right" if name.startswith("float") else "left"
        table.add_column(name, justify=justify, no_wrap=True)
    if told:
        table.add_column("why", overflow="fold")
    for layer in layers:
        table.add_row(*_row(layer), *([Text(_fault(layer))] if told else []))
    return table


def _fault(layer: LayerResult) -> str:
    # Where numbers were compared, they are the reason.
    return layer.reason if layer.error32 is None and layer.error64 is None else ""


def _what_matters(result: ParityResult) -> list[LayerResult]:
    failing = [layer for layer in result.layers if not layer.state.passes][:FAILING]
    passing = [layer for layer in result.layers if layer.state.passes]
    worst = sorted(passing, key=lambda layer: -(layer.error32 or layer.error64 or 0.0))[:WORST]
    return [*failing, *worst]


def _row(layer: LayerResult) -> tuple[str | Text, ...]:
    return (
        Text((layer.name or "''") + (f" (call {layer.call})" if layer.call else "")),
        _kinds(layer),
        _number(layer.error32),
        _number(layer.error64),
        Text(layer.state.value, STYLES[layer.state]),
    )


def _kinds(layer: LayerResult) -> str:
    # The frameworks spell many classes alike but for capitals: Conv2d, Conv2D.
    same = layer.kind.lower() == layer.paddle_kind.lower()
    return layer.kind if same else f"{layer.kind} / {layer.paddle_kind}"


def _number(error: float | None) -> str:
    return "–" if error is None else f"{error:.1e}"


def _lists(result: ParityResult) -> list[Text]:
    failing = sum(not layer.state.passes for layer in result.layers)
    lines = [Text(f"… and {failing - FAILING} more failing layers")] if failing > FAILING else []
    lines += [Text(problem, "red") for problem in result.problems]
    lines += _some("weights that differ", [f"{w.name} {w.reason}" for w in result.weights])
    for side, calls in (("torch", result.torch_only), ("paddle", result.paddle_only)):
        with_weights = [f"{u.path} ({u.kind})" for u in calls if u.weights]
        without = [f"{u.path} ({u.kind})" for u in calls if not u.weights]
        lines += _some(f"only in {side}, with weights", with_weights)
        lines += _some(f"only in {side}, without weights (no failure)", without)
    pairs = [f"{pair.torch} is {pair.paddle} ({pair.how})" for pair in result.assumed]
    lines += _some("assumed, as names differ", pairs)
    lines += [Text(note, "dim") for note in [*_floors(result), *result.notes]]
    lines += _some("never called, nothing is said of them", list(result.never_called))
    return lines


def _floors(result: ParityResult) -> list[str]:
    found: dict[str, list[tuple[float, str]]] = {}
    for layer in result.layers:
        for floor in layer.floors:
            found.setdefault(floor.operation, []).append((floor.error, layer.name or "''"))
    return [
        f"float64 floor of {operation}: paddle is single precision inside, off by up to "
        f"{max(places)[0]:.1e} in {', '.join(dict.fromkeys(name for _, name in places[:LISTED]))}"
        f"{' …' if len(places) > LISTED else ''}; computed exactly for this comparison"
        for operation, places in found.items()
    ]


def _some(title: str, items: list[str]) -> list[Text]:
    if not items:
        return []
    more = f" … and {len(items) - LISTED} more" if len(items) > LISTED else ""
    return [Text(f"{title} ({len(items)}): {', '.join(items[:LISTED])}{more}")]
