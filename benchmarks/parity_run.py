"""One measured run in a process of its own: ``python -m benchmarks.parity_run WAY NETWORK``.

WAY is ``plain`` (the forward passes alone) or what the harness does with the same networks, inputs
and precisions. Prints its cost as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

import paddle  # noqa: E402
import torch  # noqa: E402

from parity import check_parity  # noqa: E402
from parity.carry import Weights  # noqa: E402
from parity.dump import diff_dumps, write_dump  # noqa: E402
from parity.inputs import random_input, seed_weights  # noqa: E402
from parity.source import copy_as  # noqa: E402
from parity.weights import load, transfer  # noqa: E402
from stdc_port import paddle_nets, torch_nets  # noqa: E402

DEPTH, WIDTH = 1000, 64
PRECISIONS = ("float32", "float64")


def stack(framework: Any) -> Any:
    """Build 1000 layers: half of them linear, half of them activations."""
    layers = [(framework.nn.Linear(WIDTH, WIDTH), framework.nn.ReLU()) for _ in range(DEPTH // 2)]
    return framework.nn.Sequential(*(layer for pair in layers for layer in pair))


def networks(name: str) -> tuple[Any, Any, tuple[int, ...]]:
    """Build a torch network, its paddle counterpart with other weights, and an input's shape."""
    if name == "stack":
        return stack(torch), stack(paddle), (256, WIDTH)
    arch, _, size = name.partition("@")
    height, width = map(int, size.split("x"))
    return torch_nets.build(arch), paddle_nets.build(arch), (1, 3, height, width)


@dataclass
class Watch:
    """Adds up what is measured.

    Attributes:
        seconds: Wall time.
        cpu: Time of all the process's threads.
        written: Megabytes of the files that were written.
    """

    seconds: float = 0.0
    cpu: float = 0.0
    written: list[float] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure the context."""
        start, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - start
        self.cpu += time.process_time() - cpu


def plain(ours: Any, theirs: Any, x: Any, watch: Watch) -> None:
    """Run the four forward passes; the copies that they need are not counted."""
    for dtype in PRECISIONS:
        mine, other = copy_as(ours, dtype).eval(), copy_as(theirs, dtype)
        load(other, transfer(mine, other))
        other.eval()
        with torch.no_grad(), paddle.no_grad(), watch.running():
            mine(torch.from_numpy(x.astype(dtype)))
            other(paddle.to_tensor(x.astype(dtype)))
        del mine, other


def check(ours: Any, theirs: Any, x: Any, watch: Watch, **options: Any) -> None:
    """Make the whole check: copies, conversion, runs, verdicts."""
    with watch.running():
        result = check_parity(ours, theirs, x, **options)
    if not result:
        raise SystemExit(f"no parity: {result.failures[:3]}")


def dumps(ours: Any, theirs: Any, x: Any, watch: Watch) -> None:
    """Write both dumps and compare them."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("torch.npz", "paddle.npz")]
        with watch.running():
            write_dump(ours, x, paths[0])
            write_dump(theirs, x, paths[1], weights=Weights.of(ours))
            result = diff_dumps(*paths)
        watch.written += [path.stat().st_size / 1e6 for path in paths]
    if not result:
        raise SystemExit(f"no parity: {result.failures[:3]}")


WAYS: dict[str, Callable[[Any, Any, Any, Watch], None]] = {
    "plain": plain,
    "check": check,
    "disk": lambda *args: check(*args, store="disk"),
    "dumps": dumps,
}


def main(way: str, name: str) -> None:
    """Measure one way on one network."""
    ours, theirs, shape = networks(name)
    seed_weights(ours)
    # What the libraries set up at their first call is nobody's cost.
    plain(ours, theirs, random_input((*shape[:2], *(64 for _ in shape[2:]))), Watch())
    watch = Watch()
    WAYS[way](ours, theirs, random_input(shape), watch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**asdict(watch), "megabytes": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
