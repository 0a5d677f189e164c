"""Each dump is made where the other framework is missing, and compared where both are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAD = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {blocked!r}:
            raise ModuleNotFoundError(f'{{name}} is not installed here', name=name)
sys.meta_path.insert(0, Block())
sys.path.insert(0, {root!r})
def call(line):
    from parity.cli import main
    try:
        main(line.split())
    except SystemExit as stop:
        return stop.code
"""
NETS = """
from stdc_port.{framework}_nets import build
def stdc1(): return build('stdc1', num_classes=10)
def of_paddleseg(): return build('stdc1', num_classes=10, variant='paddleseg')
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("machines")
    for framework in ("torch", "paddle"):
        (folder / f"{framework}_side.py").write_text(NETS.format(framework=framework))
    return folder


def without(blocked: tuple[str, ...], folder: Path, *lines: str) -> list[int]:
    """Run command lines in a process that cannot import some frameworks; give the exit codes."""
    code = HEAD.format(blocked=blocked, root=str(ROOT))
    code += f"codes = [call(line) for line in {lines!r}]\nprint('CODES', codes, file=sys.stderr)"
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert "CODES " in done.stderr, done.stderr
    return json.loads(done.stderr.rpartition("CODES ")[2].replace("None", "0"))


def first_divergence(file: Path) -> str | None:
    return json.loads(file.read_text())["first_divergence"]


def test_the_pooling_of_another_port_is_named_across_three_machines(folder: Path) -> None:
    torch_dump = "dump --framework torch --torch torch_side:stdc1 --size 97x65 -o torch.npz"
    assert without(("paddle",), folder, torch_dump) == [0]
    paddle_dump = "dump torch.npz --framework paddle --paddle paddle_side:{0} -o {0}.npz"
    names = ("of_paddleseg", "stdc1")
    assert without(("torch",), folder, *map(paddle_dump.format, names)) == [0, 0]
    diff = "diff torch.npz {0}.npz --json {0}.json"
    assert without(("torch", "paddle"), folder, *map(diff.format, names)) == [1, 0]
    assert first_divergence(folder / "of_paddleseg.json") == "features.2.skip"
    assert first_divergence(folder / "stdc1.json") is None


def test_seeded_weights_are_the_same_on_both_machines(folder: Path) -> None:
    dump = "dump --framework {0} --size 33x65 --seed 3 -o seeded-{0}.npz"
    assert without(("paddle",), folder, dump.format("torch")) == [0]
    assert without(("torch",), folder, dump.format("paddle")) == [0]
    diff = "diff seeded-torch.npz seeded-paddle.npz"
    assert without(("torch", "paddle"), folder, diff) == [0]


def test_a_missing_framework_is_one_line_that_names_the_way(folder: Path) -> None:
    assert without(("torch", "paddle"), folder, "--size 33x33") == [2]
