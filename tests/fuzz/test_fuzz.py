"""A short run of what `make fuzz` does at length, and the guard caught looking."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import guard as guarding
import guided
import other_files
import pytest
from campaign import campaign
from guard import Guard
from mutations import CANARY, mutated, opcodes
from other_files import PICTURES, give, predict
from subjects import SUBJECTS

from converters import InputError

COUNT, DUMPS, OTHERS = 900, 120, 260


def test_broken_files_are_read_or_refused_in_one_line_and_nothing_else() -> None:
    tally = campaign("checkpoints", COUNT)
    assert tally.failures == [], "\n".join(tally.lines())
    assert sum(tally.counts.values()) == COUNT
    formats = {name for name, _ in tally.counts}
    assert formats == {"zip", "legacy", "tar", "safetensors", "index", "pdparams"}
    for name in formats:
        assert tally.counts[name, "read"] > 0
        assert tally.counts[name, "refused"] > 20


def test_broken_dumps_are_compared_or_refused_in_one_line_and_nothing_else() -> None:
    tally = campaign("dumps", DUMPS)
    assert tally.failures == [], "\n".join(tally.lines())
    assert sum(tally.counts.values()) == DUMPS
    for name in ("torch", "paddle"):
        assert tally.counts[name, "mismatch"] > 0
        assert tally.counts[name, "refused"] > 40


def test_other_broken_files_are_read_or_refused_in_one_line_and_nothing_else() -> None:
    tally = campaign("others", OTHERS)
    assert tally.failures == [], "\n".join(tally.lines())
    assert sum(tally.counts.values()) == OTHERS
    assert {name for name, _ in tally.counts} == set(SUBJECTS["others"].by_format)
    assert sum(n for (_, kind), n in tally.counts.items() if kind == "read") > 20


@pytest.mark.parametrize("form", SUBJECTS["others"].by_format)
def test_other_files_are_read_where_they_are_whole(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"broken.{form}"
    path.write_bytes(other_files.seed(form, tmp_path))
    odd = form.partition(".")[0] in {"wide", "float", "film"}
    for use in (predict, give) if form in PICTURES else (other_files.use,):
        with pytest.raises(InputError) if odd else nullcontext():
            use(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("subject", "count"), [("checkpoints", 200), ("dumps", 30), ("others", 100)]
)
def test_the_same_seed_gives_the_same_file_and_most_differ(
    subject: str, count: int, tmp_path: Path
) -> None:
    made, by_format = SUBJECTS[subject].seeds(tmp_path), SUBJECTS[subject].by_format
    first = [mutated(made, seed, by_format) for seed in range(count)]
    assert first == [mutated(made, seed, by_format) for seed in range(count)]
    assert len({data for _, data in first}) > 0.9 * count
    assert subject != "checkpoints" or sum(CANARY.encode() in data for _, data in first) > 2


def test_pickles_are_cut_between_their_opcodes() -> None:
    assert opcodes(b"\x80\x02K\x01K\x02\x86.") == [(0, 2), (2, 4), (4, 6), (6, 7), (7, 8)]


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Guard:
    return Guard(tmp_path_factory.mktemp("inside"))


@pytest.fixture
def path(guard: Guard) -> Path:
    file = Path(guard._inside) / "a.pth"
    file.write_bytes(b"x")
    return file


def refuse(path: Path) -> None:
    raise InputError(f"{path}: no")


def in_two_lines_without_a_name(_: Path) -> None:
    raise InputError("no\x1b[31m")


def crash(_: Path) -> None:
    raise KeyError(0)


def run(_: Path) -> None:
    subprocess.run(["true"], check=True)  # noqa: S607


def shell(_: Path) -> None:
    os.system("true")  # noqa: S605, S607


def write_inside(path: Path) -> None:
    path.with_name("b").write_text("x", encoding="ascii")


def write_elsewhere(path: Path) -> None:
    (path.parent.parent / "elsewhere").write_text("x", encoding="ascii")


def code(_: Path) -> None:
    exec(compile("1", "from a file", "exec"))  # noqa: S102


def hoard(_: Path) -> None:
    bytearray(300 << 20)


def linger(_: Path) -> None:
    time.sleep(30)  # cut short by the guard


@pytest.mark.parametrize(
    ("use", "kind"),
    [
        (lambda _: None, "read"),
        (refuse, "refused"),
        (in_two_lines_without_a_name, "unclear"),
        (crash, "crash"),
        (run, "forbidden"),
        (shell, "forbidden"),
        (write_inside, "read"),
        (write_elsewhere, "forbidden"),
        (code, "forbidden"),
        (hoard, "memory"),
        (linger, "hang"),
    ],
)
def test_the_guard_sees(
    guard: Guard, path: Path, monkeypatch: pytest.MonkeyPatch, use: object, kind: str
) -> None:
    # A busy machine takes its time for memory, too.
    monkeypatch.setattr(guarding, "SECONDS", 1 if kind == "hang" else 60)
    assert guard(use, path, InputError).kind == kind  # type: ignore[arg-type]


def test_without_atheris_there_is_no_guidance(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    guided.main()
    assert "atheris is not installed" in capsys.readouterr().out
