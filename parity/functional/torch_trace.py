"""Torch's side: every function and method of torch passes by a function mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from parity.backends import backend_of
from parity.functional.trace import TRANSPOSED, Trace, children

if TYPE_CHECKING:
    from parity.backends import FloatType


class _Noting(TorchFunctionMode):
    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", str(func))
        attribute = func.__self__.__name__ if name in ("__get__", "__set__") else ""
        if attribute and (name == "__set__" or attribute not in TRANSPOSED):
            return func(*args, **(kwargs or {}))
        return self.trace.call(attribute or name, func, args, kwargs or {})


def trace_torch(
    module: torch.nn.Module, arguments: Any, dtype: FloatType, *, training: bool = False
) -> Trace:
    """Run a module and note what its own forward does.

    Args:
        module: A torch Module.
        arguments: Positional and keyword ones.
        dtype: The precision of its parameters.
        training: Run in training mode, not in evaluation mode.
    """
    backend = backend_of(module)
    trace = Trace(backend)
    args, kwargs = arguments
    trace.given = trace.tensors(arguments)
    with (
        backend.running(module, dtype, training=training),
        children(trace, module, lambda *_: None),
        _Noting(trace),
    ):
        output = module(*args, **kwargs)
    trace.returned = trace.tensors(output)
    return trace
