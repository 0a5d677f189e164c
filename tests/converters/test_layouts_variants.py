"""From one implementation to another: what differs, what is refused, and what a file says."""

import json

import numpy as np
import paddle
import pytest
import torch
from click.testing import CliRunner
from paddle_building import blank
from samples import bits
from stdc_files import CLASSES, DEPTHS, arrays_of, authors, mmseg, paddleseg, published
from stdc_runs import heads, picture, relative, torch_outputs

from converters import plan_conversion
from converters.cli import main
from converters.convert import convert_file
from converters.errors import InputError
from converters.formats import read_checkpoint
from converters.layouts import names, stdc
from stdc_port import spec, torch_nets

every_backbone = pytest.mark.parametrize("name", list(DEPTHS))


@pytest.mark.parametrize("variant", ["paddleseg", "mmseg", "mmseg-relu"])
def test_a_converted_file_computes_the_same_in_both_frameworks(variant):
    origin = "paddle" if variant == "paddleseg" else "torch"
    tensors = mmseg("stdc1", first=variant == "mmseg") if origin == "torch" else paddleseg("stdc1")
    file = published(tensors, origin)
    ours, theirs = (
        plan_conversion(file, to=to, origin=origin, allow_inexact=True)
        for to in ("paddle", "torch")
    )
    network = blank("stdc1-seg", dtype="float64", variant=variant, num_classes=CLASSES)
    arrays = arrays_of(ours).items()
    state = {key: paddle.to_tensor(array.astype(np.float64)) for key, array in arrays}
    assert network.set_state_dict(state) == ([], [])
    network.eval()
    with paddle.no_grad():
        found = [one.numpy() for one in heads(network, paddle.to_tensor(picture()))]
    expected = torch_outputs(arrays_of(theirs), "stdc1", variant)
    assert ours.layout.variant == theirs.layout.variant == variant
    assert len(found) == 4
    for one, two in zip(found[:3], expected[:3], strict=True):
        assert relative(one, two) < 1e-11
    if variant == "paddleseg":  # elsewhere the last detail layer begins anew
        assert relative(found[3], expected[3]) < 1e-11


def test_inplace_abn_is_folded_within_torch_too():
    file = authors("stdc1", "authors")
    plan = plan_conversion(file, to="torch", origin="torch", layout="authors")
    plan.require_complete()
    plan.require_exact()
    arrays = arrays_of(plan)
    wanted = np.abs(file["ffm.convblk.bn.weight"].load().astype(np.float64)) + 1e-5
    assert bits(arrays["ffm.convblk.bn.weight"]) == bits(wanted.astype(np.float32))
    assert arrays["ffm.convblk.bn.num_batches_tracked"].dtype == np.int64


def test_the_command_refuses_converts_and_carries_the_variant(tmp_path):
    source, target = tmp_path / "stdc1.pth", tmp_path / "stdc1.pdparams"
    state = {key: torch.from_numpy(np.asarray(one.load())) for key, one in authors("stdc1").items()}
    torch.save(state, source)
    run = CliRunner().invoke
    refused = run(main, [str(source), "--layout", "paddleseg", "-q"])
    assert refused.exit_code == 1
    assert "--allow-inexact" in refused.output
    loose = run(main, [str(source), "--layout", "paddleseg", "-q", "--no-strict"])
    assert loose.exit_code == 1
    assert run(main, [str(source), "--layout", "paddleseg", "-q", "--dry-run"]).exit_code == 1
    assert not target.exists()
    report = tmp_path / "report.json"
    options = ["--layout", "paddleseg", "--allow-inexact", "-q", "--json", str(report)]
    assert run(main, [str(source), *options]).exit_code == 0
    said = json.loads(report.read_text())
    assert said["variant"] == "paddleseg"
    assert "average pool" in said["inexact"][0]
    written = read_checkpoint(target)
    assert written.metadata["variant"] == "paddleseg"
    back = convert_file(target, tmp_path / "back.pth", layout="authors", allow_inexact=True)
    assert back.verified
    returned = torch.load(tmp_path / "back.pth", weights_only=True)
    torch_nets.build("stdc1-seg", variant="authors-bn", num_classes=CLASSES).load_state_dict(
        returned
    )
    counts = [key for key in state if "num_batches" in key and ".backbone.bn." not in key]
    assert all(int(returned[key]) == int(state[key]) for key in counts)


def test_a_target_network_has_its_own_names():
    network = torch_nets.build("stdc1", num_classes=2)
    with pytest.raises(InputError, match="a target network has its own names"):
        plan_conversion(authors("stdc1"), to="torch", target=network, layout="mmseg")


def test_a_file_of_the_target_framework_is_refused_in_one_line(tmp_path):
    torch.save({"fc.weight": torch.ones(2, 2)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"is torch's already; --layout gives .*, --format"):
        convert_file(tmp_path / "a.pth", tmp_path / "b.pth", to="torch")


@pytest.mark.parametrize("block", ["cat", "add"])
@every_backbone
def test_every_table_is_one_to_one(name, block):
    network = spec.resolve(f"{name}-seg", variant="paddleseg", block=block)
    layers = {layer.path for layer in stdc.layout_of(network).layers}
    for naming in names.NAMINGS.values():
        theirs = [naming.path(one, network) for one in layers if not naming.why_absent(one)]
        theirs += [second for one in theirs if (second := naming.second_path(one, network))]
        assert len(set(theirs)) == len(theirs)
