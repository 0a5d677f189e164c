"""A port as its source text: a bug is an edit of a line, and the edited text is run."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Edit:
    """One change of a source text.

    Attributes:
        old: what stands there, exactly once.
        new: what the bug makes of it.
        source: last part of the name of the module to change; the port's last if ''.
    """

    old: str
    new: str
    source: str = ""


def load(modules: Sequence[str], edits: Sequence[Edit] = ()) -> ModuleType:
    """Run modules from their edited sources, each seeing the earlier ones in the originals' place.

    Nothing that is imported elsewhere changes.

    Args:
        modules: names, the port's own last.
        edits: applied in turn.

    Returns:
        The last module.

    Raises:
        ValueError: an edit's text does not stand exactly once in its source.
    """
    texts = {name: _source(name) for name in modules}
    for edit in edits:
        name = _named(edit.source, modules)
        count = texts[name].count(edit.old)
        if count != 1:
            raise ValueError(f"{edit.old!r} stands {count} times in {name}, expected once")
        texts[name] = texts[name].replace(edit.old, edit.new)
    made: dict[str, Any] = {}
    for name, text in texts.items():
        module = _run(name, text, made)
        own = {key: value for key, value in vars(module).items() if _defined_in(value, name)}
        made |= own
    return module


def _named(source: str, modules: Sequence[str]) -> str:
    if not source:
        return modules[-1]
    (found,) = (name for name in modules if name.rpartition(".")[2] == source)
    return found


def _source(name: str) -> str:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ValueError(f"no source of {name}")
    return Path(spec.origin).read_text(encoding="utf-8")


def _run(name: str, text: str, given: Mapping[str, Any]) -> ModuleType:
    module = ModuleType(name)
    exec(compile(text, f"<port of {name}>", "exec"), vars(module))  # noqa: S102 - our own sources
    imported = set(vars(module)) & set(given)
    vars(module).update({key: given[key] for key in imported})
    return module


def _defined_in(value: Any, name: str) -> bool:
    return getattr(value, "__module__", None) == name
