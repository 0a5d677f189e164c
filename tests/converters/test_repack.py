"""A file that stays within its framework and gets another format: copied, whatever it holds."""

import json

import paddle
import pytest
import torch
from samples import bits, trained

from converters import InputError, RefusedError, UserRules, convert_file, read_checkpoint


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Return a torch file whose layers nobody could tell, its state dict, and what it shares."""
    state = {
        "square": torch.randn(4, 4),
        "deep.thing": torch.randn(3, 3).to(torch.bfloat16),
        "count": torch.tensor(3),
        "running_mean": torch.randn(4),
        "empty": torch.zeros(0, 2),
    }
    state["tied"] = state["square"]
    path = tmp_path_factory.mktemp("odd") / "odd.pth"
    torch.save({"model": state, "epoch": 3}, path)
    return path, state


FORMS = {"torch-legacy": "b.pth", "torch-zip": "b.bin", "safetensors": "b.safetensors"}


@pytest.mark.parametrize("form", FORMS)
def test_every_tensor_is_copied(odd, tmp_path, form):
    source, state = odd
    report = convert_file(source, tmp_path / FORMS[form], to="torch", form=form)
    assert (report.target.format, report.verified, report.problems) == (form, True, ())
    assert report.counts == {"copy": 5, "alias": 1}
    assert set(report.skipped) == {"epoch"}
    found = read_checkpoint(tmp_path / FORMS[form])
    assert {key: (one.dtype, one.shape, bits(one.load())) for key, one in found.items()} == {
        key: (str(v.dtype).removeprefix("torch."), tuple(v.shape), bits(v))
        for key, v in state.items()
    }
    assert found["tied"].identity == found["square"].identity


def test_a_legacy_file_becomes_shards_and_one_again(odd, tmp_path):
    source, state = odd
    convert_file(source, tmp_path / "m.bin", to="torch", max_shard_size=40)
    index = tmp_path / "m.bin.index.json"
    assert len(set(json.loads(index.read_text())["weight_map"].values())) == 3
    convert_file(index, tmp_path / "old.tar", to="torch", form="torch-legacy")
    found = torch.load(tmp_path / "old.tar", weights_only=True)
    assert {key: bits(v) for key, v in found.items()} == {key: bits(v) for key, v in state.items()}
    assert found["tied"].data_ptr() == found["square"].data_ptr()


def test_what_a_paddle_file_says_of_itself_stays(tmp_path):
    network = trained("stdc1", num_classes=4).half()
    torch.save(network.state_dict(), tmp_path / "a.pth")
    convert_file(tmp_path / "a.pth")
    report = convert_file(
        tmp_path / "a.pdparams", tmp_path / "b.safetensors", to="paddle", form="safetensors"
    )
    assert (report.arch, report.variant, report.num_classes) == ("stdc1", "authors", 4)
    assert set(report.counts) == {"copy"}
    convert_file(tmp_path / "b.safetensors", tmp_path / "c.pth", to="torch")
    found = torch.load(tmp_path / "c.pth", weights_only=True)
    assert {key: bits(v) for key, v in found.items()} == {
        key: bits(v) for key, v in network.state_dict().items()
    }
    # Its own framework's library reads what lies between.
    convert_file(tmp_path / "a.pdparams", tmp_path / "d.pdparams", to="paddle", form="pdparams")
    one, two = (paddle.load(str(tmp_path / name)) for name in ("a.pdparams", "d.pdparams"))
    assert {key: bits(v) for key, v in one.items()} == {key: bits(v) for key, v in two.items()}


def test_rules_and_types_apply(odd, tmp_path):
    source, state = odd
    rules = UserRules.of(renames={r"deep\.(.*)": r"flat.\1"}, drops={"count": "not needed"})
    report = convert_file(
        source, tmp_path / "b.pth", to="torch", form="torch-legacy", dtype="float32", rules=rules
    )
    assert report.counts == {"copy": 3, "rename": 1, "alias": 1, "drop": 1}
    found = torch.load(tmp_path / "b.pth", weights_only=True)
    assert "count" not in found
    assert torch.equal(found["flat.thing"], state["deep.thing"].float())


def test_another_dict_that_may_be_meant_is_still_doubted(tmp_path):
    weights = {"w": torch.ones(2, 2)}
    torch.save({"a": weights, "b": {"w": torch.zeros(2, 2)}}, tmp_path / "a.pth")
    with pytest.raises(RefusedError, match="choose one with --key"):
        convert_file(tmp_path / "a.pth", tmp_path / "b.pth", to="torch", form="torch-legacy")


def test_a_target_that_is_the_source_is_refused(odd):
    with pytest.raises(InputError, match="source and target are the same file"):
        convert_file(odd[0], to="torch", form="torch-legacy", force=True)
