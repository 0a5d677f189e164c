"""Settings: one row for each that torch's and paddle's layers of a kind have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CONV = ("Conv1d", "Conv2d", "Conv3d")
CONV_TRANSPOSE = ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
POOLS = tuple(f"{kind}Pool{n}d" for kind in ("Avg", "Max") for n in (1, 2, 3))
AVERAGE_POOLS = tuple(kind for kind in POOLS if kind.startswith("Avg"))
BATCH_NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm")
RECURRENT = ("RNN", "LSTM", "GRU")

MEASURED = "measured; stdc-parity traps runs it"


@dataclass(frozen=True)
class Setting:
    """One setting of a kind of layer in both frameworks.

    Attributes:
        cause: What a difference is called.
        kinds: Torch's classes.
        torch: Torch's attribute; '' for the whole module.
        paddle: Paddle's attributes that hold it; the first is the one to read.
        keyword: The argument of paddle's constructor.
        translate: Torch's value as paddle has it.
        why: What people should know, '' if the figures say everything.
        source: Where that is documented.
    """

    cause: str
    kinds: tuple[str, ...]
    torch: str
    paddle: tuple[str, ...]
    keyword: str
    translate: Callable[[Any], Any] = lambda value: value
    why: str = ""
    source: str = MEASURED


def _same(value: Any) -> Any:
    return value


def _not(value: Any) -> bool:
    return not value


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _padding(module: Any) -> Any:
    """Give a convolution's padding in figures: paddle's 'SAME' forgets the dilation."""
    if module.padding == "valid":
        return 0
    if module.padding != "same":
        return list(module.padding)
    windows = zip(module.dilation, module.kernel_size, strict=True)
    return [dilation * (size - 1) // 2 for dilation, size in windows]


def _is_tanh(value: Any) -> bool:
    return bool(value == "tanh")


SETTINGS = (
    Setting("stride", (*CONV, *CONV_TRANSPOSE), "stride", ("_stride",), "stride", _listed),
    Setting("dilation", (*CONV, *CONV_TRANSPOSE), "dilation", ("_dilation",), "dilation", _listed),
    Setting(
        "padding",
        (*CONV, *CONV_TRANSPOSE),
        "",
        ("_padding",),
        "padding",
        _padding,
        "padding='SAME' forgets the dilation in paddle",
    ),
    Setting("groups", (*CONV, *CONV_TRANSPOSE), "groups", ("_groups",), "groups"),
    Setting("padding-mode", CONV, "padding_mode", ("_padding_mode",), "padding_mode"),
    Setting(
        "output-padding",
        CONV_TRANSPOSE,
        "output_padding",
        ("output_padding",),
        "output_padding",
        _listed,
        "torch's fourth argument by position is output_padding, then groups, bias, dilation; "
        "paddle's is dilation, then groups: name them",
    ),
    Setting("kernel-size", POOLS, "kernel_size", ("ksize",), "kernel_size"),
    Setting("stride", POOLS, "stride", ("stride",), "stride"),
    Setting("padding", POOLS, "padding", ("padding",), "padding"),
    Setting(
        "pool-exclusive",
        AVERAGE_POOLS,
        "count_include_pad",
        ("exclusive",),
        "exclusive",
        _not,
        "by default torch counts the padding in the mean and paddle leaves it out",
        "PaddlePaddle/Paddle issue 36920",
    ),
    Setting("ceil-mode", POOLS, "ceil_mode", ("ceil_mode",), "ceil_mode"),
    Setting("pool-divisor", AVERAGE_POOLS, "divisor_override", ("divisor",), "divisor_override"),
    Setting("bn-epsilon", BATCH_NORMS, "eps", ("_epsilon",), "epsilon"),
    Setting(
        "bn-batch-statistics",
        BATCH_NORMS,
        "track_running_stats",
        ("_use_global_stats",),
        "use_global_stats",
        lambda tracked: None if tracked else False,
    ),
    Setting("layer-norm-epsilon", ("LayerNorm",), "eps", ("_epsilon",), "epsilon"),
    Setting("rms-norm-epsilon", ("RMSNorm",), "eps", ("_epsilon",), "epsilon"),
    Setting("group-norm-epsilon", ("GroupNorm",), "eps", ("_epsilon",), "epsilon"),
    Setting("norm-groups", ("GroupNorm",), "num_groups", ("_num_groups",), "num_groups"),
    Setting(
        "instance-norm-epsilon",
        ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"),
        "eps",
        ("_epsilon",),
        "epsilon",
    ),
    *(
        Setting("local-response-norm", ("LocalResponseNorm",), name, (name,), name)
        for name in ("size", "alpha", "beta", "k")
    ),
    Setting(
        "activation-slope", ("LeakyReLU",), "negative_slope", ("_negative_slope",), "negative_slope"
    ),
    Setting("activation-slope", ("ELU", "CELU"), "alpha", ("_alpha",), "alpha"),
    Setting("activation-slope", ("Softplus",), "beta", ("_beta",), "beta"),
    Setting("activation-slope", ("Softplus",), "threshold", ("_threshold",), "threshold"),
    Setting("activation-slope", ("Hardtanh",), "min_val", ("_min",), "min"),
    Setting("activation-slope", ("Hardtanh",), "max_val", ("_max",), "max"),
    Setting(
        "gelu-approximate", ("GELU",), "approximate", ("_approximate",), "approximate", _is_tanh
    ),
    Setting(
        "softmax-axis",
        ("Softmax", "LogSoftmax"),
        "dim",
        ("_axis",),
        "axis",
        _same,
        "paddle's default is the last axis",
    ),
    Setting("pixel-shuffle", ("PixelShuffle",), "upscale_factor", ("_upscale_factor",), "factor"),
    Setting("resize-size", ("Upsample",), "size", ("size",), "size"),
    Setting("resize-size", ("Upsample",), "scale_factor", ("scale_factor",), "scale_factor"),
    Setting("resize-mode", ("Upsample",), "mode", ("mode",), "mode"),
    Setting(
        "resize-align-corners",
        ("Upsample",),
        "align_corners",
        ("align_corners",),
        "align_corners",
        bool,
    ),
    Setting(
        "align-mode",
        ("Upsample",),
        "__class__",
        ("align_mode",),
        "align_mode",
        lambda _: 0,
        "torch has no align_mode; it computes as align_mode=0 does",
    ),
    Setting(
        "embedding-padding-row",
        ("Embedding",),
        "__class__",
        ("_padding_idx",),
        "padding_idx",
        lambda _: None,
        "torch returns the row of padding_idx as it is and only keeps it from training; "
        "paddle returns zeros for it",
    ),
    Setting("time-major", RECURRENT, "batch_first", ("time_major",), "time_major", _not),
    Setting("attention-heads", ("MultiheadAttention",), "num_heads", ("num_heads",), "num_heads"),
    Setting(
        "dropout-mode",
        ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"),
        "__class__",
        ("mode",),
        "mode",
        lambda _: "upscale_in_train",
        "mode='downscale_in_infer' multiplies by 1 - p in evaluation, which torch never does",
    ),
    Setting("flatten-axes", ("Flatten",), "start_dim", ("start_axis",), "start_axis"),
    Setting("flatten-axes", ("Flatten",), "end_dim", ("stop_axis",), "stop_axis"),
)
