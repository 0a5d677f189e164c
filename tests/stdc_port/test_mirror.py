"""A diff of the two folders is the port: same files, classes, functions, order."""

import ast
from pathlib import Path

import pytest

import stdc_port

ROOT = Path(stdc_port.__file__).parent
FILES = sorted(path.name for path in (ROOT / "torch_nets").glob("*.py"))

# What only torch needs: the layer whose fold Paddle gets, and the second names of the stages.
TORCH_ONLY = {"InPlaceABN", "InPlaceABN.__init__", "InPlaceABN.forward", "alias_of"}


def definitions(path: Path) -> dict[str, list[str]]:
    """Return classes and functions in order, each with its arguments."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        inner = node.body if isinstance(node, ast.ClassDef) else []
        for one, name in [(node, ""), *((method, f"{node.name}.") for method in inner)]:
            if isinstance(one, ast.ClassDef):
                found[one.name] = []
            elif isinstance(one, ast.FunctionDef):
                arguments = [*one.args.posonlyargs, *one.args.args, *one.args.kwonlyargs]
                found[name + one.name] = [argument.arg for argument in arguments]
    return found


def assigned(path: Path) -> set[str]:
    """Return the attributes that constructors set."""
    return {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }


def test_the_folders_hold_the_same_files():
    assert sorted(path.name for path in (ROOT / "paddle_nets").glob("*.py")) == FILES
    assert len(FILES) >= 4


@pytest.mark.parametrize("name", FILES)
def test_same_classes_functions_and_arguments_in_the_same_order(name):
    theirs, ours = (definitions(ROOT / folder / name) for folder in ("torch_nets", "paddle_nets"))
    expected = [item for item in theirs.items() if item[0] not in TORCH_ONLY]
    assert list(ours.items()) == expected


@pytest.mark.parametrize("name", FILES)
def test_same_attributes(name):
    theirs, ours = (assigned(ROOT / folder / name) for folder in ("torch_nets", "paddle_nets"))
    only_torch = {"eps", "momentum", "weight", "bias"} if name == "segmentation.py" else set()
    assert theirs - only_torch == ours - only_torch
