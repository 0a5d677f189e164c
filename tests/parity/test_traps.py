"""The catalogue of traps against the installed versions: each exists, and its mend mends."""

from dataclasses import replace

import numpy as np
import paddle
import pytest
import torch

from parity.traps.catalogue import TRAPS, chosen
from parity.traps.engine import Outcome, Standing, measure
from parity.traps.show import as_json
from parity.traps.tools import gap
from parity.traps.trap import CannotRunError, Measured, Trap, several, trap

# numpy below 2.4 is installed; exporting would reach for the network.
ELSEWHERE = {"numpy-scalars": Standing.GONE, "onnx-installs": Standing.NOT_RUN}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {entry.slug: measure(entry) for entry in TRAPS}


@pytest.mark.parametrize("entry", TRAPS, ids=lambda entry: entry.slug)
def test_a_trap_exists_and_its_mend_holds(entry, outcomes):
    outcome = outcomes[entry.slug]
    assert outcome.standing is ELSEWHERE.get(entry.slug, Standing.MENDED), outcome
    if outcome.standing is Standing.MENDED:
        assert outcome.measured.before > entry.shows
        assert outcome.measured.after <= entry.bound


@pytest.mark.parametrize("entry", TRAPS, ids=lambda entry: entry.slug)
def test_without_its_mend_an_entry_is_caught(entry, outcomes):
    if outcomes[entry.slug].standing is not Standing.MENDED:
        return
    before = outcomes[entry.slug].measured.before
    assert measure(replace(entry, measure=lambda: Measured(before, before))).standing is (
        Standing.NOT_MENDED
    )


def test_every_number_once_with_all_its_texts():
    assert [entry.number for entry in TRAPS] == list(range(1, 68))
    assert len({entry.slug for entry in TRAPS}) == len(TRAPS)
    for entry in TRAPS:
        assert all((entry.title, entry.torch, entry.paddle, entry.mend, entry.source))
        assert (entry.measure is None) == bool(entry.reason)


def test_the_figures_do_not_depend_on_the_order(outcomes):
    names = ("fuse-kernel-random", "float32-gradients", "attention-packed", "initialisation")
    for entry in reversed(chosen(names)):
        torch.rand(7)
        paddle.rand([7])
        assert measure(entry).measured == outcomes[entry.slug].measured


def test_the_frameworks_are_left_as_they_were(outcomes):
    assert paddle.get_default_dtype() == "float32"
    assert torch.get_default_dtype() is torch.float32
    # The exact stand-ins are gone again: the kernel is single precision inside.
    value = paddle.to_tensor([0.3], dtype="float64")
    assert abs(paddle.nn.functional.hardsigmoid(value).item() - (0.3 / 6 + 0.5)) > 1e-10


def entry_of(run) -> Trap:
    return trap(99, "made-up", torch="one", paddle="other", mend="none", shows=1e-3, bound=1e-6)(
        run
    )


@pytest.mark.parametrize(
    ("before", "after", "standing"),
    [
        (1.0, 0.0, Standing.MENDED),
        (1.0, 1e-5, Standing.NOT_MENDED),
        (1.0, float("nan"), Standing.NOT_MENDED),
        (float("inf"), 1e-7, Standing.MENDED),
        (float("nan"), 0.0, Standing.MENDED),
        (1e-3, 1e-3, Standing.GONE),
    ],
)
def test_what_the_figures_mean(before, after, standing):
    assert measure(entry_of(lambda: Measured(before, after))).standing is standing


def test_a_version_that_lacks_something():
    def lacks() -> Measured:
        return Measured(paddle.nn.NoSuchLayer(3), 0.0)

    outcome = measure(entry_of(lacks))
    assert outcome.standing is Standing.CANNOT_RUN
    assert outcome.exists is None
    assert outcome.why.startswith("with this version: AttributeError")
    assert "NoSuchLayer" in outcome.why


def test_a_missing_package_is_named():
    def lacks() -> Measured:
        raise CannotRunError("pillow is not installed")

    assert measure(entry_of(lacks)).why == "pillow is not installed"


def test_an_entry_of_an_older_version(monkeypatch):
    monkeypatch.delattr(paddle.compat.nn, "Linear")
    assert measure(chosen(("compat-linear",))[0]).standing is Standing.CANNOT_RUN


def test_parts_of_a_trap_count_by_the_worst():
    found = several({"one": (2.0, 0.0), "other": (1e-9, 0.5)})
    assert (found.before, found.after) == (1e-9, 0.5)
    assert found.note == "one 2, other 1e-09"


def test_a_gap_is_infinite_where_nothing_can_be_compared():
    one = np.ones(3)
    assert gap(one, np.ones(4)) == float("inf")
    assert gap(one, np.array([1, np.nan, 1])) == float("inf")
    assert gap(np.array([np.nan, 1]), np.array([np.nan, 3])) == 2.0
    assert gap(one, one + 0.5) == 0.5


def test_chosen_by_number_and_slug():
    assert [entry.number for entry in chosen(("23", "bn-momentum"))] == [16, 23]
    with pytest.raises(
        ValueError, match="no trap is called 68, bn: expected a number from 1 to 67"
    ):
        chosen(("68", "16", "bn"))


def test_json_holds_numbers_alone(outcomes):
    content = as_json(list(outcomes.values()))
    assert content["counts"]["mended"] == 65
    by_slug = {row["slug"]: row for row in content["traps"]}
    assert by_slug["ceil-mode"]["before"] is None
    assert by_slug["ceil-mode"]["exists"] is True
    assert by_slug["onnx-installs"]["exists"] is None
    assert by_slug["bn-momentum"]["before"] > 0.1
