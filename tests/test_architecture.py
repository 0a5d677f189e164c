"""Arrows between the rooms go one way, and conversion needs no framework."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("converters", "parity", "stdc_port")
FRAMEWORKS = ("torch", "paddle")
WATCHED = (*PACKAGES, *FRAMEWORKS, "tests", "benchmarks")

# What a room may import beside itself. The longest name that fits a module counts.
NETS = {"stdc_port.spec", "stdc_port.torch_nets", "stdc_port.paddle_nets"}
ARROWS: dict[str, set[str]] = {
    "stdc_port": set(),
    "stdc_port.spec": set(),
    "stdc_port.torch_nets": {"stdc_port.spec", "torch"},
    "stdc_port.paddle_nets": {"stdc_port.spec", "paddle"},
    "stdc_port.training": {*NETS, "converters", "torch", "paddle"},
    # A command's other name, for Paddle's launcher.
    "stdc_port.training.__main__": {"stdc_port.commands"},
    "stdc_port.export": {*NETS, "stdc_port.training", "converters", "torch", "paddle"},
    "stdc_port.commands": {*NETS, "stdc_port.training", "stdc_port.export", "converters", "parity"},
    "stdc_port.cli": {"stdc_port.commands", "converters"},
    "converters": {"stdc_port.spec"},
    "parity": {"converters", "torch", "paddle"},
    # The catalogue shows this project's own mends to be mends.
    "parity.traps": {*NETS, "stdc_port.training", "parity", "converters", "torch", "paddle"},
    # Which networks a name of ours stands for, and how they are trained.
    "parity.job": {*NETS, "stdc_port.training", "parity", "converters", "torch", "paddle"},
}


def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def within(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def imports(source: str) -> Iterator[str]:
    """Yield what a source imports, also inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            known = [name for name in inside if name in MODULES]
            yield from known or [node.module or ""]


def forbidden(module: str, source: str) -> list[str]:
    """Return the imports of a module that its room may not have."""
    room = max((room for room in ARROWS if within(module, room)), key=len)
    allowed = ARROWS[room] | {room}
    return [
        name
        for name in imports(source)
        if name.partition(".")[0] in WATCHED and not any(within(name, one) for one in allowed)
    ]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_arrows_go_one_way(module):
    assert forbidden(module, MODULES[module].read_text()) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("converters.plan", "import torch"),
        ("converters.plan", "def f():\n    from paddle.nn import Layer"),
        ("converters.plan", "import parity.compare as x"),
        ("converters.layouts.stdc", "from stdc_port import torch_nets"),
        ("stdc_port.torch_nets.losses", "import paddle.nn.functional as F"),
        ("stdc_port.torch_nets.losses", "import stdc_port.paddle_nets.losses"),
        ("stdc_port.paddle_nets.losses", "from torch import Tensor"),
        ("stdc_port.paddle_nets.losses", "from stdc_port.training import recipe"),
        ("stdc_port.spec", "import torch"),
        ("parity.compare", "from stdc_port import spec"),
        ("stdc_port.training.recipe", "from stdc_port import cli"),
    ],
)
def test_a_wrong_arrow_is_seen(module, source):
    assert len(forbidden(module, source)) == 1


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python code with this project importable."""
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {blocked!r}:
            raise ImportError(f'{{name}} is not installed here')
sys.meta_path.insert(0, Block())
"""


def test_the_block_works():
    for framework in FRAMEWORKS:
        result = run(BLOCK.format(blocked=FRAMEWORKS) + f"import {framework}")
        assert "is not installed here" in result.stderr


@pytest.mark.parametrize("package", ["converters", "parity", "stdc_port", "stdc_port.spec"])
def test_importing_loads_no_framework(package):
    code = f"import sys, {package}; print(sorted({{'torch', 'paddle'}} & set(sys.modules)))"
    assert run(code).stdout == "[]\n"


def test_the_help_needs_no_framework():
    code = "from converters.cli import main; main(['--help'], prog_name='stdc-convert')"
    result = run(BLOCK.format(blocked=(*FRAMEWORKS, "numpy", "rich")) + code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Usage: stdc-convert")


def test_the_names_of_the_package_are_loaded_when_asked_for():
    import converters

    for name in converters.__all__:
        home = sys.modules[getattr(converters, name).__module__]
        assert getattr(converters, name) is getattr(home, name)
    assert set(converters.__all__) < set(dir(converters))
    with pytest.raises(AttributeError, match="no attribute 'convert_files'"):
        _ = converters.convert_files
    assert run("import sys, converters; print('numpy' in sys.modules)").stdout == "False\n"


def test_a_whole_conversion_needs_numpy_alone(tmp_path):
    import torch

    from stdc_port import torch_nets

    state = torch_nets.build("stdc1", num_classes=3).state_dict()
    torch.save(state, tmp_path / "zip.pth")
    torch.save(state, tmp_path / "old.tar", _use_new_zipfile_serialization=False)
    blocked = (*FRAMEWORKS, "rich", "click", "safetensors", "parity")
    code = BLOCK.format(blocked=blocked) + (
        "from converters import convert_file\n"
        "for name in sys.argv[1:]:\n"
        "    there = convert_file(name)\n"
        "    back = convert_file(there.target.path, name + '.pth', to='torch')\n"
        "    print(there.verified, back.verified, there.to_json()['arch'])\n"
    )
    result = run(code, tmp_path / "zip.pth", tmp_path / "old.tar")
    assert result.stdout == "True True stdc1\n" * 2, result.stderr
    for name in ("zip.pth.pth", "old.tar.pth"):
        back = torch.load(tmp_path / name, weights_only=True)
        torch_nets.build("stdc1", num_classes=3).load_state_dict(back, strict=True)
        assert all(torch.equal(back[key], value) for key, value in state.items())
