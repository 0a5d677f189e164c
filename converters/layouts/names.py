"""How other implementations of STDC name its layers: tables, read in both directions.

On the left stand the authors' names, which are this project's own. Sources: PaddleSeg's
``models/stdcseg.py``, ``models/backbones/stdcnet.py`` and ``models/layers/layer_libs.py``;
MMSegmentation's ``models/backbones/stdc.py`` and ``bisenetv1.py`` (a first version spelt some names
otherwise), ``models/decode_heads/fcn_head.py`` and ``configs/_base_/models/stdc.py``.
"""

from __future__ import annotations

from converters.layouts.naming import Naming

NATIVE = Naming("native")
AUTHORS = Naming("authors", "authors-bn")
PADDLESEG = Naming(
    "paddleseg",
    "paddleseg",
    "paddle",
    renames=(
        (r"(?!cp\.backbone\.|features|conv_last)(.+)\.conv", r"\1._conv"),
        (r"(?!cp\.backbone\.|features|conv_last)(.+)\.bn", r"\1._batch_norm"),
        # Heads are named one stride higher there. The order of these two rows matters.
        (r"conv_out16\.(.+)", r"conv_out8.\1"),
        (r"conv_out32\.(.+)", r"conv_out16.\1"),
    ),
    absent=((r"(cp\.backbone\.)?(fc|bn|linear)", "PaddleSeg's backbone has no classifier"),),
)
# Bottlenecks of type 'add': the first of a stage halves its map within `layers.0`, where the
# downsampling stands under a second name, and its skip is a chain of two blocks.
_ADDED = (
    (r"(.*stages\.[2-9]\.0)\.layers\.0\.(conv|bn)", r"\1.layers.0.0.\2"),
    (r"(.*stages\.[2-9]\.0)\.(?:downsample|avg_pool)\.(conv|bn)", r"\1.layers.0.1.\2"),
    (r"(.+)\.skip\.0", r"\1.skip.0.conv"),
    (r"(.+)\.skip\.1", r"\1.skip.0.bn"),
    (r"(.+)\.skip\.2", r"\1.skip.1.conv"),
    (r"(.+)\.skip\.3", r"\1.skip.1.bn"),
)
_HEADS = (
    (r"conv_out\.(.+)", r"decode_head.\1"),
    (r"conv_out16\.(.+)", r"auxiliary_head.0.\1"),
    (r"conv_out32\.(.+)", r"auxiliary_head.1.\1"),
    (r"conv_out_sp8\.(.+)", r"auxiliary_head.2.\1"),
    (r"((?:decode|auxiliary)_head.*)\.conv_out", r"\1.conv_seg"),
    (r"((?:decode|auxiliary)_head.*)\.conv\.(conv|bn)", r"\1.convs.0.\2"),
)
_CONTEXT = (
    (r"cp\.(backbone\..+)", r"backbone.\1"),
    (r"cp\.(conv_avg\..+)", r"backbone.\1"),
    (r"cp\.conv_head32\.(.+)", r"backbone.convs.0.\1"),
    (r"cp\.conv_head16\.(.+)", r"backbone.convs.1.\1"),
    (r"cp\.arm32\.(.+)", r"backbone.arms.0.\1"),
    (r"cp\.arm16\.(.+)", r"backbone.arms.1.\1"),
    (r"ffm\.convblk\.(.+)", r"backbone.ffm.conv0.\1"),
    (r"(|.+\.)features\.(.+)", r"\1stages.\2"),
    (r"(.+)\.conv_list\.(.+)", r"\1.layers.\2"),
    (r"(|.+\.)conv_last\.(.+)", r"\1final_conv.\2"),
)
_UNUSED_DETAIL = "MMSegmentation has the detail head on the map of stride 8 alone; no loss uses it"
_MMSEG_ABSENT = (
    (r"(cp\.backbone\.)?(fc|bn|linear)", "MMSegmentation's backbone has no classifier"),
    (r"cp\.backbone\.conv_last\..+", "MMSegmentation's configuration leaves it out; unused"),
    (r"conv_out_sp(2|4|16)\..+", _UNUSED_DETAIL),
    (r"conv_out_sp8\.conv_out", "MMSegmentation's detail head has two outputs, not one"),
)
_MMSEG_OWN = (
    (r"auxiliary_head\.2\.(laplacian|fusion)_kernel", "a constant of the detail loss"),
    (r"auxiliary_head\.2\.conv_seg\..+", "this detail head has two outputs; here it has one"),
)
MMSEG = Naming(
    "mmseg",
    "mmseg-relu",
    "torch",
    renames=(
        *_CONTEXT,
        *_HEADS,
        (r"(.+)\.avd_layer\.0", r"\1.downsample.conv"),
        (r"(.+)\.avd_layer\.1", r"\1.downsample.bn"),
        (r"(backbone\.arms\..)\.conv\.(.+)", r"\1.conv_layer.\2"),
        (r"(backbone\.arms\..)\.(conv|bn)_atten", r"\1.atten_conv_layer.1.\2"),
        (r"ffm\.conv([12])", r"backbone.ffm.attention.\1.conv"),
    ),
    added=_ADDED,
    seconds=((r"(.*stages\.[2-9]\.0)\.layers\.0\.1\.(conv|bn)", r"\1.downsample.\2"),),
    absent=_MMSEG_ABSENT,
    own=_MMSEG_OWN,
    stages=True,
)
MMSEG_FIRST = Naming(
    "mmseg-first",
    "mmseg",
    "torch",
    renames=(
        *_CONTEXT,
        *_HEADS,
        (r"(.+)\.avd_layer\.0", r"\1.avg_pool.conv"),
        (r"(.+)\.avd_layer\.1", r"\1.avg_pool.bn"),
        (r"(backbone\.arms\..)\.(conv|bn)_atten", r"\1.conv_attn.\2"),
        (r"ffm\.conv([12])", r"backbone.ffm.conv\1.conv"),
        # In that version the deeper of the two comes last.
        (r"backbone\.(arms|convs)\.0\.(.+)", r"backbone.\1.-.\2"),
        (r"backbone\.(arms|convs)\.1\.(.+)", r"backbone.\1.0.\2"),
        (r"backbone\.(arms|convs)\.-\.(.+)", r"backbone.\1.1.\2"),
    ),
    added=_ADDED,
    seconds=((r"(.*stages\.[2-9]\.0)\.layers\.0\.1\.(conv|bn)", r"\1.avg_pool.\2"),),
    absent=_MMSEG_ABSENT,
    own=_MMSEG_OWN,
    stages=True,
)
NAMINGS = {one.name: one for one in (NATIVE, AUTHORS, PADDLESEG, MMSEG, MMSEG_FIRST)}
