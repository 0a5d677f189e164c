"""What optimizers keep for each parameter, under the names of both frameworks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class StateRow:
    """One kind of tensor.

    Attributes:
        torch: Its key in `torch.optim.Optimizer.state`.
        paddle: Its names in paddle's optimizers.
        power: Of the gradient in it: 2 for a mean of squares.
    """

    torch: str
    paddle: tuple[str, ...]
    power: int = 1


ROWS = (
    StateRow("momentum_buffer", ("velocity", "momentum")),
    StateRow("exp_avg", ("moment1", "moment")),
    StateRow("exp_avg_sq", ("moment2",), 2),
    StateRow("max_exp_avg_sq", ("moment2_max",), 2),
    StateRow("exp_inf", ("inf_norm",), 2),
    StateRow("square_avg", ("mean_square", "_avg_squared_grad"), 2),
    StateRow("grad_avg", ("mean_grad",)),
    StateRow("acc_delta", ("_avg_squared_update",), 2),
    StateRow("sum", ("moment",), 2),
)


def row_of(ours: str, theirs: Iterable[str]) -> tuple[StateRow | None, str]:
    """Find the row of one of torch's states, and its name among those that paddle has.

    Returns:
        None for a state that is in no row; '' if paddle has none of the row's.
    """
    row = next((row for row in ROWS if row.torch == ours), None)
    names = row.paddle if row else ()
    return row, next((name for name in names if name in theirs), "")
