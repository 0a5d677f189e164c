"""One run of a network: its arguments, its mode, its hooks, and what is said if it stops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from parity.arguments import as_arguments, split
from parity.backends import backend_of
from parity.record import NetworkError, Record, Trace
from parity.recorder import observe

if TYPE_CHECKING:
    import numpy as np

    from parity.backends import FloatType, Noting
    from parity.record import CallKey, Consumer, GivenConsumer
    from parity.recorder import Recorder


def run(
    network: Any,
    inputs: tuple[np.ndarray, ...],
    consumer: Consumer,
    dtype: FloatType,
    *,
    share: bool = False,
    given: GivenConsumer | None = None,
    numbers: Mapping[CallKey, int] | None = None,
    training: bool = False,
) -> None:
    """Run a network once and hand every module call to a consumer.

    Args:
        network: A torch Module or paddle Layer whose parameters have the dtype already.
        inputs: Its positional arguments; floating arrays are cast to the dtype.
        consumer: Called with each record as the call completes. The values that it gives back
            take the place of those that the call returned.
        dtype: The precision of the run.
        share: Hand out arrays that may share the tensors' memory: nothing is copied, and they
            hold only until the consumer returns. See `Record.kept`.
        given: Called with each call as it starts; the values that it gives back take the place of
            those that the call was given. Records then list no inputs.
        numbers: Other numbers for calls of repeated modules; see `parity.reorder`.
        training: In training mode, not in evaluation mode.

    Raises:
        NetworkError: The network's forward raised.
    """
    backend = backend_of(network)
    tensors = tuple(backend.argument(network, as_dtype(array, dtype)) for array in inputs)
    positional, named = split(tensors, as_arguments(inputs).names)
    with (
        backend.running(network, dtype, training=training),
        observe(network, consumer, share=share, given=given, numbers=numbers) as recorder,
        exact_kernels(network, dtype, recorder.noting),
        explained(network, recorder),
    ):
        network(*positional, **named)


def exact_kernels(network: Any, dtype: FloatType, noting: Noting) -> AbstractContextManager[None]:
    """Let exact results stand in for single-precision kernels of a float64 run."""
    if dtype != "float64":
        return nullcontext()
    return backend_of(network).exact_kernels(noting)


@contextmanager
def explained(network: Any, recorder: Recorder | None, doing: str = "") -> Iterator[None]:
    """Turn what a network raises into a `NetworkError` that says whose, and where it stopped.

    Args:
        network: Whose framework is named.
        recorder: Knows the module that it stopped in.
        doing: What it stopped in instead.
    """
    try:
        yield
    except NetworkError:
        raise
    except Exception as error:
        text = str(error).strip().splitlines()
        where = repr(recorder.where) if recorder and not doing else doing
        raise NetworkError(
            f"the {backend_of(network).name} network stopped in {where} "
            f"({type(error).__name__}: {text[-1] if text else 'no message'})"
        ) from error


def record(network: Any, inputs: tuple[np.ndarray, ...], dtype: FloatType = "float32") -> Trace:
    """Run a network once and keep the whole run; see `run`."""
    records: list[Record] = []

    def keep(entry: Record) -> None:
        # Nothing is around any more once the run is over.
        records.append(replace(entry, around=list))

    run(network, inputs, keep, dtype)
    return Trace(tuple(records), never_called(network, {entry.path for entry in records}))


def never_called(network: Any, called: set[str]) -> tuple[str, ...]:
    """List the paths of modules that hold weights and are not among those called."""
    backend = backend_of(network)
    return tuple(
        path
        for path, module in backend.modules(network)
        if path not in called and backend.holds_weights(module)
    )


def as_dtype(array: np.ndarray, dtype: FloatType) -> np.ndarray:
    """Cast a floating array; others stay as they are."""
    return array.astype(dtype) if array.dtype.kind == "f" else array
