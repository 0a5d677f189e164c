"""Layers whose tensors stand one by one: convolutions, linear maps, norms, embeddings."""

from __future__ import annotations

from typing import Any

from converters.rules.rows import LayerRule, Limit, TensorRule, copied, dimensions

BIAS = TensorRule("bias", "bias", zero=True)
PLAIN = (TensorRule("weight", "weight"), BIAS)
_LINEAR_WHY = "Linear: torch keeps [out, in], Paddle [in, out]"
_FLAT_WHY = "LayerNorm: Paddle keeps the normalised axes as one"
_COUNTER_WHY = "Paddle's BatchNorm does not count batches"
_TRACKED_WHY = (
    "InstanceNorm: Paddle keeps no running statistics and always takes the instance's own; "
    "in torch set track_running_stats=False, or use a BatchNorm"
)
_STATISTICS = (TensorRule("running_mean", "_mean"), TensorRule("running_var", "_variance"))
_COUNTER = TensorRule("num_batches_tracked", None, reason=_COUNTER_WHY)


def _above(limit: float) -> Any:
    return lambda value: isinstance(value, float) and value > limit


def _is_set(value: Any) -> bool:
    return value is not None and value is not False


# BatchNorm beside its numbers: torch's momentum m is Paddle's 1 − m, and torch's running variance
# is the unbiased one, n/(n−1) times Paddle's. Stored values carry over unchanged.
PLAIN_RULES = (
    LayerRule(
        "conv", dimensions("Conv"), (*dimensions("Conv", "D"), "vision.ops.DeformConv2D"), PLAIN
    ),
    LayerRule(
        "conv_transpose",
        dimensions("ConvTranspose"),
        dimensions("Conv", "DTranspose"),
        PLAIN,
        looks_like="conv",
    ),
    LayerRule(
        "linear",
        ("Linear",),
        ("Linear",),
        (TensorRule("weight", "weight", "transpose", reason=_LINEAR_WHY), BIAS),
    ),
    # paddle.compat follows torch, its Linear's layout too.
    LayerRule("compat_linear", (), ("compat.Linear",), PLAIN, looks_like="linear"),
    LayerRule(
        "bilinear",
        ("Bilinear",),
        ("Bilinear",),
        (
            TensorRule("weight", "weight"),
            TensorRule("bias", "bias", "row", "Bilinear: Paddle keeps the bias as one row"),
        ),
    ),
    LayerRule(
        "batch_norm",
        (*dimensions("BatchNorm"), "SyncBatchNorm"),
        ("BatchNorm", *dimensions("BatchNorm", "D"), "SyncBatchNorm"),
        (*PLAIN, *_STATISTICS, _COUNTER),
    ),
    LayerRule(
        "inplace_abn",
        ("InPlaceABN", "InPlaceABNSync"),
        (),
        (
            TensorRule(
                "weight",
                "weight",
                "fold",
                reason="in-place ABN scales by |weight| + 1e-5; folded in float64, rounded once",
            ),
            TensorRule("bias", "bias"),
            *_STATISTICS,
            # It has none itself; the plain batch norm that it becomes may have one.
            _COUNTER,
        ),
        looks_like="batch_norm",
    ),
    LayerRule(
        "instance_norm",
        dimensions("InstanceNorm"),
        dimensions("InstanceNorm", "D"),
        (
            TensorRule("weight", "scale"),
            BIAS,
            *(
                TensorRule(name, None, reason=_TRACKED_WHY, refused=True)
                for name in ("running_mean", "running_var", "num_batches_tracked")
            ),
        ),
        looks_like="batch_norm",
    ),
    LayerRule(
        "layer_norm",
        ("LayerNorm",),
        ("LayerNorm",),
        tuple(
            TensorRule(name, name, "flatten", _FLAT_WHY, zero=zero, size="_normalized_shape")
            for name, zero in (("weight", False), ("bias", True))
        ),
        limits=(
            Limit(
                "paddle",
                "_epsilon",
                _above(1e-3),
                "Paddle's LayerNorm refuses an epsilon above 1e-3 at its first call (it is {value})"
                "; write the norm by hand, or use GroupNorm with one group where the axes allow it",
            ),
        ),
    ),
    LayerRule("group_norm", ("GroupNorm",), ("GroupNorm",), PLAIN),
    LayerRule("rms_norm", ("RMSNorm",), ("RMSNorm",), copied("weight")),
    LayerRule("local_response_norm", ("LocalResponseNorm",), ("LocalResponseNorm",)),
    LayerRule(
        "embedding",
        ("Embedding", "EmbeddingBag"),
        ("Embedding",),
        (TensorRule("weight", "weight", blank="_padding_idx"),),
        limits=(
            Limit(
                "torch",
                "max_norm",
                _is_set,
                "torch renormalises looked-up rows to max_norm={value} in place; set it to None",
            ),
        ),
    ),
    LayerRule("prelu", ("PReLU",), ("PReLU",), (TensorRule("weight", "_weight"),)),
)
