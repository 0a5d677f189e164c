"""The functions that a torch loss calls, and the same loss with some of them changed."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Collection

_BARE = {"truediv": "div", "multiply": "mul", "subtract": "sub", "clip": "clamp"}
_BARE |= {"greater": "gt", "less": "lt", "true_divide": "div", "divide": "div"}
_REFLECTED = ("add", "sub", "mul", "truediv")


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a function of torch's.

    Attributes:
        name: Of the function, operators by their name.
        number: How many of this name went before.
        function: The function.
        args: Its positional arguments.
        kwargs: Its others.
        output: What it returned; None before.
    """

    name: str
    number: int
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any = None

    @property
    def named(self) -> dict[str, Any]:
        """Its arguments by name, as far as the function tells them."""
        try:
            bound = inspect.signature(self.function).bind(*self.args, **self.kwargs)
        except (TypeError, ValueError):
            return dict(self.kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def run(self, **changes: Any) -> Any:
        """Call it with some arguments changed, by name."""
        return self.function(**{**self.named, **changes}) if changes else self.plain(*self.args)

    def plain(self, *args: Any) -> Any:
        """Call it with other positional arguments."""
        return self.function(*args, **self.kwargs)

    @property
    def constant(self) -> float | None:
        """The Python number that it is given beside a tensor, if it is given one."""
        found = [arg for arg in self.args if _is_number(arg)]
        tensors = [arg for arg in self.args if isinstance(arg, torch.Tensor)]
        return float(found[0]) if len(found) == 1 and tensors else None

    def with_constant(self, value: float) -> Any:
        """Call it with another number."""
        return self.plain(*(value if _is_number(arg) else arg for arg in self.args))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def bare(name: str) -> str:
    """Give a function's name without what marks operators and their reflected forms."""
    plain = name.strip("_")
    if plain.startswith(("r", "i")) and plain[1:] in _REFLECTED:
        plain = plain[1:]
    return _BARE.get(plain, plain)


#: Computes what a call is to give instead.
Instead = Callable[[Call], Any]


class _Mode(TorchFunctionMode):
    """Sees every call that the loss itself makes."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = bare(getattr(func, "__name__", str(func)))
        if name in ("get", "set"):
            return func(*args, **(kwargs or {}))
        call = Call(name, self.count[name], func, args, kwargs or {})
        self.count[name] += 1
        return self.result(call)

    def result(self, call: Call) -> Any:
        raise NotImplementedError


class Recording(_Mode):
    """Notes the calls."""

    def __init__(self) -> None:
        """Start without any."""
        super().__init__()
        self.calls: list[Call] = []

    def result(self, call: Call) -> Any:
        """Call and note."""
        output = call.function(*call.args, **call.kwargs)
        self.calls.append(
            Call(call.name, call.number, call.function, call.args, call.kwargs, output)
        )
        return output


@dataclass(frozen=True)
class Site:
    """Which calls are changed.

    Attributes:
        name: Of the function.
        numbers: Which of its calls; None: all.
        constant: Only calls with this number; None: any.
    """

    name: str
    numbers: Collection[int] | None = None
    constant: float | None = None

    def __contains__(self, call: object) -> bool:
        """Tell whether a call is meant."""
        assert isinstance(call, Call)  # noqa: S101 - nothing else is asked for
        return (
            call.name == self.name
            and (self.numbers is None or call.number in self.numbers)
            and (self.constant is None or call.constant == self.constant)
        )


class Changing(_Mode):
    """Lets some calls give something else."""

    def __init__(self, site: Site, instead: Instead) -> None:
        """Say which, and what."""
        super().__init__()
        self.site, self.instead = site, instead

    def result(self, call: Call) -> Any:
        """Call, or do the other thing."""
        if call in self.site:
            return self.instead(call)
        return call.function(*call.args, **call.kwargs)
