"""The command lines that a text shows, read by the real commands without being run."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
from pages import COMMANDS

from converters import InputError

ROOT = Path(__file__).parents[2]


def command_lines(text: str) -> list[str]:
    """The shell commands that a text shows, continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", text)
    return re.findall(r"^(?: *|\$ )?((?:stdc-\w+|make) .*)$", joined, re.MULTILINE)


def misread(line: str) -> list[str]:
    """Let the real command read a command line, and run nothing; return what it says against it."""
    try:
        program, *words = shlex.split(re.sub(r" \(.*| {2,}.*", "", line), comments=True)
        if program == "make":
            return [said for each in made_by(words) for said in misread(each)]
        read(COMMANDS[program], program, words, None)
    except (click.UsageError, InputError, ValueError, subprocess.CalledProcessError) as error:
        return [f"{line}: {error}"]
    except click.exceptions.Exit:  # --help
        pass
    return []


def read(command: click.Command, name: str, words: list[str], parent: click.Context | None) -> None:
    """Read arguments, those of a recipe too.

    Raises:
        click.UsageError: an option is unknown or its value none of those that it has.
        ValueError: there is no such recipe, or it has no such setting.
    """
    if isinstance(command, click.Group):
        default = getattr(command, "default", "")
        words = words if words and words[0] in command.commands else [default, *words]
        if words[0] not in command.commands:
            raise click.UsageError(f"no command {words[0]!r}")
        above = click.Context(command, info_name=name, **command.context_settings)
        read(command.commands[words[0]], words[0], words[1:], above)
        return
    found = command.make_context(name, words, parent).params
    recipe = found.get("recipe")
    if recipe and not recipe.endswith(".toml"):
        from stdc_port.training.recipe import load_recipe

        load_recipe(recipe, found["overrides"])


def made_by(words: list[str]) -> list[str]:
    """The project's commands that `make` would run; variables that the Makefile has not are wrong.

    Raises:
        ValueError: the Makefile has no such variable.
        subprocess.CalledProcessError: nor such a target.
    """
    known = set(re.findall(r"^(\w+)\s*\?=", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {word.partition("=")[0] for word in words if "=" in word}
    if named - known:
        raise ValueError(f"the Makefile has no variable {', '.join(named - known)}")
    shown = subprocess.run(  # noqa: S603
        ["make", "-n", *words],  # noqa: S607
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return re.findall(r"^\S*/(stdc-\w+ .*)$", shown.replace("\\\n", " "), re.MULTILINE)
