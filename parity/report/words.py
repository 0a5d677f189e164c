"""What the reports say alike: figures, names, and which layers matter."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol, TypeVar

from parity.precision import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parity.comparison import TensorComparison
    from parity.layer_result import LayerResult
    from parity.result import ParityResult

FAILING = 8
WORST = 5


#: What a terminal obeys instead of showing it: C0, C1, and what turns the writing direction.
_CONTROLS = [*range(32), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_SHOWN = {code: "\N{REPLACEMENT CHARACTER}" for code in _CONTROLS if chr(code) != "\n"}


class Judged(Protocol):
    """Whatever has a verdict: a layer's call, a gradient, a training step."""

    @property
    def state(self) -> State:
        """The verdict."""


class Compared(Judged, Protocol):
    """Whatever has errors as well."""

    @property
    def error32(self) -> float | None:
        """The float32 error."""

    @property
    def error64(self) -> float | None:
        """The float64 error."""


Item = TypeVar("Item", bound=Compared)


def printable(text: str) -> str:
    """Take out of a text what a terminal would obey: a layer may have any name."""
    return text.translate(_SHOWN)


def figure(error: float | None) -> str:
    """Spell an error: two digits, 0 as such, a dash where there is none."""
    if error is None:
        return "–"
    return f"{error:.1e}" if error else "0"


def error_of(tensor: Compared) -> float | None:
    """Give the error that decides: float64's where there is one."""
    return tensor.error32 if tensor.error64 is None else tensor.error64


def own_error_of(tensor: TensorComparison) -> float | None:
    """Give the error of a training step alone; the whole one where there is no other."""
    if tensor.own_single is None and tensor.own_double is None:
        return error_of(tensor)
    return tensor.own32 if tensor.own64 is None else tensor.own64


def name_of(layer: LayerResult) -> str:
    """Name a call of a layer: its path, which call, and whether its gradient is meant."""
    call = f" (call {layer.call})" if layer.call else ""
    return f"{layer.name or repr('')}{call}{' gradient' if layer.phase == 'backward' else ''}"


def kinds(layer: LayerResult) -> str:
    """Name a layer's class, both where the frameworks do not mean the same."""
    # They spell many classes alike but for capitals: Conv2d, Conv2D.
    same = layer.kind.lower() == layer.paddle_kind.lower()
    return layer.kind if same else f"{layer.kind} / {layer.paddle_kind}"


def verdict(result: ParityResult) -> str:
    """Give the verdict in words."""
    return "parity holds" if result else "PARITY DOES NOT HOLD"


def counted(result: ParityResult) -> str:
    """Count the layer calls in each state, and name the precisions."""
    runs = f" ({' and '.join(result.precisions)})" if result.precisions else ""
    return f"{tally(result.layers) or 'nothing compared'}{runs}"


def divergence(first: LayerResult) -> list[tuple[str, str]]:
    """Describe the layer at fault: pairs of a title and a text."""
    own = [] if first.own_state is None else [f"own error {figure(first.own64 or first.own32)}"]
    errors = [*own, f"float32 {figure(first.error32)}", f"float64 {figure(first.error64)}"]
    where = [str(t.where) for t in (*first.own, *first.inputs, *first.tensors) if t.where]
    return [
        ("why", first.reason or first.state.value),
        ("errors", ", ".join(errors)),
        *([("arises", str(first.between))] if first.between else []),
        *([("where", where[0])] if where else []),
    ]


def what_matters(result: ParityResult) -> list[LayerResult]:
    """Choose layers to show: those at fault, the first others that fail, the worst that pass."""
    faulty = list(result.faulty[:FAILING])
    failing = [x for x in result.layers if not x.state.passes and x not in faulty]
    passing = [layer for layer in result.layers if layer.state.passes]
    return [*faulty, *failing[: FAILING - len(faulty)], *worst(passing)[:WORST]]


def worst(compared: Iterable[Item]) -> list[Item]:
    """Sort by error, the largest first."""
    return sorted(compared, key=lambda one: -(one.error32 or one.error64 or 0.0))


def tally(compared: Iterable[Judged]) -> str:
    """Count the states of some: '311 match, 4 rounding'."""
    found = Counter(one.state for one in compared)
    return ", ".join(f"{found[state]} {state.value}" for state in State if found[state])
