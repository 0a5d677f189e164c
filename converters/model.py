"""The target network named on the command line; the one place where a framework gets loaded."""

from __future__ import annotations

import ast
import importlib
import sys
import warnings
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.frameworks import require_recent
from converters.layouts.network import framework_of

MEND = "expected pkg.mod:factory or pkg.mod:factory(name=value, ...)"


def build_model(text: str, framework: str | None = None) -> Any:
    """Build the network that ``--model`` names.

    Args:
        text: ``pkg.mod:factory``, with literal keyword arguments in brackets if it needs any.
        framework: whose network it must be, None for either.

    Raises:
        InputError: there is no such factory, it fails, or gives something else; or a framework is
            too old.
    """
    where, name, options = parsed(text)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with warnings.catch_warnings():
            # A remark of Paddle's on building extensions, at every first import.
            warnings.filterwarnings("ignore", message="No ccache found")
            factory = getattr(importlib.import_module(where), name, None)
    except Exception as error:
        require_recent(
            "torch", "paddle"
        )  # of what fails with an old one that is the likeliest cause
        what = f"{type(error).__name__}: {error}"
        how = "; run where it lies, or name its folder in PYTHONPATH"
        how = how if isinstance(error, ModuleNotFoundError) else ""
        raise InputError(f"--model {text}: {where} cannot be imported ({what}){how}") from error
    if not callable(factory):
        raise InputError(f"--model {text}: {where} has no callable {name!r}")
    try:
        network = factory(**options)
    except Exception as error:
        raise InputError(
            f"--model {text}: the factory failed ({type(error).__name__}: {error})"
        ) from error
    found = framework_of(network)
    if framework not in (None, found):
        raise InputError(
            f"--model {text} is a network of {found}; --to {framework} needs one of {framework}"
        )
    return network


def parsed(text: str) -> tuple[str, str, dict[str, Any]]:
    """Return module, name and keyword arguments of a factory.

    Raises:
        InputError: the text is no such thing.
    """
    where, _, call = text.partition(":")
    try:
        found: ast.AST = ast.parse(call.strip(), mode="eval").body
        options: list[ast.keyword] = []
        if isinstance(found, ast.Call) and not found.args:
            options, found = found.keywords, found.func
        if not isinstance(found, ast.Name) or not where:
            raise ValueError(text)
        return where, found.id, {str(one.arg): ast.literal_eval(one.value) for one in options}
    except (SyntaxError, ValueError) as error:
        raise InputError(f"--model {text!r}: {MEND}") from error
