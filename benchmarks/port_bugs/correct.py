"""Correct ports that look unlike their originals, or whose numbers mislead: none may be blamed.

A port is given by its own small pair of networks; `own_weights` are those that a user converted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import paddle
import torch
from paddle import nn as pn
from torch import nn as tn

from benchmarks.port_bugs.bug import plant_weights
from benchmarks.port_bugs.network import NETWORKS, Arrays
from parity.inputs import random_input, seed_weights

Weights = Callable[[Any, Any], None]


@dataclass(frozen=True)
class Correct:
    """A correct port.

    Attributes:
        name: what is peculiar about it.
        torch: builds the original.
        paddle: builds the port.
        inputs: of both.
        rename: torch path to paddle path.
        own_weights: gives the port its weights, where that is not left to the check.
        trained: key of NETWORKS, whose training it has; '' if it has none.
    """

    name: str
    torch: Callable[[], tn.Module]
    paddle: Callable[[], Any]
    inputs: Arrays
    rename: Mapping[str, str] = field(default_factory=dict)
    own_weights: Weights | None = None
    trained: str = ""

    def pair(self) -> tuple[tn.Module, Any]:
        """Build both, the original with trained-looking weights."""
        module, layer = self.torch(), self.paddle()
        seed_weights(module, 2)
        if self.own_weights is not None:
            self.own_weights(module, layer)
        return module, layer


def conv_bn(nn: Any, inside: int, outside: int, **options: Any) -> list[Any]:
    """Return a 3×3 convolution and its BN in either framework."""
    conv, norm = (nn.Conv2d, nn.BatchNorm2d) if nn is tn else (nn.Conv2D, nn.BatchNorm2D)
    return [conv(inside, outside, 3, padding=1, **options), norm(outside)]


def chain(nn: Any, depth: int, width: int) -> Any:
    """Return a chain of convolution, BN and ReLU."""
    layers = [nn.Sequential(*conv_bn(nn, width, width), nn.ReLU()) for _ in range(depth)]
    return nn.Sequential(*layers)


class TorchNet(tn.Module):
    """Layers under the names that are given, run by a function."""

    def __init__(self, run: Callable[..., Any], **layers: tn.Module) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, *inputs: Any) -> Any:
        """Run."""
        return self.run(self, *inputs)


class PaddleNet(pn.Layer):
    """The same in Paddle."""

    def __init__(self, run: Callable[..., Any], **layers: Any) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            self.add_sublayer(name, layer)

    forward = TorchNet.forward


def _set(layer: Any, **values: torch.Tensor) -> None:
    for name, value in values.items():
        getattr(layer, name).set_value(np.ascontiguousarray(value.detach().numpy()))


def _split_projections(module: Any, layer: Any) -> None:
    weights, biases = module.qkv.weight.chunk(3), module.qkv.bias.chunk(3)
    for name, weight, bias in zip("qkv", weights, biases, strict=True):
        _set(getattr(layer, name), weight=weight.T, bias=bias)
    _set(layer.out, weight=module.out.weight.T, bias=module.out.bias)


def _joined_projections(module: Any, layer: Any) -> None:
    parts = [getattr(module, name) for name in "qkv"]
    weight = torch.cat([part.weight for part in parts])
    _set(layer.qkv, weight=weight.T, bias=torch.cat([part.bias for part in parts]))
    _set(layer.out, weight=module.out.weight.T, bias=module.out.bias)


def _folded_norm(module: Any, layer: Any) -> None:
    # In double precision: rounded to float32 the port would differ by that.
    layer.to(dtype="float64")
    conv, norm = module.conv.double(), module.bn.double()
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    _set(
        layer.conv,
        weight=conv.weight * scale[:, None, None, None],
        bias=(conv.bias - norm.running_mean) * scale + norm.bias,
    )


def _attend(softmax: Any, query: Any, key: Any, value: Any) -> Any:
    return softmax(query @ key.swapaxes(1, 2) / 2.0) @ value


def _soft(x: Any) -> Any:
    framework = torch if isinstance(x, torch.Tensor) else paddle.nn.functional
    return framework.softmax(x, -1)


def _joined(net: Any, x: Any) -> Any:
    parts = net.qkv(x)
    query, key, value = parts[..., :8], parts[..., 8:16], parts[..., 16:]
    return net.out(_attend(_soft, query, key, value))


def _split(net: Any, x: Any) -> Any:
    return net.out(_attend(_soft, net.q(x), net.k(x), net.v(x)))


def _roles(nn: Any) -> dict[str, Any]:
    return {name: nn.Linear(8, 8) for name in ("q", "k", "v", "out")}


def _fused(nn: Any) -> dict[str, Any]:
    return {"qkv": nn.Linear(8, 24), "out": nn.Linear(8, 8)}


class Aliased(tn.Module):
    """A backbone whose layers have second names, as the authors' STDC has."""

    def __init__(self) -> None:
        super().__init__()
        self.features = chain(tn, 3, 4)
        self.x2, self.x4 = self.features[:1], self.features[1:]

    def forward(self, x: Any) -> Any:
        """Run by the second names."""
        return self.x4(self.x2(x))


