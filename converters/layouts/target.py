"""The layout of a network that is at hand: the classes of its layers settle every tensor.

The network is only asked for its layers and its state dict; no framework is imported here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from converters.errors import InputError
from converters.layouts import Layer, Layout, Tie, join
from converters.layouts.network import (
    Shape,
    blank_rows,
    broken_limits,
    framework_of,
    holders,
    is_users_own,
    state_of,
    unwrapped,
)
from converters.rules import (
    PARAMETER,
    LayerRule,
    TensorRule,
    axis_of,
    direction_of,
    norms_shape,
    parameters,
    reparametrised,
    rule_for_class,
)
from converters.transforms import TRANSFORMS


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
        rows = tuple(
            row
            for general in rule.rows_for(shapes, self.framework)
            for row in reparametrised(general, shapes, self.framework)
        )
        rows = tuple(self.along(holder, row, rows, shapes) for row in rows)
        named = {name for row in rows for name in row.names(self.framework)}
        twins = rule.twins(inside) if rule.twins and self.framework == "paddle" else {}
        extra = sorted(set(shapes) - named - set(twins))
        extra = [name for name in extra if "." not in name]
        if extra and rule is not PARAMETER and not is_users_own(holder, self.framework):
            raise InputError(
                f"{join(path, extra[0])!r}: {type(holder).__name__} of {self.framework} has no "
                "such tensor by itself, and what put it there is unknown; remove it first"
            )
        rows += tuple(self.doubted(path, row) for row in parameters(extra))
        torch_path, paddle_path = (path, other) if self.framework == "torch" else (other, path)
        layer = Layer(
            torch_path,
            rule.kind,
            dict(self.torch_shapes(holder, rows, shapes)),
            tuple(self.settled(path, row) for row in rows),
            None if torch_path == paddle_path else paddle_path,
            tuple(broken_limits(holder, rule, self.framework, path)),
            blank=dict(blank_rows(holder, rows)) if self.framework == "paddle" else {},
        )
        self.layers.append(self.without_second_names(layer))
        for twin, cell in twins.items():
            self.claimed.add(join(path, twin))
            self.aliases["paddle"][join(path, twin)] = join(path, cell)

    def along(
        self,
        holder: Any,
        row: TensorRule,
        rows: tuple[TensorRule, ...],
        shapes: Mapping[str, Shape],
    ) -> TensorRule:
        """Return the row of a tensor's norms with the axis along which they run."""
        axis = axis_of(holder, row) if row.norms else None
        if axis is None:
            return row
        tensor = direction_of(row, rows)
        axis %= len(shapes[tensor.names(self.framework)[0]])
        turned = self.framework == "paddle" and tensor.transform == "transpose"
        return replace(row, axis=1 - axis if turned else axis)

    def doubted(self, path: str, row: TensorRule) -> TensorRule:
        """Return the row of a layer's own tensor, with a doubt where a transposed one would fit."""
        value = self.state[key := join(path, row.torch)]
        shape = tuple(value.shape)
        if len(shape) != 2 or shape[0] != shape[1] or "float" not in str(value.dtype):
            return row
        doubt = (
            f"{key!r} {list(shape)} is copied as it is; what its layer does with it is unknown, "
            "and transposed it would fit too; say in --rules, under [[tensor]], whether it is of "
            "kind parameter or linear"
        )
        return replace(row, doubt=doubt)

    def settled(self, path: str, row: TensorRule) -> TensorRule:
        """Return a row that says whether Paddle keeps zeros there which it does not train."""
        keys = [join(path, name) for name in row.names(self.framework)]
        fixed = [
            getattr(self.state[key], "stop_gradient", False) for key in keys if key in self.state
        ]
        return replace(row, made=row.made or (row.zero and bool(fixed) and all(fixed)))

    def torch_shapes(
        self, holder: Any, rows: tuple[TensorRule, ...], shapes: Mapping[str, Shape]
    ) -> Iterator[tuple[str, Shape]]:
        for row in rows:
            names = row.names(self.framework)
            if not names and not row.refused:
                yield row.torch, ()
            elif names and names[0] in shapes:
                yield row.torch, self.torch_shape(holder, row, rows, shapes)

    def torch_shape(
        self,
        holder: Any,
        row: TensorRule,
        rows: tuple[TensorRule, ...],
        shapes: Mapping[str, Shape],
    ) -> Shape:
        shape = shapes[row.names(self.framework)[0]]
        if self.framework == "torch":
            return shape
        back = TRANSFORMS[row.transform].back
        if back is not None:
            return back(shape)
        if not row.norms:
            return tuple(getattr(holder, row.size, shape))
        tensor = direction_of(row, rows)
        along, direction = TRANSFORMS[tensor.transform].back, shapes[str(tensor.paddle)]
        return norms_shape(shape, along(direction) if along else direction, row.axis)

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
