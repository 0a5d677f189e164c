"""Functional operations: one name in both frameworks, and what a difference in them is called."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.causes.paddle_names import ROWS
from parity.functional.replay import equal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parity.functional.trace import Operation, Trace

_NAMES = {
    **dict.fromkeys(("cat", "concatenate", "hstack"), "concat"),
    **dict.fromkeys(("truediv", "divide"), "div"),
    **dict.fromkeys(("multiply",), "mul"),
    **dict.fromkeys(("subtract",), "sub"),
    **dict.fromkeys(
        ("permute", "swapaxes", "swapdims", "movedim", "t", "mt", "moveaxis"), "transpose"
    ),
    **dict.fromkeys(
        ("view", "flatten", "unsqueeze", "squeeze", "unflatten", "expand_dims"), "reshape"
    ),
    **dict.fromkeys(("amax",), "max"),
    **dict.fromkeys(("amin",), "min"),
    **dict.fromkeys(("upsample",), "interpolate"),
    **dict.fromkeys(("masked_fill", "masked_fill_"), "where"),
    **dict.fromkeys(("bmm", "mm"), "matmul"),
    **dict.fromkeys(("swish",), "silu"),
    **dict.fromkeys(("narrow", "index_select", "slice", "select", "gather"), "getitem"),
    **dict.fromkeys(("split", "chunk", "tensor_split", "unbind"), "split"),
}
ACTIVATIONS = frozenset(
    {
        *("relu", "relu6", "leaky_relu", "leakyrelu", "prelu", "rrelu", "elu", "selu", "celu"),
        *("gelu", "silu", "sigmoid", "tanh", "softplus", "mish", "softsign", "tanhshrink"),
        *("hardswish", "hardsigmoid", "hardtanh", "hardshrink", "softshrink"),
        *("log_sigmoid", "logsigmoid"),
    }
)
SOFTMAXES = frozenset({"softmax", "log_softmax", "logsoftmax"})
REDUCTIONS = frozenset(
    {
        *("mean", "max", "min", "sum", "prod", "logsumexp", "median"),
        *(f"adaptive_{kind}_pool{n}d" for kind in ("avg", "max") for n in (1, 2, 3)),
        *(f"adaptive{kind}pool{n}d" for kind in ("avg", "max") for n in (1, 2, 3)),
    }
)
POOLS = frozenset(f"{kind}_pool{n}d" for kind in ("avg", "max", "lp") for n in (1, 2, 3))
SHAPES = frozenset({"reshape", "transpose"})
ARITHMETIC = frozenset({"add", "sub", "mul", "div", "scale"})
SCALES = frozenset({"mul", "div", "scale"})
DROPOUTS = frozenset({"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"})
#: Operations that take each other's place.
FAMILIES = {
    "shape": SHAPES,
    "activation": ACTIVATIONS | SOFTMAXES,
    "pool": POOLS,
    "reduction": REDUCTIONS | {"getitem"},
}
RECURRENT = frozenset({"LSTM", "GRU", "RNN", "SimpleRNN"})
_ALIKE = {
    "gelu": "gelu-approximate",
    "reshape": "reshape-order",
    "transpose": "reshape-order",
    **dict.fromkeys(ACTIVATIONS - {"gelu"}, "activation-slope"),
    **dict.fromkeys(SOFTMAXES, "softmax-axis"),
    **dict.fromkeys(DROPOUTS, "dropout-on"),
    **dict.fromkeys(REDUCTIONS, "reduction-axis"),
}


def canonical(operation: Operation) -> str:
    """Give an operation's name as both frameworks share it."""
    name = operation.name.strip("_").lower()
    if operation.name.startswith("__") and name != "invert":
        bare = name.removeprefix("i")
        bare = bare.removeprefix("r") if bare.startswith("r") else bare
        name = bare if bare in {*ARITHMETIC, "truediv", "pow", "matmul"} else name
    return _NAMES.get(name, name)


def cause_of(
    found: Operation | None,
    wanted: Operation | None,
    theirs: Trace,
    given: Sequence[np.ndarray] = (),
) -> str:
    """Name what it means that paddle has one operation where torch has another.

    Args:
        found: Paddle's; None where it has none.
        wanted: Torch's; None where it has none.
        theirs: Paddle's forward.
        given: What paddle's operation is given, once everything before is right.
    """
    if found is None:
        assert wanted is not None  # noqa: S101 - one of the two is there
        return _dropped(wanted)
    if wanted is None:
        name = canonical(found)
        return "dropout-on" if name in DROPOUTS else "function-added"
    one, other = canonical(found), canonical(wanted)
    if one in ARITHMETIC and other in ARITHMETIC:
        return _arithmetic(found, wanted, theirs)
    return _alike(one, found, wanted, theirs, given) if one == other else _unlike(one, other)


