"""A check with torch's run on disk says what one side by side says, and leaves nothing behind."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import parity_toys as toys
import pytest
from click.testing import CliRunner

from parity import NetworkError, check_parity
from parity.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("checks", [("forward",), ("forward", "backward")])
@pytest.mark.parametrize("build", [toys.paddle_model, toys.paddle_wrong_pool, toys.paddle_swapped])
def test_the_verdicts_are_the_same(folder: Path, build: Any, checks: tuple[str, ...]) -> None:
    model = toys.torch_model()
    found = [
        check_parity(model, build(), toys.images(), checks=checks, store=store)
        for store in ("memory", "disk")
    ]
    assert found[0] == found[1]
    assert list(folder.iterdir()) == []


def test_a_failure_in_the_middle_leaves_nothing_behind(folder: Path) -> None:
    model = toys.torch_model()
    with pytest.raises(NetworkError, match=r"torch network stopped in 'block\.conv'"):
        check_parity(model, toys.paddle_model(), toys.images()[:, :2], store="disk")
    assert list(folder.iterdir()) == []
    assert model.training
    with pytest.raises(ValueError, match="store 'tape': expected one of memory, disk"):
        check_parity(model, toys.paddle_model(), toys.images(), store="tape")  # type: ignore[arg-type]


def test_on_the_command_line() -> None:
    pair = ["--torch", "parity_toys:torch_model", "--paddle", "parity_toys:paddle_wrong_pool"]
    result = CliRunner().invoke(main, [*pair, "--size", "33x40", "--store", "disk"])
    assert result.exit_code == 1, result.output
    assert "first divergence: block.skip" in result.stdout
