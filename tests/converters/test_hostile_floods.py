"""Small files that would take time or memory without end, or that look like other ones."""

from __future__ import annotations

import gc
import itertools
import json
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from weakref import ref

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hostile import pdparams, refusal, text, zipped

from converters import InputError, read_checkpoint
from converters.cli import main
from converters.formats import content, pickle_budget
from converters.formats.pickle_machine import PickleMachine
from converters.user_rules import read_rules

WRITERS = {"a.pth": zipped, "a.pdparams": pdparams}
# All of them have the same hash, in every Python: dicts of them take the square of their number.
ALIKE = (1 << 61) - 1


def number(value: int) -> bytes:
    raw = value.to_bytes(12, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


@pytest.mark.parametrize("name", list(WRITERS))
@pytest.mark.parametrize(
    "keys",
    [
        [number(n * ALIKE) for n in range(9, 1010)],
        [number(n) + b"\x85" for n in range(1001)],
    ],
    ids=["long numbers", "tuples"],
)
@pytest.mark.parametrize("how", ["set", "made", "called"])
def test_keys_that_collide_are_refused(
    tmp_path: Path, name: str, keys: list[bytes], how: str
) -> None:
    if how == "called":
        pairs = b"".join(b"(" + key + b"Nt" for key in keys)
        made = b"ccollections\nOrderedDict\n](" + pairs + b"e\x85R"
    else:
        entries = b"(" + b"".join(key + b"N" for key in keys)
        made = b"}" + entries + b"u" if how == "set" else entries + b"d"
    path = WRITERS[name](tmp_path / name, b"\x80\x02}(" + text("a") + made + b"u.")
    assert "more than 1000 keys that are neither texts nor numbers" in refusal(path)


def test_keys_of_optimizers_are_numbers_and_stay(tmp_path: Path) -> None:
    states = {n: {"step": n} for n in range(2000)}
    torch.save({"a.weight": torch.ones(2), "optimizer": states}, tmp_path / "a.pth")
    assert list(read_checkpoint(tmp_path / "a.pth")) == ["a.weight"]


def test_a_memo_has_no_long_numbers(tmp_path: Path) -> None:
    put = b"N" + b"p%d\n" % ALIKE
    path = pdparams(tmp_path / "a.pdparams", b"\x80\x02}" + text("a") + put + b"s.")
    assert "beyond 32 bits in the memo" in refusal(path)


FLOODS = {
    "EMPTY_LIST": b"]",
    "EMPTY_DICT": b"}",
    "EMPTY_TUPLE": b")",
    "EMPTY_SET": b"\x8f",
    "NONE": b"N",
    "BININT1": b"K\x07",
    "BININT": b"J\0\0\1\1",
    "BINFLOAT": b"G@@@@@@@@",
    "DUP": b"2",
    "MEMOIZE": b"\x94",
    "BINPUT": b"q\x07",
    "BINGET": b"h\0",
    "APPEND": b"NaNa",
    "POP": b"N0",
    "MARK": b"(",
    "LIST": b"(l",
    "TUPLE": b"(Nt",
    "TUPLE1": b"\x85",
    "FROZENSET": b"(N\x91",
    "SHORT_BINUNICODE": b"\x8c\x04abcd",
    "SHORT_BINBYTES": b"C\0",
    "REDUCE": b"h\0)R",
    "REDUCE that copies": b"h\0h\1\x85R",
}
MOST_COSTLY = ("EMPTY_LIST", "SHORT_BINUNICODE", "REDUCE", "REDUCE that copies")
COPIED = b"](" + b"J\0\0\1\1N\x86" * 30_000 + b"e"
BEGIN = b"\x80\x04ccollections\nOrderedDict\nq\0" + COPIED + b"q\1"
MEASURE = """
import re, sys
from pathlib import Path
import parity.cli
import stdc_port.cli
from converters import InputError, read_checkpoint

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10

Path("/proc/self/clear_refs").write_text("5")
before = peak()
try:
    read_checkpoint(sys.argv[1])
except InputError as error:
    print(peak() - before, error)
"""


@pytest.fixture(params=[1, 2], ids=["alone", "with another thread"])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Of the process; Python counts the objects of all of them together."""
    monkeypatch.setattr("threading.active_count", lambda: request.param)
    return int(request.param)


@pytest.mark.parametrize("flood", FLOODS)
def test_floods_of_opcodes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flood: str, threads: int
) -> None:
    monkeypatch.setattr(pickle_budget, "ROOM", 1 << 23)
    monkeypatch.setattr(pickle_budget, "OPCODES", 200_000)
    path = pdparams(tmp_path / "a.pdparams", BEGIN + FLOODS[flood] * 300_000 + b".")
    assert "more than any checkpoint: a flood" in refusal(path)


@pytest.mark.parametrize(
    "flood", ["EMPTY_LIST", "SHORT_BINUNICODE", "REDUCE", "REDUCE that copies"]
)
def test_floods_take_no_more_than_their_size_and_200_mib(tmp_path: Path, flood: str) -> None:
    """Of all opcodes those that take the most; twice the size, since it counts as mapped, too."""
    path, code = tmp_path / "a.pdparams", FLOODS[flood]
    path.write_bytes(BEGIN + code * ((16 << 20) // len(code)) + b".")
    words = [sys.executable, "-c", MEASURE, str(path)]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout  # noqa: S603
    assert "more than any checkpoint: a flood" in told
    assert int(told.split()[0]) <= 2 * path.stat().st_size + (200 << 20)


def test_one_wide_letter_makes_a_text_four_times_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickle_budget, "ROOM", 8 << 20)
    long = ("a" * (6 << 20) + "\U0001f600").encode()
    flood = b"\x80\x04}X" + struct.pack("<I", len(long)) + long + b"."
    assert "a flood" in refusal(pdparams(tmp_path / "a.pdparams", flood))


def many_tensors() -> dict[str, torch.Tensor]:
    return {f"blocks.{n}.weight": torch.zeros(2) for n in range(20_000)}


def with_optimizer() -> dict[str, object]:
    rows = {n: {"step": torch.tensor(1.0), "avg": torch.zeros(2)} for n in range(20_000)}
    return {"model": many_tensors(), "optimizer": {"state": rows, "params": list(rows)}}


def arrays(path: Path) -> None:
    held = {key: np.zeros(2, np.float32) for key in many_tensors()}
    path.write_bytes(pickle.dumps(held, 2))


@pytest.mark.parametrize(
    "save",
    [
        lambda path: torch.save(many_tensors(), path),
        lambda path: torch.save(many_tensors(), path, _use_new_zipfile_serialization=False),
        lambda path: torch.save(with_optimizer(), path),
        arrays,
    ],
    ids=["zip", "legacy", "optimizer", "arrays"],
)
def test_checkpoints_of_many_tensors_take_less_than_half_of_what_they_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Callable[[Path], object]
) -> None:
    monkeypatch.setattr(pickle_budget, "ROOM", 4 << 20)
    monkeypatch.setattr(pickle_budget, "OPCODES", 200_000)
    monkeypatch.setattr(pickle_budget, "EACH", pickle_budget.EACH // 2)
    monkeypatch.setattr(pickle_budget, "EACH_OPCODES", pickle_budget.EACH_OPCODES // 2)
    save(tmp_path / "a.pth")
    assert len(read_checkpoint(tmp_path / "a.pth")) == 20_000


def test_what_a_pickle_held_goes_where_no_garbage_is_collected() -> None:
    """As in the commands, which end before that would be worth it."""
    gc.disable()
    try:
        machine = PickleMachine(memoryview(b"\x80\x02]q\x00."), {})
        assert machine.load() == []
        gone = ref(machine)
        del machine
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("kind", ["one", "all"])
def test_what_other_threads_make_is_no_flood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, kind: str
) -> None:
    """Eight million objects of others, in one go or more and more of them."""
    ours, calls, most = pickle_budget.allocated, itertools.count(1), 1 if kind == "one" else 1000
    others = lambda: 8_000_000 * min(next(calls), most)  # noqa: E731
    monkeypatch.setattr(pickle_budget, "allocated", lambda: ours() + others())
    torch.save(many_tensors(), tmp_path / "a.pth")
    if threads == 1:
        assert "a flood" in refusal(tmp_path / "a.pth")
    else:
        assert len(read_checkpoint(tmp_path / "a.pth")) == 20_000


def test_numbers_of_a_memo_may_come_in_any_order() -> None:
    """Old Pythons count them from 1."""
    data = b"\x80\x02K\x05q\x070K\x06q\x010h\x07h\x01\x86."
    assert PickleMachine(memoryview(data), {}).load() == (5, 6)
    for number in (b"h\x03", b"g-1\n", b"h\x02"):
        with pytest.raises(InputError, match="not a readable pickle"):
            PickleMachine(memoryview(b"\x80\x02Nq\x00" + number + b"."), {}).load()


@pytest.mark.parametrize("kind", ["a.safetensors", "a.safetensors.index.json"])
def test_floods_of_lists_in_json_are_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(content, "ROOM", 100_000)
    data = b'{"weight_map":[' + b"[]," * 1000 + b"[]]}"
    head = struct.pack("<Q", len(data)) if kind.endswith("s") else b""
    (tmp_path / kind).write_bytes(head + data)
    assert "more lists and entries than any file of its kind" in refusal(tmp_path / kind)


def test_a_number_of_thousands_of_digits_is_told_in_bits(tmp_path: Path) -> None:
    """Python refuses to spell it."""
    value = {"a.weight": np.ones((2, 2), np.float32), "epoch": 10**5000}
    (tmp_path / "a.pdparams").write_bytes(pickle.dumps(value, 2))
    assert read_checkpoint(tmp_path / "a.pdparams").skipped == {"epoch": "int of 16610 bits"}


def test_values_that_hold_each_other_many_times_over(tmp_path: Path) -> None:
    """Walked through by what is there, not by the ways that lead to it: 2 to the power of 60."""
    deep: object = {"w": torch.ones(2)}
    for _ in range(60):
        deep = {"a": deep, "b": deep}
    torch.save({"state_dict": deep, "fc.bias": torch.ones(2)}, tmp_path / "a.pth")
    assert list(read_checkpoint(tmp_path / "a.pth")) == ["fc.bias"]


@pytest.fixture
def alike(tmp_path: Path) -> Path:
    """Return a whole safetensors file that begins with a space and a brace, as JSON may."""
    head = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    size = int.from_bytes(b" {", "little")
    path = tmp_path / "alike.safetensors"
    path.write_bytes(struct.pack("<Q", size) + head.ljust(size) + b"\0" * 8)
    return path


def test_a_length_that_looks_like_json_is_a_length(alike: Path) -> None:
    assert list(read_checkpoint(alike)) == ["w"]


def test_a_report_replaces_no_checkpoint_that_looks_like_one(alike: Path, tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"x": "y" * 5000}, "weight_map": {"w": alike.name}}))
    for path in (alike, index):
        before = path.read_bytes()
        found = CliRunner().invoke(main, ["inspect", str(alike), "--json", str(path)])
        assert (found.exit_code, path.read_bytes()) == (2, before)
        assert "is no report" in found.output


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ("[[rename]]\npattern = " + "[" * 20_000, "nested without end"),
        (".".join("a" * 20_000) + " = 1", "more than 500 dots"),
        ("#" * (1 << 21), "more than 1 MiB"),
        (b"\xff\xfe", "no UTF-8 text"),
    ],
)
def test_hostile_rules_are_refused(tmp_path: Path, rules: str | bytes, why: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(rules.encode() if isinstance(rules, str) else rules)
    with pytest.raises(InputError, match=why):
        read_rules(path)


def test_rules_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rules.toml")
    for path in (tmp_path / "rules.toml", Path("/dev/zero"), tmp_path):
        with pytest.raises(InputError, match="is no regular file"):
            read_rules(path)
