"""How Paddle spells torch's functional operations: one row a name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spelling:
    """One function.

    Attributes:
        function: Paddle's; one that starts with a dot is a method of the first argument.
        parameters: Torch's parameters in their order, each with Paddle's keyword; '' where Paddle
            takes it by position, '-' where it is left out.
        several: Its second parameter takes all further positional arguments.
    """

    function: str
    parameters: tuple[tuple[str, str], ...] = (("input", ""),)
    several: bool = False


def _row(function: str, **parameters: str) -> Spelling:
    return Spelling(function, (("input", ""), *parameters.items()))


_POOL = {"kernel_size": "kernel_size", "stride": "stride", "padding": "padding"}
_ALONG = {"dim": "axis", "keepdim": "keepdim"}

ROWS: dict[str, Spelling] = {
    **{name: _row(f"F.{name}") for name in ("relu", "relu6", "sigmoid", "silu", "selu", "mish")},
    **{name: _row(f"F.{name}") for name in ("hardsigmoid", "hardswish", "softsign", "tanhshrink")},
    **{
        name: _row(f"paddle.{name}")
        for name in ("tanh", "exp", "log", "sqrt", "rsqrt", "abs", "square", "sin", "cos", "erf")
    },
    "logsigmoid": _row("F.log_sigmoid"),
    "dropout": _row("F.dropout", p="p", training="training"),
    "gelu": _row("F.gelu", approximate="approximate"),
    "leaky_relu": _row("F.leaky_relu", negative_slope="negative_slope"),
    "elu": _row("F.elu", alpha="alpha"),
    "celu": _row("F.celu", alpha="alpha"),
    "softplus": _row("F.softplus", beta="beta", threshold="threshold"),
    "hardtanh": _row("F.hardtanh", min_val="min", max_val="max"),
    "softmax": _row("F.softmax", dim="axis"),
    "log_softmax": _row("F.log_softmax", dim="axis"),
    **{name: _row(f".{name}", **_ALONG) for name in ("mean", "sum", "prod", "logsumexp")},
    **{name: _row(f".{name}", **_ALONG) for name in ("amax", "amin", "max", "min")},
    "cat": _row("paddle.concat", dim="axis"),
    "concat": _row("paddle.concat", dim="axis"),
    "concatenate": _row("paddle.concat", dim="axis"),
    "stack": _row("paddle.stack", dim="axis"),
    "matmul": _row("paddle.matmul", other=""),
    "bmm": _row("paddle.bmm", mat2=""),
    "flatten": _row(".flatten", start_dim="", end_dim=""),
    "unsqueeze": _row(".unsqueeze", dim=""),
    "squeeze": _row(".squeeze", dim="axis"),
    "flip": _row(".flip", dims="axis"),
    "roll": _row(".roll", shifts="", dims="axis"),
    "cumsum": _row(".cumsum", dim="axis"),
    "tril": _row(".tril", diagonal=""),
    "triu": _row(".triu", diagonal=""),
    "clamp": _row(".clip", min="min", max="max"),
    "masked_fill": _row(".masked_fill", mask="", value=""),
    "where": _row("paddle.where", input="", other=""),
    "normalize": _row("F.normalize", p="p", dim="axis", eps="epsilon"),
    "pad": _row("F.pad", pad="", mode="mode", value="value"),
    "view": Spelling(".reshape", (("input", ""), ("shape", "")), several=True),
    "reshape": Spelling(".reshape", (("input", ""), ("shape", "")), several=True),
    "permute": Spelling(".transpose", (("input", ""), ("dims", "")), several=True),
    "expand": Spelling(".expand", (("input", ""), ("shape", "")), several=True),
    "repeat": Spelling(".tile", (("input", ""), ("repeats", "")), several=True),
    "chunk": _row("paddle.chunk", chunks="", dim="axis"),
    "ones": Spelling("paddle.ones", (("size", ""), ("dtype", "dtype"))),
    "zeros": Spelling("paddle.zeros", (("size", ""), ("dtype", "dtype"))),
    **{
        f"adaptive_{kind}_pool{n}d": _row(f"F.adaptive_{kind}_pool{n}d", output_size="output_size")
        for kind in ("avg", "max")
        for n in (1, 2, 3)
    },
    **{
        f"avg_pool{n}d": _row(
            f"F.avg_pool{n}d", **_POOL, ceil_mode="ceil_mode", count_include_pad="exclusive"
        )
        for n in (1, 2, 3)
    },
    **{
        f"max_pool{n}d": _row(f"F.max_pool{n}d", **_POOL, dilation="-", ceil_mode="ceil_mode")
        for n in (1, 2, 3)
    },
    "interpolate": _row(
        "F.interpolate",
        size="size",
        scale_factor="scale_factor",
        mode="mode",
        align_corners="align_corners",
    ),
}

#: Operators; those of the other side, such as `2 - x`, have their operands exchanged.
OPERATORS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "multiply": "*",
    "subtract": "-",
    "div": "/",
    "divide": "/",
    "truediv": "/",
    "true_divide": "/",
    "pow": "**",
    "matmul": "@",
    "and": "&",
    "or": "|",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
}
#: Operators with one operand.
SIGNS = {"invert": "~", "bitwise_not": "~", "logical_not": "~", "neg": "-", "negative": "-"}
#: Two axes exchanged.
SWAPS = frozenset({"transpose", "swapaxes", "swapdims"})
#: Torch's values that are others in Paddle, by Paddle's keyword.
VALUES = {
    "approximate": lambda value: value == "tanh",
    "exclusive": lambda value: not value,
    "align_corners": bool,
    "dtype": lambda value: str(value).removeprefix("torch."),
}
