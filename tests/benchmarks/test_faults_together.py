"""Several faults at once are named in the order in which they arise; slight ones are, too."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.port_bugs.bug import Bug, plant_weights
from benchmarks.port_bugs.bugs import BUGS
from benchmarks.port_bugs.network import NETWORKS, original
from parity import ParityResult, State, check_parity

#: What is planted together, in the order in which it is to be reported.
TOGETHER = {
    "stdc1": (
        ("bn-epsilon", "features.0.bn"),
        ("concat-order", "features.2"),
        ("reduction-kind", ""),
        ("linear-untransposed", "fc"),
        ("dropout-mode", "dropout"),
    ),
    "encoder": (
        ("layer-norm-epsilon", "layers.0.norm1"),
        ("scale-different", "layers.0.attention"),
        ("softmax-axis", "layers.0.attention"),
        ("gelu-approximate", "layers.0"),
        ("activation-dropped", ""),
    ),
    "hourglass": (
        ("input-normalisation", ""),
        ("kernel-transposed", "enter.depth"),
        ("group-norm-epsilon", "enter.norm"),
        ("gelu-approximate", "mixer"),
        ("pool-kind", "pyramid"),
        ("resize-mode", "pyramid"),
        ("concat-order", "pyramid"),
    ),
}


def planted(network: str, cause: str, layer: str) -> Bug:
    found = (b for b in BUGS if (b.network, b.cause, b.layer) == (network, cause, layer))
    return next(found)


def asked(network: str, port: Any, **options: Any) -> ParityResult:
    inputs = NETWORKS[network].batch()[0]
    return check_parity(original(network), port, inputs, **options)


@pytest.mark.parametrize("network", TOGETHER)
def test_faults_planted_together_are_named_in_order(network: str) -> None:
    bugs = [planted(network, *one) for one in TOGETHER[network]]
    port = NETWORKS[network].port(*(edit for bug in bugs for edit in bug.edits)).build()
    wrong = [bug.plant for bug in bugs if bug.plant is not None]
    plant_weights(
        original(network),
        port,
        lambda right, new: {k: v for p in wrong for k, v in p(right, new).items()},
    )
    result = asked(network, port, transfer=False, precision="float64")
    named = [(one.cause, one.layer) for one in result.diagnosis]
    firsts = sorted(TOGETHER[network], key=lambda one: named.index(one) if one in named else -1)
    assert set(TOGETHER[network]) <= set(named)
    assert tuple(firsts) == TOGETHER[network]


SLIGHT = {
    "stdc1": ("features.3.conv_list.1.bn", "bn-epsilon"),
    "encoder": ("layers.1.norm2", "layer-norm-epsilon"),
    "hourglass": ("mixer.norm1", "layer-norm-epsilon"),
}


@pytest.mark.parametrize("network", SLIGHT)
def test_an_epsilon_below_the_tolerance_is_named(network: str) -> None:
    path, cause = SLIGHT[network]
    port = NETWORKS[network].port().build()
    dict(port.named_sublayers())[path]._epsilon *= 1.001
    result = asked(network, port)
    last = result.layers[-1]
    assert last.error32 is not None
    assert last.error32 < result.tol
    assert last.state is State.MISMATCH
    assert [(one.cause, one.layer) for one in result.diagnosis] == [(cause, path)]
