"""The layout of a network that is at hand: the classes of its layers settle every tensor.

The network is only asked for its layers and its state dict; no framework is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

from converters.errors import InputError
from converters.layouts import Layer, Layout, join
from converters.rules import PARAMETER, LayerRule, TensorRule, rule_for_class
from converters.transforms import TRANSFORMS


def framework_of(network: Any) -> str:
    """Return ``torch`` or ``paddle``, whichever a network belongs to.

    Raises:
        InputError: it is neither a torch Module nor a paddle Layer.
    """
    for base in type(network).__mro__:
        if base.__module__.startswith("paddle.") and base.__name__ == "Layer":
            return "paddle"
        if base.__module__.startswith("torch.nn") and base.__name__ == "Module":
            return "torch"
    raise InputError(f"{type(network).__name__} is neither a torch Module nor a paddle Layer")


def layout_of(network: Any) -> Layout:
    """Return the layout of a torch Module or paddle Layer, in torch names and shapes.

    A tensor under two names is in both layers, and the second name among the aliases.

    Raises:
        InputError: it holds a layer of its framework for which no rule is known.
    """
    framework = framework_of(network)
    state = state_of(network, framework)
    paths: dict[str, dict[str, Any]] = {}
    for key, value in state.items():
        path, _, name = key.rpartition(".")
        paths.setdefault(path, {})[name] = value
    layers, aliases, seen = [], {}, dict[int, str]()
    for path, own in paths.items():
        shapes = {name: tuple(value.shape) for name, value in own.items()}
        holder = reduce(getattr, filter(None, path.split(".")), network)
        layer, names = layer_of(path, holder, shapes, framework)
        layers.append(layer)
        first_path = seen.setdefault(id(holder), path)
        for name in layer.shapes:
            # A shared layer shares all, a tensor that only torch keeps as well.
            tied = join(first_path, name)
            if names.get(name) in own:
                tied = seen.setdefault(id(own[names[name]]), tied)
            if tied != join(path, name):
                aliases[join(path, name)] = tied
    return Layout(tuple(layers), aliases)


def state_of(network: Any, framework: str) -> Mapping[str, Any]:
    """Return the state dict with the network's own tensors, so that shared ones are identical."""
    options = {"keep_vars": True} if framework == "torch" else {}
    state: Mapping[str, Any] = network.state_dict(**options)
    return state


def layer_of(
    path: str, holder: Any, shapes: Mapping[str, tuple[int, ...]], framework: str
) -> tuple[Layer, dict[str, str]]:
    """Return one layer in torch names and shapes, and its own name of each torch name.

    Raises:
        InputError: no rule is known for its class, or for one of its tensors.
    """
    rule = rule_for_class(type(holder), framework) or PARAMETER
    if rule is PARAMETER:
        return Layer(path, rule.kind, shapes), {name: name for name in shapes}
    names = {
        tensor.torch: (tensor.torch if framework == "torch" else tensor.paddle) or ""
        for tensor in rule.tensors
    }
    odd = [repr(name) for name in shapes if name not in names.values()]
    if odd:
        raise InputError(
            f"{path!r}: no conversion rule is known for the tensors {', '.join(odd)} of "
            f"{framework}'s layer {type(holder).__name__}"
        )
    if framework == "torch":
        return Layer(path, rule.kind, shapes), names
    return Layer(path, rule.kind, dict(_torch_shapes(rule, shapes))), names


def _torch_shapes(
    rule: LayerRule, shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    for tensor in rule.tensors:
        if tensor.paddle is None:
            yield tensor.torch, ()
        elif tensor.paddle in shapes:
            yield tensor.torch, torch_shape(tensor, shapes[tensor.paddle])


def torch_shape(tensor: TensorRule, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape in torch of a tensor that has ``shape`` in Paddle."""
    # Every transform's change of shape is its own inverse.
    return TRANSFORMS[tensor.transform].shape(shape)
