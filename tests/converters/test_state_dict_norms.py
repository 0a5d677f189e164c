"""Weight norm and spectral norm of a target network: along which axis they run."""

import numpy as np
import paddle
import pytest
import torch
from samples import bits

from converters import RefusedError, convert_state_dict
from converters.user_rules import UserRules


@pytest.mark.parametrize(("width", "doubtful"), [(4, True), (6, False)])
def test_a_square_weight_norm_from_paddle_is_no_silent_guess(width: int, doubtful: bool) -> None:
    ours = torch.nn.Sequential(torch.nn.utils.weight_norm(torch.nn.Linear(4, width)))
    theirs = paddle.nn.Sequential(paddle.nn.utils.weight_norm(paddle.nn.Linear(4, width), dim=1))
    theirs.set_state_dict(convert_state_dict(ours.state_dict(), theirs))
    if doubtful:
        with pytest.raises(RefusedError, match="fits both"):
            convert_state_dict(theirs.state_dict(), ours)
        return
    back = convert_state_dict(theirs.state_dict(), ours)
    assert all(np.array_equal(value.numpy(), back[key]) for key, value in ours.state_dict().items())


def test_a_weight_norm_along_paddles_own_axis_and_one_norm_for_all_are_no_doubt():
    for ours_dim, theirs_dim in ((1, 0), (None, None)):
        ours = torch.nn.utils.weight_norm(torch.nn.Linear(4, 4), dim=ours_dim)
        theirs = paddle.nn.utils.weight_norm(paddle.nn.Linear(4, 4), dim=theirs_dim)
        there = convert_state_dict(ours.state_dict(), theirs)
        theirs.set_state_dict(there)
        back = convert_state_dict(theirs.state_dict(), ours)
        assert {key: bits(value) for key, value in back.items()} == {
            key: bits(value) for key, value in ours.state_dict().items()
        }


@pytest.mark.parametrize("parametrised", [False, True])
def test_a_user_says_along_which_axis_norms_run(parametrised):
    library = torch.nn.utils.parametrizations if parametrised else torch.nn.utils
    ours = library.weight_norm(torch.nn.Linear(4, 4))
    theirs = paddle.nn.utils.weight_norm(paddle.nn.Linear(4, 4), dim=1)
    state = {key: value + 1 for key, value in theirs.state_dict().items()}
    with pytest.raises(RefusedError, match=r"fits both; .*norm_along_0 or norm_along_1"):
        convert_state_dict(state, ours)
    rules = UserRules.of(tensors={"weight_g": "norm_along_0"})
    assert set(convert_state_dict(state, ours, rules=rules)) == set(ours.state_dict())
    against = UserRules.of(tensors={"weight_g": "norm_along_1"})
    with pytest.raises(
        RefusedError, match="says norm_along_1, but in the target it is norm_along_0"
    ):
        convert_state_dict(state, ours, rules=against)


SPECTRAL = {
    "linear": (lambda: torch.nn.Linear(6, 6), lambda: paddle.nn.Linear(6, 6), 0, 1),
    "conv": (lambda: torch.nn.Conv2d(4, 4, 2), lambda: paddle.nn.Conv2D(4, 4, 2), 1, 1),
    "conv_transpose": (
        lambda: torch.nn.ConvTranspose2d(4, 4, 2),
        lambda: paddle.nn.Conv2DTranspose(4, 4, 2),
        0,
        0,
    ),
}


@pytest.mark.parametrize("name", SPECTRAL)
@pytest.mark.parametrize("parametrised", [False, True])
def test_a_spectral_norm_along_another_axis_is_no_silent_guess(name, parametrised):
    make, make_paddles, dim, axis = SPECTRAL[name]
    library = torch.nn.utils.parametrizations if parametrised else torch.nn.utils
    ours = library.spectral_norm(make()).state_dict()
    usual = paddle.nn.utils.spectral_norm(make_paddles())
    assert set(convert_state_dict(ours, usual)) == set(usual.state_dict())
    other = paddle.nn.utils.spectral_norm(make_paddles(), dim=dim)
    with pytest.raises(RefusedError, match=f"runs along torch's axis {axis}.*fits both"):
        convert_state_dict(ours, other)
    rules = UserRules.of(tensors={r".*_u": f"norm_along_{axis}"})
    assert set(convert_state_dict(ours, other, rules=rules)) == set(other.state_dict())
    # The way back: the target is torch's.
    target = library.spectral_norm(make(), dim={"linear": 1, "conv": 1}.get(name, 0))
    with pytest.raises(RefusedError, match=f"runs along torch's axis {axis}.*paddle's own default"):
        convert_state_dict(usual.state_dict(), target)
