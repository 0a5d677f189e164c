"""Colours on a real terminal, none with NO_COLOR, and in a pipe nothing that is no text."""

from __future__ import annotations

import os
import pty
import re
import shlex
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pages
import pytest
from safetensors.numpy import save_file

# 30 to 37, 90 to 97 and 38;5;n colour what is written, 40 to 48 and 100 to 107 what is behind it.
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import paddle

    from stdc_port import paddle_nets
    from stdc_port.training.scenes import SceneSet, write_scenes

    root = tmp_path_factory.mktemp("colours")
    for name, value in (("a", 1), ("b", 2)):
        save_file({"fc.bias": np.full(3, value, "float32")}, root / f"{name}.safetensors")
    here = Path.cwd()
    os.chdir(root)
    try:
        dump = "stdc-parity dump --arch stdc1 --size 32x32 --precision float32"
        for framework, more in (("torch", ""), ("paddle", " --on torch.npz")):
            done = pages.invoke(f"{dump} --framework {framework} -o {framework}.npz{more}")
            assert done.exit_code == 0, done.output
    finally:
        os.chdir(here)
    paddle.save(paddle_nets.build("stdc1-seg").state_dict(), str(root / "seg.pdparams"))
    write_scenes(root / "scenes", SceneSet(train=1, val=1, width=64, height=32))
    return root


COMMANDS = (
    "stdc-convert diff a.safetensors b.safetensors",
    "stdc-parity diff torch.npz paddle.npz",
    "stdc-seg evaluate --weights seg.pdparams --data scenes",
)


def shown(command: str, monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> str:
    """Run a command with both streams on a pseudo-terminal, or in a pipe; return what arrives."""
    name, *arguments = shlex.split(command)
    reading, writing = pty.openpty() if terminal else os.pipe()
    arrived: list[bytes] = []

    def read() -> None:
        with suppress(OSError):  # how a terminal ends
            while piece := os.read(reading, 4096):
                arrived.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    end = os.fdopen(writing, "w", encoding="utf-8", buffering=1)
    with end as stream, monkeypatch.context() as patch:
        assert stream.isatty() is terminal
        patch.setattr(sys, "stdout", stream)
        patch.setattr(sys, "stderr", stream)
        with suppress(SystemExit):
            pages.COMMANDS[name].main(arguments, prog_name=name, standalone_mode=False)
    reader.join()
    os.close(reading)
    return b"".join(arrived).decode()


@pytest.mark.parametrize("command", COMMANDS)
def test_colours_are_for_terminals_that_want_them(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    assert COLOUR.search(shown(command, monkeypatch, terminal=True))
    piped = shown(command, monkeypatch, terminal=False)
    assert piped.strip()
    assert "\x1b" not in piped
    assert "\r" not in piped
    monkeypatch.setenv("NO_COLOR", "1")
    plain = shown(command, monkeypatch, terminal=True)
    assert plain.strip()
    assert not COLOUR.search(plain)
