"""Asking the harness about a port, and scoring what it says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.port_bugs.bug import Bug
from benchmarks.port_bugs.correct import Correct
from benchmarks.port_bugs.network import NETWORKS, Network, original
from benchmarks.port_bugs.training import losses, plan

STEPS = 5


@dataclass(frozen=True)
class Answer:
    """What the harness said of a port.

    Attributes:
        faulty: it said that something is wrong.
        layers: where, likeliest first.
        causes: what, likeliest first, each for the layer of the same place.
        seconds: how long it took.
        error: why it could not say anything, '' if it could.
    """

    faulty: bool
    layers: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class Score:
    """A bug and the answer to it; the answer is None where no check of this kind exists."""

    bug: Bug
    answer: Answer | None

    @property
    def found(self) -> bool:
        """Whether the port was called faulty."""
        return self.answer is not None and self.answer.faulty

    @property
    def right_layer(self) -> bool:
        """Whether the first layer named is the one at fault."""
        return self.found and bool(set(self.answer.layers[:1]) & set(self.bug.places()))

    @property
    def right_cause(self) -> bool:
        """Whether the first cause named is the one planted."""
        return self.found and self.answer.causes[:1] == (self.bug.cause,)


@dataclass(frozen=True)
class Alarm:
    """A correct port and the answer to it."""

    correct: Correct
    answer: Answer

    @property
    def false(self) -> bool:
        """Whether it was not called right."""
        return self.answer.faulty or bool(self.answer.error)


def judge(bug: Bug) -> Score:
    """Give a port with a bug to the harness."""
    from parity.precision import CHECKS

    if bug.check not in CHECKS:
        return Score(bug, None)
    network = NETWORKS[bug.network]
    options: dict[str, Any] = {"transfer": bug.transfer}
    options["checks"] = tuple(dict.fromkeys(("forward", bug.check)))
    options |= _trained(network, bug.port(), bug.check)
    answer = ask(original(bug.network), bug.build(), network.batch()[0], **options)
    return Score(bug, answer)


def judge_correct(correct: Correct) -> Alarm:
    """Give a correct port to the harness: gradients too, and the training if it has one."""
    options: dict[str, Any] = {"rename": correct.rename, "transfer": correct.own_weights is None}
    checks = ["forward", "backward"]
    if correct.trained:
        network = NETWORKS[correct.trained]
        for check in ("loss", "train"):
            options |= _trained(network, network.port(), check)
            checks.append(check)
    return Alarm(correct, ask(*correct.pair(), correct.inputs, checks=checks, **options))


def _trained(network: Network, port: Any, check: str) -> dict[str, Any]:
    """Return what a check of the loss or of the training takes beside the networks."""
    if check == "loss":
        return {"losses": losses(network, port)}
    return {"training": plan(network, port), "steps": STEPS} if check == "train" else {}


def ask(module: Any, layer: Any, inputs: Any, **options: Any) -> Answer:
    """Check parity and reduce the result to what is scored."""
    from parity import check_parity

    start = time.perf_counter()
    try:
        result = check_parity(module, layer, inputs, **options)
    except Exception as error:  # noqa: BLE001 - a crash is an answer, and a bad one
        text = " ".join(str(error).split())[:120]
        return Answer(False, error=f"{type(error).__name__}: {text}")
    seconds = time.perf_counter() - start
    named = [(one.layer, one.cause) for one in result.diagnosis]
    first = result.first_divergence
    if not named and first is not None:
        named = [(first.name, "")]
    layers, causes = tuple(zip(*named, strict=True)) or ((), ())
    return Answer(not result, layers, causes, seconds)


def share(part: Sequence[bool]) -> str:
    """Spell how many of several are true."""
    return f"{sum(part)} of {len(part)}" if part else "–"
