"""An operation of torch's as Paddle code, in the names that the layer's own forward has for things.

What is spelt is run on torch's values and has to give torch's result: code that does not is not
handed out.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import paddle
import paddle.nn.functional as F

from parity.causes.paddle_names import OPERATORS, ROWS, SIGNS, SWAPS, VALUES
from parity.functional.replay import equal
from parity.nested import flatten

if TYPE_CHECKING:
    from parity.functional.trace import Operation, Tensor, Trace

#: Longer code is no help.
LONGEST = 400


class _UnknownError(Exception):
    """Something that nothing here can spell."""


@dataclass
class Speller:
    """Spells what a torch forward computed.

    Attributes:
        trace: Torch's forward; its children have paddle's names.
        given: What paddle's forward was given.
        torch_module: Whose forward it was.
        paddle_layer: Whose forward is to be mended.
    """

    trace: Trace
    given: tuple[Tensor, ...]
    torch_module: Any
    paddle_layer: Any
    _leaves: dict[int, tuple[str, Tensor]] = field(default_factory=dict)
    _before: int | None = None

    def code(self, operation: Operation) -> str:
        """Spell an operation, or a child's call; '' if that cannot be shown to be right."""
        place = self.trace.operations.index(operation)
        if not operation.child:
            return self._shown(operation.outputs[0], place + 1)
        given = [self._shown(tensor, place) for tensor in operation.given]
        return f"self.{_spelt_path(operation.child)}({', '.join(given)})" if all(given) else ""

    def value(self, array: Any) -> str:
        """Spell what has a value; '' if nothing has, or it cannot be shown to be right."""
        tensors = (t for one in self.trace.operations for t in one.outputs)
        found = next((t for t in (*self.trace.given, *tensors) if equal(t.array, array)), None)
        return self._shown(found) if found is not None else ""

    def _shown(self, tensor: Tensor, before: int | None = None) -> str:
        self._leaves.clear()
        self._before = before
        try:
            text = self._tensor(tensor)
        except _UnknownError:
            return ""
        shown = _bare(self._named(text)).replace("training=False", "training=self.training")
        return shown if len(shown) <= LONGEST and self._runs(text, tensor) else ""

    def _runs(self, text: str, wanted: Tensor) -> bool:
        known = {f"_{n}_": self.trace_tensor(leaf) for n, (_, leaf) in self._leaves.items()}
        try:
            found = eval(text, {"__builtins__": {}, "paddle": paddle, "F": F}, known)  # noqa: S307 - our own text, to see whether it is right
            return equal(wanted.array, found.numpy())
        except Exception:  # noqa: BLE001 - code that does not run is not handed out
            return False

    @staticmethod
    def trace_tensor(leaf: Tensor) -> Any:
        """Make paddle's tensor of one of torch's."""
        return paddle.to_tensor(leaf.array)

    def _tensor(self, tensor: Tensor) -> str:
        # An operation in place returns what it was given: only what ran before counts.
        ran = list(enumerate(self.trace.operations))[: self._before]
        for place, operation in reversed(ran):
            for made in operation.outputs:
                if made.identity == tensor.identity and equal(made.array, tensor.array):
                    outer, self._before = self._before, place
                    text = self._made(operation, made)
                    self._before = outer
                    return text
        return self._leaf(self._given(tensor), tensor)

    def _made(self, operation: Operation, made: Tensor) -> str:
        if operation.child:
            path = f"self.{_spelt_path(operation.child)}({self._handed(operation)})"
            return self._leaf(path + _indexed(made.slot), made)
        return self._operation(operation) + _indexed(made.slot)

    def _handed(self, operation: Operation) -> str:
        """Spell what a child is given, where there are several calls of it to tell apart."""
        calls = [one for one in self.trace.operations if one.child == operation.child]
        if len(calls) == 1:
            return "…"
        given = ", ".join(self._tensor(tensor) for tensor in operation.given)
        return self._named(given)

    def _named(self, text: str) -> str:
        names = {f"_{n}_": leaf for n, (leaf, _) in self._leaves.items()}
        return re.sub(r"_\d+_", lambda found: names[found.group()], text)

    def _leaf(self, name: str, tensor: Tensor) -> str:
        self._leaves[tensor.identity] = name, tensor
        return f"_{tensor.identity}_"

    def _given(self, tensor: Tensor) -> str:
        names = list(inspect.signature(self.paddle_layer.forward).parameters)
        for given in self.trace.given:
            if given.identity == tensor.identity:
                self._same_in_paddle(given)
                kind, _, rest = given.slot.partition(".")
                first, _, inner = rest.partition(".")
                if kind == "0" and int(first) >= len(names):
                    raise _UnknownError
                return (names[int(first)] if kind == "0" else first) + _indexed(inner)
        own = [*self.torch_module.named_parameters(), *self.torch_module.named_buffers()]
        theirs = self.paddle_layer.state_dict()
        for name, value in own:
            held = theirs.get(name)
            # A weight may lie the other way round.
            same = id(value) == tensor.identity and held is not None
            if same and equal(tensor.array, held.numpy()):
                return f"self.{_spelt_path(name)}"
        raise _UnknownError

    def _same_in_paddle(self, given: Tensor) -> None:
        theirs = next((t.array for t in self.given if t.slot == given.slot), given.array)
        if not equal(given.array, theirs):
            raise _UnknownError  # a mask that means its opposite there

    def _operation(self, operation: Operation) -> str:
        args, kwargs = operation.arguments
        bare = operation.name.strip("_")
        reflected = bare.startswith("r") and bare[1:] in OPERATORS
        name = bare[1:] if reflected else bare
        if name in OPERATORS and len(args) == 2 and not kwargs:
            left, right = reversed(args) if reflected else args
            return f"({self._value(left)} {OPERATORS[name]} {self._value(right)})"
        if bare in SIGNS:
            return f"{SIGNS[bare]}{self._value(args[0])}"
        if bare == "getitem":
            return f"{self._value(args[0])}[{self._index(args[1])}]"
        if name in SWAPS or operation.name in ("T", "mT", "t"):
            return self._swapped(operation)
        if bare not in ROWS:
            raise _UnknownError
        return self._function(operation)

    def _function(self, operation: Operation) -> str:
        row = ROWS[operation.name.strip("_")]
        args, kwargs = operation.arguments
        if row.several and len(args) > 2:
            args = (args[0], list(args[1:]))
        named = dict(zip((name for name, _ in row.parameters), args, strict=False)) | kwargs
        (first, _), *rest = row.parameters
        one = self._value(named.get(first, next(iter(named.values()))))
        parts = []
        for name, keyword in rest:
            if named.get(name) is not None and keyword != "-":
                value = VALUES.get(keyword, _same)(named[name])
                parts.append(f"{keyword}={self._value(value)}" if keyword else self._value(value))
        if row.function.startswith("."):
            return f"{one}{row.function}({', '.join(parts)})"
        return f"{row.function}({', '.join([one, *parts])})"

    def _swapped(self, operation: Operation) -> str:
        args, _ = operation.arguments
        axes = list(range(args[0].ndim))
        first, second = args[1:3] if len(args) > 2 else (-2, -1)
        axes[first], axes[second] = axes[second], axes[first]
        return f"{self._value(args[0])}.transpose({axes})"

    def _index(self, index: Any) -> str:
        parts = index if isinstance(index, tuple) else (index,)
        return ", ".join(self._subscript(part) for part in parts)

    def _subscript(self, part: Any) -> str:
        if isinstance(part, slice):
            ends = ["" if end is None else str(end) for end in (part.start, part.stop)]
            return ":".join([*ends, *([str(part.step)] if part.step is not None else [])])
        return "..." if part is Ellipsis else self._value(part)

    def _value(self, value: Any) -> str:
        if self.trace.backend.is_tensor(value):
            (_, tensor), *_ = flatten(value, self.trace.backend.is_tensor)
            return self._tensor(self._known(tensor))
        if isinstance(value, list | tuple):
            return f"[{', '.join(self._value(part) for part in value)}]"
        if value is None or isinstance(value, bool | int | float | str):
            return repr(value)
        raise _UnknownError

    def _known(self, tensor: Any) -> Tensor:
        places = [self.trace.given, *(one.given for one in self.trace.operations)]
        found = (t for some in places for t in some if t.identity == id(tensor))
        known = next(found, None)
        if known is None:
            raise _UnknownError
        return known


def _bare(text: str) -> str:
    """Take off brackets around the whole."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return text[1:-1] if letter == ")" and place == len(text) - 1 and place else text
    return text


def _same(value: Any) -> Any:
    return value


def _spelt_path(path: str) -> str:
    """Spell a path as Python does: 'layers.0.norm' is layers[0].norm."""
    return re.sub(r"\.(\d+)", r"[\1]", path)


def _indexed(slot: str) -> str:
    """Spell a slot as subscripts: '0.logits' is [0]['logits']."""
    parts = slot.split(".") if slot else []
    return "".join(f"[{part}]" if part.isdecimal() else f"[{part!r}]" for part in parts)
