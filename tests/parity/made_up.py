"""A result that no network gave: every kind of finding at once, and names that mean harm."""

from __future__ import annotations

import dataclasses

import numpy as np

from parity.compare import TensorError
from parity.comparison import Kind, LossResult, StepResult, TensorComparison
from parity.error_map import error_map
from parity.layer_result import Between, LayerResult, TensorResult
from parity.pair import Unpaired
from parity.precision import Floor, State, Verdict, judge
from parity.result import Diagnosis, ParityResult
from parity.search import Assumed
from parity.weights import WeightDifference

SCRIPT = "<script>document.title = 'run'</script>"
CLOSING = "</script><img src=x onerror=\"document.title = 'run'\"><!--"
TOL, TOL64 = 1e-5, 1e-11


def tensor(single: float | None, double: float | None, slot: str = "") -> TensorResult:
    errors = [None if value is None else TensorError(value, 2.5) for value in (single, double)]
    shape = (1, 4, 16, 24)
    return TensorResult(slot, shape, *errors, judge(*errors, tol=TOL, tol64=TOL64))


def layer(
    name: str, kind: str, single: float, double: float, alone: float, **more: object
) -> LayerResult:
    found = LayerResult(
        name=name,
        kind=kind,
        paddle_kind=kind.replace("2d", "2D"),
        call=0,
        parent=("", 0) if name else None,
        tensors=(tensor(single, double),),
        own=(tensor(alone, alone),),
    )
    return dataclasses.replace(found, **more)


def comparison(name: str, kind: Kind, single: float, double: float) -> TensorComparison:
    errors = TensorError(single, 0.7), TensorError(double, 0.7)
    verdict = judge(*errors, tol=TOL, tol64=TOL64)
    return TensorComparison(name, kind, (8, 4), *errors, verdict)


def border_map(width: int = 24) -> TensorResult:
    reference = np.random.default_rng(0).uniform(0.5, 1.0, (1, 4, 16, width))
    other = reference.copy()
    other[..., 0, :] *= 1.3
    other[..., 0] *= 1.2
    other[..., 0, 0] = np.inf
    return dataclasses.replace(tensor(0.3, 0.3), where=error_map(reference, other, TOL64))


def strip() -> TensorResult:
    reference = np.random.default_rng(1).uniform(0.5, 1.0, (2, 40))
    return dataclasses.replace(
        tensor(0.1, 0.1, slot="logits.1"), where=error_map(reference, reference * 1.1, TOL64)
    )


def layers() -> tuple[LayerResult, ...]:
    floor = Floor("bilinear resize", 1.5e-6)
    deep = (
        layer(f"stage.{i // 10}.block.{i % 10}.conv", "Conv2d", 3e-7 * (i + 1), 2e-16 * (i + 1), 0)
        for i in range(30)
    )
    return (
        *deep,
        layer("norm", "BatchNorm2d", 2e-4, 3e-15, 1e-16, floors=(floor, floor)),
        layer("pool", "AvgPool2d", 0.3, 0.3, 0.3, tensors=(border_map(),), own=(border_map(40),)),
        layer("pool", "AvgPool2d", 0.2, 0.2, 1e-16, call=1, inputs=(tensor(0.2, 0.2, "0"),)),
        layer(SCRIPT, "Linear", 0.1, 0.1, 0.05, tensors=(strip(), tensor(0.1, 0.1, "logits.0"))),
        layer(CLOSING, SCRIPT, 0.1, 0.1, 1e-16, between=Between(("pool", 1), None)),
        layer("empty", "Identity", 0, 0, 0, tensors=(), own=(), paddle_kind="Sequential"),
        layer("", "Model", float("inf"), 0.1, 0.0),
        layer("pool", "AvgPool2d", 0.02, 4e-14, 0, phase="backward", own=()),
        layer("norm", "BatchNorm2d", 0.01, 3e-14, 0, phase="backward", own=()),
    )


def steps() -> tuple[StepResult, ...]:
    kinds: tuple[Kind, ...] = ("loss", "gradient", "optimizer", "parameter", "buffer")
    return tuple(
        StepResult(
            step,
            tuple(
                comparison(f"{kind}.{i}", kind, 1e-6 * 3**step, 1e-15 * 7**step * (i + 1))
                for kind in kinds
                for i in range(40 if kind != "loss" else 1)
            ),
        )
        for step in range(6)
    )


