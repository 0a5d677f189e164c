"""What people look at: log, boards, curves and the live line."""

from __future__ import annotations

import struct
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stdc_port.training import boards as boards_module
from stdc_port.training.boards import TENSORBOARD, VISUALDL, boards
from stdc_port.training.curves import draw_curves
from stdc_port.training.live import Smoothed, training_line
from stdc_port.training.metrics import Evaluation
from stdc_port.training.runlog import LOG, RunLog, Step, read_log


def _step(iteration: int, loss: float = 2.0) -> Step:
    parts = {"ohem": loss / 2, "dice": loss / 2}
    return Step(iteration, 0.01, loss, parts, images_per_second=8.0, waited=0.1, seconds=0.5)


def _evaluation() -> Evaluation:
    return Evaluation(np.eye(19, dtype=np.int64), 1, 0.5)


def _events(folder: Path) -> list[Any]:
    """Read event files as TensorBoard does: length, its checksum, the event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.glob("events*")):
        data, place = path.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            event = Event()
            event.ParseFromString(data[place + 12 : place + 12 + length])
            found.append(event)
            place += length + 16
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    log = RunLog(folder, lambda _: None, every=2)
    log.begin(0)
    for iteration in range(6):
        log.step(_step(iteration, 6.0 - iteration))
    log.evaluation(6, _evaluation())
    log.picture(6, "street", np.full((8, 16, 3), 200, np.uint8))
    log.end()
    return folder


def test_tensorboard_reads_the_curves_and_the_picture(run: Path) -> None:
    values: dict[str, dict[int, float]] = {}
    pictures = []
    for event in _events(run / TENSORBOARD):
        for value in event.summary.value:
            if value.HasField("image"):
                pictures.append((value.image.width, value.image.height))
            else:
                values.setdefault(value.tag, {})[event.step] = value.simple_value
    assert values["loss/total"] == {0: 6.0, 2: 4.0, 4: 2.0}
    assert values["loss/dice"] == {0: 3.0, 2: 2.0, 4: 1.0}
    assert values["waiting_share"] == pytest.approx({0: 0.2, 2: 0.2, 4: 0.2})
    assert values["miou"] == {5: 1.0}
    assert {"rate", "images_per_second", "pixel_accuracy"} < values.keys()
    assert pictures == [(16, 8)]


def test_the_log_has_every_iteration(run: Path) -> None:
    lines = read_log(run / LOG)
    assert [line["iteration"] for line in lines if "loss" in line] == list(range(6))
    assert lines[-1]["evaluation"]["miou"] == 1.0


def test_what_came_after_the_checkpoint_is_taken_out(tmp_path: Path) -> None:
    log = RunLog(tmp_path, lambda _: None)
    log.begin(0)
    for iteration in range(5):
        log.step(_step(iteration))
    with (tmp_path / LOG).open("a") as file:
        file.write('{"iteration": 5, "lo')  # killed in the middle of a line
    log.begin(3)
    log.step(_step(3))
    assert [line["iteration"] for line in read_log(tmp_path / LOG)] == [0, 1, 2, 3]


def test_a_full_disk_is_told_once_and_stops_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    log = RunLog(tmp_path, told.append)
    log.begin(0)
    (tmp_path / LOG).unlink()
    (tmp_path / LOG).mkdir()
    log.step(_step(0))
    log.step(_step(1))
    assert len(told) == 1
    assert "training goes on" in told[0]


def test_visualdl_gets_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its documented interface; the package itself brings a web server and is not installed."""
    got: list[tuple[str, object]] = []

    class LogWriter:
        def __init__(self, logdir: str) -> None:
            assert logdir == str(tmp_path / VISUALDL)

        def add_scalar(self, tag: str, value: float, step: int) -> None:
            got.append((tag, (value, step)))

        def add_image(self, tag: str, img: np.ndarray, step: int) -> None:
            got.append((tag, (img.shape, step)))

        def close(self) -> None:
            got.append(("closed", None))

    fake: Any = types.ModuleType("visualdl")
    fake.LogWriter = LogWriter
    monkeypatch.setitem(sys.modules, "visualdl", fake)
    board = boards(tmp_path, 0)[VISUALDL]
    board.scalar("loss", 1.5, 3)
    board.picture("street", np.zeros((2, 4, 3), np.uint8), 3)
    board.close()
    assert got == [("loss", (1.5, 3)), ("street", ((2, 4, 3), 3)), ("closed", None)]


def test_what_is_not_installed_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("visualdl", "tensorboardX"):
        monkeypatch.setitem(sys.modules, package, None)
    assert boards(tmp_path, 0) == {}


def test_tensorboards_writer_does_not_bring_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stdc_port.training.boards import TensorBoard; "
        "b = TensorBoard(Path(sys.argv[1]), 0); b.scalar('a', 1.0, 0); b.close(); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
    assert "torch" not in boards_module.__dict__


def test_curves_are_drawn(run: Path, tmp_path: Path) -> None:
    with Image.open(draw_curves(run)) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 500
    with Image.open(draw_curves(tmp_path)) as picture:  # of a run without a single line
        assert picture.format == "PNG"


def test_the_live_line_says_all() -> None:
    smoothed = Smoothed()
    smoothed.line(_step(0))
    text = smoothed.line(_step(1, 4.0))
    assert text.startswith("loss 2.200 (ohem 1.10 dice 1.10)  rate 1.00e-02  8.0 images/s")
    assert "waits 20%" in text
    assert text.endswith("GiB")
    assert "loss 2.180" in smoothed.line(_step(2))


def test_it_is_shown_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with training_line(0, 3) as show:
        show(_step(0))
    assert capfd.readouterr() == ("", "")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with training_line(0, 3) as show:
        show(_step(0))
        show(_step(1))
    told = capfd.readouterr()
    assert told.out == ""
    assert "loss 2.000" in told.err
    assert "2/3" in told.err
