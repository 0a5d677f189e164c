"""Bugs of the residual network's port."""

from __future__ import annotations

from functools import partial

from benchmarks.port_bugs import plants
from benchmarks.port_bugs.bug import edited, planted

bug, weights = partial(edited, "residual"), partial(planted, "residual")

BUGS = (
    bug("pool-exclusive", "layer2.shortcut.0", "stride, 1, exclusive=False)", "stride, 1)"),
    bug(
        "ceil-mode",
        "pool",
        "nn.MaxPool2D(3, stride=2, padding=1)",
        "nn.MaxPool2D(3, stride=2, padding=1, ceil_mode=True)",
    ),
    bug("dilation", "layer3.conv2", "padding=dilation, dilation=dilation", "padding=1"),
    bug("groups", "layer1.conv2", "groups=4", "groups=8"),
    bug("stride", "stem.0", "7, stride=2, padding=3", "7, stride=1, padding=3"),
    bug("padding", "stem.0", "7, stride=2, padding=3", "7, stride=2, padding=2"),
    bug("activation-different", "layer1.squeeze.gate", "nn.Hardsigmoid()", "nn.Sigmoid()"),
    bug(
        "activation-dropped",
        "",
        "F.relu(self.fc(self.dropout(both)))",
        "self.fc(self.dropout(both))",
    ),
    bug(
        "activation-slope",
        "",
        "self.neck_bn(self.neck(out)), 0.1)",
        "self.neck_bn(self.neck(out)))",
    ),
    bug("bn-epsilon", "neck_bn", "epsilon=1e-3, ", ""),
    bug(
        "bn-batch-statistics",
        "layer1.bn2",
        "self.bn2 = nn.BatchNorm2D(outside)",
        "self.bn2 = nn.BatchNorm2D(outside, use_global_stats=False)",
    ),
    bug("branch-dropped", "layer1", "self.relu2(out + self.shortcut(x))", "self.relu2(out)"),
    bug(
        "layer-order",
        "layer1",
        "self.relu2(out + self.shortcut(x))",
        "self.relu2(out) + self.shortcut(x)",
    ),
    bug(
        "concat-order",
        "",
        "[out.mean((2, 3)), out.max((2, 3))]",
        "[out.max((2, 3)), out.mean((2, 3))]",
    ),
    bug("reduction-kind", "", "out.max((2, 3))", "out.sum((2, 3))"),
    bug("dropout-on", "", "self.fc(self.dropout(both))", "self.fc(F.dropout(both, 0.2))"),
    bug("bias-missing", "neck", "nn.Conv2D(32, 32, 1)", "nn.Conv2D(32, 32, 1, bias_attr=False)"),
    weights("linear-untransposed", "fc", plants.transposed("fc.weight")),
    weights(
        "linear-untransposed", "layer2.squeeze.fc1", plants.transposed("layer2.squeeze.fc1.weight")
    ),
    weights(
        "weights-exchanged",
        "layer1.squeeze.fc1",
        plants.exchanged("layer1.squeeze.fc1", "layer1.squeeze.fc2"),
    ),
    weights("weights-never-loaded", "neck", plants.never_loaded("neck")),
    weights("weights-never-loaded", "layer3.bn1", plants.never_loaded("layer3.bn1")),
    weights(
        "statistics-exchanged",
        "layer2.bn1",
        plants.exchanged("layer2.bn1._mean", "layer2.bn1._variance"),
    ),
    weights("statistics-never-loaded", "stem.1", plants.statistics_never_loaded),
    weights(
        "scale-and-shift-exchanged",
        "layer3.bn2",
        plants.exchanged("layer3.bn2.weight", "layer3.bn2.bias"),
    ),
    weights(
        "kernel-transposed", "layer1.conv1", plants.transposed("layer1.conv1.weight", 0, 1, 3, 2)
    ),
    weights("channels-transposed", "neck", plants.transposed("neck.weight", 1, 0, 2, 3)),
    weights("weights-rounded", "head", plants.rounded("head.weight")),
    bug(
        "gradient-stopped",
        "layer1.squeeze",
        "self.fc1(x.mean((2, 3)))",
        "self.fc1(x.detach().mean((2, 3)))",
        check="backward",
        accept=("layer3.squeeze",),
    ),
    bug(
        "ignore-index",
        None,
        "    weights = paddle",
        "    labels = labels.clip(0, 9)\n    weights = paddle",
        check="loss",
    ),
    bug("class-weights-dropped", None, "weight=weights, ", "", check="loss"),
    bug(
        "loss-reduction",
        None,
        "ignore_index=255)",
        'ignore_index=255, reduction="sum")',
        check="loss",
    ),
    bug("bn-momentum", "neck_bn", "momentum=0.95", "momentum=0.05", check="train"),
    bug(
        "bn-frozen",
        "stem.1",
        '    def forward(self, x: Tensor) -> Tensor:\n        """Map (N, 3, H, W)',
        "    def train(self) -> None:\n"
        "        super().train()\n"
        "        for layer in self.sublayers():\n"
        "            if isinstance(layer, nn.BatchNorm2D):\n"
        "                layer.eval()\n\n"
        '    def forward(self, x: Tensor) -> Tensor:\n        """Map (N, 3, H, W)',
        check="train",
    ),
    bug("decay-on-norms", None, '"weight_decay": 0.0', '"weight_decay": 5e-2', check="train"),
    bug(
        "group-learning-rate", None, '"learning_rate": 10.0', '"learning_rate": 0.1', check="train"
    ),
    bug(
        "step-order",
        None,
        "    optimizer.step()\n    schedule.step()\n",
        "    schedule.step()\n    optimizer.step()\n",
        check="train",
    ),
    bug("schedule-different", None, "end_lr=0.0, ", "", check="train"),
    bug(
        "nesterov",
        None,
        "schedule, 0.9, parameters",
        "schedule, 0.9, use_nesterov=True, parameters",
        check="train",
    ),
    bug(
        "optimizer-different",
        None,
        "paddle.optimizer.Momentum(schedule, 0.9, parameters",
        "paddle.optimizer.SGD(schedule, parameters",
        check="train",
    ),
)
