"""Recipes read from small files, changed by overrides; refusals name the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from converters.errors import InputError, indented
from converters.formats.content import json_object
from converters.small_files import small_text, toml_in
from stdc_port.training.recipe.values import Recipe

_ADAPTER = TypeAdapter(Recipe)
_SECTIONS = get_type_hints(Recipe)


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = files("stdc_port") / "recipes"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe by its name, or by the path of a TOML file.

    Args:
        name: one of `recipe_names()`, or a path ending in `.toml`, or in `.json` as a run stores
            its recipe.
        overrides: as in `train.batch_size=8`; values in TOML's spelling.

    Raises:
        InputError: an unknown recipe, key or type, or an impossible combination; all of them are
            listed, with the nearest valid name.
    """
    values = _read(name)
    for override in overrides:
        _override(values, override)
    return recipe_from(values, source=name)


def recipe_from(values: dict[str, Any], *, source: str) -> Recipe:
    """Turn plain values into a recipe; `source` is named in errors.

    Raises:
        InputError: as `load_recipe`.
    """
    try:
        return _ADAPTER.validate_python(values)
    except ValidationError as error:
        problems = [_describe(problem) for problem in error.errors()]
        raise InputError(*indented([f"recipe {source} cannot be used:", *problems])) from error


def _read(name: str) -> dict[str, Any]:
    try:
        if name.endswith(".json"):  # as a run stores it
            return json_object(small_text(Path(name)).encode())
        if name.endswith(".toml"):
            text = small_text(Path(name))
        elif name in recipe_names():
            text = (files("stdc_port") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
        else:
            known = recipe_names()
            raise InputError(
                f"unknown recipe {name!r}{_nearest(name, known)}; there are {', '.join(known)}, "
                "or the path of a .toml file"
            )
        return toml_in(text)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"recipe {name}: cannot be read ({error})") from error


def _override(values: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals:
        raise InputError(f"--set {override}: expected section.key=value")
    try:
        value = toml_in(f"value = {text}")["value"]
    except ValueError:
        value = text  # a bare word is a string
    *sections, key = path.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise InputError(f"--set {override}: {section!r} is no section")
    values[key] = value


def _describe(problem: Any) -> str:
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "unexpected_keyword_argument":
        *sections, key = problem["loc"]
        return f"{path}: unknown key{_nearest(str(key), _keys(sections))}"
    if problem["type"] == "missing_argument":
        return f"{path}: missing"
    return f"{path}: {problem['msg']}, found {problem['input']!r}" if path else problem["msg"]


def _keys(sections: Sequence[object]) -> list[str]:
    kind: Any = _SECTIONS[str(sections[0])] if sections else Recipe
    return [key.name for key in fields(kind)]


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f", did you mean {close[0]!r}?" if close else ""
