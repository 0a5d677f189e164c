"""How other implementations of STDC name its layers: tables, read in both directions.

On the left stand the authors' names, which are this project's own. A pattern fits a whole path of
a layer; the rows of a table apply one after the other. Sources: PaddleSeg's ``models/stdcseg.py``,
``models/backbones/stdcnet.py`` and ``models/layers/layer_libs.py``; MMSegmentation's
``models/backbones/stdc.py`` and ``bisenetv1.py`` (a first version spelt some names otherwise),
``models/decode_heads/fcn_head.py`` and ``configs/_base_/models/stdc.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from converters.layouts import Layout
from stdc_port import spec

Rows = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Naming:
    """One implementation's names.

    Attributes:
        name: what ``--layout`` calls it.
        variant: key of :data:`stdc_port.spec.VARIANTS`, the network that reads such files; '' if
            any may.
        framework: the framework of that network, '' if either.
        renames: pattern and replacement, on the paths of layers.
        absent: pattern and reason, for layers that it does not have.
        own: pattern and reason, for keys of its own that no layer here can hold.
        stages: stages and blocks are counted apart, not in one row.
    """

    name: str
    variant: str = ""
    framework: str = ""
    renames: Rows = ()
    absent: Rows = ()
    own: Rows = ()
    stages: bool = False

    def path(self, path: str, backbone: spec.BackboneSpec) -> str:
        """Return its path of a layer."""
        if self.stages and (match := re.fullmatch(r"(.*\bfeatures)\.(\d+)\.(.+)", path)):
            path = f"{match[1]}.{stage_of(int(match[2]), backbone)}.{match[3]}"
        for pattern, replacement in self.renames:
            path = re.sub(f"^(?:{pattern})$", replacement, path)
        return path

    def why_absent(self, path: str) -> str:
        """Return why it has no such layer, '' if it has."""
        return first_that_fits(self.absent, path)

    def why_own(self, name: str) -> str:
        """Return why no layer here can hold one of its keys, '' if one can."""
        return first_that_fits(self.own, name)


def first_that_fits(rows: Rows, name: str) -> str:
    """Return what stands beside the first pattern that fits a whole name, '' if none does."""
    return next((beside for pattern, beside in rows if re.fullmatch(pattern, name)), "")


def stage_of(index: int, backbone: spec.BackboneSpec) -> str:
    """Return a layer's place as stage and block: 0, 1, then 2.0, 2.1 and so on."""
    for stage, (start, end) in enumerate(backbone.map_slices().values()):
        if start <= index < end:
            return f"{stage}.{index - start}" if stage > 1 else str(stage)
    raise ValueError(f"{backbone.name} has no layer {index}")


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
    absent=_MMSEG_ABSENT,
    own=_MMSEG_OWN,
    stages=True,
)
NAMINGS = {one.name: one for one in (NATIVE, AUTHORS, PADDLESEG, MMSEG, MMSEG_FIRST)}


def recognised(shapes: Mapping[str, tuple[int, ...]], framework: str) -> Naming:
    """Tell whose names a set of keys are, by keys that only theirs hold."""
    if "cp.arm16.conv._conv.weight" in shapes:
        return PADDLESEG
    mark = r"(backbone\.){0,2}stages\.2\.0\.layers\.0\.conv\.weight"
    if any(re.fullmatch(mark, name) for name in shapes):
        first = any(".avg_pool.conv." in name for name in shapes)
        return MMSEG_FIRST if first else MMSEG
    unclassified = not {"fc.weight", "linear.weight"} & shapes.keys()
    backbone = "features.0.conv.weight" in shapes and unclassified
    return PADDLESEG if backbone and framework == "paddle" else NATIVE


def backbone_of(names: Iterable[str], naming: Naming) -> spec.BackboneSpec | None:
    """Return the backbone with as many bottlenecks as the keys have, None if none has."""
    pattern = (
        r"(?:backbone\.){0,2}stages\.([2-9]\.\d+)\."
        if naming.stages
        else (r"(?:cp\.backbone\.)?features\.([2-9]|\d\d)\.")
    )
    count = len({match[1] for name in names if (match := re.match(pattern, name))})
    known = {sum(backbone.depths): backbone for backbone in spec.BACKBONES.values()}
    return known.get(count)


def native_names(
    names: Mapping[str, str], naming: Naming, layout: Layout, backbone: spec.BackboneSpec
) -> dict[str, str]:
    """Return keys by the names that this project has for them.

    A name that the implementation does not have is marked with the implementation's, so that it
    cannot pass for the same name of another layer.

    Args:
        names: keys by the implementation's names.
        naming: whose they are.
        layout: the network in this project's names.
        backbone: its backbone.
    """
    paths = {naming.path(layer.path, backbone): layer.path for layer in layout.layers}
    found = {}
    for name, key in names.items():
        path, _, tensor = name.rpartition(".")
        again = absolute(path, backbone)
        second = f"{again}.{tensor}" if f"{again}.weight" in layout.aliases else ""
        native = f"{paths[path]}.{tensor}" if path in paths else second
        if naming.why_own(name):
            native = ""
        found[native or f"{naming.name}:{name}"] = key
    return found


def absolute(path: str, backbone: spec.BackboneSpec) -> str:
    """Return the authors' second name of a layer for Paddle's, which counts every slice from 0.

    Paddle's ``x16.0.0.conv_list…`` is the authors' ``x16.0.4.conv_list…``.
    """
    match = re.fullmatch(r"(.*\b)(x\d+)\.0\.(\d+)\.(.+)", path)
    if match is None or match[2] not in (slices := backbone.map_slices()):
        return path
    return f"{match[1]}{match[2]}.0.{slices[match[2]][0] + int(match[3])}.{match[4]}"
