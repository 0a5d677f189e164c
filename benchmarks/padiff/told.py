"""What PaDiff printed, read as somebody at a terminal would: is there a difference, and where."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: How PaDiff marks the place in its tree of layers.
MARK = "<---  *** HERE ***"
#: A line of the tree: indentation, what kind of node, its name, and its path where it has one.
NODE = re.compile(r"^(?P<indent>[ |+-]*)\((?:net|api|net in map)\) \S+(?:  \((?P<path>\S+)\))?")
#: In its lists of parameters whose gradients or values differ.
PARAMETER = re.compile(r"torch path:\n +(?P<path>\S+)")
#: What it says where it could not pair what it found in the two networks.
UNPAIRED = ("error occurs again:", "Err occurs when compare")


@dataclass(frozen=True)
class Told:
    """What PaDiff said of a port under one setting.

    Attributes:
        faulty: it found a difference.
        layers: paths in the torch network that the place it marked may mean; none if it marked no
            place.
        unpaired: it said that it could not pair the two networks' layers or calls.
        error: why it could not be asked, '' if it could.
        seconds: how long it took.
    """

    faulty: bool
    layers: tuple[str, ...] = ()
    unpaired: bool = False
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Node:
    """A line of the tree.

    Attributes:
        depth: of its indentation.
        path: without the network's name in front, '' for the network; None for a function.
        here: whether it is the one that is marked.
    """

    depth: int
    path: str | None
    here: bool


def place(text: str, logs: Mapping[str, str], bare: Collection[str]) -> tuple[str, ...]:
    """Return which layers a report may point at, read generously.

    PaDiff marks a layer with parameters or a call of a function. A marked call may mean each
    container of the layers beside it. What holds no parameters has no line in the tree, so every
    such layer counts whose container does.

    Args:
        text: what PaDiff printed.
        logs: files that it wrote, by name.
        bare: paths of the layers without parameters in torch's network.
    """
    tree = logs.get("torch_struct.log", "") + text.partition("Torch Model")[2]
    meant = marked(nodes(tree))
    if not meant:
        listed = (PARAMETER.search(logs.get(f"{name}_diff.log", "")) for name in ("grad", "weight"))
        meant = {inside(found["path"]).rpartition(".")[0] for found in listed if found}
    return (*sorted(meant), *(path for path in bare if path.rpartition(".")[0] in meant))


def nodes(tree: str) -> list[Node]:
    """Read PaDiff's tree of layers and calls."""
    found = ((NODE.match(line), MARK in line) for line in tree.splitlines())
    return [
        Node(len(match["indent"]), inside(match["path"]) if match["path"] else None, here)
        for match, here in found
        if match
    ]


def marked(tree: Sequence[Node]) -> set[str]:
    """Return the path of the marked layer, or those that a marked call may belong to."""
    number = next((number for number, node in enumerate(tree) if node.here), None)
    if number is None:
        return set()
    here = tree[number]
    if here.path is not None:
        return {here.path}
    above = [node for node in tree[:number] if node.depth < here.depth]
    owner = next((node.path for node in reversed(above) if node.path is not None), "")
    first = max((n for n, node in enumerate(tree[:number]) if node in above), default=-1)
    after = next((n for n in range(number, len(tree)) if tree[n].depth < here.depth), len(tree))
    sides = (reversed(tree[first + 1 : number]), tree[number:after])
    beside = (
        next((n.path for n in side if n.depth == here.depth and n.path), "") for side in sides
    )
    return {owner, *(up for path in beside for up in containers(path) if up.startswith(owner))}


def containers(path: str) -> list[str]:
    """Return the paths of what holds a layer."""
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(len(parts))]


def inside(path: str) -> str:
    """Take the network's name off a path."""
    return path.partition(".")[2]


def logs_in(folder: Path) -> dict[str, str]:
    """Return the files that PaDiff wrote into its folder, and remove them."""
    found = {}
    for path in folder.glob("*.log"):
        found[path.name] = path.read_text(encoding="utf-8")
        path.unlink()
    return found
