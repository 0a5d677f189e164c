"""docs/traps.md tells the catalogue as it is; the figures are those of the day it was written."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from parity.traps.catalogue import TRAPS
from parity.traps.engine import Outcome, Standing
from parity.traps.show import as_json
from parity.traps.trap import Trap

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS / "tools"))
import traps_page  # noqa: E402

PAGE = (DOCS / "traps.md").read_text("utf-8")
SECTIONS = {
    int(number): text
    for number, text in re.findall(r"^## (\d+)\. (.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
}


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.slug)
def test_every_trap_is_told_as_the_catalogue_has_it(trap: Trap) -> None:
    # Without being measured it has no figures; all other lines must be there.
    row = as_json([Outcome(trap, Standing.NOT_RUN, why=trap.reason)])["traps"][0]
    written = traps_page.entry(row).splitlines()
    told = SECTIONS[trap.number].splitlines()
    assert written[0].removeprefix(f"## {trap.number}. ") == told[0]
    assert f"`{trap.slug}`: " in told[2]
    assert written[4:7] == told[4:7]
    assert traps_page.escaped(trap.source) in told[7]


def test_no_trap_is_told_that_is_gone() -> None:
    assert set(SECTIONS) == {trap.number for trap in TRAPS}
    assert f"{len(TRAPS)} traps: " in PAGE
