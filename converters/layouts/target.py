"""The layout of a network that is at hand: the classes of its layers settle every tensor.

The network is only asked for its layers and its state dict; no framework is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

    Raises:
        InputError: it holds a layer of its framework for which no rule is known.
    """
    framework = framework_of(network)
    state = state_of(network, framework)
    layers, aliases, seen = [], {}, dict[int, str]()
    for path, holder in holders(network, framework).items():
        own = {key.rpartition(".")[2]: key for key in state if key.rpartition(".")[0] == path}
        for name, key in list(own.items()):
            first = seen.setdefault(id(state[key]), key)
            if first != key:
                aliases[key] = first
                del own[name]
        if own:
            shapes = {name: tuple(state[key].shape) for name, key in own.items()}
            layers.append(layer_of(path, holder, shapes, framework))
    return Layout(tuple(layers), aliases)


def state_of(network: Any, framework: str) -> Mapping[str, Any]:
    """Return the state dict with the network's own tensors, so that shared ones are identical."""
    options = {"keep_vars": True} if framework == "torch" else {}
    state: Mapping[str, Any] = network.state_dict(**options)
    return state


def holders(network: Any, framework: str) -> Mapping[str, Any]:
    """Return every layer by path, shared ones under each of their paths."""
    if framework == "torch":
        return dict(network.named_modules(remove_duplicate=False))
    return dict(_paddle_layers(network, ""))


def _paddle_layers(layer: Any, path: str) -> Iterator[tuple[str, Any]]:
    # named_sublayers leaves out the second path of a shared layer; its state dict does not.
    yield path, layer
    for name, child in layer.named_children():
        yield from _paddle_layers(child, join(path, name))


def layer_of(
    path: str, holder: Any, shapes: Mapping[str, tuple[int, ...]], framework: str
) -> Layer:
    """Return one layer in torch names and shapes.

    Raises:
        InputError: no rule is known for its class.
    """
    rule = rule_for_class(type(holder), framework) or PARAMETER
    if framework == "torch" or rule is PARAMETER:
        return Layer(path, rule.kind, shapes)
    return Layer(path, rule.kind, dict(_torch_shapes(rule, shapes)))


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
