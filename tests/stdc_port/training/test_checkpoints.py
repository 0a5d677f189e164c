"""Checkpoints: whole or not at all, damage seen, the newest and the best kept."""

from __future__ import annotations

import resource
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest
from safetensors.numpy import load_file

from converters import InputError
from stdc_port.training import state as state_module
from stdc_port.training.checkpoints import Checkpoints
from stdc_port.training.state import (
    Best,
    TrainingState,
    load_state,
    random_state,
    restore_random_state,
    save_state,
    save_weights,
)

STATE = TrainingState(
    iteration=3,
    network={"a.weight": np.arange(12, dtype=np.float32).reshape(3, 4)},
    loss={"kernel": np.ones(3, np.float32)},
    velocity={"a.weight": np.full((3, 4), 0.5, np.float32)},
    recipe={"train": {"seed": 0}},
    source="some.pdparams",
    average={"a.weight": np.zeros((3, 4), np.float32)},
    pictures="4 pictures",
    best=Best(0.25, 2),
    evaluated=2,
    scaler={"scale": 2.0},
    random=([["cpu", 1, 2, "text"]],),
)


def test_all_comes_back(tmp_path: Path) -> None:
    save_state(tmp_path / "one", STATE)
    back = load_state(tmp_path / "one")
    assert back.facts() == STATE.facts()
    assert back.best == STATE.best
    arrays = back.arrays()
    assert arrays.keys() == STATE.arrays().keys()
    assert all(np.array_equal(arrays[key], a) for key, a in STATE.arrays().items())
    assert load_file(tmp_path / "one").keys() == arrays.keys()  # any tool reads it


@pytest.mark.parametrize("place", [0.02, 0.3, 0.5, 0.9, 0.999])
def test_one_wrong_byte_is_seen(tmp_path: Path, place: float) -> None:
    path = tmp_path / "one"
    save_state(path, STATE)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=str(path)):
        load_state(path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.99])
def test_a_file_cut_off_is_seen(tmp_path: Path, share: float) -> None:
    path = tmp_path / "one"
    save_state(path, STATE)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=str(path)):
        load_state(path)


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for iteration in range(1, 7):
        checkpoints.save(replace(STATE, iteration=iteration))
    assert [int(path.stem) for path in checkpoints.paths()] == [6, 5, 2]
    checkpoints.save(replace(STATE, iteration=7, best=Best(0.5, 7)))
    assert [int(path.stem) for path in checkpoints.paths()] == [7, 6]


def test_what_a_process_left_that_died_at_an_odd_iteration_goes_with_the_next_save(
    tmp_path: Path,
) -> None:
    checkpoints = Checkpoints(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ".000000003.safetensors.01234567.part").write_bytes(b"half")
    path = checkpoints.save(replace(STATE, iteration=4))
    assert list(path.parent.iterdir()) == [path]


def test_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(replace(STATE, iteration=5, best=None))
    later = checkpoints.path_of(9)
    later.write_bytes(b"half of it")
    found = checkpoints.newest()
    assert found.state is not None
    assert found.state.iteration == 5
    assert len(found.damaged) == 1
    assert str(later) in found.damaged[0]
    checkpoints.save(replace(STATE, iteration=6, best=None))  # the damaged one does not count
    assert checkpoints.newest().path == checkpoints.path_of(6)


def test_a_full_disk_keeps_the_old_one_and_says_so(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=1)
    old = checkpoints.save(STATE)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(InputError, match=rf"not written.*{old} is whole.*--resume"):
            checkpoints.save(replace(STATE, iteration=4))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(old.parent.iterdir()) == [old]
    assert load_state(old).iteration == 3


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "run").encode() + b"'\ntR.")
    with pytest.raises(InputError):
        load_state(path)
    assert not (tmp_path / "run").exists()


def test_random_generators_come_back() -> None:
    paddle.seed(5)
    paddle.rand([3])
    kept = random_state()
    first = paddle.rand([4]).numpy()
    paddle.rand([7])
    restore_random_state(kept)
    assert np.array_equal(paddle.rand([4]).numpy(), first)


def test_weights_load_in_paddle(tmp_path: Path) -> None:
    arrays = {"a": np.ones((2, 3), np.float32), "b": np.zeros(1, np.float32)}
    save_weights(tmp_path / "w.pdparams", arrays)
    back = paddle.load(str(tmp_path / "w.pdparams"))
    assert {key: value.shape for key, value in back.items()} == {"a": [2, 3], "b": [1]}


@pytest.mark.parametrize("facts", [{"nothing": 1}, [], {"best": {"a": 1}, "random": []}])
def test_other_facts_than_a_training_writes_are_an_error_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facts: object
) -> None:
    monkeypatch.setattr(TrainingState, "facts", lambda _: facts)
    monkeypatch.setattr(state_module, "_is_whole", lambda _: True)
    save_state(tmp_path / "1.safetensors", STATE)
    with pytest.raises(InputError, match="no checkpoint of this project"):
        load_state(tmp_path / "1.safetensors")
