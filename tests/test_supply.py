"""What the project depends on is explained, and nothing of it reaches for a network."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import distributions, metadata
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
# Ends the process at the first socket that connects or asks for a name, and where packages would be
# installed; runs commands one after the other, between which stands a comma.
WATCHED = """
import os, runpy, sys
SOCKETS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind")
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")
def watch(event, arguments):
    if event in SOCKETS or (event in STARTS and "pip" in repr(arguments)):
        os.write(2, f"network: {event} {arguments!r}".encode())
        os._exit(99)
sys.addaudithook(watch)
words = sys.argv[1:]
while words:
    end = words.index(",") if "," in words else len(words)
    sys.argv, words = words[:end], words[end + 1 :]
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code or not words:
            raise
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


def test_no_command_of_training_reaches_for_a_network(tmp_path: Path) -> None:
    """Nor installs anything, as the optimiser of paddle2onnx does by itself."""
    data, run = tmp_path / "data", tmp_path / "run"
    weights = run / "model.pdparams"
    small = ("data.crop=[32, 32]", "train.iterations=2", "train.batch_size=2", "rate.base=1e-5")
    sets = [word for one in (*small, "rate.warmup='none'") for word in ("--set", one)]
    commands: tuple[tuple[object, ...], ...] = (
        ("scenes", data, "--train", 2, "--val", 1, "--size", "64x64"),
        ("finetune", "--data", data, "--scratch", "-o", run, *sets),
        ("evaluate", "--data", data, "--weights", weights),
        ("predict", data / "leftImg8bit/val", "--weights", weights, "-o", tmp_path / "predicted"),
        ("export", "--weights", weights, "-o", tmp_path / "exported", "--size", "64x64"),
    )
    words = [word for one in commands for word in ("stdc_port.cli", *one, "-q", ",")]
    code, errors = watched(*words[:-1])
    assert code == 0, errors


INSTALLING = "import os; os.system('pip --version')"


@pytest.mark.parametrize("words", [("http.server", "0"), ("timeit", "-n1", "-r1", INSTALLING)])
def test_the_watch_sees(words: tuple[str, ...]) -> None:
    code, errors = watched(*words)
    assert (code, "network: " in errors) == (99, True)


# What packages say in other words than SPDX has.
SPELT = {
    "apache": "Apache-2.0",
    "mit license": "MIT",
    "python software foundation": "PSF-based",
    "bsd 3-clause": "BSD-3-Clause",
    "neither the name": "BSD-3-Clause",
}


def licences(package: str) -> set[str]:
    """Return the licences that an installed package states, as far as they are recognised."""
    facts = metadata(package)
    stated = " ".join(
        [
            *(facts.get_all("License-Expression") or ()),
            *(facts.get_all("License") or ()),
            *(one for one in facts.get_all("Classifier") or () if one.startswith("License")),
        ]
    )
    spelt = {spdx for words, spdx in SPELT.items() if words in stated.lower()}
    return spelt | set(re.findall(r"[A-Z][\w.]*-[\w.-]*\w|MIT", stated))


def test_licences_are_those_that_the_packages_state() -> None:
    table = (ROOT / "docs/dependencies.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| `[^`]+` \| [^|]+ \| ([^|]+) \|", table, re.MULTILINE)
    installed = {one.metadata["Name"].lower() for one in distributions()}
    there = {name: shown for name, shown in rows if name.lower() in installed}
    assert len(there) > 15
    for name, shown in there.items():
        own = set(re.findall(r"[A-Z][\w.]*-[\w.-]*\w|MIT", shown))
        assert own, name
        assert own <= licences(name), name
