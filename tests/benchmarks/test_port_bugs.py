"""The corpus of the bug benchmark: every bug changes something, every correct port is correct."""

import copy
import json
from collections import Counter
from collections.abc import Iterator

import numpy as np
import paddle
import pytest
import torch
from click.testing import CliRunner

from benchmarks.port_bugs.__main__ import main
from benchmarks.port_bugs.bug import Bug, edited, plant_weights
from benchmarks.port_bugs.bugs import BUGS
from benchmarks.port_bugs.causes import CAUSES
from benchmarks.port_bugs.correct import CORRECT
from benchmarks.port_bugs.edits import Edit, load
from benchmarks.port_bugs.network import NETWORKS, STRANGER, original
from benchmarks.port_bugs.score import Answer, Score, judge
from benchmarks.port_bugs.training import step
from converters import RefusedError, convert_state_dict
from parity.backends.paddle_exact import exact_kernels
from parity.pair import renamed
from parity.weights import paddle_arrays, transfer

# STDC's networks are large: of their bugs one a kind is run here, all by the benchmark.
SMALL = [name for name in NETWORKS if not name.startswith("stdc1")]
CHANGED = 1e-9
STEPS = 4
# Paddle's GroupNorm computes E[x²] − E[x]², in double precision too.
FLOORS = {"a GroupNorm of values around a thousand": 1e-8}


def quick(bugs: list[Bug]) -> list[Bug]:
    first = {(bug.network, bug.kind): bug for bug in reversed(bugs)}
    return [bug for bug in bugs if bug.network in SMALL or first[bug.network, bug.kind] is bug]


FORWARD = quick([bug for bug in BUGS if bug.check == "forward"])
LATER = quick([bug for bug in BUGS if bug.check != "forward"])
every = pytest.mark.parametrize
ids = {"ids": lambda value: getattr(value, "name", value)}


@pytest.fixture(autouse=True, scope="module")
def own_originals() -> Iterator[None]:
    """Let the originals that are built here, in double precision, be nobody else's."""
    original.cache_clear()
    yield
    original.cache_clear()


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    paddle.set_default_dtype("float64")
    torch.set_default_dtype(torch.float64)
    yield
    paddle.set_default_dtype("float32")
    torch.set_default_dtype(torch.float32)


def flat(found) -> list[np.ndarray]:
    if isinstance(found, dict):
        return [one for key in sorted(found) for one in flat(found[key])]
    if isinstance(found, tuple | list):
        return [one for part in found for one in flat(part)]
    return [found.detach().numpy()]


def differ(ours, theirs) -> float:
    """Return the largest difference relative to the largest value."""
    worst = 0.0
    for one, other in zip(ours, theirs, strict=True):
        if one.shape != other.shape:
            return float("inf")
        scale = np.max(np.abs(one), initial=0.0) or 1.0
        worst = max(worst, float(np.max(np.abs(one - other), initial=0.0)) / scale)
    return worst


def tensors(arrays, framework=paddle) -> list:
    return [
        framework.to_tensor(a.astype("float64") if a.dtype.kind == "f" else a)
        if framework is paddle
        else torch.from_numpy(a.astype("float64") if a.dtype.kind == "f" else a)
        for a in arrays
    ]


def answers(layer, name: str) -> list[np.ndarray]:
    layer.eval()
    return flat(layer(*tensors(NETWORKS[name].batch()[0])))


@pytest.fixture(scope="module")
def right():
    """Return what the correct ports compute and become in training, as asked for."""
    found: dict[tuple[str, str], list[np.ndarray]] = {}

    def look(name: str, what: str) -> list[np.ndarray]:
        if (name, what) not in found:
            port = NETWORKS[name].port()
            layer = port.build()
            plant_weights(original(name), layer)
            found[name, what] = (
                answers(layer, name) if what == "answers" else train(port, layer, name)
            )
        return found[name, what]

    return look


def converted(module, layer, rename) -> dict[str, np.ndarray]:
    """Convert a state dict without its second names."""
    seen: set[int] = set()
    state = {}
    for key, value in module.state_dict().items():
        if not value.numel() or value.data_ptr() not in seen:
            state[renamed(key, rename)] = value
        seen.add(value.data_ptr())
    return convert_state_dict(state, layer)


def train(port, layer, name: str) -> list[np.ndarray]:
    """Train a port for a few steps; return losses and everything that it then holds."""
    inputs, labels = NETWORKS[name].batch()
    layer.train()
    paddle.seed(5)
    training = port.training(layer)
    losses = [
        step(port, layer, training, tensors(inputs), paddle.to_tensor(labels)).item()
        for _ in range(STEPS)
    ]
    return [np.array(losses), *paddle_arrays(layer).values()]


def changed_answers(bug: Bug, right) -> float:
    try:
        layer = bug.build()
        if bug.transfer:
            plant_weights(original(bug.network), layer)
    except RefusedError:
        return float("inf")  # the converter says that torch's weights do not fit
    return differ(right(bug.network, "answers"), answers(layer, bug.network))


def changed_training(bug: Bug, right) -> float:
    port = bug.port()
    layer = port.build()
    plant_weights(original(bug.network), layer)
    trained = train(port, layer, bug.network)
    expected = right(bug.network, "training")
    # A bias that torch does not have comes on top.
    return float("inf") if len(trained) != len(expected) else differ(expected, trained)


@every("bug", FORWARD, **ids)
def test_a_bug_changes_the_output(bug, right):
    assert changed_answers(bug, right) > CHANGED


