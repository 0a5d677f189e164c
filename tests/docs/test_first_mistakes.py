"""The likeliest mistakes of a new user, and what each message says to do next."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pages
import pytest
from safetensors.numpy import save_file

from converters import frameworks

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

torch = pytest.importorskip("torch")


class Head(torch.nn.Linear):
    """A class that the reader of a whole-model file has not."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from stdc_port import torch_nets

    root = tmp_path_factory.mktemp("mistakes")
    (root / "page.pth").write_text("<!DOCTYPE html><title>Sign in</title>")
    (root / "pointer.pth").write_text("version https://git-lfs.github.com/spec/v1\nsize 3\n")
    (root / "notes.txt").write_text("hello")
    (root / "empty.pth").write_bytes(b"")
    (root / "folder").mkdir()
    save_file({"fc.weight": np.ones((2, 3), "float32")}, root / "net.safetensors")
    torch.save(Head(3, 2), root / "whole.pth")
    torch.save({"net": torch.nn.Linear(3, 2).state_dict(), "args": Head(1, 1)}, root / "args.pth")
    whole = (root / "whole.pth").read_bytes()
    (root / "cut.pth").write_bytes(whole[: len(whole) // 2])
    torch.manual_seed(0)
    torch.save(torch_nets.build("stdc1").state_dict(), root / "stdc1.pth")
    torch.save(torch_nets.build("stdc1-seg").state_dict(), root / "seg.pth")
    (root / "there.pdparams").write_bytes(b"mine")
    return root


# What is typed, and what the message says to do next.
MISTAKES = {
    "no such file": ("stdc-convert nowhere.pth", "check the path"),
    "a folder": ("stdc-convert folder", "give a file in it"),
    "a web page": ("stdc-convert page.pth", "the download gave a web page"),
    "a Git LFS pointer": ("stdc-convert pointer.pth", "git lfs pull"),
    "a truncated download": ("stdc-convert cut.pth", "get it again"),
    "an empty file": ("stdc-convert empty.pth", "download or save it again"),
    "another kind of file": ("stdc-convert notes.txt", "expected torch"),
    "a whole model": ("stdc-convert whole.pth", "save the weights alone (the state dict)"),
    "a pickle with classes": ("stdc-convert args.pth", "save the weights alone"),
    "another arch": ("stdc-convert stdc1.pth --arch stdc2", "leave out --arch stdc2"),
    "another arch, parity": ("stdc-parity stdc1.pth --arch stdc2", "leave out --arch stdc2"),
    "no such variant": ("stdc-parity --variant mmsegg", "mmseg"),
    "output exists": (
        "stdc-convert stdc1.pth -o there.pdparams",
        "--force replaces it, or name another",
    ),
    "unknown suffix": ("stdc-convert stdc1.pth -o out.h5", "choose of .pdparams"),
    "misspelt option": ("stdc-convert stdc1.pth --modle a:b", "Did you mean '--model'"),
    "module not found": ("stdc-convert net.safetensors --model none:Net", "PYTHONPATH"),
    "no such network": ("stdc-convert net.safetensors --model math:Net", "no callable 'Net'"),
    "own network without factories": ("stdc-parity net.safetensors", "--torch and --paddle"),
    "one factory of two": ("stdc-parity --torch math:sin", "give a factory for each"),
    "wrong image size": ("stdc-parity --size 300", "256x512 for example"),
    "converted file is none": ("stdc-parity stdc1.pth --converted page.pth", "a web page"),
    "wrong dataset folder": (
        "stdc-seg finetune --data folder --scratch -o run",
        "leftImg8bit_trainvaltest.zip",
    ),
    "unknown recipe": ("stdc-seg finetune --data folder --scratch -o run --recipe stdc9", "there"),
    "wrong dataset folder, evaluation": (
        "stdc-seg evaluate --weights stdc1.pth --data .",
        "missing folder leftImg8bit/val",
    ),
    "wrong variant": ("stdc-convert seg.pth --variant paddleseg", "leave out --variant paddleseg"),
    "wrong image size, export": (
        "stdc-seg export --weights stdc1.pth -o out --size 16x16",
        "at least 32, as 512x256",
    ),
    "no GPU, torch": (
        "stdc-parity dump stdc1.pth --framework torch --device gpu --size 32x32 -o dump.npz",
        "leave it out to run on the CPU, or install torch's build for it",
    ),
    "no GPU, paddle": (
        "stdc-parity dump stdc1.pth --framework paddle --device gpu --size 32x32 -o dump.npz",
        "leave it out to run on the CPU, or install paddle's build for it",
    ),
    "no pictures": ("stdc-seg predict folder --weights stdc1.pth -o seen", "no picture"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_says_what_to_do_next(
    mistake: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    command, next_step = MISTAKES[mistake]
    result = pages.invoke(command)
    assert result.exit_code == 2
    assert next_step in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert sorted(folder.iterdir()) == before


# What each command is that loads Paddle, or only looks at what it brings.
WITH_PADDLE = (
    "stdc-convert net.safetensors --model paddle.no.such:net",
    "stdc-parity --arch stdc1 --size 32x32",
    "stdc-parity dump --arch stdc1 --framework paddle --size 32x32 -o dump.npz",
    "stdc-parity traps bn-momentum",
    "stdc-seg cityscapes -o run",
    "stdc-seg finetune --data folder --scratch -o run",
    "stdc-seg evaluate --weights seg.pth --data folder",
    "stdc-seg predict folder --weights seg.pth -o seen",
    "stdc-seg export --weights seg.pth -o out",
    "stdc-seg bench out",
    "stdc-seg ablation -o run",
)


@pytest.fixture
def old_paddle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paddle 2.4 in front of the installed one, as its package tells the version."""
    (tmp_path / "paddlepaddle-2.4.2.dist-info").mkdir()
    note = tmp_path / "paddlepaddle-2.4.2.dist-info/METADATA"
    note.write_text("Metadata-Version: 2.1\nName: paddlepaddle\nVersion: 2.4.2\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("command", WITH_PADDLE)
@pytest.mark.usefixtures("old_paddle")
def test_an_old_paddle_is_named_with_the_one_that_is_needed(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    result = pages.invoke(command)
    assert result.exit_code == 2
    told = "paddle 2.4.2 is installed, 2.6 or newer is needed; run: pip install --upgrade"
    assert told in " ".join(result.output.split())
    assert sorted(folder.iterdir()) == before


@pytest.mark.usefixtures("old_paddle")
def test_what_needs_no_paddle_runs_beside_an_old_one(folder: Path, tmp_path: Path) -> None:
    source = folder / "stdc1.pth"
    assert pages.invoke(f"stdc-convert {source} -o {tmp_path}/out.pdparams").exit_code == 0
    dump = f"stdc-parity dump {source} --framework torch --size 32x32 -o {tmp_path}/t.npz"
    assert pages.invoke(dump).exit_code == 0


def test_the_oldest_versions_are_those_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    named = project["project"]["optional-dependencies"]["cpu"]
    for framework, version in frameworks.OLDEST.items():
        assert f"{frameworks.DISTRIBUTIONS[framework][0]}>={version}" in named
        frameworks.require_recent(framework)


# What is missing, and a command that needs it.
MISSING = [
    ("torch", "stdc-parity --arch stdc1 --size 32x32"),
    ("paddle", "stdc-parity --arch stdc1 --size 32x32"),
    ("paddle", "stdc-parity dump --arch stdc1 --framework paddle -o dump.npz"),
    ("paddle", "stdc-parity traps bn-momentum"),
    ("torch", "stdc-parity traps bn-momentum"),
]


@pytest.mark.parametrize(("missing", "command"), MISSING)
def test_with_one_framework_alone_the_other_is_named(
    missing: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    result = pages.invoke(command)
    assert result.exit_code == 2
    assert f"{missing} cannot be imported" in result.output
    assert "install this package with its extra 'cpu'" in result.output
    assert "Traceback" not in result.output


def test_seg_without_paddle_names_the_extra() -> None:
    """In a process of its own, where nothing has loaded Paddle before."""
    code = (
        "import sys; sys.modules['paddle'] = None\n"
        "from stdc_port.cli import main\n"
        "main(['evaluate', '--weights', 'w.pdparams', '--data', 'd'])"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 2, done.stderr
    assert "paddle is not installed; run: pip install 'stdc-port[cpu,train]'" in done.stderr


def every_command() -> list[tuple[str, click.Command]]:
    found = []
    for name, main in pages.COMMANDS.items():
        found.append((name, main))
        if isinstance(main, click.Group):
            found += [(f"{name} {sub}", one) for sub, one in main.commands.items()]
    return found


@pytest.mark.parametrize("name", [name for name, _ in every_command()])
def test_every_help_fits_a_screen(name: str) -> None:
    text = pages.invoke(f"{name} --help").output
    assert len(text.splitlines()) <= 50
    assert all(len(line) <= 100 for line in text.splitlines())
    assert re.search(r"Examples?:", text), "no example"
    assert "\x1b" not in text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("name", pages.COMMANDS)
def test_shells_can_complete(name: str, shell: str) -> None:
    from click.shell_completion import get_completion_class

    variable = f"_{name.replace('-', '_').upper()}_COMPLETE"
    kind = get_completion_class(shell)
    assert kind is not None
    completion = kind(pages.COMMANDS[name], {}, name, variable)
    assert variable in completion.source_template % completion.source_vars()
    offered = {item.value for item in completion.get_completions([], "--")}
    offered |= {item.value for item in completion.get_completions([], "")}
    assert offered & {"--help", "inspect", "diff", "finetune"}
