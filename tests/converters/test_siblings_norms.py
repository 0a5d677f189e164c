"""Without a target network: norms, and the norms of a weight norm."""

import paddle
import pytest
import torch
from samples import bits
from sibling_plans import entry, plan_of, shapes, shapes_with, state, written
from torch import nn as tn

from converters import RefusedError, convert_state_dict
from converters.state_dict import plan_state_dict


def test_scale_and_bias_of_paddle_are_an_assumption() -> None:
    (problem,) = plan_of(shapes("paddle", a__scale=(4,), a__bias=(4,))).problems
    assert "'a' is of kind instance_norm; a layer of one's own may have such tensors" in problem
    told = plan_of(shapes("paddle", a__scale=(4,), a__bias=(4,)), a="instance_norm")
    assert (told.problems, entry(told, "a.weight")) == ((), ("rename", (4,)))


@pytest.mark.parametrize("name", ["in1", "instance_norm", "conv_instnorm", "InstanceNorm2d"])
def test_a_norm_with_statistics_that_is_called_an_instance_norm_is_doubted(name: str) -> None:
    norm = {f"{name}__{one}": (3,) for one in ("weight", "bias", "running_mean", "running_var")}
    (problem,) = plan_of(shapes(**norm)).problems
    assert "by its name it is an InstanceNorm with running statistics" in problem
    assert plan_of(shapes(**norm), **{name: "batch_norm"}).problems == ()


@pytest.mark.parametrize("dim", [None, 0, 1, 3])
def test_norms_of_paddle_get_their_axes_back(dim: int | None) -> None:
    ours, theirs = tn.Conv2d(2, 3, (4, 5)), paddle.nn.Conv2D(2, 3, (4, 5))
    tn.utils.weight_norm(ours, dim=dim)
    paddle.nn.utils.weight_norm(theirs, dim=dim)
    source = convert_state_dict(ours.state_dict(), theirs)
    arrays = written(plan_of(shapes_with(source, "pdparams")))
    assert {key: array.shape for key, array in arrays.items()} == {
        key: tuple(value.shape) for key, value in ours.state_dict().items()
    }
    assert all(bits(array) == bits(ours.state_dict()[key]) for key, array in arrays.items())


def test_a_square_weight_norm_of_paddle_gets_the_axis_that_the_user_says() -> None:
    beside = {"b__weight": (4, 5), "b__bias": (5,)}
    source = shapes("paddle", a__weight_g=(4,), a__weight_v=(4, 4), a__bias=(4,), **beside)
    (problem,) = plan_of(source).problems
    assert "'a.weight_g' runs along torch's axis 0, where paddle's own default is 1" in problem
    for axis, shape in ((0, (4, 1)), (1, (1, 4))):
        told = plan_of(source, {r"a\.weight_g": f"norm_along_{axis}"})
        assert told.problems == ()
        assert entry(told, "a.weight_g") == ("copy", shape)


def test_a_tracked_instance_norm_in_a_file_is_refused_with_the_reason() -> None:
    norm = tn.Sequential(tn.InstanceNorm2d(3, affine=True, track_running_stats=True))
    plan = plan_of(state(norm, "torch-zip"), **{"0": "instance_norm"})
    assert len(plan.problems) == 3
    assert "Paddle keeps no running statistics" in plan.problems[0]
    assert torch.equal(norm[0].running_mean, torch.zeros(3))


TRACKED = {"track_running_stats": True}


def test_a_norm_with_statistics_and_no_weight_is_doubted() -> None:
    """Torch's InstanceNorm has none by default; a batch norm has to be told to have none."""
    network = tn.Sequential(tn.InstanceNorm2d(3, **TRACKED))
    (problem,) = plan_of(state(network, "torch-zip")).problems
    assert "'0' is of kind batch_norm; without a weight it may be an InstanceNorm" in problem
    assert "pattern = '0'\n  kind = \"batch_norm\"" in plan_of(state(network, "torch-zip")).mend
    plain = state(tn.Sequential(tn.BatchNorm2d(3, affine=False)), "torch-zip")
    assert plan_of(plain, **{"0": "batch_norm"}).problems == ()
    # Paddle's InstanceNorm keeps none: there they are a batch norm's.
    assert plan_of(shapes("paddle", in1___mean=(3,), in1___variance=(3,))).problems == ()


def test_a_norm_with_statistics_and_a_weight_passes_for_a_batch_norm_and_says_so() -> None:
    network = tn.Sequential(tn.InstanceNorm2d(3, affine=True, **TRACKED), tn.BatchNorm2d(3))
    plan = plan_of(state(network, "torch-zip"))
    assert plan.problems == ()
    (hint,) = plan.hints
    assert "'0' and 1 more: running statistics, taken for a batch norm; an InstanceNorm" in hint
    assert plan_of(state(network, "torch-zip"), **{r"\d": "batch_norm"}).hints == ()
    theirs = paddle.nn.Sequential(paddle.nn.InstanceNorm2D(3), paddle.nn.BatchNorm2D(3))
    with pytest.raises(RefusedError, match=r"'0\.running_mean': InstanceNorm: Paddle keeps no run"):
        convert_state_dict(network.state_dict(), theirs)


def frozen() -> tn.Module:
    """Return a batch norm as detectors freeze it: four buffers, and no count of batches."""
    norm = tn.Module()
    for key, value in tn.BatchNorm2d(3).state_dict().items():
        if value.ndim:
            norm.register_buffer(key, value + torch.linspace(-2, 1, 3))
    return norm


def test_a_frozen_norm_beside_others_is_settled_by_a_network_or_a_rule() -> None:
    ours = tn.Sequential(frozen(), tn.BatchNorm2d(3))
    theirs = paddle.nn.Sequential(paddle.nn.BatchNorm2D(3), paddle.nn.BatchNorm2D(3))
    plan = plan_state_dict(ours.state_dict(), theirs)
    assert plan.problems == ()
    (hint,) = plan.hints
    assert "'0': no count of batches, where other batch norms have one" in hint
    assert "inplace_abn in --rules" in hint
    found = convert_state_dict(ours.state_dict(), theirs)
    assert bits(found["0.weight"]) == bits(ours[0].weight)
    (problem,) = plan_of(state(ours, "torch-zip")).problems
    assert "'0': counts no batches while other BN layers do" in problem
    told = plan_of(state(ours, "torch-zip"), **{"0": "batch_norm"})
    assert bits(written(told)["0.weight"]) == bits(ours[0].weight)
    folded = plan_of(state(ours, "torch-zip"), **{"0": "inplace_abn"})
    assert bits(written(folded)["0.weight"]) != bits(ours[0].weight)
