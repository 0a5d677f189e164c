"""A parity result on a terminal: the verdict first, then what matters."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from parity.precision import State
from parity.report.tables import layer_table, step_table, tensor_table
from parity.report.words import (
    FAILING,
    WORST,
    counted,
    divergence,
    figure,
    kinds,
    name_of,
    printable,
    tally,
    verdict,
    what_matters,
    worst,
)
from parity.result import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import ConsoleOptions, RenderableType, RenderResult

    from parity.layer_result import LayerResult
    from parity.result import Diagnosis, ParityResult

LISTED = 8


def show(result: ParityResult, console: Console, *, everything: bool = False) -> None:
    """Print a result.

    Args:
        result: What the check found.
        console: Where to print.
        everything: Every layer, gradient and difference instead of what matters.
    """
    console.print(Report(result, everything))


@dataclass(frozen=True)
class Report:
    """A result as rich shows it.

    Attributes:
        result: What the check found.
        everything: Every layer, gradient and difference instead of what matters.
    """

    result: ParityResult
    everything: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the parts, a line apart."""
        result, everything = self.result, self.everything
        parts = [
            _headline(result),
            *_first_divergence(result),
            *map(diagnosis, result.diagnosis),
            *_layers(result, options.max_width, everything),
            *_gradients(result, everything),
            *_losses(result, everything),
            *_steps(result),
            *_lists(result, None if everything else LISTED),
        ]
        for place, part in enumerate(parts):
            if place:
                yield ""
            yield _Printable(part)


@dataclass(frozen=True)
class _Printable:
    """A part of the report in which no name can speak to the terminal."""

    part: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for text, style, control in console.render(self.part, options):
            yield Segment(text if control else printable(text), style, control)


def as_text(result: ParityResult, *, everything: bool = False) -> str:
    """Give what `show` prints, without colours."""
    console = Console(file=io.StringIO(), width=110, color_system=None)
    show(result, console, everything=everything)
    assert isinstance(console.file, io.StringIO)  # noqa: S101 - made two lines above
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def _headline(result: ParityResult) -> RenderableType:
    style = "bold green" if result else "bold red"
    line = Text.assemble((verdict(result), style), f": {counted(result)}")
    return Group(line, *(Text(problem, "red") for problem in result.problems))


def _first_divergence(result: ParityResult) -> Iterator[RenderableType]:
    first = result.first_divergence
    if first is not None:
        name = name_of(first) if first.name else shown(first.name)
        title = Text.assemble("first divergence: ", (name, "bold"), f" ({kinds(first)})")
        yield Group(title, _titled(divergence(first)))
    elif result.failures:
        lines = [failure for failure in result.failures if failure not in result.problems]
        yield from [_some("what fails", lines, LISTED)] if lines else []
    others = [name_of(layer) for layer in result.faulty if layer is not first]
    if others:
        yield _some("also wrong by themselves", others, LISTED)


def diagnosis(found: Diagnosis) -> RenderableType:
    """Show a cause: where, how it was confirmed, and what to write instead."""
    cause, layer = (found.cause, "bold"), (shown(found.layer), "bold")
    pairs = [("evidence", found.evidence), ("mend", found.mend), ("source", found.source)]
    return Group(Text.assemble("diagnosis: ", cause, " at ", layer), _titled(pairs))


def _titled(pairs: Sequence[tuple[str, str]]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for title, text in pairs:
        grid.add_row(title, Text(text))
    return Padding(grid, (0, 0, 0, 2))


def _layers(result: ParityResult, width: int, everything: bool) -> Iterator[RenderableType]:
    layers = list(result.layers) if everything else what_matters(result)
    left_out = {id(x) for x in result.layers if not x.state.passes} - {id(x) for x in layers}
    more = [f"… and {len(left_out)} more failing calls (--all shows them)"] if left_out else []
    if layers:
        yield Group(layer_table(layers, width), *more, *_rounding(layers))


def _rounding(layers: Sequence[LayerResult]) -> Iterator[RenderableType]:
    # Where nothing fails, the largest error still wants its reason.
    if layers[0].state is State.ROUNDING:
        yield Text(f"{name_of(layers[0])}: {layers[0].reason}", "dim")


def _gradients(result: ParityResult, everything: bool) -> Iterator[RenderableType]:
    if result.gradients:
        failing = [gradient for gradient in result.gradients if not gradient.state.passes]
        some = failing[:FAILING] or worst(result.gradients)[:WORST]
        yield Group(
            f"gradients of inputs and parameters: {tally(result.gradients)}",
            tensor_table("gradient of", result.gradients if everything else some),
        )


def _losses(result: ParityResult, everything: bool) -> Iterator[RenderableType]:
    if result.losses:
        title = f"losses on identical logits and labels: {tally(result.losses)}"
        some = [loss for loss in result.losses if everything or not loss.state.passes]
        yield Group(title, *(tensor_table(loss.case, loss.tensors) for loss in some))


def _steps(result: ParityResult) -> Iterator[RenderableType]:
    if result.steps:
        title = f"training steps, the largest error of each kind: {tally(result.steps)}"
        alone = any(x.own_single or x.own_double for x in result.steps[0].tensors)
        how = [Text("each step started from torch's state, so the error is its own", "dim")]
        found = [(step, step.first_difference) for step in result.steps]
        first = next(
            (
                [Text(f"first difference: {what.kind} {what.name} after step {step.step}")]
                for step, what in found
                if what is not None
            ),
            [],
        )
        yield Group(title, *(how if alone else []), *first, step_table(result.steps))


def _lists(result: ParityResult, most: int | None) -> Iterator[RenderableType]:
    lists = [("weights that differ", [f"{w.name} {w.reason}" for w in result.weights])]
    for side, calls in (("torch", result.torch_only), ("paddle", result.paddle_only)):
        named = {
            weights: [f"{u.path} ({u.kind})" for u in calls if u.weights is weights]
            for weights in (True, False)
        }
        lists.append((f"only in {side}, with weights", named[True]))
        lists.append((f"only in {side}, without weights (no failure)", named[False]))
    pairs = [f"{pair.torch} is {pair.paddle} ({pair.how})" for pair in result.assumed]
    lists.append(("assumed, as names differ", pairs))
    odd = [f"{name_of(layer)} ({n} values)" for layer in result.layers if (n := layer.not_finite)]
    lists.append(("NaN or infinite, alike on both sides", odd))
    lists.append(("never called, nothing is said of them", list(result.never_called)))
    shown_lists = [_some(title, items, most) for title, items in lists if items]
    notes = [Text(note, "dim") for note in [*_floors(result), *result.notes]]
    if shown_lists or notes:
        yield Group(*shown_lists, *notes)


def _floors(result: ParityResult) -> list[str]:
    found: dict[str, list[tuple[float, str]]] = {}
    for layer in result.layers:
        for floor in layer.floors:
            found.setdefault(floor.operation, []).append((floor.error, name_of(layer)))
    return [
        f"float64 floor of {operation}: paddle is single precision inside, off by up to "
        f"{figure(max(places)[0])} in "
        f"{', '.join(dict.fromkeys(name for _, name in places[:LISTED]))}"
        f"{' …' if len(places) > LISTED else ''}; computed exactly for this comparison"
        for operation, places in found.items()
    ]


def _some(title: str, items: Sequence[str], most: int | None) -> Text:
    more = f" … and {len(items) - most} more" if most is not None and len(items) > most else ""
    return Text(f"{title} ({len(items)}): {', '.join(items[:most])}{more}")
