"""One measured process: ``python -m benchmarks.padiff.cost_run WAY``, WAY a key of WAYS.

Each builds the same pair with the same weights and the same input, and reports nothing: both tools
judge outputs the same, and PaDiff's verdict on the gradients is in the other section.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

ARCH, SHAPE = "stdc1-seg", (1, 3, 512, 1024)


def plain() -> None:
    """Run both networks once and compare nothing."""
    import paddle
    import torch

    module, layer, x = pair()
    with torch.no_grad(), paddle.no_grad():
        module(torch.from_numpy(x))
        layer(paddle.to_tensor(x))


def ours(precision: str, *checks: str) -> None:
    """Ask our harness."""
    from parity import check_parity

    module, layer, x = pair()
    check_parity(module, layer, x, checks=checks, precision=precision, transfer=False)


def padiff(*, backward: bool) -> None:
    """Ask PaDiff, which has to be imported before the networks.

    Raises:
        RuntimeError: it could not be asked.
    """
    from benchmarks.padiff.ask import Case, ask
    from benchmarks.padiff.settings import SETTINGS, STRICT

    module, layer, x = pair()
    told = ask(Case(module, layer, (x,), backward=backward), SETTINGS[STRICT])
    if told.error:
        raise RuntimeError(told.error)


def pair() -> tuple[Any, Any, Any]:
    """Build both networks, the port with torch's weights, and an input."""
    from parity.inputs import random_input, seed_weights
    from parity.weights import load, transfer
    from stdc_port import paddle_nets, torch_nets

    module, layer = torch_nets.build(ARCH), paddle_nets.build(ARCH)
    seed_weights(module)
    load(layer, transfer(module, layer))
    return module.eval(), layer.eval(), random_input(SHAPE)


WAYS: dict[str, Callable[[], None]] = {
    "plain": plain,
    "ours-float32": lambda: ours("float32", "forward"),
    "ours": lambda: ours("both", "forward"),
    "padiff": lambda: padiff(backward=False),
    "ours-gradients": lambda: ours("both", "forward", "backward"),
    "padiff-gradients": lambda: padiff(backward=True),
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    WAYS[sys.argv[1]]()
