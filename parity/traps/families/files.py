"""Files, and what a layer holds before and after loading."""

from __future__ import annotations

import os
import pickle
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import torch
from paddle import nn as pn
from torch import nn as tn

from converters import InputError, read_checkpoint
from converters.dtypes import BY_NAME
from converters.transforms import to_float64
from parity.traps.tools import carry, gap, raises
from parity.traps.trap import Measured, several, trap


@trap(
    53,
    "set-state-dict",
    torch="load_state_dict raises",
    paddle="set_state_dict warns of missing keys and shapes, and says nothing of unknown keys",
    mend="load_state_dict(strict=True), or an account of every key",
    bound=0.0,
)
def set_state_dict() -> Measured:
    """Loading what does not fit."""
    module, layer = tn.Linear(3, 4), pn.Linear(3, 4)
    ours = {"weight": torch.ones(3, 4), "bias": torch.ones(4), "unknown": torch.ones(1)}
    theirs = {key: paddle.to_tensor(value.numpy().T) for key, value in ours.items()}
    loud = [raises(lambda: module.load_state_dict(ours))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loud.append(raises(lambda: layer.set_state_dict(theirs)))
    loud.append(raises(lambda: layer.load_state_dict(theirs, strict=True)))
    return Measured(
        float(loud[0] != loud[1]), float(loud[0] != loud[2]), "1: torch raises, Paddle not"
    )


@trap(
    54,
    "bfloat16-bits",
    torch=".numpy() raises",
    paddle=".numpy() gives the bits as uint16",
    mend="take them as bits",
    bound=0.0,
)
def bfloat16_bits() -> Measured:
    """The numpy array of a bfloat16 tensor."""
    values = np.array([1.5, -2.0], np.float32)
    bits = paddle.to_tensor(values).astype("bfloat16").numpy()
    note = f"[1.5, -2] reads {bits.tolist()}"
    return Measured(gap(values, bits), gap(values, to_float64(bits, BY_NAME["bfloat16"])), note)


class _Payload:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


@trap(
    55,
    "pickle-runs",
    torch="torch.load(weights_only=True) refuses it",
    paddle="paddle.load runs it",
    mend="a reader with a closed list of names; safetensors",
    bound=0.0,
)
def pickle_runs() -> Measured:
    """Code inside a file."""
    with tempfile.TemporaryDirectory() as folder:
        source, trace = Path(folder) / "payload.pdparams", Path(folder) / "trace"

        def ran(read: Any) -> float:
            if trace.exists():
                trace.rmdir()
            source.write_bytes(pickle.dumps({"weight": _Payload(str(trace))}, protocol=2))
            read()
            return float(trace.exists())

        before = ran(lambda: paddle.load(str(source)))
        return Measured(before, ran(lambda: _refused(source)), "1: the payload ran")


def _refused(source: Path) -> None:
    try:
        read_checkpoint(source)
    except InputError:
        return


@trap(
    56,
    "initialisation",
    torch="Embedding of deviation 1; convolutions and biases uniform",
    paddle="other deviations; biases 0",
    mend="copy before comparing",
)
def initialisation() -> Measured:
    """What a fresh layer holds."""
    pairs: dict[str, tuple[Any, Any]] = {
        "Embedding": (tn.Embedding(100, 50), pn.Embedding(100, 50)),
        "Conv2d": (tn.Conv2d(16, 32, 3), pn.Conv2D(16, 32, 3)),
        "Linear": (tn.Linear(64, 64), pn.Linear(64, 64)),
    }
    parts = {}
    for name, (module, layer) in pairs.items():
        before = [float(x.weight.detach().numpy().std()) for x in (module, layer)]
        after = gap(module.weight.detach().numpy().std(), carry(module, layer).weight.numpy().std())
        what = f"{name} {before[0]:.3f} and {before[1]:.3f}, apart"
        parts[what] = abs(before[0] - before[1]), after
    return several(parts)
