"""What the documents say of the project is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_threat_names_a_test_that_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/security.md").read_text("utf-8")))
    sources = (path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = {
        name for source in sources for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE)
    }
    assert len(named) > 40
    assert named - there == set()


def test_every_threat_has_a_test() -> None:
    rows = [
        line
        for line in (ROOT / "docs/security.md").read_text("utf-8").splitlines()
        if line.startswith("| ") and not re.match(r"\| (threat|who|\w+ refuses?) \|", line)
    ]
    assert [row for row in rows if "`test_" not in row] == []