SEQUENCE = random_input((2, 6, 8), 5)
IMAGE = random_input((2, 4, 9, 11), 6)


def _as_it_is(name: str) -> Correct:
    network = NETWORKS[name]
    return Correct(
        f"{name} as it is",
        network.original().build,
        lambda: network.port().build(),
        network.batch()[0],
        trained=name,
    )


def _with_own_weights(name: str) -> Correct:
    network = NETWORKS[name]
    return Correct(
        f"{name} with weights that its user converted",
        network.original().build,
        lambda: network.port().build(),
        network.batch(1)[0],
        own_weights=plant_weights,
    )


CORRECT = (
    *(_as_it_is(name) for name in NETWORKS),
    *(_with_own_weights(name) for name in NETWORKS),
    Correct(
        "other names",
        lambda: TorchNet(
            lambda n, x: n.head(n.body(x).mean((2, 3))), body=chain(tn, 2, 4), head=tn.Linear(4, 3)
        ),
        lambda: PaddleNet(
            lambda n, x: n.fc(n.trunk(x).mean((2, 3))), trunk=chain(pn, 2, 4), fc=pn.Linear(4, 3)
        ),
        (IMAGE,),
        rename={"body": "trunk", "head": "fc"},
    ),
    Correct(
        "another order of registration",
        lambda: TorchNet(
            lambda n, x: n.c(n.b(n.a(x))), a=tn.Linear(8, 8), b=tn.Linear(8, 8), c=tn.Linear(8, 8)
        ),
        lambda: PaddleNet(
            lambda n, x: n.c(n.b(n.a(x))), c=pn.Linear(8, 8), b=pn.Linear(8, 8), a=pn.Linear(8, 8)
        ),
        (SEQUENCE,),
    ),
    Correct(
        "modules for functions",
        lambda: TorchNet(
            lambda n, x: n.fc(n.flat(n.pool(n.act(n.conv(x))))),
            conv=tn.Conv2d(4, 4, 3),
            act=tn.ReLU(),
            pool=tn.AdaptiveAvgPool2d(1),
            flat=tn.Flatten(),
            fc=tn.Linear(4, 3),
        ),
        lambda: PaddleNet(
            lambda n, x: n.fc(pn.functional.relu(n.conv(x)).mean([2, 3])),
            conv=pn.Conv2D(4, 4, 3),
            fc=pn.Linear(4, 3),
        ),
        (IMAGE,),
    ),
    Correct(
        "a nested container for a flat one",
        lambda: tn.Sequential(*conv_bn(tn, 4, 4), tn.ReLU(), *conv_bn(tn, 4, 4)),
        lambda: pn.Sequential(
            pn.Sequential(*conv_bn(pn, 4, 4), pn.ReLU()), pn.Sequential(*conv_bn(pn, 4, 4))
        ),
        (IMAGE,),
        rename={"0": "0.0", "1": "0.1", "2": "0.2", "3": "1.0", "4": "1.1"},
    ),
    Correct(
        "joint projections split",
        lambda: TorchNet(_joined, **_fused(tn)),
        lambda: PaddleNet(_split, **_roles(pn)),
        (SEQUENCE,),
        own_weights=_split_projections,
    ),
    Correct(
        "split projections joined",
        lambda: TorchNet(_split, **_roles(tn)),
        lambda: PaddleNet(_joined, **_fused(pn)),
        (SEQUENCE,),
        own_weights=_joined_projections,
    ),
    Correct(
        "a BN folded into its convolution",
        lambda: TorchNet(
            lambda n, x: n.bn(n.conv(x)).relu(), conv=tn.Conv2d(4, 4, 3), bn=tn.BatchNorm2d(4)
        ),
        lambda: PaddleNet(lambda n, x: pn.functional.relu(n.conv(x)), conv=pn.Conv2D(4, 4, 3)),
        (IMAGE,),
        own_weights=_folded_norm,
    ),
    Correct(
        "second names in torch",
        Aliased,
        lambda: PaddleNet(lambda n, x: n.features(x), features=chain(pn, 3, 4)),
        (IMAGE,),
    ),
    Correct(
        "one module called three times",
        lambda: TorchNet(lambda n, x: n.step(n.step(n.step(x))), step=tn.Linear(8, 8)),
        lambda: PaddleNet(lambda n, x: n.step(n.step(n.step(x))), step=pn.Linear(8, 8)),
        (SEQUENCE,),
    ),
    Correct(
        "a hundred ReLUs in a row", lambda: chain(tn, 100, 4), lambda: chain(pn, 100, 4), (IMAGE,)
    ),
    Correct(
        "inputs fifty times as large",
        lambda: chain(tn, 6, 4),
        lambda: chain(pn, 6, 4),
        (50 * IMAGE,),
    ),
    Correct(
        "inputs a thousandth as large",
        lambda: chain(tn, 6, 4),
        lambda: chain(pn, 6, 4),
        (IMAGE / 1000,),
    ),
    Correct("a batch of one", lambda: chain(tn, 4, 4), lambda: chain(pn, 4, 4), (IMAGE[:1],)),
    Correct(
        "dropout of a half, in evaluation",
        lambda: tn.Sequential(tn.Linear(8, 8), tn.Dropout(0.5), tn.Linear(8, 8)),
        lambda: pn.Sequential(pn.Linear(8, 8), pn.Dropout(0.5), pn.Linear(8, 8)),
        (SEQUENCE,),
    ),
    Correct(
        "activations in place",
        lambda: tn.Sequential(
            tn.Linear(8, 8), tn.ReLU(inplace=True), tn.Linear(8, 8), tn.ELU(inplace=True)
        ),
        lambda: pn.Sequential(pn.Linear(8, 8), pn.ReLU(), pn.Linear(8, 8), pn.ELU()),
        (SEQUENCE,),
    ),
    Correct(
        "a GroupNorm of values around a thousand",
        lambda: tn.GroupNorm(2, 4),
        lambda: pn.GroupNorm(2, 4),
        (IMAGE + np.float32(1000),),
    ),
    Correct(
        "a layer that is never called",
        lambda: TorchNet(lambda n, x: n.used(x), used=tn.Linear(8, 8), spare=tn.Linear(8, 8)),
        lambda: PaddleNet(lambda n, x: n.used(x), used=pn.Linear(8, 8), spare=pn.Linear(8, 8)),
        (SEQUENCE,),
    ),
    Correct(
        "arg-max as an output",
        lambda: TorchNet(
            lambda n, x: {"class": n.fc(x).argmax(-1), "logits": n.fc(x)}, fc=tn.Linear(8, 5)
        ),
        lambda: PaddleNet(
            lambda n, x: {"class": n.fc(x).argmax(-1), "logits": n.fc(x)}, fc=pn.Linear(8, 5)
        ),
        (SEQUENCE,),
    ),
    Correct(
        "a synchronised BN in torch",
        lambda: tn.Sequential(tn.Conv2d(4, 4, 3), tn.SyncBatchNorm(4)),
        lambda: pn.Sequential(pn.Conv2D(4, 4, 3), pn.BatchNorm2D(4)),
        (IMAGE,),
    ),
    Correct(
        "weight norm as a parametrization",
        lambda: tn.Sequential(tn.utils.parametrizations.weight_norm(tn.Linear(8, 8)), tn.Tanh()),
        lambda: pn.Sequential(pn.utils.weight_norm(pn.Linear(8, 8), dim=1), pn.Tanh()),
        (SEQUENCE,),
    ),
)
