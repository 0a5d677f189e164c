"""The tables of the terminal's report. Each is read without colour, within 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from rich.table import Table
from rich.text import Text

from parity.comparison import Kind
from parity.precision import State
from parity.report.words import error_of, figure, kinds, name_of, own_error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from parity.comparison import StepResult, TensorComparison
    from parity.layer_result import LayerResult

STYLES = {
    State.MATCH: "green",
    State.ROUNDING: "yellow",
    State.MISMATCH: "bold red",
    State.NOT_COMPARED: "magenta",
}
#: Below this width there is no room for a layer's kind beside its name.
ROOM_FOR_KINDS = 100


def layer_table(layers: Sequence[LayerResult], width: int) -> Table:
    """Show calls of layers with their errors, their own beside the inherited where measured.

    Args:
        layers: The calls to show.
        width: How many columns there are.
    """
    own = any(layer.own_state is not None for layer in layers)
    table = _table("layer", *(["kind"] if width >= ROOM_FOR_KINDS else []))
    _figures(table, *(["own"] if own else []), "float32", "float64")
    table.add_column("verdict", no_wrap=True)
    for layer in layers:
        table.add_row(
            Text.assemble(name_of(layer), (_fault(layer), "dim")),
            *([Text(kinds(layer))] if width >= ROOM_FOR_KINDS else []),
            *([_own(layer)] if own else []),
            figure(layer.error32),
            figure(layer.error64),
            _verdict(layer.state),
        )
    return table


def _own(layer: LayerResult) -> Text:
    error = layer.own32 if layer.own64 is None else layer.own64
    return Text(figure(error), STYLES[layer.own_state] if layer.own_state else "")


def _fault(layer: LayerResult) -> str:
    # Where numbers were compared, they are the reason.
    compared = layer.error32 is not None or layer.error64 is not None
    return "" if compared or not layer.reason else f"\n{layer.reason}"


def tensor_table(title: str, tensors: Sequence[TensorComparison]) -> Table:
    """Show tensors that were compared by name.

    Args:
        title: What they are.
        tensors: Those to show.
    """
    own = any(tensor.own_state is not None for tensor in tensors)
    table = _table(title)
    _figures(table, *(["own"] if own else []), "float32", "float64")
    table.add_column("verdict", no_wrap=True)
    for tensor in tensors:
        style = STYLES[tensor.own_state] if tensor.own_state else ""
        alone = Text(figure(own_error_of(tensor)), style)
        errors = figure(tensor.error32), figure(tensor.error64)
        table.add_row(Text(tensor.name), *([alone] if own else []), *errors, _verdict(tensor.state))
    return table


def step_table(steps: Sequence[StepResult]) -> Table:
    """Show training steps: the largest error of each kind of tensor, in the step alone.

    Beside it what has accumulated since the first step, and torch's own drift where it was asked.
    """
    kinds_shown = [kind for kind in get_args(Kind) if any(step.of_kind(kind) for step in steps)]
    tensors = [tensor for step in steps for tensor in step.tensors]
    alone = any(own_error_of(tensor) is not error_of(tensor) for tensor in tensors)
    drift = any(tensor.sensitivity is not None for tensor in tensors)
    table = _table("step")
    # Ten columns of figures fit into 80 columns.
    table.collapse_padding = True
    since = [*(["since\nstart"] if alone else []), *(["torch\n±1 ulp"] if drift else [])]
    _figures(table, *kinds_shown, *since)
    table.add_column("verdict", no_wrap=True)
    for step in steps:
        table.add_row(
            str(step.step),
            *(_largest(step.of_kind(kind), own_error_of) for kind in kinds_shown),
            *([_largest(step.tensors, error_of)] if alone else []),
            *([_largest(step.tensors, lambda x: x.sensitivity)] if drift else []),
            _verdict(step.state),
        )
    return table


def _largest(
    tensors: Sequence[TensorComparison], of: Callable[[TensorComparison], float | None]
) -> str:
    return figure(max((e for e in map(of, tensors) if e is not None), default=None))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    return table


def _figures(table: Table, *columns: str) -> None:
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)


def _verdict(state: State) -> Text:
    return Text(state.value, STYLES[state])
