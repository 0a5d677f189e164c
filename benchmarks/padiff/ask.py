"""Gives one pair of networks to PaDiff; only in its environment.

PaDiff must be imported before the frameworks are used: it replaces their functions.
"""

from __future__ import annotations

import os

# Paths beside the layers' classes.
os.environ["PADIFF_PATH_LOG"] = "ON"
# Nothing is moved between devices; Paddle's recurrent layers do not survive that.
os.environ["PADIFF_CUDA_MEMORY"] = "OFF"

import padiff  # isort: skip

import inspect
import io
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paddle
import torch

from benchmarks.padiff.told import UNPAIRED, Told, logs_in, place
from parity.pair import renamed

LOGS = Path(sys.path[0]) / "diff_log"
#: Layers that are built otherwise in either framework: PaDiff's documents ask for a LayerMap.
BUILT_OTHERWISE = (torch.nn.RNNBase, torch.nn.MultiheadAttention)
WHOLE = (*BUILT_OTHERWISE, paddle.nn.layer.rnn.RNNBase, paddle.nn.MultiHeadAttention)


@dataclass(frozen=True)
class Case:
    """What PaDiff is given.

    Attributes:
        module: the original.
        layer: the port.
        inputs: of both.
        labels: what the losses take beside the outputs.
        sources: the modules of torch's and the port's training; none in evaluation.
        steps: of training; 0 asks for the losses alone.
        own_weights: whether PaDiff is to give the port its weights.
        backward: whether gradients are compared, too.
        rename: torch path to paddle path of a correct port, whose user knows what fits what.
    """

    module: Any
    layer: Any
    inputs: tuple[Any, ...]
    labels: Any = None
    sources: tuple[Any, Any] | None = None
    steps: int = 0
    own_weights: bool = False
    backward: bool = False
    rename: Mapping[str, str] | None = None


def ask(case: Case, options: Mapping[str, Any]) -> Told:
    """Give a case to PaDiff and read what it says."""
    printed, began = io.StringIO(), time.perf_counter()
    logs_in(LOGS)
    try:
        with redirect_stdout(printed):
            same = padiff.auto_diff(*arguments(case), **settings(case, dict(options)))
    except Exception as error:  # noqa: BLE001 - a crash is an answer, and a bad one
        return Told(False, error=f"{type(error).__name__}: {' '.join(str(error).split())[-200:]}")
    text, logs, seconds = printed.getvalue(), logs_in(LOGS), time.perf_counter() - began
    unpaired = any(words in text for words in UNPAIRED)
    named = () if same else place(text, logs, bare(case.module))
    return Told(not same, named, unpaired, seconds=seconds)


def arguments(case: Case) -> tuple[Any, Any, Any]:
    """Return both networks and their inputs, by name: PaDiff takes no others."""
    module, layer = (named(net) for net in (case.module, case.layer))
    for net in (module, layer):
        net.train() if in_training(case) else net.eval()
    dtype = next(module.parameters()).dtype
    inputs = [torch.from_numpy(array) for array in case.inputs]
    inputs = [x.to(dtype) if x.is_floating_point() else x for x in inputs]
    names = [list(inspect.signature(net.forward).parameters) for net in (layer, module)]
    tensors = [[paddle.to_tensor(x.numpy()) for x in inputs], inputs]
    return layer, module, tuple(dict(zip(*pair)) for pair in zip(names, tensors))  # noqa: B905


def in_training(case: Case) -> bool:
    """Return whether a case runs in training mode: recurrent gradients exist in no other."""
    recurrent = any(isinstance(part, torch.nn.RNNBase) for part in case.module.modules())
    return case.sources is not None or (case.backward and recurrent)


def settings(case: Case, options: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of `auto_diff`."""
    found = {
        "auto_weights": case.own_weights,
        "options": {"diff_phase": "both" if case.backward else "forward", **options},
        "layer_map": layer_map(case),
    }
    if case.sources is None:
        return found
    torch_side, paddle_side = case.sources
    labels = torch.from_numpy(case.labels), paddle.to_tensor(case.labels)
    found["loss_fn"] = [
        lambda outputs: paddle_side.loss(outputs, labels[1]),
        lambda outputs: torch_side.loss(outputs, labels[0]),
    ]
    if case.steps:
        parts = torch_side.training(case.module), paddle_side.training(case.layer)
        found["steps"] = case.steps
        found["optimizer"] = [
            lambda: paddle_side.update(case.layer, *parts[1]),
            lambda: torch_side.update(case.module, *parts[0]),
        ]
    return found


def layer_map(case: Case) -> Any:
    """Pair what PaDiff cannot pair by itself, and leave out what has no counterpart."""
    made, module, layer = padiff.LayerMap(), holding(case.module), holding(case.layer)
    names = {path: renamed(path, case.rename or {}) for path in module}
    pairs = [path for path, part in module.items() if isinstance(part, BUILT_OTHERWISE)]
    if case.rename is not None:
        # By itself it goes by the order in which layers are made.
        both = [names[path] for path in module if names[path] in layer]
        if both != [path for path in layer if path in both]:
            pairs = [path for path in module if names[path] in layer]
        made.ignore_recursively([part for path, part in module.items() if names[path] not in layer])
        made.ignore_recursively([layer[path] for path in layer.keys() - names.values()])
    made.map = {module[path]: layer[names[path]] for path in pairs if names[path] in layer}
    for net in (case.module, case.layer):
        made.ignore_recursively(list(second_names(net, set())))
    return made


def holding(net: Any) -> dict[str, Any]:
    """Return a network's layers that hold parameters themselves, by path; recurrent ones whole."""
    parts = net.named_modules() if isinstance(net, torch.nn.Module) else net.named_sublayers()
    found: dict[str, Any] = {}
    for path, part in parts:
        whole = isinstance(part, WHOLE) or dict(own_parameters(part))
        if path and whole and not any(path.startswith(f"{other}.") for other in found):
            found[path] = part
    return found


def own_parameters(part: Any) -> Any:
    """Return the parameters that a layer holds itself."""
    recurse = {"recurse" if isinstance(part, torch.nn.Module) else "include_sublayers": False}
    return part.named_parameters(**recurse)


def second_names(net: Any, seen: set[int]) -> Iterator[Any]:
    """Yield layers all of whose parameters an earlier layer holds, too."""
    for child in net.children():
        held = {id(parameter) for parameter in child.parameters()}
        if held and held <= seen:
            yield child
        else:
            yield from second_names(child, set(seen))
            seen |= held


def named(net: Any) -> Any:
    """Return a network whose inputs have names and that PaDiff does not skip, else wrapped."""
    kinds = {p.kind for p in inspect.signature(net.forward).parameters.values()}
    skipped = isinstance(net, torch.nn.Sequential | paddle.nn.Sequential)
    if inspect.Parameter.VAR_POSITIONAL not in kinds and not skipped:
        return net
    base = torch.nn.Module if isinstance(net, torch.nn.Module) else paddle.nn.Layer

    class Named(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Any) -> Any:
            return self.net(x)

    return Named()


def bare(module: Any) -> list[str]:
    """Return the paths of the layers without parameters."""
    return [path for path, part in module.named_modules() if path and not [*part.parameters()]]
