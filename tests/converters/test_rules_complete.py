"""Every layer class of the installed frameworks has a rule, or is refused with the reason."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from paddle import nn as pn
from torch import nn as tn

from converters import InputError
from converters.layouts import target
from converters.rules import (
    BY_KIND,
    PARAMETER,
    REFUSED,
    REFUSED_PACKAGES,
    RULES,
    rule_for_class,
)

BASE = {"torch": tn.Module, "paddle": pn.Layer}
PACKAGES = {
    "torch": ("torch.nn",),
    "paddle": ("paddle.nn", "paddle.compat.nn", "paddle.incubate.nn", "paddle.sparse.nn"),
}
# How to build what four times four cannot; each with tensors where the class can have any.
BUILT: dict[str, dict[str, Callable[[], Any]]] = {
    "torch": {
        "AdaptiveLogSoftmaxWithLoss": lambda: tn.AdaptiveLogSoftmaxWithLoss(4, 8, [4]),
        "DataParallel": lambda: tn.DataParallel(tn.Linear(2, 2)),
        "FractionalMaxPool2d": lambda: tn.FractionalMaxPool2d(2, output_size=2),
        "FractionalMaxPool3d": lambda: tn.FractionalMaxPool3d(2, output_size=2),
        "GRU": lambda: tn.GRU(2, 3),
        "LSTM": lambda: tn.LSTM(2, 3, proj_size=2),
        "RNN": lambda: tn.RNN(2, 3),
        "RNNBase": lambda: tn.RNNBase("LSTM", 2, 3),
        "MultiheadAttention": lambda: tn.MultiheadAttention(4, 2, add_bias_kv=True, kdim=3),
        "ParameterDict": lambda: tn.ParameterDict({"a": torch.ones(2)}),
        "ParameterList": lambda: tn.ParameterList([torch.ones(2)]),
        "ParametrizationList": lambda: tn.utils.parametrizations.orthogonal(
            tn.Linear(3, 3)
        ).parametrizations["weight"],
        "Transformer": lambda: tn.Transformer(4, 2, 1, 1, 4),
        "TransformerDecoder": lambda: tn.TransformerDecoder(tn.TransformerDecoderLayer(4, 2, 4), 1),
        "TransformerEncoder": lambda: tn.TransformerEncoder(
            tn.TransformerEncoderLayer(4, 1, 4, batch_first=True), 1
        ),
        "Unflatten": lambda: tn.Unflatten(1, (2, 2)),
        **{
            name: lambda name=name: getattr(tn, name)(weight=torch.ones(4))
            for name in ("BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "NLLLoss")
        },
        **{
            name: lambda name=name: getattr(tn, name)(weight=torch.ones(4))
            for name in ("MultiLabelSoftMarginLoss", "MultiMarginLoss", "NLLLoss2d")
        },
        **{
            f"InstanceNorm{rank}d": lambda rank=rank: getattr(tn, f"InstanceNorm{rank}d")(
                4, affine=True, track_running_stats=True
            )
            for rank in (1, 2, 3)
        },
    },
    "paddle": {
        "AdaptiveLogSoftmaxWithLoss": lambda: pn.AdaptiveLogSoftmaxWithLoss(4, 8, [4]),
        "BiRNN": lambda: pn.BiRNN(pn.GRUCell(2, 3), pn.GRUCell(2, 3)),
        "RNN": lambda: pn.RNN(pn.GRUCell(2, 3)),
        "ParameterDict": lambda: pn.ParameterDict({"a": pn.Linear(2, 2).weight}),
        "ParameterList": lambda: pn.ParameterList([pn.Linear(2, 2).weight]),
        "SpectralNorm": lambda: pn.SpectralNorm([2, 3]),
        "Transformer": lambda: pn.Transformer(4, 2, 1, 1, 4),
        "TransformerDecoder": lambda: pn.TransformerDecoder(pn.TransformerDecoderLayer(4, 2, 4), 1),
        "TransformerEncoder": lambda: pn.TransformerEncoder(pn.TransformerEncoderLayer(4, 2, 4), 1),
        "Unflatten": lambda: pn.Unflatten(1, (2, 2)),
    },
}
# Wrappers of one module, without tensors of their own, that need a process group or C++.
UNBUILT = {
    "torch": ("DistributedDataParallel", "DistributedDataParallelCPU", "ModuleWrapper"),
    "paddle": (),
}
# What a user's own tensors lie in.
OWN = ("ParameterList", "ParameterDict")


def modules(package: str) -> Iterator[object]:
    root = importlib.import_module(package)
    yield root
    for found in pkgutil.walk_packages(getattr(root, "__path__", ()), f"{package}."):
        yield importlib.import_module(found.name)


def layers(framework: str) -> list[Any]:
    """Return every public layer class that the packages of a framework define or give on."""
    found = {
        cls
        for package in PACKAGES[framework]
        for module in modules(package)
        for cls in vars(module).values()
        if inspect.isclass(cls) and issubclass(cls, BASE[framework])
    }
    public = [cls for cls in found if not cls.__name__.startswith("_")]
    return [pytest.param(framework, cls, id=name_of(cls)) for cls in sorted(public, key=name_of)]


def name_of(cls: type) -> str:
    return f"{cls.__module__}.{cls.__name__}"


def refused_package(cls: type, framework: str) -> bool:
    inside = cls.__module__.removeprefix(f"{framework}.") + "."
    return inside.startswith(tuple(REFUSED_PACKAGES[framework]))


def built(cls: type, framework: str) -> Any:
    """Return a layer of a class, with sizes of four where it says no more."""
    if cls.__name__ in BUILT[framework] and cls.__module__.startswith(f"{framework}.nn"):
        return BUILT[framework][cls.__name__]()
    needed = [
        parameter
        for parameter in list(inspect.signature(cls.__init__).parameters.values())[1:]
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL
    ]
    return cls(*[4 for one in needed if one.kind is not one.VAR_KEYWORD])


EVERY = [*layers("torch"), *layers("paddle")]


@pytest.mark.parametrize(("framework", "cls"), EVERY)
def test_no_layer_falls_through(framework: str, cls: type) -> None:
    """Its tensors all have rows of a kind, or it is refused by name with the reason."""
    why = REFUSED[framework].get(cls.__name__, "")
    if refused_package(cls, framework) or why:
        with pytest.raises(InputError, match=rf"layer [\w.]*{cls.__name__}: .*") as caught:
            rule_for_class(cls, framework)
        assert len(str(caught.value).partition(": ")[2]) > 20
        return
    if cls.__name__ in UNBUILT[framework]:
        return
    layer = built(cls, framework)
    layout = target.layout_of(layer)
    found = {
        key
        for one in layout.layers
        for row in one.rows
        if row.torch in one.shapes or framework == "torch"
        for key in one.keys(row, framework)
    }
    state = set(layer.state_dict())
    assert state <= found | set(layout.second_names(framework)), state - found
    kinds = {one.kind for one in layout.layers}
    assert kinds <= set(BY_KIND) or cls.__name__ in OWN
    # A buffer or parameter outside the state dict would be lost without a word.
    tensors = {name for name, _ in (*named(layer, "parameters"), *named(layer, "buffers"))}
    assert tensors <= state | {"_dropout_state"}


def named(layer: Any, what: str) -> Iterator[tuple[str, Any]]:
    yield from getattr(layer, f"named_{what}")()


def test_every_class_that_the_rules_name_exists() -> None:
    names = {"torch": set(), "paddle": set()}
    for framework, cls in (one.values for one in EVERY):
        names[framework].add(cls.__name__)
    for rule in RULES:
        for name in rule.torch_classes:
            assert name in names["torch"] or name.startswith("InPlaceABN")
        for name in rule.paddle_classes:
            # Paddle 3.3 has no RMSNorm; people write their own.
            assert name.rpartition(".")[2] in names["paddle"] | {"RMSNorm", "DeformConv2D"}


def test_a_layer_that_a_framework_might_bring_is_refused() -> None:
    class Fancy(tn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = tn.Parameter(torch.ones(3, 3))

    users = target.layout_of(Fancy())
    assert [layer.kind for layer in users.layers] == [PARAMETER.kind]
    Fancy.__module__ = "torch.nn.modules.fancy"
    with pytest.raises(InputError, match="no conversion rule is known for torch's layer Fancy"):
        target.layout_of(Fancy())
    Fancy.__module__ = "torch.nn.modules.conv"

    class Users(Fancy):
        pass

    with pytest.raises(InputError, match="torch's layer Fancy, which Users extends"):
        target.layout_of(Users())
