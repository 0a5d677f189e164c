"""Learning rates over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
import torch

from parity.traps.tools import gap
from parity.traps.trap import Measured, several, trap
from stdc_port.training.schedule import Schedule

if TYPE_CHECKING:
    pass

TO, PO = torch.optim, paddle.optimizer
STEPS = 40


def _rates(schedule: Any, steps: int) -> np.ndarray:
    rates = []
    for _ in range(steps):
        rates.append(schedule())
        schedule.step()
    return np.array(rates)


def _torch_rates(kind: Any, **options: Any) -> np.ndarray:
    optimizer = TO.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = kind(optimizer, **options)
    rates = []
    for _ in range(STEPS):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return np.array(rates)


@trap(
    51,
    "schedule-defaults",
    torch="PolynomialLR ends at 0, OneCycleLR at max/25/10,000",
    paddle="both end at 1e-4",
    mend="end_lr=0; end_learning_rate",
    shows=1e-6,
    bound=1e-9,
)
def schedule_defaults() -> Measured:
    """Where a schedule ends."""
    torch_schedules, schedules = TO.lr_scheduler, PO.lr
    polynomial = _torch_rates(torch_schedules.PolynomialLR, total_iters=STEPS, power=0.9)
    cycle = _torch_rates(torch_schedules.OneCycleLR, max_lr=0.1, total_steps=STEPS)

    def decay(**end: float) -> Any:
        return _rates(schedules.PolynomialDecay(0.1, STEPS, power=0.9, **end), STEPS)

    def one_cycle(**end: float) -> Any:
        return _rates(schedules.OneCycleLR(0.1, STEPS, **end), STEPS)

    return several(
        {
            "PolynomialDecay": (gap(polynomial, decay()), gap(polynomial, decay(end_lr=0.0))),
            "OneCycleLR": (
                gap(cycle, one_cycle()),
                gap(cycle, one_cycle(end_learning_rate=0.1 / 25 / 1e4)),
            ),
        }
    )


@trap(
    52,
    "warm-up",
    torch="exponential, and the decay counts from its end",
    paddle="LinearWarmup is linear",
    mend="LambdaDecay with the formula",
    shows=1e-6,
    bound=1e-12,
)
def warm_up() -> Measured:
    """The authors' warm-up."""
    schedule = Schedule(base=0.01, iterations=3000)
    after = PO.lr.PolynomialDecay(0.01, 2000, end_lr=0.0, power=0.9)
    usual = _rates(PO.lr.LinearWarmup(after, 1000, 1e-5, 0.01), 3000)
    right = np.array([schedule.rate(step) for step in range(3000)])
    mended = _rates(PO.lr.LambdaDecay(1.0, schedule.rate), 3000)
    worst = int(np.argmax(np.abs(usual - right)))
    return Measured(
        gap(right, usual), gap(right, mended), f"learning rate, largest at step {worst}"
    )
