"""The code blocks of a page, and running them.

Fenced blocks are taken by their language: `python` is executed, `console` are commands (`$ `) with
what they print, `bash` is given to bash, `toml` and `json` are parsed, `diff` edits a file. A
comment above a block says more: `<!-- file: net.py -->` writes it, `<!-- file: b.py from a.py -->`
applies a diff, `<!-- not run: why -->` has its command lines read by the
real commands and no more, `<!-- stand-in: FILE -->` has the commands run on a file of our own.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner, Result

from converters.cli import main as convert
from parity.cli import main as parity
from stdc_port.cli import main as seg

FENCE = re.compile(
    r"^(?:<!-- (?P<said>[^\n]*) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
COMMANDS: dict[str, click.Command] = {
    "stdc-convert": convert,
    "stdc-parity": parity,
    "stdc-seg": seg,
}
LEFT_OUT = "[…]"
# A row of a table of layers: which of those that pass are the worst, the weights decide.
ROW = re.compile(r"^\S+ .*\de-\d\d .*match$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    said: str

    @property
    def not_run(self) -> str:
        """Why it is not run, '' if it is."""
        return self.said.partition("not run: ")[2]

    @property
    def stand_in(self) -> str:
        """The file that the page's reader has and the tests have not, '' if there is none."""
        return self.said.removeprefix("stand-in: ") if self.said.startswith("stand-in: ") else ""


def stand_in(path: Path) -> None:
    """Write what the authors publish, with other weights: the same keys, wrapper and format."""
    import torch

    from stdc_port import torch_nets

    torch.manual_seed(813)
    weights = torch_nets.build("stdc1").state_dict()
    content = {"epoch": 1, "state_dict": weights, "best_top1": 0.943359375}
    torch.save(content, path, _use_new_zipfile_serialization=False)


def blocks(page: str) -> list[Block]:
    return [Block(m["language"], m["text"], m["said"] or "") for m in FENCE.finditer(page)]


def invoke(command: str) -> Result:
    """Run a command line in this process, as on a terminal of 100 columns that is none."""
    name, *arguments = shlex.split(command, comments=True)
    runner = CliRunner(env={"COLUMNS": "100"})
    return runner.invoke(COMMANDS[name], arguments, prog_name=name, terminal_width=100)


def transcript(block: Block) -> list[tuple[str, str]]:
    """Pairs of a command and what the page says it prints."""
    parts = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def blurred(text: str) -> str:
    """Without what differs from machine to machine: rounding errors, spaces, line breaks."""
    text = re.sub(r"\d(\.\d+)?e-(0[5-9]|[1-9]\d)", "#", text)
    # An error of exactly 0 on one machine may be 1e-17 on another.
    text = re.sub(r"(?<=\s)0(?=\s)", "#", text)
    return " ".join(text.split())


def missing(shown: str, printed: str) -> list[str]:
    """The parts of what a page shows that were not printed in this order."""
    rest, lost = blurred(printed), []
    for part in filter(None, map(blurred, shown.split(LEFT_OUT))):
        before, found, after = rest.partition(part)
        if not found:
            lost.append(part)
        rest = after if found else before
    return lost


def edited(text: str, diff: str) -> str:
    """Apply a diff of single lines: each `-` line becomes the `+` line below it, wherever it is."""
    lines = [line for line in diff.splitlines() if line]
    for old, new in zip(lines[::2], lines[1::2], strict=True):
        assert old.startswith("-"), old
        assert new.startswith("+"), new
        assert f"{old[1:]}\n" in text, old
        text = text.replace(f"{old[1:]}\n", f"{new[1:]}\n")
    return text


def run(block: Block, folder: Any, names: dict[str, Any]) -> list[str]:
    """Run a block in a folder; return what is wrong."""
    if block.not_run:
        return []
    if block.said.startswith("file: "):
        name, _, origin = block.said.removeprefix("file: ").partition(" from ")
        text = edited((folder / origin).read_text(), block.text) if origin else block.text
        (folder / name).write_text(text)
        return []
    if block.language == "python":
        exec(compile(block.text, "page", "exec"), names)  # noqa: S102 - the page is our own
        return []
    if block.language == "bash":
        return run_bash(block.text, folder)
    assert block.language == "console", f"a {block.language} block that nothing runs"
    if block.stand_in:
        stand_in(folder / block.stand_in)
    return [
        wrong
        for command, shown in transcript(block)
        for wrong in tried(command, ROW.sub(LEFT_OUT, shown) if block.stand_in else shown)
    ]


def tried(command: str, shown: str) -> list[str]:
    result = invoke(command)
    lost = missing(shown, result.output)
    if result.exit_code not in (0, 1):
        return [f"$ {command}: exit code {result.exit_code}: {result.output}"]
    return [f"$ {command} did not print: {part}\nbut: {result.output}" for part in lost]


def run_bash(text: str, folder: Any) -> list[str]:
    """Run a block as a shell would that has the commands on its path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S603
        ["bash", "-euo", "pipefail", "-c", text],  # noqa: S607
        cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return [done.stderr] if done.returncode else []
