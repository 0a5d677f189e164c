"""How two checkpoints are said to differ, in one framework and across."""

import json
import math
from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from click.testing import CliRunner
from samples import array_tensor, trained

from converters import Checkpoint, InputError, convert_file, diff_checkpoints, read_checkpoint
from converters.checkpoint import LazyTensor
from converters.cli import main
from converters.dtypes import BY_NAME
from converters.user_rules import UserRules

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


def checkpoint(**arrays):
    tensors = {
        key: value if isinstance(value, LazyTensor) else array_tensor(value)
        for key, value in arrays.items()
    }
    return Checkpoint(Path("memory"), "torch-zip", tensors)


def one(first, second, **options):
    """Return how a single tensor differs."""
    found = diff_checkpoints(checkpoint(w=first), checkpoint(w=second), **options)
    (row,) = found.tensors
    assert bool(found) == (row.state in ("equal", "close"))
    return row


def with_value(place, value):
    changed = VALUES.copy()
    changed[place] = value
    return changed


def test_equal_bits():
    assert one(VALUES, VALUES.copy()).state == "equal"
    strange = with_value((0, 1), np.nan)
    assert one(strange, strange.copy()).state == "equal"


def test_another_value():
    row = one(VALUES, with_value((1, 2), 5.5))
    assert (row.state, row.differing, row.largest, row.relative) == ("values", 1, 0.5, 0.1)
    assert one(VALUES, with_value((1, 2), 5.5), tolerance=0.1).state == "close"
    assert one(VALUES, with_value((1, 2), 5.5), tolerance=0.09).state == "values"


def test_nan_on_one_side_is_never_close():
    row = one(VALUES, with_value((0, 0), np.nan), tolerance=1e9)
    assert row.state == "values"
    assert math.isnan(row.largest)


def test_another_zero_is_other_bits():
    row = one(VALUES, with_value((0, 0), -0.0))
    assert (row.state, row.differing) == ("values", 0)
    assert "other bits" in row.reason


def test_another_shape_or_type():
    assert one(VALUES, VALUES.T).state == "shape"
    row = one(VALUES, VALUES.astype(np.float16))
    assert (row.state, row.differing, row.reason) == ("type", 0, "float32 against float16")


def test_bfloat16_is_compared_by_value():
    half = [
        LazyTensor((2,), BY_NAME["bfloat16"], lambda bits=bits: np.array(bits, np.uint16))
        for bits in ([16320, 49152], [16320, 49153])  # 1.5 and −2, and the next below −2
    ]
    row = one(*half)
    assert (row.differing, row.largest) == (1, 2 ** (1 - 7))


@pytest.mark.parametrize(
    ("kind", "first", "second", "largest"),
    [
        ("int64", 2**53 + 1, 2**53, 1.0),
        ("int64", -(2**63), 2**63 - 1, float(2**64)),
        ("uint64", 2**64 - 1, 2**64 - 2, 1.0),
    ],
)
def test_integers_are_compared_exactly(kind, first, second, largest):
    row = one(np.array([first, 3], kind), np.array([second, 3], kind))
    assert (row.state, row.differing, row.largest) == ("values", 1, largest)
    assert row.reason == ""


def test_within_the_tolerance_another_type_is_close():
    halved = VALUES.astype(np.float16)
    assert one(VALUES + 1 / 3, halved).state == "type"
    row = one(VALUES, (VALUES * 1.001).astype(np.float16), tolerance=1e-2)
    assert (row.state, row.reason) == ("close", "float32 against float16")
    assert one(VALUES, halved + 1, tolerance=1e-2).state == "type"


