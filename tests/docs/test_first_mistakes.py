"""The likeliest mistakes of a new user, and what each message says to do next."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
import numpy as np
import pages
import pytest
from safetensors.numpy import save_file

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
        "--force replaces it, -o names another",
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


@pytest.mark.parametrize("missing", ["torch", "paddle"])
def test_with_one_framework_alone_the_other_is_named(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    result = pages.invoke("stdc-parity --arch stdc1 --size 32x32")
    assert result.exit_code == 2
    assert missing in result.output
    assert "Traceback" not in result.output


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


@pytest.mark.parametrize("asked", [{}, {"NO_COLOR": "1"}])
def test_no_colours_where_there_is_no_terminal(
    asked: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    assert "\x1b" not in pages.invoke("stdc-convert stdc1.pth --dry-run").output
