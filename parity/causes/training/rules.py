"""Update rules: torch's own optimizers, run on what a step was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from parity.causes.training.clip import Gradients
    from parity.causes.training.course import Course

#: An update is explained where this share of it is not; paddle keeps some settings in float32.
LEFT = {"float64": 1e-5, "float32": 2e-3}
#: An update that is not so many roundings large says nothing of its rate.
TELLING = 1e5


@dataclass(frozen=True)
class Fit:
    """How a rule's directions explain the updates of one parameter.

    Attributes:
        rates: The rate that each step was made with; None where it tells none.
        left: The largest share of an update that no rate explains.
    """

    rates: tuple[float | None, ...]
    left: float


class PaddleRMSprop(torch.optim.Optimizer):
    """RMSProp as paddle has it: epsilon stands inside of the root."""

    def __init__(self, params: Iterable[Any], lr: float, **options: Any) -> None:
        """Take torch's options, without momentum and centring."""
        defaults = {"alpha": 0.95, "eps": 1e-6, "weight_decay": 0.0, "momentum": 0.0}
        super().__init__(params, {**defaults, "lr": lr, **options})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Make a step."""
        del closure
        for group in self.param_groups:
            for values in (p for p in group["params"] if p.grad is not None):
                state = self.state[values]
                gradient = values.grad + group["weight_decay"] * values
                zero = torch.zeros_like(values)
                mean, buffer = state.get("mean", zero), state.get("buffer", zero)
                state["mean"] = group["alpha"] * mean + (1 - group["alpha"]) * gradient**2
                moved = gradient / (state["mean"] + group["eps"]).sqrt()
                state["buffer"] = group["momentum"] * buffer + group["lr"] * moved
                values.sub_(state["buffer"])


def directions(
    kind: type[Any],
    options: Sequence[Mapping[str, Any]],
    courses: Sequence[Course],
    gradients: Sequence[Gradients],
) -> list[list[np.ndarray]]:
    """Compute each step's update at a rate of 1; updates are proportional to the rate.

    Every step goes on from the values that the parameter really had.

    Args:
        kind: An optimizer of torch's making.
        options: Its options for each parameter.
        courses: The parameters.
        gradients: By step, then by parameter.

    Returns:
        By parameter, then by step.
    """
    batches: dict[Any, list[int]] = {}
    for place, option in enumerate(options):
        absent = tuple(step[place] is None for step in gradients)
        batches.setdefault((tuple(sorted(option.items(), key=str)), absent), []).append(place)
    found: list[list[np.ndarray]] = [[] for _ in courses]
    for places in batches.values():
        chosen = [courses[place] for place in places]
        series = [[step[place] for place in places] for step in gradients]
        _run(kind, options[places[0]], chosen, series, [found[place] for place in places])
    return found


def _run(
    kind: type[Any],
    options: Mapping[str, Any],
    courses: Sequence[Course],
    gradients: Sequence[Gradients],
    found: list[list[np.ndarray]],
) -> None:
    """Run some parameters as one tensor."""
    ends = np.cumsum([course.moves[0].before.size for course in courses])[:-1]
    values = torch.nn.Parameter(_joined([course.moves[0].before for course in courses]))
    optimizer = kind([{"params": [values], "lr": 1.0, **options}], lr=1.0)
    for step, given in enumerate(gradients):
        before = _joined([course.moves[step].before for course in courses])
        present = [array for array in given if array is not None]
        values.grad = _joined(present) if present else None
        with torch.no_grad():
            values.copy_(before)
        optimizer.step()
        moved = (values.detach() - before).numpy()
        for own, part in zip(found, np.split(moved, ends), strict=True):
            own.append(part)


def _joined(arrays: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(arrays))


def fit(course: Course, directions: Sequence[np.ndarray], wanted: Sequence[float]) -> Fit:
    """Find the rates with which directions explain a parameter's updates best.

    Args:
        course: The parameter.
        directions: Its updates at a rate of 1.
        wanted: The rates that are expected, to tell what is too small to say anything.
    """
    rates: list[float | None] = []
    left = 0.0
    for move, direction, expected in zip(course.moves, directions, wanted, strict=False):
        noise = 8 * float(np.finfo(move.before.dtype).eps) * float(np.abs(move.before).max())
        update = move.update
        size = max(float(np.abs(update).max()), abs(expected) * float(np.abs(direction).max()))
        if size <= TELLING * noise:
            rates.append(None)
            continue
        squares = float(direction @ direction)
        rate = float(update @ direction) / squares if squares else 0.0
        rest = float(np.abs(update - rate * direction).max())
        left = max(left, max(rest - noise, 0.0) / size)
        rates.append(rate)
    return Fit(tuple(rates), left if np.isfinite(left) else np.inf)
