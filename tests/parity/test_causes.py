"""Each cause that can be named: its bug is, and another bug that looks like it is not called so."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from cause_cases import Case, seeded
from cause_cases_forward import FORWARDS
from cause_cases_settings import SETTINGS
from cause_cases_weights import WEIGHTS

import parity
from parity import check_parity
from parity.causes.settings import SETTINGS as ROWS
from parity.weights import load, transfer

CASES = (*SETTINGS, *WEIGHTS, *FORWARDS)
CAUSES = Path(parity.__file__).parent / "causes"
SLUG = re.compile(r"[a-z]+(-[a-z0-9]+)+")


def known() -> set[str]:
    """List the names that the code can give: of its settings, and all texts of that form.

    What acts in training alone has tests of its own, beside those of training.
    """
    found = {row.cause for row in ROWS}
    for path in set(CAUSES.glob("*.py")) - {CAUSES / "dropouts.py"}:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if SLUG.fullmatch(node.value) else set()
    return found


def test_every_cause_has_a_bug_and_a_look_alike() -> None:
    assert {case.cause for case in CASES} == known()


def found(case: Case, change: Any) -> Any:
    ours = seeded(case.torch())
    options: dict[str, Any] = {"precision": "float64"}
    if case.port is None:
        port = change()
    else:
        port = case.port()
        right = transfer(ours, port)
        load(port, {**right, **change(right)})
        options["transfer"] = False
    return check_parity(ours, port, case.inputs, **options)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.cause}: {case.symptom}")
def test_a_bug_is_named_and_what_looks_like_it_is_not(case: Case) -> None:
    named = [(one.cause, one.layer) for one in found(case, case.bug).diagnosis]
    assert named[:1] == [(case.cause, case.layer)]
    other = found(case, case.like)
    assert not other
    assert case.cause not in {one.cause for one in other.diagnosis}
