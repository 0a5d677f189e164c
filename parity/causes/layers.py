"""A layer with another setting, or of another kind: tried on a copy of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from parity.causes.settings import MEASURED, SETTINGS
from parity.result import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parity.causes.settings import Setting
    from parity.suspect import Suspect

#: A mend that leaves less than this in float64 has explained the difference.
CONFIRMED = 1e-9
#: The same where only float32 was run.
CONFIRMED_FLOAT32 = 2e-6


@dataclass(frozen=True)
class Difference:
    """A setting that the two layers do not share.

    Attributes:
        setting: Its row.
        wanted: Torch's value, as paddle would have it.
        found: Paddle's.
    """

    setting: Setting
    wanted: Any
    found: Any

    @property
    def cause(self) -> str:
        """Its name; a padding 'SAME' beside a dilation is a trap of its own."""
        if self.setting.cause == "padding" and str(self.found).upper() == "SAME":
            return "same-padding-dilation"
        return self.setting.cause

    def apply(self, layer: Any) -> Any:
        """Give a paddle layer with torch's value."""
        if self.setting.kinds[0].startswith("Conv"):
            return rebuilt_convolution(layer, self.setting.keyword, self.wanted)
        for name in self.setting.paddle:
            if hasattr(layer, name):
                setattr(layer, name, self.wanted)
        if self.setting.keyword == "num_heads":
            layer.head_dim = layer.embed_dim // self.wanted
        return layer

    def __str__(self) -> str:
        """Say what differs."""
        return f"{self.setting.keyword} is {self.found!r}, torch's {self.wanted!r}"

    def code(self, kind: str) -> str:
        """Spell the mend."""
        return f"nn.{kind}(…, {self.setting.keyword}={self.wanted!r})"


def rebuilt_convolution(layer: Any, keyword: str, value: Any) -> Any:
    """Build a convolution anew with one other setting; it computes some when it is built."""
    names = ("stride", "padding", "dilation", "groups")
    settings = {name: getattr(layer, f"_{name}") for name in names}
    if "Transpose" in type(layer).__name__:
        settings["output_padding"] = layer.output_padding
    else:
        settings["padding_mode"] = layer._padding_mode  # noqa: SLF001 - where paddle keeps it
    settings[keyword] = value
    channels = layer._in_channels, layer._out_channels  # noqa: SLF001
    bias = None if layer.bias is not None else False
    new = type(layer)(*channels, layer._kernel_size, bias_attr=bias, **settings)  # noqa: SLF001
    new.weight, new.bias = layer.weight, layer.bias
    return new


def different_settings(torch_module: Any, paddle_layer: Any) -> Iterator[Difference]:
    """Yield the settings in which a paddle layer differs from its torch partner."""
    kinds = {cls.__name__ for cls in type(torch_module).__mro__}
    for setting in SETTINGS:
        name = setting.paddle[0]
        if not kinds & set(setting.kinds) or not hasattr(paddle_layer, name):
            continue
        ours = getattr(torch_module, setting.torch, None) if setting.torch else torch_module
        wanted, found = setting.translate(ours), getattr(paddle_layer, name)
        if not _equal(wanted, found):
            yield Difference(setting, wanted, found)


def _equal(wanted: Any, found: Any) -> bool:
    ours, theirs = (list(v) if isinstance(v, tuple | list) else [v] for v in (wanted, found))
    if len(ours) != len(theirs):
        longer = max(ours, theirs, key=len)
        ours, theirs = (v * len(longer) if len(v) == 1 else v for v in (ours, theirs))
    return ours == theirs


def examine(suspect: Suspect) -> Diagnosis | None:
    """Try what could be wrong with a layer's own settings, kind, or masks."""
    return _setting(suspect) or _kind(suspect) or _mask(suspect)


def _mask(suspect: Suspect) -> Diagnosis | None:
    """An attention that was given torch's mask as it is."""
    if not suspect.takes_masks:
        return None
    left = suspect.error(suspect.paddle_layer, invert_masks=True)
    if not explains(suspect, left):
        return None
    evidence = f"with the mask inverted: {shrinks(suspect, left)}"
    why = "True drops a position in torch's attention and keeps it in paddle's"
    return Diagnosis(
        "mask-inverted", suspect.key[0], f"{evidence}; {why}", "attn_mask=~mask", MEASURED
    )


def _setting(suspect: Suspect) -> Diagnosis | None:
    found = list(different_settings(suspect.torch_module, suspect.paddle_layer))
    for difference in found:
        left = suspect.trial(difference.apply)
        if explains(suspect, left):
            return _diagnosis(suspect, [difference], left)
    if len(found) > 1:
        left = suspect.trial(lambda layer: reduce(lambda one, d: d.apply(one), found, layer))
        if explains(suspect, left):
            return _diagnosis(suspect, found, left)
    return None


def explains(suspect: Suspect, left: float) -> bool:
    """Tell whether a mend that leaves such an error explains the difference."""
    bound = CONFIRMED if suspect.double else CONFIRMED_FLOAT32
    return left <= bound and suspect.own_error() > 10 * left


