"""Gives ports to PaDiff, in its environment: ``python -m benchmarks.padiff.run GROUP N…``.

GROUP is a network whose bugs are planted, or ``correct``. Prints a line of JSON for every port.
"""

from __future__ import annotations

from benchmarks.padiff.ask import Case, ask  # isort: skip  PaDiff comes first

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

from benchmarks.padiff.settings import SETTINGS, STEPS
from benchmarks.port_bugs.bug import Bug
from benchmarks.port_bugs.bugs import BUGS
from benchmarks.port_bugs.correct import CORRECT, Correct
from benchmarks.port_bugs.network import NETWORKS, original
from converters import RefusedError
from parity.weights import load, transfer

#: What a correct port is asked for: outputs, gradients, loss, training.
STAGES = ((False, None), (True, None), (True, 0), (True, STEPS))


def of_bug(bug: Bug) -> Case:
    """Return the case of a planted bug; the port has its weights where the converter gives them."""
    network = NETWORKS[bug.network]
    module, layer = network.original().build(), bug.build()
    module.load_state_dict(original(bug.network).state_dict())
    case = Case(module, layer, network.batch()[0], backward=bug.check != "forward")
    if bug.transfer:
        try:
            case = given_weights(case)
        except RefusedError:
            case = given_what_fits(case, network.port().build())
    if bug.check in ("loss", "train"):
        case = trained(case, bug.network, bug.port(), STEPS if bug.check == "train" else 0)
    return case


def of_correct(port: Correct) -> Iterator[Case]:
    """Yield the cases of a correct port: outputs, gradients, and the training that it has."""
    for backward, steps in STAGES if port.trained else STAGES[:2]:
        module, layer = port.pair()
        case = Case(module, layer, port.inputs, backward=backward, rename=port.rename)
        if port.own_weights is None:
            case = given_weights(case)
        if steps is not None:
            case = trained(case, port.trained, NETWORKS[port.trained].port(), steps)
        yield case


def given_weights(case: Case) -> Case:
    """Give the port its weights, running statistics too, as the converter would."""
    out = second_keys(case.module)
    load(case.layer, transfer(case.module, case.layer, case.rename or {}, leave_out=out))
    return case


def second_keys(module: Any) -> list[str]:
    """Return the keys of tensors that another key holds, too."""
    state = {key: tensor for key, tensor in module.state_dict().items() if tensor.numel()}
    first = {tensor.data_ptr(): key for key, tensor in reversed(state.items())}
    return [key for key, tensor in state.items() if first[tensor.data_ptr()] != key]


def trained(case: Case, name: str, port: Any, steps: int) -> Case:
    """Return a case in training mode, without the random functions that PaDiff cannot compare."""
    network = NETWORKS[name]
    for part in (*case.module.modules(), *case.layer.sublayers(include_self=True)):
        if type(part).__name__ == "Dropout":
            part.p = 0.0
    sources = (network.original(), port)
    return replace(case, labels=network.batch()[1], sources=sources, steps=steps)


def given_what_fits(case: Case, right: Any) -> Case:
    """Give a port that torch's weights do not fit those that do; the rest is left to PaDiff."""
    state = case.layer.state_dict()
    for key, value in transfer(case.module, right).items():
        if key in state and tuple(state[key].shape) == value.shape:
            state[key].set_value(value)
    return replace(case, own_weights=True)


def cases(group: str) -> Iterator[tuple[str, Callable[[], list[Case]]]]:
    """Yield the ports of a group: what they are called, and how they are built."""
    if group == "correct":
        for port in CORRECT:
            yield port.name, lambda port=port: list(of_correct(port))
    else:
        for bug in BUGS:
            if bug.network == group:
                yield bug.name, lambda bug=bug: [of_bug(bug)]


def main(group: str, *numbers: str) -> None:
    """Ask PaDiff about ports of a group, by their numbers in it."""
    warnings.simplefilter("ignore")
    ports = list(cases(group))
    for number in map(int, numbers):
        name, build = ports[number]
        told = {
            setting: [asdict(ask(case, options)) for case in build()]
            for setting, options in SETTINGS.items()
        }
        print(json.dumps({"number": number, "name": name, "told": told}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