@every("bug", LATER, **ids)
def test_a_bug_of_the_training_changes_the_training(bug, right):
    assert changed_training(bug, right) > CHANGED


@every("bug", LATER, **ids)
def test_a_bug_of_the_training_does_not_show_in_evaluation(bug, right):
    assert changed_answers(bug, right) == 0.0


def test_a_bug_that_changes_nothing_is_seen(right):
    harmless = edited("tagger", "state-taken", "", '"""Build the network."""', '"""Build it."""')
    assert changed_answers(harmless, right) == 0.0
    assert changed_training(harmless, right) == 0.0


@every("bug", BUGS, **ids)
def test_a_bug_says_where_it_is(bug):
    assert bug.cause in CAUSES
    assert bool(bug.edits) != bool(bug.plant)
    paths = {path for path, _ in original(bug.network).named_modules()}
    assert set(bug.places()) <= paths
    assert (bug.layer is None) <= (bug.check in ("loss", "train"))
    bug.port()  # every edit fits its source


def test_how_many_there_are():
    assert len(BUGS) >= 150
    assert len({(bug.network, bug.edits, bug.plant) for bug in BUGS}) == len(BUGS)
    assert set(CAUSES) == {bug.cause for bug in BUGS}
    assert min(Counter(bug.network for bug in BUGS).values()) >= 16
    assert len(CORRECT) >= 16
    assert len({port.name for port in CORRECT}) == len(CORRECT)
    assert len([bug for bug in BUGS if bug.network == STRANGER]) >= 48


@every("name", SMALL)
def test_training_of_a_correct_port_agrees_with_torch(name):
    network = NETWORKS[name]
    theirs, ours = network.port(), network.original()
    module, layer = copy.deepcopy(original(name)).double().train(), theirs.build()
    plant_weights(module, layer)
    layer.train()
    sides = ours.training(module), theirs.training(layer)
    for seed in range(STEPS):
        inputs, labels = network.batch(seed)
        losses = (
            step(ours, module, sides[0], tensors(inputs, torch), torch.from_numpy(labels)),
            step(theirs, layer, sides[1], tensors(inputs), paddle.to_tensor(labels)),
        )
        assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)
    # Paddle's running variance is the biased one.
    expected = {k: v for k, v in transfer(module, layer).items() if not k.endswith("_variance")}
    found = paddle_arrays(layer)
    assert differ(expected.values(), [found[key] for key in expected]) < 1e-5


@every("port", [p for p in CORRECT if not p.name.startswith("stdc1")], **ids)
def test_a_correct_port_agrees_in_float64(port):
    module, layer = port.pair()
    module.double().eval()
    if port.own_weights is None:
        arrays = converted(module, layer, port.rename)
        for key, tensor in layer.state_dict().items():
            tensor.set_value(arrays[key])
    layer.eval()
    ours = flat(module(*tensors(port.inputs, torch)))
    with exact_kernels(lambda: lambda _: None):
        theirs = flat(layer(*tensors(port.inputs)))
    assert differ(ours, theirs) < FLOORS.get(port.name, 1e-11)


def test_edits_refuse_what_does_not_stand_once():
    modules = NETWORKS["tagger"].paddle
    with pytest.raises(ValueError, match="'no such line' stands 0 times in"):
        load(modules, [Edit("no such line", "")])
    with pytest.raises(ValueError, match=r"stands \d+ times"):
        load(modules, [Edit("self", "that")])


def test_an_edit_reaches_what_imports_it_and_nothing_else():
    from stdc_port.paddle_nets import backbone

    edit = Edit(
        "self.relu = nn.ReLU()\n\n    def forward(self, x: Tensor) -> Tensor:\n        "
        '"""Return relu',
        "self.relu = nn.ELU()\n\n    def forward(self, x: Tensor) -> Tensor:\n        "
        '"""Return relu',
        "backbone",
    )
    built = NETWORKS["stdc1_seg"].port(edit).build()
    assert isinstance(built.cp.backbone.features[0].relu, paddle.nn.ELU)
    assert isinstance(backbone.ConvX(3, 4, 1).relu, paddle.nn.ReLU)


def test_scores():
    bug = edited("tagger", "state-taken", "lstm", accept=("",))
    assert Score(bug, Answer(True, ("lstm", "norm"), ("state-taken", ""))).right_cause
    assert Score(bug, Answer(True, ("", "lstm"), ("concat-order",))).right_layer
    assert not Score(bug, Answer(True, ("norm", "lstm"), ("", "state-taken"))).right_layer
    assert not Score(bug, Answer(False, ("lstm",), ("state-taken",))).right_layer
    assert not Score(bug, Answer(True)).right_cause
    assert not Score(bug, None).found


def test_the_harness_places_a_bug_and_passes_a_correct_port():
    paddle.set_default_dtype("float32")
    torch.set_default_dtype(torch.float32)
    (bug,) = (bug for bug in BUGS if (bug.network, bug.cause) == ("hourglass", "padding-mode"))
    assert judge(bug).right_layer
    harmless = edited(STRANGER, "stride", "head", '"""Build the network."""', '"""Build it."""')
    assert not judge(harmless).found


def test_the_command(tmp_path):
    paddle.set_default_dtype("float32")
    torch.set_default_dtype(torch.float32)
    path = tmp_path / "bugs.json"
    arguments = ["--network", "tagger", "--cause", "state-taken", "--json", str(path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "| tagger | 1 of 1 | 1 of 1 |" in result.stdout
    (row,) = json.loads(path.read_text())["bugs"]
    assert row["planted"] == [{"old": "[last[-2], last[-1]]", "new": "[last[0], last[1]]"}]
