"""Telling whoever waits what a check is at; nobody listens unless somebody asked to."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Listener = Callable[[str], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
_doing: ContextVar[tuple[str, ...]] = ContextVar("doing", default=())


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Be told, inside the context, what is being done: 'float64, forward: features.0'."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def doing(*what: str) -> Iterator[None]:
    """Say what is being done inside the context."""
    token = _doing.set(what)
    try:
        tell("")
        yield
    finally:
        _doing.reset(token)


def tell(detail: str) -> None:
    """Say which part of it: a layer, a step."""
    listener = _listener.get()
    if listener is not None:
        listener(": ".join(filter(None, (", ".join(_doing.get()), detail))))