def made_up() -> ParityResult:
    """Give the result."""
    gradients = (
        comparison("input 0", "gradient", 2e-2, 3e-14),
        comparison(SCRIPT, "gradient", 0.4, 0.4),
        *(comparison(f"stage.{i}.weight", "gradient", 1e-6 * i, 1e-15 * i) for i in range(60)),
    )
    losses = (
        LossResult("random labels", (comparison("ohem", "loss", 1e-7, 1e-16),)),
        LossResult("every label ignored", (comparison("ohem", "loss", 0.5, 0.5),)),
    )
    return ParityResult(
        layers=layers(),
        torch_only=(Unpaired("head", "Linear", 0, weights=True),),
        paddle_only=(Unpaired(CLOSING, "ReLU", 1, weights=False),),
        assumed=(Assumed(SCRIPT, CLOSING, "call order"),),
        never_called=(SCRIPT, *(f"unused.{i}" for i in range(20))),
        weights=(WeightDifference(f"{SCRIPT}.weight", "differs in 3 of 4 values"),),
        problems=(f"'{CLOSING}' (call 0) ran in one precision only",),
        notes=(f"weights were not compared with a conversion: {SCRIPT}",),
        tol=TOL,
        tol64=TOL64,
        precisions=("float32", "float64"),
        diagnosis=[
            Diagnosis(
                cause="pool-excludes-padding",
                layer="pool",
                evidence="With exclusive=False its own error falls from 3.0e-01 to 2.2e-16.",
                mend="paddle.nn.AvgPool2D(3, stride=2, padding=1, exclusive=False)",
                source="https://github.com/PaddlePaddle/Paddle/issues/36920",
            ),
            Diagnosis(SCRIPT, SCRIPT, CLOSING, f"x = {CLOSING!r}\ny = 2", "javascript:alert(1)"),
        ],
        checks=("forward", "backward", "loss", "train"),
        gradients=gradients,
        losses=losses,
        steps=steps(),
        versions={"torch": "2.13.0", "paddle": "3.3.1", SCRIPT: CLOSING},
        inputs=("float32 1×3×32×48",),
        faults=(("pool", 0), (SCRIPT, 0)),
    )


def nothing() -> ParityResult:
    """Give the result of a check that compared nothing."""
    return ParityResult((), problems=("conv.weight: no rule",), tol=TOL, tol64=TOL64)


def passing() -> ParityResult:
    """Give a small result that holds."""
    some = (layer("conv", "Conv2d", 1e-7, 1e-16, 1e-16), layer("", "Model", 2e-4, 2e-16, 1e-16))
    assert some[1].state is State.ROUNDING
    assert isinstance(some[0].tensors[0].verdict, Verdict)
    return ParityResult(some, tol=TOL, tol64=TOL64, precisions=("float32", "float64"))


def training_fails() -> ParityResult:
    """Give a result whose layers all agree, and whose training steps do not."""
    return dataclasses.replace(passing(), checks=("forward", "train"), steps=steps())


def many(calls: int, tensors: int = 0) -> ParityResult:
    """Give a result with many failing calls, and as many maps of full size as are kept.

    Args:
        calls: How many.
        tensors: How many failing tensors each of ten training steps has.
    """
    some = [
        layer(f"cp.backbone.features.{i}.conv_list.{i % 4}.conv", "Conv2d", 0.123, 0.0456, 1e-15)
        for i in range(calls)
    ]
    rng = np.random.default_rng(2)
    for i in range(8):
        reference, other = rng.normal(size=(2, 1, 1, 512, 512))
        where = error_map(reference, other, TOL64)
        drawn = dataclasses.replace(tensor(0.1, 0.1), where=where)
        some[i] = dataclasses.replace(some[i], tensors=(drawn,))
    failing = tuple(
        comparison(f"cp.backbone.features.{i}.conv.weight", "parameter", 0.123, 0.0456)
        for i in range(tensors)
    )
    return ParityResult(
        tuple(some),
        tol=TOL,
        tol64=TOL64,
        precisions=("float32", "float64"),
        gradients=failing[:200],
        steps=tuple(StepResult(step, failing) for step in range(10 if tensors else 0)),
    )
