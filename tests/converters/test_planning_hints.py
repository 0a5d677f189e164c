"""What is said although nothing is wrong: a prefix that was taken off, a narrower type."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from samples import array_tensor

from converters import convert_file, plan_conversion
from converters.checkpoint import Checkpoint
from converters.cli import main

PREFIXED = ("module.weight", "_orig_mod.module.weight", "_orig_mod.weight", "module.0.weight")


@pytest.mark.parametrize("key", PREFIXED)
def test_a_prefix_taken_off_is_said_where_a_layer_may_be_called_so(key: str) -> None:
    kernel = array_tensor(torch.ones(2, 2, 1, 1).numpy())
    plan = plan_conversion(Checkpoint(Path("a.pth"), "torch-zip", {key: kernel}))
    assert plan.problems == ()
    said = [hint for hint in plan.hints if hint.startswith("'module.' was taken off all names")]
    assert len(said) == ("module" in key)


@pytest.mark.parametrize(
    ("dtype", "wanted", "said"),
    [
        ("float32", "float16", True),
        ("bfloat16", "float16", True),
        ("float16", "float16", False),
        ("float32", "bfloat16", False),
    ],
)
def test_a_dry_run_says_that_values_may_be_beyond_the_range(
    tmp_path: Path, dtype: str, wanted: str, *, said: bool
) -> None:
    kernel = torch.full((2, 2, 1, 1), 1e4, dtype=getattr(torch, dtype))
    torch.save({"weight": kernel}, tmp_path / "a.pth")
    report = convert_file(tmp_path / "a.pth", dtype=wanted, dry_run=True)
    assert any("float16 ends at 65504; the plan looks at no values" in x for x in report.hints) == (
        said
    )


def test_what_the_dry_run_says_is_what_the_run_does(tmp_path: Path) -> None:
    torch.save({"weight": torch.full((2, 2, 1, 1), 1e6)}, tmp_path / "a.pth")
    command = [str(tmp_path / "a.pth"), "--dtype", "float16"]
    tried = CliRunner().invoke(main, [*command, "--dry-run"])
    assert (tried.exit_code, "one beyond is refused when it is written" in tried.output) == (
        0,
        True,
    )
    run = CliRunner().invoke(main, command)
    assert run.exit_code == 1
    assert "values are beyond the range of float16" in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]
