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
#: The authors' layout: aliases x2 to x32, a classifier and heads that are not called, in-place ABN.
TORCH = """
from stdc_port.torch_nets import build
def authors(): return build('stdc1-seg', num_classes=5)
"""
#: A port inside a wrapper, with the pooling of PaddleSeg or mended.
PADDLE = """
import paddle
from stdc_port.paddle_nets import build
class Port(paddle.nn.Layer):
    def __init__(self, exclusive):
        super().__init__()
        self.model = build('stdc1-seg', num_classes=5)
        for layer in self.sublayers():
            if isinstance(layer, paddle.nn.AvgPool2D):
                layer.exclusive = exclusive
    def forward(self, x):
        return self.model(x)
def of_paddleseg(): return Port(True)
def mended(): return Port(False)
class Other(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        self.last, self.first = paddle.nn.Linear(6, 2), paddle.nn.Linear(6, 6)
    def forward(self, x):
        return self.last(paddle.tanh(self.first(x)))
class More(Other):
    def __init__(self):
        super().__init__()
        self.middle = paddle.nn.Linear(6, 6)
    def forward(self, x):
        return self.last(self.middle(paddle.tanh(self.first(x))))
"""
NAMES = """
import torch
def net(): return torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Tanh(), torch.nn.Linear(6, 2))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("machines")
    (folder / "torch_side.py").write_text(TORCH + NAMES)
    (folder / "paddle_side.py").write_text(PADDLE)
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
    torch_dump = "dump --framework torch --torch torch_side:authors --size 65x97 -o torch.npz"
    assert without(("paddle",), folder, torch_dump) == [0]
    paddle_dump = "dump torch.npz --framework paddle --paddle paddle_side:{0} -o {0}.npz"
    names = ("of_paddleseg", "mended")
    assert without(("torch",), folder, *map(paddle_dump.format, names)) == [0, 0]
    diff = "diff torch.npz {0}.npz --json {0}.json"
    assert without(("torch", "paddle"), folder, *map(diff.format, names)) == [1, 0]
    assert first_divergence(folder / "of_paddleseg.json") == "cp.backbone.features.2.skip"
    assert first_divergence(folder / "mended.json") is None


def test_other_names_pair_and_what_is_left_over_is_listed_across_three_machines(
    folder: Path,
) -> None:
    torch_dump = "dump --framework torch --torch torch_side:net --input 3x6 -o names.npz"
    assert without(("paddle",), folder, torch_dump) == [0]
    paddle_dumps = (
        "dump --on names.npz --framework paddle --paddle paddle_side:Other -o other.npz",
        "dump --on names.npz --framework paddle --paddle paddle_side:More --no-convert -o more.npz",
    )
    assert without(("torch",), folder, *paddle_dumps) == [0, 0]
    diff = "diff names.npz {0}.npz --json {0}.json"
    assert without(("torch", "paddle"), folder, diff.format("other"), diff.format("more")) == [0, 1]
    pairs = json.loads((folder / "other.json").read_text())["assumed"]
    assert [(pair["torch"], pair["paddle"]) for pair in pairs] == [("0", "first"), ("2", "last")]
    listed = json.loads((folder / "more.json").read_text())
    weights = [[call["path"] for call in listed[side] if call["weights"]]
               for side in ("torch_only", "paddle_only")]  # fmt: skip
    assert weights == [["0"], ["first", "middle"]]


def test_seeded_weights_are_the_same_on_both_machines(folder: Path) -> None:
    dump = "dump --framework {0} --size 33x65 --seed 3 -o seeded-{0}.npz"
    assert without(("paddle",), folder, dump.format("torch")) == [0]
    assert without(("torch",), folder, dump.format("paddle")) == [0]
    diff = "diff seeded-torch.npz seeded-paddle.npz"
    assert without(("torch", "paddle"), folder, diff) == [0]


def test_a_missing_framework_is_one_line_that_names_the_way(folder: Path) -> None:
    assert without(("torch", "paddle"), folder, "--size 33x33") == [2]