def test_a_dict_of_either_file_can_be_chosen(tmp_path):
    weights = {"w": torch.arange(6.0)}
    other = {"w": torch.arange(6.0) + 1}
    torch.save({"model": weights, "ema": other}, tmp_path / "a.pth")
    torch.save({"one": other, "two": weights}, tmp_path / "b.pth")
    run = [str(tmp_path / "a.pth"), str(tmp_path / "b.pth")]
    ambiguous = CliRunner().invoke(main, ["diff", *run])
    assert (ambiguous.exit_code, "choose one with --key" in ambiguous.stderr) == (2, True)
    chosen = ["diff", *run, "--key-a", "ema"]
    assert CliRunner().invoke(main, [*chosen, "--key-b", "one"]).exit_code == 0
    assert CliRunner().invoke(main, [*chosen, "--key-b", "two"]).exit_code == 1


def test_keys_of_one_side():
    found = diff_checkpoints(checkpoint(a=VALUES, w=VALUES), checkpoint(w=VALUES, b=VALUES))
    assert found.counts == {"equal": 1, "only in A": 1, "only in B": 1}
    assert not found


def test_nothing_compared_is_not_the_same():
    assert not diff_checkpoints(checkpoint(), checkpoint())


def test_a_prefix_that_all_keys_share_is_no_difference():
    wrapped = Checkpoint(Path("m"), "torch-zip", {"module.w": array_tensor(VALUES)})
    assert diff_checkpoints(checkpoint(w=VALUES), wrapped)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Return a torch file and its conversion."""
    folder = tmp_path_factory.mktemp("diff")
    torch.save(trained("stdc1", num_classes=4).half().state_dict(), folder / "a.pth")
    convert_file(folder / "a.pth")
    return folder / "a.pth", folder / "a.pdparams"


def test_across_frameworks_both_ways(pair):
    a, b = map(read_checkpoint, pair)
    forth, back = diff_checkpoints(a, b), diff_checkpoints(b, a)
    assert forth
    assert back
    assert forth.counts == back.counts
    assert {row.a: row.b for row in forth.tensors} == {row.b: row.a for row in back.tensors}


def test_one_transposed_tensor_across_frameworks(pair):
    a, b = map(read_checkpoint, pair)
    square = b["fc.weight"]
    turned = LazyTensor(square.shape, square.type, lambda: np.ascontiguousarray(square.load().T))
    damaged = Checkpoint(b.path, b.format, dict(b) | {"fc.weight": turned})
    found = diff_checkpoints(a, damaged)
    assert not found
    assert [row.a for row in found.tensors if row.state == "values"] == ["fc.weight"]


def test_an_unknown_network_across_frameworks_is_refused():
    paddle = Checkpoint(Path("b.pdparams"), "pdparams", {"w": array_tensor(VALUES)})
    with pytest.raises(InputError):
        diff_checkpoints(checkpoint(w=VALUES), paddle)


def test_the_command(pair, tmp_path):
    def run(*arguments):
        return CliRunner().invoke(main, ["diff", *map(str, arguments)])

    report = tmp_path / "report.json"
    same = run(*pair, "--json", report)
    assert same.exit_code == 0, same.output
    assert json.loads(report.read_text())["same"] is True
    state = torch.load(pair[0], weights_only=True)
    state["linear.weight"][0, 0] += 1
    torch.save(state, tmp_path / "other.pth")
    different = run(tmp_path / "other.pth", pair[1])
    assert different.exit_code == 1
    assert "linear.weight" in different.stdout
    assert run(pair[0], tmp_path / "none.pth").exit_code == 2


# Networks that are not STDC, across frameworks.


class Small(torch.nn.Module):
    """Square tensors whose kinds no key tells."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(4, 4)
        self.mix = torch.nn.Linear(4, 4, bias=False)
        self.norm = torch.nn.BatchNorm1d(4)


def small_in_paddle():
    network = paddle.nn.Layer()
    network.table, network.mix = paddle.nn.Embedding(4, 4), paddle.nn.Linear(4, 4, bias_attr=False)
    network.norm = paddle.nn.BatchNorm1D(4)
    return network


@pytest.fixture
def small(tmp_path):
    """Return files of one network in both frameworks, told by the Paddle network."""
    network = Small()
    torch.nn.init.normal_(network.norm.running_mean)
    torch.save(network.state_dict(), tmp_path / "a.pth")
    convert_file(tmp_path / "a.pth", target=small_in_paddle())
    return read_checkpoint(tmp_path / "a.pth"), read_checkpoint(tmp_path / "a.pdparams")


