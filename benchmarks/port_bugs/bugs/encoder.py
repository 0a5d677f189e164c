"""Bugs of the transformer encoder's port."""

from __future__ import annotations

from functools import partial

from benchmarks.port_bugs import plants
from benchmarks.port_bugs.bug import edited, planted

bug, weights = partial(edited, "encoder"), partial(planted, "encoder")
ATTENTION = "layers.0.attention"

BUGS = (
    bug(
        "layer-norm-epsilon",
        "layers.0.norm1",
        "self.norm1 = nn.LayerNorm(WIDTH, epsilon=1e-6)",
        "self.norm1 = nn.LayerNorm(WIDTH)",
    ),
    bug("gelu-approximate", "layers.0", ", approximate=True)", ")"),
    bug(
        "activation-different",
        "layers.0",
        "F.gelu(self.up(self.norm2(x)), approximate=True)",
        "F.relu(self.up(self.norm2(x)))",
    ),
    bug(
        "activation-dropped",
        "",
        "paddle.tanh(self.hidden(self.norm(x)[:, 0]))",
        "self.hidden(self.norm(x)[:, 0])",
    ),
    bug("mask-inverted", ATTENTION, "paddle.where(seen,", "paddle.where(~seen,"),
    bug(
        "mask-dropped",
        ATTENTION,
        "        scores = paddle.where(seen, scores, paddle.full_like(scores, -1e9))\n",
        "",
    ),
    bug("mask-inverted", "", ".tril()", ".triu(1)", accept=("mixing",)),
    bug("scale-different", ATTENTION, "/ math.sqrt(WIDTH // HEADS)", "/ math.sqrt(WIDTH)"),
    bug("softmax-axis", ATTENTION, "F.softmax(scores, axis=-1)", "F.softmax(scores, axis=1)"),
    bug(
        "reshape-order",
        ATTENTION,
        "x.reshape([x.shape[0], x.shape[1], HEADS, WIDTH // HEADS]).transpose([0, 2, 1, 3])",
        "x.reshape([x.shape[0], HEADS, x.shape[1], WIDTH // HEADS])",
    ),
    bug(
        "reshape-order",
        ATTENTION,
        "mixed.transpose([0, 2, 1, 3]).reshape(x.shape)",
        "mixed.reshape(x.shape)",
    ),
    bug("layer-order", "", "for layer in self.layers:", "for layer in self.layers[::-1]:"),
    bug(
        "layer-order",
        "layers.0",
        "x = x + self.attention(self.norm1(x), seen)",
        "x = self.norm1(x + self.attention(x, seen))",
    ),
    bug(
        "dropout-on",
        "layers.0",
        "F.dropout(inner, 0.0, training=self.training)",
        "F.dropout(inner, 0.1)",
    ),
    bug(
        "embedding-padding-row",
        "words",
        "nn.Embedding(WORDS, WIDTH)",
        "nn.Embedding(WORDS, WIDTH, padding_idx=0)",
    ),
    bug("reduction-kind", "", "self.norm(x)[:, 0]", "self.norm(x).mean(1)"),
    bug("branch-dropped", "", "x = x + self.mixing(", "x = self.mixing("),
    bug("branch-dropped", "", " + self.positions[:, : tokens.shape[1]]", ""),
    weights(
        "linear-untransposed",
        "layers.1.attention.value",
        plants.transposed("layers.1.attention.value.weight"),
    ),
    weights(
        "weights-exchanged",
        "layers.0.attention.query",
        plants.exchanged("layers.0.attention.query", "layers.0.attention.key"),
    ),
    weights("weights-exchanged", "layers.1.norm1", plants.exchanged("layers.1", "layers.2")),
    weights("weights-never-loaded", "", plants.never_loaded("positions")),
    weights("weights-never-loaded", "layers.2.down", plants.never_loaded("layers.2.down.bias")),
    weights("attention-untransposed", "mixing", plants.untransposed_projections("mixing")),
    weights("projections-exchanged", "mixing", plants.exchanged("mixing.k_proj", "mixing.v_proj")),
    weights("embedding-transposed", "words", plants.transposed("words.weight")),
    weights("scale-and-shift-exchanged", "norm", plants.exchanged("norm.weight", "norm.bias")),
    bug(
        "gradient-stopped",
        "layers.0",
        "self.down(F.dropout(inner,",
        "self.down(F.dropout(inner.detach(),",
        check="backward",
        accept=("layers.2",),
    ),
    bug("label-smoothing-dropped", None, ", label_smoothing=0.1)", ")", check="loss"),
    bug("decay-on-norms", None, '"weight_decay": 0.0', '"weight_decay": 0.1', check="train"),
    bug(
        "clip-missing",
        None,
        "    nn.utils.clip_grad_norm_(network.parameters(), 0.5)\n",
        "",
        check="train",
    ),
    bug(
        "clip-norm",
        None,
        "nn.utils.clip_grad_norm_(network.parameters(), 0.5)",
        "nn.utils.clip_grad_value_(network.parameters(), 0.5)",
        check="train",
    ),
    bug(
        "clip-per-group",
        None,
        "    nn.utils.clip_grad_norm_(network.parameters(), 0.5)\n",
        "",
        "parameters=groups\n",
        "parameters=groups, grad_clip=nn.ClipGradByGlobalNorm(0.5)\n",
        check="train",
    ),
    bug("optimizer-defaults", None, "beta2=0.95, ", "", check="train"),
    bug(
        "optimizer-different",
        None,
        "paddle.optimizer.AdamW(",
        "paddle.optimizer.Adam(",
        check="train",
    ),
    bug("schedule-different", None, "(t + 1) / 4", "t / 4", check="train"),
    bug(
        "parameters-untrained",
        "norm",
        "    named = list(network.named_parameters())\n",
        "    network.norm.weight.stop_gradient = network.norm.bias.stop_gradient = True\n"
        "    named = [one for one in network.named_parameters() if not one[1].stop_gradient]\n",
        check="train",
    ),
)
