"""Bugs of the recurrent tagger's port."""

from __future__ import annotations

from functools import partial

from benchmarks.port_bugs import plants
from benchmarks.port_bugs.bug import edited, planted

bug, weights = partial(edited, "tagger"), partial(planted, "tagger")

BUGS = (
    bug("time-major", "reader", "nn.GRU(WIDTH, WIDTH)", "nn.GRU(WIDTH, WIDTH, time_major=True)"),
    bug("state-taken", "", "[last[-2], last[-1]]", "[last[0], last[1]]"),
    bug("concat-order", "", "[words, read]", "[read, words]"),
    bug("concat-order", "", "[last[-2], last[-1]]", "[last[-1], last[-2]]"),
    bug(
        "softmax-axis",
        "",
        "F.log_softmax(self.tags(hidden), axis=2)",
        "F.log_softmax(self.tags(hidden), axis=1)",
    ),
    bug("activation-different", "", "F.elu(self.project(out))", "F.relu(self.project(out))"),
    bug("activation-dropped", "", "F.elu(self.project(out))", "self.project(out)"),
    bug(
        "layer-norm-epsilon",
        "norm",
        "nn.LayerNorm(2 * WIDTH)",
        "nn.LayerNorm(2 * WIDTH, epsilon=1e-6)",
    ),
    bug(
        "embedding-padding-row",
        "words",
        "nn.Embedding(WORDS, WIDTH)",
        "nn.Embedding(WORDS, WIDTH, padding_idx=0)",
    ),
    bug("dropout-on", "", "self.tags(hidden)", "self.tags(F.dropout(hidden, 0.1))"),
    weights("weights-never-loaded", "slope", plants.never_loaded("slope._weight")),
    weights("weights-never-loaded", "lstm", plants.never_loaded("lstm.1.cell_bw")),
    weights("gates-reordered", "lstm", plants.gates_reordered("lstm", (0, 1, 3, 2))),
    weights("gates-reordered", "reader", plants.gates_reordered("reader", (1, 0, 2))),
    weights("linear-untransposed", "project", plants.transposed("project.weight")),
    weights("embedding-transposed", "words", plants.transposed("words.weight")),
    weights("weights-exchanged", "lstm", plants.exchanged("lstm.0.cell_fw", "lstm.0.cell_bw")),
    weights(
        "weights-exchanged",
        "reader",
        plants.exchanged("reader.0.cell.bias_ih", "reader.0.cell.bias_hh"),
    ),
    weights("weights-rounded", "mix", plants.rounded("mix.weight")),
    bug(
        "gradient-stopped",
        "",
        "self.reader(words)",
        "self.reader(words.detach())",
        check="backward",
    ),
    bug(
        "ignore-index",
        None,
        '(found["tags"], counted, ignore_index=255)',
        '(found["tags"], labels, ignore_index=-100)',
        check="loss",
    ),
    bug("loss-weight", None, "tags + 0.5 * F", "tags + F", check="loss"),
    bug("optimizer-defaults", None, "epsilon=1e-10, ", "", check="train"),
    bug("schedule-different", None, ", gamma=0.5)", ")", check="train"),
    bug("decay-missing", None, ", weight_decay=0.01", "", check="train"),
    bug(
        "gradients-not-cleared",
        None,
        "    schedule.step()\n    optimizer.clear_grad()\n",
        "    schedule.step()\n",
        check="train",
    ),
)
