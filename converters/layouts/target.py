"""The layout of a network that is at hand: the classes of its layers settle every tensor.

The network is only asked for its layers and its state dict; no framework is imported here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from converters.errors import InputError
from converters.layouts import Layer, Layout, Tie, join
from converters.layouts.network import (
    blank_rows,
    broken_limits,
    framework_of,
    holders,
    is_users_own,
    state_of,
    unwrapped,
)
from converters.layouts.target_rows import doubted, known_rows
from converters.layouts.torch_shapes import torch_shapes
from converters.rules import (
    PARAMETER,
    LayerRule,
    TensorRule,
    parameters,
    rule_for_class,
)


def layout_of(network: Any) -> Layout:
    """Return the layout of a torch Module or paddle Layer, in torch names and shapes.

    Raises:
        InputError: it holds a layer of its framework for which no rule is known.
    """
    network, framework = unwrapped(network), framework_of(network)
    state = state_of(network, framework)
    walk = _Walk(framework, state)
    for path, holder in holders(network, state).items():
        walk.visit(path, holder)
    return Layout(
        tuple(walk.layers),
        walk.aliases["torch"],
        paddle_aliases=walk.aliases["paddle"],
        ties=tuple(walk.ties),
        at_hand=True,
    )


@dataclass
class _Walk:
    """Goes through a network's layers, parents first, and gives each tensor to one of them."""

    framework: str
    state: Mapping[str, Any]
    layers: list[Layer] = field(default_factory=list)
    aliases: dict[str, dict[str, str]] = field(default_factory=lambda: {"torch": {}, "paddle": {}})
    ties: list[Tie] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    first: dict[int, str] = field(default_factory=dict)
    owner: dict[str, tuple[Layer, TensorRule]] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)

    @cached_property
    def sorted_keys(self) -> list[str]:
        return sorted(self.state)

    def visit(self, path: str, holder: Any) -> None:
        other = self.other_path(path)
        inside = self.inside(path)
        own = {name for name in inside if "." not in name}
        rule = None
        if inside:
            rule = rule_for_class(type(holder), self.framework, holds=bool(own))
        if rule is not None:
            for pair in rule.children:
                ours, theirs = pair if self.framework == "torch" else pair[::-1]
                self.renamed[join(path, ours)] = join(other, theirs)
        if own or (rule is not None and inside):
            self.tensors(path, other, holder, rule or PARAMETER, inside)

    def other_path(self, path: str) -> str:
        """Return a path as the other framework has it: some sublayers have other names there."""
        parent, _, name = path.rpartition(".")
        found = self.renamed.get(path)
        self.paths[path] = join(self.paths.get(parent, ""), name) if found is None else found
        return self.paths[path]

    def inside(self, path: str) -> list[str]:
        """Return the names, relative to a path, of the tensors there that no layer has yet."""
        root = f"{path}." if path else ""
        keys, place, found = self.sorted_keys, bisect_left(self.sorted_keys, root), []
        while place < len(keys) and keys[place].startswith(root):
            if keys[place] not in self.claimed:
                found.append(keys[place].removeprefix(root))
            place += 1
        return found

    def tensors(
        self, path: str, other: str, holder: Any, rule: LayerRule, inside: list[str]
    ) -> None:
        shapes = {name: tuple(self.state[join(path, name)].shape) for name in inside}
        rows = known_rows(holder, rule, shapes, self.framework)
        named = {name for row in rows for name in row.names(self.framework)}
        twins = rule.twins(inside) if rule.twins and self.framework == "paddle" else {}
        extra = sorted(set(shapes) - named - set(twins))
        extra = [name for name in extra if "." not in name]
        if extra and rule is not PARAMETER and not is_users_own(holder, self.framework):
            raise InputError(
                f"{join(path, extra[0])!r}: {type(holder).__name__} of {self.framework} has no "
                "such tensor by itself, and what put it there is unknown; remove it first"
            )
        own = parameters(extra)
        rows += tuple(doubted(path, self.state[join(path, row.torch)], row) for row in own)
        torch_path, paddle_path = (path, other) if self.framework == "torch" else (other, path)
        layer = Layer(
            torch_path,
            rule.kind,
            dict(torch_shapes(rows, shapes, self.framework, holder)),
            tuple(self.settled(path, row) for row in rows),
            None if torch_path == paddle_path else paddle_path,
            tuple(broken_limits(holder, rule, self.framework, path)),
            blank=dict(blank_rows(holder, rows)) if self.framework == "paddle" else {},
        )
        self.layers.append(self.without_second_names(layer))
        for twin, cell in twins.items():
            self.claimed.add(join(path, twin))
            self.aliases["paddle"][join(path, twin)] = join(path, cell)

    def settled(self, path: str, row: TensorRule) -> TensorRule:
        """Return a row that says whether Paddle keeps zeros there which it does not train."""
        keys = [join(path, name) for name in row.names(self.framework)]
        fixed = [
            getattr(self.state[key], "stop_gradient", False) for key in keys if key in self.state
        ]
        return replace(row, made=row.made or (row.zero and bool(fixed) and all(fixed)))

    def without_second_names(self, layer: Layer) -> Layer:
        """Return a layer without the tensors that an earlier layer has, which become aliases."""
        rows = []
        for row in layer.rows:
            keys = [key for key in layer.keys(row, self.framework) if key in self.state]
            self.claimed.update(keys)
            firsts = [self.first.setdefault(id(self.state[key]), key) for key in keys]
            if not keys or firsts == keys:
                rows.append(row)
                self.owner.update(dict.fromkeys(keys, (layer, row)))
            else:
                self.aliases[self.framework].update(zip(keys, firsts, strict=True))
                self.tied(Tie(layer, row, *self.owner[firsts[0]]))
        kept = {row.torch for row in rows}
        shapes = {name: shape for name, shape in layer.shapes.items() if name in kept}
        return replace(layer, tensors=tuple(rows), shapes=shapes)

    def tied(self, tie: Tie) -> None:
        """Note a tensor's second name, and what it is in the other framework's files."""
        self.ties.append(tie)
        if tie.alike:
            other = "torch" if self.framework == "paddle" else "paddle"
            seconds, firsts = tie.layer.keys(tie.row, other), tie.owner.keys(tie.owned, other)
            self.aliases[other].update(zip(seconds, firsts, strict=True))
