"""What the project depends on is explained, and nothing of it reaches for a network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
# Ends the process at the first socket that connects or asks for a name.
WATCHED = """
import os, runpy, sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind"):
        os.write(2, f"network: {event} {arguments!r}".encode())
        os._exit(99)
sys.addaudithook(watch)
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def requirements() -> set[tuple[str, str]]:
    """Return every dependency's name and bound, as pyproject.toml has them."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    (block,) = re.findall(r"^dependencies = \[(.*?)\]", text, re.MULTILINE)
    (extras,) = re.findall(r"optional-dependencies\](.*?)\n\[", text, re.DOTALL)
    named = re.findall(r'"([A-Za-z][\w-]*)\s*([<>=][^";]*)', block + extras)
    return {(name, bound.strip()) for name, bound in named}


def test_every_dependency_is_explained_with_its_bound() -> None:
    table = (ROOT / "docs/dependencies.md").read_text("utf-8")
    shown = re.findall(
        r"^\| `([\w-]+)` \| `([^`]+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", table, re.MULTILINE
    )
    assert set(shown) == {
        (name, ", ".join(sorted(bound for other, bound in requirements() if other == name)))
        for name, _ in requirements()
    }
    assert len(shown) == len(set(shown)) > 15


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "a.pth"
    torch.manual_seed(0)
    torch.save({"0.weight": torch.randn(4, 3, 3, 3)}, path)
    return path


def watched(*words: object) -> tuple[int, str]:
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "ignore", "-c", WATCHED, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("command", ["convert", "inspect", "diff", "parity"])
def test_no_command_reaches_for_a_network(saved: Path, command: str) -> None:
    words: dict[str, tuple[object, ...]] = {
        "convert": ("converters.cli", saved, "-o", saved.with_suffix(".pdparams"), "--force"),
        "inspect": ("converters.cli", "inspect", saved),
        "diff": ("converters.cli", "diff", saved, saved),
        "parity": (
            *("parity", "-q", "--arch", "stdc1", "--size", "64x64", "--precision", "float32"),
        ),
    }
    assert watched(*words[command])[0] == 0


def test_the_watch_sees() -> None:
    code, errors = watched("http.server", "0")
    assert (code, "network: socket." in errors) == (99, True)
