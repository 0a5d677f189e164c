"""The same kinds of bugs, and some more, in the network that no rule was made for."""

from __future__ import annotations

from functools import partial

from benchmarks.port_bugs import plants
from benchmarks.port_bugs.bug import edited, planted

bug, weights = partial(edited, "hourglass"), partial(planted, "hourglass")

BUGS = (
    bug("pool-exclusive", "down2", ", exclusive=False)", ")"),
    bug("pool-kind", "pyramid", "F.avg_pool2d(x, 2)", "F.max_pool2d(x, 2)"),
    bug("padding-mode", "enter.depth", ' padding_mode="reflect",', ""),
    bug("groups", "up2", "output_padding=1, groups=2", "output_padding=1, groups=4"),
    bug(
        "same-padding-dilation",
        "pyramid.wide",
        "padding=2, dilation=2",
        'padding="SAME", dilation=2',
    ),
    bug("dilation", "pyramid.wide", "padding=2, dilation=2", "padding=1"),
    bug(
        "padding",
        "down1",
        "nn.Conv2D(8, 16, 3, stride=2, padding=1)",
        "nn.Conv2D(8, 16, 3, stride=2, padding=[0, 1, 0, 1])",
    ),
    bug("norm-groups", "enter.norm", "nn.GroupNorm(4, outside,", "nn.GroupNorm(2, outside,"),
    bug("group-norm-epsilon", "enter.norm", ", epsilon=1e-4)", ")"),
    bug(
        "layer-norm-epsilon",
        "mixer.norm1",
        "self.norm1 = nn.LayerNorm(channels)",
        "self.norm1 = nn.LayerNorm(channels, epsilon=1e-6)",
    ),
    bug("norm-kind", "pyramid.norm", "nn.InstanceNorm2D(channels)", "nn.GroupNorm(1, channels)"),
    bug("resize-align-corners", "pyramid", "align_corners=False)", "align_corners=True)"),
    bug("align-mode", "pyramid", "align_corners=False)", "align_corners=False, align_mode=1)"),
    bug("resize-mode", "pyramid", 'mode="nearest"', 'mode="bilinear"'),
    bug(
        "softmax-axis",
        "pyramid",
        "F.softmax(self.score(wide).flatten(1), axis=1)",
        "F.softmax(self.score(wide), axis=1)",
    ),
    bug("concat-order", "pyramid", "[wide * focus, coarse, far]", "[wide * focus, far, coarse]"),
    bug("concat-order", "", "[self.up2(deep), inner]", "[inner, self.up2(deep)]"),
    bug("pad-order", "", "F.pad(out, [1, 0, 0, 1])", "F.pad(out, [0, 1, 1, 0])"),
    bug("crop-shifted", "", "[:, :, 1:, :-1]", "[:, :, :-1, 1:]"),
    bug(
        "reshape-order",
        "mixer",
        "rows.transpose([0, 2, 1]).reshape(x.shape)",
        "rows.reshape(x.shape)",
    ),
    bug("branch-dropped", "mixer", "rows = rows + F.gelu(", "rows = F.gelu("),
    bug(
        "gelu-approximate",
        "mixer",
        "F.gelu(self.over_channels(self.norm2(rows)))",
        "F.gelu(self.over_channels(self.norm2(rows)), approximate=True)",
    ),
    bug(
        "layer-exchanged",
        "mixer",
        "self.over_places(self.norm1(rows)",
        "self.over_places(self.norm2(rows)",
        "self.over_channels(self.norm2(rows)",
        "self.over_channels(self.norm1(rows)",
    ),
    bug(
        "layer-order",
        "enter",
        "self.slope(self.norm(self.point(self.depth(x))))",
        "self.norm(self.slope(self.point(self.depth(x))))",
    ),
    bug("activation-dropped", "", "F.silu(outer)", "outer"),
    bug("activation-different", "", "F.silu(outer)", "F.relu(outer)"),
    bug("input-normalisation", "", "(image - self.mean) / self.deviation", "(image - 0.5) / 0.5"),
    bug(
        "bias-missing",
        "enter.point",
        "nn.Conv2D(inside, outside, 1)",
        "nn.Conv2D(inside, outside, 1, bias_attr=False)",
    ),
    bug(
        "dropout-on",
        "mixer",
        "rows = rows + mixed.transpose",
        "rows = rows + F.dropout(mixed, 0.1).transpose",
    ),
    weights(
        "linear-untransposed",
        "mixer.over_channels",
        plants.transposed("mixer.over_channels.weight"),
    ),
    weights(
        "linear-untransposed", "mixer.over_places", plants.transposed("mixer.over_places.weight")
    ),
    weights("weights-exchanged", "mixer.norm1", plants.exchanged("mixer.norm1", "mixer.norm2")),
    weights("weights-never-loaded", "enter.slope", plants.never_loaded("enter.slope")),
    weights("weights-never-loaded", "up2", plants.never_loaded("up2")),
    weights("channels-transposed", "up1.0", plants.transposed("up1.0.weight", 1, 0, 2, 3)),
    weights(
        "kernel-transposed", "enter.depth", plants.transposed("enter.depth.weight", 0, 1, 3, 2)
    ),
    weights(
        "scale-and-shift-exchanged",
        "pyramid.norm",
        plants.exchanged("pyramid.norm.scale", "pyramid.norm.bias"),
    ),
    weights(
        "input-channels-reversed", "enter.depth", plants.reversed_along("enter.depth.weight", 0)
    ),
    weights("weights-rounded", "head", plants.rounded("head.weight")),
    bug(
        "gradient-stopped",
        "",
        "self.middle1(self.down1(outer))",
        "self.middle1(self.down1(outer.detach()))",
        check="backward",
    ),
    bug(
        "ignore-index",
        None,
        "    entropy = F",
        "    labels = paddle.where(labels == 255, paddle.full_like(labels, -1), labels)\n"
        "    entropy = F",
        "ignore_index=255",
        "ignore_index=-1",
        check="loss",
    ),
    bug("smooth-l1-delta", None, "delta=0.5) / 0.5", "delta=0.5)", check="loss"),
    bug("loss-term-dropped", None, "entropy + 0.1 * rough", "entropy", check="loss"),
    bug(
        "bias-created",
        "enter.depth",
        'padding_mode="reflect", bias_attr=False',
        'padding_mode="reflect"',
    ),
    bug(
        "layer-norm-frozen",
        "mixer.norm1",
        "    trained = [",
        "    for parameter in network.mixer.parameters():\n"
        "        parameter.stop_gradient = True\n"
        "    trained = [",
        check="train",
    ),
    bug("parameters-unfrozen", "mixer", ' if not name.startswith("mixer.")', "", check="train"),
    bug(
        "parameters-untrained",
        "head",
        'name.startswith("mixer.")',
        'name.startswith(("mixer.", "head."))',
        check="train",
    ),
    bug("nesterov", None, "use_nesterov=True, ", "", check="train"),
    bug("decay-missing", None, ", weight_decay=1e-2", "", check="train"),
    bug("schedule-different", None, "gamma=0.8", "gamma=0.9", check="train"),
    bug(
        "step-order",
        None,
        "    optimizer.step()\n    schedule.step()\n",
        "    schedule.step()\n    optimizer.step()\n",
        check="train",
    ),
    bug(
        "gradients-not-cleared",
        None,
        "    schedule.step()\n    optimizer.clear_grad()\n",
        "    schedule.step()\n",
        check="train",
    ),
)
