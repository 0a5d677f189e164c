"""Bugs of STDC ports: the classifier and the segmentation network."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.port_bugs import plants
from benchmarks.port_bugs.bug import Arrays, edited, planted
from benchmarks.port_bugs.network import original

stdc1, stdc1_weights = partial(edited, "stdc1"), partial(planted, "stdc1")
seg, seg_weights = partial(edited, "stdc1_seg"), partial(planted, "stdc1_seg")


def _abn_not_folded(right: Arrays, _: Arrays) -> Arrays:
    state = original("stdc1_seg").state_dict()
    folded = [key for key in right if right[key].ndim == 1 and key.endswith(".weight")]
    raw = {key: state[key].numpy() for key in folded}
    return {key: value for key, value in raw.items() if not np.array_equal(value, right[key])}


BUGS = (
    stdc1(
        "pool-exclusive",
        "features.2.skip",
        "3, stride=2, padding=1, exclusive=not variant.pool_counts_padding",
        "3, stride=2, padding=1",
        source="backbone",
    ),
    stdc1(
        "activation-dropped",
        "features.0",
        "return self.relu(self.bn(self.conv(x)))",
        "return self.bn(self.conv(x))",
        source="backbone",
    ),
    stdc1(
        "layer-order",
        "features.0",
        "return self.relu(self.bn(self.conv(x)))",
        "return self.bn(self.relu(self.conv(x)))",
        source="backbone",
    ),
    stdc1(
        "concat-order",
        "features.2",
        "        return paddle.concat(maps, axis=1)\n",
        "        return paddle.concat(maps[::-1], axis=1)\n",
        source="backbone",
    ),
    stdc1(
        "bn-epsilon",
        "features.0.bn",
        "self.bn = nn.BatchNorm2D(out_channels)",
        "self.bn = nn.BatchNorm2D(out_channels, epsilon=1.1e-5)",
        source="backbone",
    ),
    stdc1(
        "stride",
        "features.0.conv",
        "ConvX(i, o, 3, stride=2)",
        "ConvX(i, o, 3)",
        source="backbone",
    ),
    stdc1(
        "function-dropped",
        "",
        "self.conv_last(self.features(x)[-1]).pow(2)",
        "self.conv_last(self.features(x)[-1])",
        source="backbone",
    ),
    stdc1(
        "reduction-kind",
        "",
        "F.adaptive_avg_pool2d(out, 1)",
        "F.adaptive_max_pool2d(out, 1)",
        source="backbone",
    ),
    stdc1(
        "dropout-mode",
        "dropout",
        "nn.Dropout(DROPOUT)",
        'nn.Dropout(DROPOUT, mode="downscale_in_infer")',
        source="backbone",
    ),
    stdc1_weights("linear-untransposed", "fc", plants.transposed("fc.weight")),
    stdc1_weights(
        "weights-exchanged",
        "features.2.conv_list.1.conv",
        plants.exchanged("features.2.conv_list.1.conv", "features.3.conv_list.1.conv"),
    ),
    stdc1_weights("weights-never-loaded", "linear", plants.never_loaded("linear")),
    stdc1_weights(
        "statistics-exchanged",
        "features.5.conv_list.0.bn",
        plants.exchanged("features.5.conv_list.0.bn._mean", "features.5.conv_list.0.bn._variance"),
    ),
    stdc1_weights("statistics-never-loaded", "features.0.bn", plants.statistics_never_loaded),
    stdc1_weights(
        "input-channels-reversed",
        "features.0.conv",
        plants.reversed_along("features.0.conv.weight", 1),
    ),
    stdc1_weights(
        "kernel-transposed",
        "features.1.conv",
        plants.transposed("features.1.conv.weight", 0, 1, 3, 2),
    ),
    stdc1_weights("weights-rounded", "linear", plants.rounded("linear.weight")),
    stdc1(
        "bn-momentum",
        "features.0.bn",
        "self.bn = nn.BatchNorm2D(out_channels)",
        "self.bn = nn.BatchNorm2D(out_channels, momentum=0.1)",
        source="backbone",
        check="train",
    ),
    stdc1("decay-missing", None, ", weight_decay=1e-2)", ")", check="train"),
    stdc1("schedule-different", None, "milestones=[2, 4]", "milestones=[3, 5]", check="train"),
    seg(
        "pool-exclusive",
        "cp.backbone.features.4.skip",
        "exclusive=not variant.pool_counts_padding",
        "exclusive=spec.out_channels == 512",
        source="backbone",
    ),
    seg_weights("abn-not-folded", "cp.conv_avg.bn", _abn_not_folded),
    seg_weights(
        "weights-exchanged",
        "conv_out16.conv.conv",
        plants.exchanged("conv_out16", "conv_out32"),
        accept=("conv_out16", "conv_out16.conv"),
    ),
    seg_weights("weights-never-loaded", "ffm.conv2", plants.never_loaded("ffm.conv2")),
    seg(
        "resize-mode",
        "cp",
        'size=like.shape[2:], mode="nearest"',
        'size=like.shape[2:], mode="bilinear"',
        source="segmentation",
    ),
    seg(
        "resize-align-corners",
        "",
        "logits = enlarge_bilinear(logits, x, align_corners=True)",
        "logits = enlarge_bilinear(logits, x, align_corners=False)",
        source="segmentation",
    ),
    seg(
        "resize-size",
        "",
        "logits = enlarge_bilinear(logits, x, align_corners=True)",
        'logits = F.interpolate(logits, scale_factor=8, mode="bilinear", align_corners=True)',
        source="segmentation",
    ),
    seg(
        "concat-order",
        "ffm",
        "paddle.concat([spatial, context], axis=1)",
        "paddle.concat([context, spatial], axis=1)",
        source="segmentation",
    ),
    seg(
        "activation-dropped",
        "cp.arm32.conv.relu",
        "activation=variant.arm_relu",
        "activation=False",
        source="segmentation",
        accept=("cp.arm32.conv",),
    ),
    seg(
        "activation-different",
        "ffm.sigmoid",
        "self.sigmoid = nn.Sigmoid()",
        "self.sigmoid = nn.Hardsigmoid()",
        source="segmentation",
    ),
    seg(
        "branch-dropped",
        "ffm",
        "return feat * atten + feat",
        "return feat * atten",
        source="segmentation",
    ),
    seg(
        "layer-exchanged",
        "cp",
        "context16 = self.conv_head32(",
        "context16 = self.conv_head16(",
        "context8 = self.conv_head16(",
        "context8 = self.conv_head32(",
        source="segmentation",
    ),
    seg(
        "gradient-stopped",
        "",
        "feat8 = maps[2]",
        "feat8 = maps[2].detach()",
        source="segmentation",
        check="backward",
    ),
    seg(
        "ohem-rule",
        None,
        "self.loss_threshold = -math.log(threshold)",
        "self.loss_threshold = threshold",
        source="losses",
        check="loss",
    ),
    seg(
        "fuse-kernel",
        None,
        "self.create_parameter((1, 3, 1, 1), default_initializer=fuse_weights)",
        "self.create_parameter((1, 3, 1, 1))",
        source="losses",
        check="loss",
    ),
    seg(
        "loss-term-dropped",
        None,
        "LossParts(ohem + ohem16 + ohem32 + bce + dice,",
        "LossParts(ohem + ohem16 + ohem32 + bce,",
        source="losses",
        check="loss",
    ),
    seg(
        "resize-align-corners",
        "",
        "align = self.aux_align_corners",
        "align = False",
        source="segmentation",
        check="train",
    ),
    seg(
        "bn-momentum",
        "cp.conv_avg.bn",
        "return nn.BatchNorm2D(channels)",
        "return nn.BatchNorm2D(channels, momentum=0.1)",
        source="segmentation",
        check="train",
    ),
    seg("group-learning-rate", None, "factor = 10.0 if", "factor = 1.0 if", check="train"),
    seg(
        "decay-on-norms",
        None,
        "5e-2 if parameter.ndim > 1 else 0.0",
        "5e-2",
        check="train",
    ),
    seg(
        "warm-up",
        None,
        "0.1 ** (1 - t / 4) if t < 4",
        "0.1 + 0.9 * t / 4 if t < 4",
        check="train",
    ),
    seg(
        "gradients-not-cleared",
        None,
        "    schedule.step()\n    optimizer.clear_grad()\n",
        "    schedule.step()\n",
        check="train",
    ),
)
