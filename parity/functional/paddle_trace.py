"""Paddle's side: its public functions and tensor methods are wrapped while a forward runs."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import paddle
import paddle.nn.functional as F

from parity.backends import backend_of
from parity.functional.trace import TRANSPOSED, Forced, Trace, children

if TYPE_CHECKING:
    from parity.backends import FloatType

_OPERATORS = (
    *("add", "radd", "iadd", "sub", "rsub", "isub", "mul", "rmul", "imul", "truediv", "rtruediv"),
    *("itruediv", "floordiv", "pow", "rpow", "mod", "matmul", "neg", "invert", "and", "or", "xor"),
    *("getitem", "setitem", "eq", "ne", "lt", "le", "gt", "ge", "abs"),
)
# Some of paddle's functions are compiled ones.
_KINDS = (types.FunctionType, types.BuiltinFunctionType)
_NO_OPERATIONS = ("is_", "get_", "set_", "to_tensor", "seed", "enable", "disable", "no_grad")


def trace_paddle(
    layer: Any, arguments: Any, forced: Forced, dtype: FloatType, *, training: bool = False
) -> Trace:
    """Run a layer and note what its own forward does.

    Args:
        layer: A paddle Layer.
        arguments: Positional and keyword ones.
        forced: See `parity.functional.trace.children`.
        dtype: The precision of its parameters.
        training: Run in training mode, not in evaluation mode.
    """
    backend = backend_of(layer)
    trace = Trace(backend)
    args, kwargs = arguments
    trace.given = trace.tensors(arguments)
    with (
        backend.running(layer, dtype, training=training),
        children(trace, layer, forced),
        _wrapped(trace, layer),
    ):
        output = layer(*args, **kwargs)
    trace.returned = trace.tensors(output)
    return trace


@contextmanager
def _wrapped(trace: Trace, layer: Any) -> Iterator[None]:
    """Let functions tell when they are called, wherever a forward would look for them."""
    replaced: list[tuple[Any, str, Any]] = []
    wrappers: dict[int, Callable[..., Any]] = {}
    try:
        for holder, name, function in _functions():
            wrapper = wrappers.setdefault(id(function), _telling(trace, name, function))
            replaced.append((holder, name, function))
            setattr(holder, name, wrapper)
        for holder in _globals(layer):
            for name, value in list(holder.items()):
                if id(value) in wrappers and callable(value):
                    replaced.append((holder, name, value))
                    holder[name] = wrappers[id(value)]
        for name in TRANSPOSED:
            attribute = vars(paddle.Tensor)[name]
            replaced.append((paddle.Tensor, name, attribute))
            setattr(paddle.Tensor, name, property(_telling(trace, name, attribute.fget)))
        yield
    finally:
        for holder, name, function in reversed(replaced):
            if isinstance(holder, dict):
                holder[name] = function
            else:
                setattr(holder, name, function)


def _functions() -> Iterator[tuple[Any, str, Any]]:
    for holder, names in ((F, F.__all__), (paddle, paddle.__all__)):
        for name in names:
            function = getattr(holder, name, None)
            if isinstance(function, _KINDS) and not name.startswith(_NO_OPERATIONS):
                yield holder, name, function
    kind = paddle.Tensor
    methods = [name for name in dir(kind) if _is_method(name)]
    for name in methods:
        yield kind, name, getattr(kind, name)


def _is_method(name: str) -> bool:
    if name.startswith("__"):
        return name.strip("_") in _OPERATORS
    return name in paddle.tensor.tensor_method_func and callable(getattr(paddle.Tensor, name))


def _globals(layer: Any) -> list[dict[str, Any]]:
    return [
        vars(base)["forward"].__globals__
        for base in type(layer).__mro__
        if "forward" in vars(base) and base.__module__.partition(".")[0] != "paddle"
    ]


def _telling(trace: Trace, name: str, function: Any) -> Any:
    @functools.wraps(function)
    def told(*args: Any, **kwargs: Any) -> Any:
        return trace.call(name, function, args, kwargs)

    return told