KINDS = UserRules.of(kinds={"table": "embedding", "mix": "linear"})


def test_another_network_needs_to_be_known(small):
    with pytest.raises(InputError, match=r"a\.pth: the network is not known: .*--model.*--rules"):
        diff_checkpoints(*small)


@pytest.mark.parametrize("turn", [False, True])
@pytest.mark.parametrize("how", ["paddle network", "torch network", "rules"])
def test_a_network_or_rules_make_it_known(small, how, turn):
    options = {
        "paddle network": lambda: {"target": small_in_paddle()},
        "torch network": lambda: {"target": Small()},
        "rules": lambda: {"rules": KINDS},
    }[how]()
    a, b = reversed(small) if turn else small
    found = diff_checkpoints(a, b, **options)
    assert found, found.to_json()
    assert found.counts["equal"] >= 6
    assert {row.state for row in found.tensors} <= {"equal", "set aside"}
    changed = b["mix.weight"]
    other = LazyTensor(changed.shape, changed.type, changed.load().T.copy)
    wrong = Checkpoint(b.path, b.format, {**b, "mix.weight": other}, metadata=b.metadata)
    odd = [row for row in diff_checkpoints(a, wrong, **options).tensors if row.state == "values"]
    assert [(row.a, row.b) for row in odd] == [("mix.weight", "mix.weight")]


def test_rules_rename_the_file_that_is_converted(small):
    a, b = small
    renamed = Checkpoint(a.path, a.format, {f"net.{key}": one for key, one in a.items()})
    rules = UserRules.of(
        renames={r"net\.(.*)": r"\1"}, kinds={"table": "embedding", "mix": "linear"}
    )
    assert diff_checkpoints(renamed, b, rules=rules)
    assert diff_checkpoints(renamed, a, rules=UserRules.of(renames={r"net\.(.*)": r"\1"}))
    dropped = UserRules.of(renames={r"net\.(.*)": r"\1"}, drops={r"norm\..*": "not needed"})
    found = diff_checkpoints(renamed, a, rules=dropped)
    assert found.counts == {"equal": 2, "only in B": 5}


def test_a_network_for_two_files_of_one_framework_is_refused(small):
    with pytest.raises(InputError, match="both files are torch's"):
        diff_checkpoints(small[0], small[0], target=Small())


def test_counts_of_batches_that_paddle_has_not_are_set_aside(small, tmp_path):
    a, b = small
    bare = Checkpoint(b.path, b.format, dict(b))
    found = diff_checkpoints(bare, a, target=Small())
    assert found
    (row,) = [row for row in found.tensors if row.state == "set aside"]
    assert row.b == "norm.num_batches_tracked"


def test_the_command_takes_a_network_and_rules(small, tmp_path):
    files = [str(one.path) for one in small]
    run = CliRunner().invoke
    assert run(main, ["diff", *files]).exit_code == 2
    named = ["--model", "paddle.vision.models:resnet18"]
    other = run(main, ["diff", *files, *named])
    assert other.exit_code == 1
    assert "only in A" in other.stdout
    (tmp_path / "rules.toml").write_text(
        "[[kind]]\npattern = 'table'\nkind = 'embedding'\n"
        "[[kind]]\npattern = 'mix'\nkind = 'linear'\n"
    )
    known = run(main, ["diff", *files, "--rules", str(tmp_path / "rules.toml")])
    assert (known.exit_code, known.stdout) == (0, "the same: 6 equal, 1 set aside\n")


def test_lines_in_a_pipe_are_not_broken():
    key = "a_long_name." * 12
    found = diff_checkpoints(checkpoint(**{key: VALUES}), checkpoint(**{key: VALUES + 1}))
    assert sum(key in line for line in found.plain().splitlines()) == 1
    assert "nothing to compare" in diff_checkpoints(checkpoint(), checkpoint()).plain()
