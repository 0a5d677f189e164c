"""The rules that would confirm what a plan had to assume, ready to be pasted into a file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from converters.layouts import Layout
from converters.planning.doubts import uncounted_norms
from converters.planning.source import Source
from converters.rules import PARAMETER
from stdc_port import spec

# Of a pattern that somebody is to paste.
LONGEST = 350
HEAD = "if that is right, paste it into a file for --rules:"


def suggested(source: Source, layout: Layout) -> str:
    """Return rules in TOML for each assumption that a rule can confirm, '' if there is none.

    Args:
        source: the checkpoint's keys.
        layout: what they were taken for.
    """
    if layout.arch in spec.ARCHS:  # whose variant is said with one option
        return ""
    assumed: dict[str, list[str]] = {}
    for layer in layout.layers:
        if layer.assumption:
            path, kind = layer.confirmed or (layer.path, layer.kind)
            assumed.setdefault(kind, []).append(path)
    if not layout.at_hand and (norms := list(uncounted_norms(source, layout))):
        assumed.setdefault("batch_norm", []).extend(norms)
    own = [
        layer.keys(row, source.framework)[0]
        for layer in layout.layers
        for row in layer.rows
        if row.doubt
    ]
    every = [layer.path for layer in layout.layers]
    rules = [line for kind, paths in assumed.items() for line in rule("kind", kind, paths, every)]
    rules += rule("tensor", PARAMETER.kind, own, source.names) if own else []
    return "\n".join([HEAD, *(f"  {line}" for line in rules)]) if rules else ""


def rule(table: str, kind: str, names: list[str], every: Collection[str]) -> Iterator[str]:
    """Yield the lines of a rule that fits some names, and none of the others.

    There are none where no short pattern does.
    """
    names = list(dict.fromkeys(names))
    ways = (re.escape,) if len(names) == 1 else (general, re.escape, loose)
    for pattern in (joined(map(way, names)) for way in ways):
        # Its length first: to try a pattern of thousands of names takes their number squared.
        if len(pattern) <= LONGEST and "'" not in pattern and fits(pattern, names, every):
            yield from (f"[[{table}]]", f"pattern = '{pattern}'", f'kind = "{kind}"')
            return


def fits(pattern: str, names: Iterable[str], every: Iterable[str]) -> bool:
    """Return whether a pattern fits some names, and none of the others."""
    return {one for one in (*every, *names) if re.fullmatch(pattern, one)} == set(names)


def joined(patterns: Iterable[str]) -> str:
    """Return one pattern for several, each once."""
    return "|".join(dict.fromkeys(patterns))


def general(name: str) -> str:
    """Return a pattern that fits a name and those that differ from it in their numbers alone."""
    return re.sub(r"(?<![^.])\d+(?![^.\\])", r"\\d+", re.escape(name))


def loose(name: str) -> str:
    """Return a pattern that fits whatever differs from a name in its digits alone."""
    return re.sub(r"\d+", r"\\d+", re.escape(name))