def _diagnosis(suspect: Suspect, differences: list[Difference], left: float) -> Diagnosis:
    kind = type(suspect.paddle_layer).__name__
    first = differences[0]
    told = ", ".join(
        f"{d.setting.keyword} is {d.found!r}, torch's {d.wanted!r}" for d in differences
    )
    why = f"; {first.setting.why}" if first.setting.why else ""
    return Diagnosis(
        cause=first.cause,
        layer=suspect.key[0],
        evidence=f"{told}; {shrinks(suspect, left)}{why}",
        mend=", ".join(d.code(kind) for d in differences),
        source=first.setting.source,
    )


def shrinks(suspect: Suspect, left: float) -> str:
    """Say what a mend did to the layer's own error."""
    return f"own error {suspect.own_error():.1e}, with the mend {left:.1e}"


def _kind(suspect: Suspect) -> Diagnosis | None:
    ours, theirs = (type(one).__name__ for one in (suspect.torch_module, suspect.paddle_layer))
    if ours.lower() == theirs.lower():
        return None
    if ours in NORMS:
        layer, code = _norm(suspect.torch_module)
    elif ours in COUNTERPARTS:
        layer, code = _counterpart(suspect.torch_module)
    else:
        return None
    left = suspect.error(layer)
    if not explains(suspect, left):
        return None
    family = "pool-kind" if "Pool" in ours else "activation-different"
    family = "norm-kind" if ours in NORMS else family
    cause = "activation-dropped" if theirs == "Identity" else family
    evidence = f"torch has {ours}, paddle {theirs}; {shrinks(suspect, left)}"
    return Diagnosis(cause, suspect.key[0], evidence, code, MEASURED)


def _norm(module: Any) -> tuple[Any, str]:
    """Build the paddle norm that computes what a torch one does, with its weights."""
    import paddle
    from paddle import nn

    kind, arguments = NORMS[type(module).__name__]
    values = [getattr(module, name) for name in arguments]
    layer = getattr(nn, kind)(*values, epsilon=module.eps)
    names = {"weight": "scale" if kind.startswith("Instance") else "weight", "bias": "bias"}
    with paddle.no_grad():
        for ours, theirs in names.items():
            tensor = getattr(module, ours, None)
            if tensor is not None:
                setattr(layer, theirs, paddle.create_parameter(list(tensor.shape), "float64"))
                getattr(layer, theirs).set_value(tensor.detach().double().numpy().copy())
    return layer, f"nn.{kind}({', '.join(map(repr, values))}, epsilon={module.eps!r})"


#: Norms without running statistics: paddle's class, and torch's attributes in its order.
NORMS = {
    **{f"InstanceNorm{n}d": (f"InstanceNorm{n}D", ("num_features",)) for n in (1, 2, 3)},
    "GroupNorm": ("GroupNorm", ("num_groups", "num_channels")),
}


def _counterpart(module: Any) -> tuple[Any, str]:
    """Build the paddle layer that computes what a torch one does, and spell it."""
    from paddle import nn

    kind, arguments = COUNTERPARTS[type(module).__name__]
    values = {
        keyword: value == "tanh" if keyword == "approximate" else value
        for keyword, name in arguments.items()
        for value in [getattr(module, name)]
    }
    fixed = {"exclusive": not module.count_include_pad} if kind.startswith("AvgPool") else {}
    spelt = ", ".join(f"{keyword}={value!r}" for keyword, value in (values | fixed).items())
    return getattr(nn, kind)(**values, **fixed), f"nn.{kind}({spelt})"


_WINDOW = {"kernel_size": "kernel_size", "stride": "stride", "padding": "padding"}
#: Torch's class to paddle's, and torch's attribute by paddle's argument.
COUNTERPARTS: dict[str, tuple[str, dict[str, str]]] = {
    **{name: (name, {}) for name in ("ReLU", "ReLU6", "Sigmoid", "Tanh", "Mish", "Hardswish")},
    **{
        name: (name, {}) for name in ("Hardsigmoid", "LogSigmoid", "Softsign", "SELU", "Tanhshrink")
    },
    "SiLU": ("Silu", {}),
    "ELU": ("ELU", {"alpha": "alpha"}),
    "CELU": ("CELU", {"alpha": "alpha"}),
    "LeakyReLU": ("LeakyReLU", {"negative_slope": "negative_slope"}),
    "Softplus": ("Softplus", {"beta": "beta", "threshold": "threshold"}),
    "GELU": ("GELU", {"approximate": "approximate"}),
    "Softmax": ("Softmax", {"axis": "dim"}),
    "LogSoftmax": ("LogSoftmax", {"axis": "dim"}),
    **{f"MaxPool{n}d": (f"MaxPool{n}D", {**_WINDOW, "ceil_mode": "ceil_mode"}) for n in (1, 2, 3)},
    **{f"AvgPool{n}d": (f"AvgPool{n}D", {**_WINDOW, "ceil_mode": "ceil_mode"}) for n in (1, 2, 3)},
    **{
        f"Adaptive{kind}Pool{n}d": (f"Adaptive{kind}Pool{n}D", {"output_size": "output_size"})
        for kind in ("Avg", "Max")
        for n in (1, 2, 3)
    },
}