def _alike(
    name: str, found: Operation, wanted: Operation, theirs: Trace, given: Sequence[np.ndarray]
) -> str:
    """Name a difference between two operations of one name."""
    if name in ("concat", "matmul"):
        return _operands(name, given, [tensor.array for tensor in wanted.given])
    if name == "pad":
        one, other = (list(named_arguments(side).get("pad", ())) for side in (found, wanted))
        return "pad-order" if one != other and sorted(one) == sorted(other) else "pad-different"
    if name == "interpolate":
        return _resize(found, wanted)
    if name == "where":
        return _mask(found, wanted)
    if name == "getitem":
        return _taken(found, theirs)
    return _ALIKE.get(name, "argument-different")


def _operands(name: str, found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> str:
    """Tell whether an operation is given the same in another order."""
    if len(found) != len(wanted):
        return "argument-different"
    if all(map(equal, found, wanted)):
        return "concat-axis" if name == "concat" else "argument-different"
    places = [[n for n, one in enumerate(wanted) if equal(one, other)] for other in found]
    if sorted(place[0] for place in places if place) != list(range(len(wanted))):
        return "argument-different"
    return "concat-order" if name == "concat" else "operands-exchanged"


def _unlike(one: str, other: str) -> str:
    families = (
        ("shape", "reshape-order"),
        ("activation", "activation-different"),
        ("pool", "pool-kind"),
        ("reduction", "reduction-kind"),
    )
    named = (cause for kind, cause in families if {one, other} <= FAMILIES[kind])
    return next(named, "dropout-on" if one in DROPOUTS else "function-different")


def _dropped(wanted: Operation) -> str:
    name = canonical(wanted)
    if name in ACTIVATIONS | SOFTMAXES:
        return "activation-dropped"
    if name == "where":
        return "mask-dropped"
    if name in SHAPES:
        return "reshape-order"
    if name in ("add", "mul") and len(wanted.given) > 1:
        return "branch-dropped"
    if name in ARITHMETIC:
        return "scale-different" if name in SCALES else "arithmetic-different"
    return "function-dropped"


def _resize(found: Operation, wanted: Operation) -> str:
    ours, theirs = named_arguments(wanted), named_arguments(found)
    if str(ours.get("mode", "nearest")) != str(theirs.get("mode", "nearest")).lower():
        return "resize-mode"
    if bool(ours.get("align_corners")) != bool(theirs.get("align_corners")):
        return "resize-align-corners"
    return "align-mode" if theirs.get("align_mode") else "resize-size"


def _mask(found: Operation, wanted: Operation) -> str:
    """An inverted mask takes each value where the other was to stand."""
    masks = [t.array for t in found.given if t.array.dtype.kind == "b"]
    values = [t.array for t in found.given if t.array.dtype.kind != "b"]
    if len(masks) == 1 and len(values) == 2:
        inverted = np.where(masks[0], values[1], values[0])
        if any(np.array_equal(inverted, t.array) for t in wanted.outputs):
            return "mask-inverted"
    shape = found.outputs[0].array.shape
    differ = found.outputs[0].array != np.broadcast_to(wanted.outputs[0].array, shape)
    return "mask-inverted" if bool(np.all(differ)) else "mask-different"


def _taken(found: Operation, theirs: Trace) -> str:
    source = found.given[0].identity if found.given else 0
    for operation in theirs.operations:
        if operation.name in RECURRENT and any(t.identity == source for t in operation.outputs):
            return "state-taken"
    return "crop-shifted"


def _arithmetic(found: Operation, wanted: Operation, theirs: Trace) -> str:
    given = {tensor.identity for tensor in theirs.given}
    for operation in theirs.operations:
        # What arithmetic makes of an image still is one.
        if canonical(operation) in ARITHMETIC and operation.given[0].identity in given:
            given |= {tensor.identity for tensor in operation.outputs}
    shape = found.given[0].array.shape
    if found.given[0].identity in given and len(shape) == 4 and shape[1] <= 4:
        return "input-normalisation"
    scales = {canonical(found), canonical(wanted)} <= SCALES
    return "scale-different" if scales else "arithmetic-different"


def named_arguments(operation: Operation) -> dict[str, Any]:
    """Give an operation's arguments by name, as far as its function tells them."""
    args, kwargs = operation.arguments
    try:
        assert operation.function is not None  # noqa: S101 - a child has no signature of interest
        bound = inspect.signature(operation.function).bind(*args, **kwargs)
    except (TypeError, ValueError, AssertionError):
        # Compiled functions do not tell.
        row = ROWS.get(operation.name.strip("_"))
        names = [name for name, _ in row.parameters] if row else []
        return dict(zip(names, args, strict=False)) | kwargs
    bound.apply_defaults()
    return dict(bound.arguments)


def described(operation: Operation | None) -> str:
    """Spell an operation for people, tensors by their shapes."""
    if operation is None:
        return "nothing"
    if operation.child:
        return f"its layer {operation.child}"
    args, kwargs = operation.arguments
    parts = [_spelt(value) for value in args]
    parts += [f"{name}={_spelt(value)}" for name, value in kwargs.items() if value is not None]
    return f"{operation.name.strip('_')}({', '.join(parts)})"


def _spelt(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return "×".join(str(n) for n in value.shape) or "a number"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_spelt(item) for item in value)}]"
    if isinstance(value, slice):
        ends = ("" if end is None else str(end) for end in (value.start, value.stop))
        return ":".join(ends)
    return repr(value)
