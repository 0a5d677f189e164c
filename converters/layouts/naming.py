"""What an implementation's names are: rows that rename the paths of layers, read both ways."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stdc_port import spec

Rows = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Naming:
    """One implementation's names.

    A pattern fits a whole path of a layer; the rows of a table apply one after the other.

    Attributes:
        name: what ``--layout`` calls it.
        variant: key of :data:`stdc_port.spec.VARIANTS`, the network that reads such files; '' if
            any may.
        framework: the framework of that network, '' if either.
        renames: pattern and replacement, on the paths of layers.
        added: the same, applied behind them in a network of 'add' bottlenecks.
        seconds: its paths of layers in such a network, and the second paths that they have.
        absent: pattern and reason, for layers that it does not have.
        own: pattern and reason, for keys of its own that no layer here can hold.
        stages: stages and blocks are counted apart, not in one row.
    """

    name: str
    variant: str = ""
    framework: str = ""
    renames: Rows = ()
    added: Rows = ()
    seconds: Rows = ()
    absent: Rows = ()
    own: Rows = ()
    stages: bool = False

    def path(self, path: str, network: spec.NetworkSpec) -> str:
        """Return its path of a layer."""
        if self.stages and (match := re.fullmatch(r"(.*\bfeatures)\.(\d+)\.(.+)", path)):
            path = f"{match[1]}.{stage_of(int(match[2]), network.backbone)}.{match[3]}"
        path = renamed(path, self.renames)
        return renamed(path, self.added) if network.block == "add" else path

    def second_path(self, path: str, network: spec.NetworkSpec) -> str:
        """Return the second path that a layer has there, given its first; '' if it has none."""
        second = renamed(path, self.seconds)
        return second if network.block == "add" and second != path else ""

    def why_absent(self, path: str) -> str:
        """Return why it has no such layer, '' if it has."""
        return first_that_fits(self.absent, path)

    def why_own(self, name: str) -> str:
        """Return why no layer here can hold one of its keys, '' if one can."""
        return first_that_fits(self.own, name)


def renamed(path: str, rows: Rows) -> str:
    """Return a path after rows of patterns and replacements, one after the other."""
    for pattern, replacement in rows:
        path = re.sub(f"^(?:{pattern})$", replacement, path)
    return path


def first_that_fits(rows: Rows, name: str) -> str:
    """Return what stands beside the first pattern that fits a whole name, '' if none does."""
    return next((beside for pattern, beside in rows if re.fullmatch(pattern, name)), "")


def stage_of(index: int, backbone: spec.BackboneSpec) -> str:
    """Return a layer's place as stage and block: 0, 1, then 2.0, 2.1 and so on."""
    for stage, (start, end) in enumerate(backbone.map_slices().values()):
        if start <= index < end:
            return f"{stage}.{index - start}" if stage > 1 else str(stage)
    raise ValueError(f"{backbone.name} has no layer {index}")
