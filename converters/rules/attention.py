"""Attention and the layers of a Transformer.

torch packs the projections of query, key and value into one matrix where the three have the same
width; Paddle keeps three Linear layers, each transposed.
"""

from __future__ import annotations

from typing import Any

from converters.rules.rows import LayerRule, Limit, Shapes, TensorRule, copied

PROJECTIONS = ("q_proj", "k_proj", "v_proj")
_WHY = "attention: torch packs query, key and value; Paddle keeps three, [in, out]"
_SEPARATE_WHY = "attention: torch keeps [out, in], Paddle [in, out]"
_EXTRA_WHY = (
    "attention: Paddle's MultiHeadAttention has no learnt extra key and value (add_bias_kv); "
    "append them to key and value outside the layer"
)

_PACKED = (
    TensorRule(
        "in_proj_weight", tuple(f"{name}.weight" for name in PROJECTIONS), "split_transpose", _WHY
    ),
)
_SEPARATE = tuple(
    TensorRule(f"{name}_weight", f"{name}.weight", "transpose", _SEPARATE_WHY)
    for name in PROJECTIONS
)
_BIASES = (
    TensorRule("in_proj_bias", tuple(f"{name}.bias" for name in PROJECTIONS), "split", _WHY),
    TensorRule("bias_k", None, reason=_EXTRA_WHY, refused=True),
    TensorRule("bias_v", None, reason=_EXTRA_WHY, refused=True),
)


def rows_of(shapes: Shapes, framework: str) -> tuple[TensorRule, ...]:
    """Return the rows of an attention; torch packs the weights if all three are square."""
    if framework == "torch":
        packed = "in_proj_weight" in shapes
    else:
        found = [shapes.get(f"{name}.weight", ()) for name in PROJECTIONS]
        packed = len(set(found)) == 1
    return (*(_PACKED if packed else _SEPARATE), *_BIASES)


def compat_rows(shapes: Shapes, _: str) -> tuple[TensorRule, ...]:
    """Return the rows of an attention of ``paddle.compat``: torch's, but for unpacked biases."""
    extra = copied("bias_k", "bias_v")
    if "in_proj_weight" in shapes:
        return (*copied("in_proj_weight", "in_proj_bias"), *extra)
    biases = tuple(f"{name}_bias" for name in PROJECTIONS)
    why = "attention: torch packs the biases even where the weights stand alone"
    weights = copied(*(f"{name}_weight" for name in PROJECTIONS))
    return (*weights, TensorRule("in_proj_bias", biases, "split", why), *extra)


def _is_on(value: Any) -> bool:
    return bool(value)


ATTENTION_RULES = (
    # The projection of the output, `out_proj`, is a Linear of its own in both.
    LayerRule(
        "attention",
        ("MultiheadAttention",),
        ("MultiHeadAttention",),
        rows=rows_of,
        inner=rf"(?:{'|'.join(PROJECTIONS)})\.(?:weight|bias)",
        limits=(
            Limit(
                "torch",
                "add_zero_attn",
                _is_on,
                "Paddle's MultiHeadAttention cannot add a zero key (add_zero_attn=True)",
            ),
        ),
    ),
    LayerRule(
        "compat_attention",
        (),
        ("compat.MultiheadAttention",),
        rows=compat_rows,
        looks_like="attention",
    ),
    LayerRule(
        "transformer_decoder_layer",
        ("TransformerDecoderLayer",),
        ("TransformerDecoderLayer",),
        children=(("multihead_attn", "cross_attn"),),
    ),
)
