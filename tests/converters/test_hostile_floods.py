"""Small files that would take time or memory without end, or that look like other ones."""

from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hostile import pdparams, refusal, text, zipped

from converters import InputError, read_checkpoint
from converters.cli import main
from converters.errors import ConverterError
from converters.formats import content, pickle_machine
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


@pytest.mark.parametrize("flood", [b"]", b"}", b"(", b"N0"])
def test_floods_of_opcodes_come_to_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flood: bytes
) -> None:
    monkeypatch.setattr(pickle_machine, "STEPS", 1 << 17)
    monkeypatch.setattr(pickle_machine, "OBJECTS", 100_000)
    path = pdparams(tmp_path / "a.pdparams", b"\x80\x02(" + flood * (1 << 17) + b"t.")
    assert "never comes to an end" in refusal(path)


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


EVIL = "\x1b]0;title\x07\u202egpj[/][red]\udcff"


@pytest.mark.parametrize("words", [["inspect"], ["diff"], ["convert", "--to", "paddle"]])
def test_names_of_files_do_not_speak_to_the_terminal(tmp_path: Path, words: list[str]) -> None:
    name = EVIL.replace("/", "")
    (tmp_path / name).write_bytes(b"junk")
    for path in (tmp_path / name, tmp_path / f"missing{name}"):
        both = [str(path)] * (2 if words == ["diff"] else 1)
        found = CliRunner().invoke(main, [*words, *both])
        assert found.exit_code == 2
        assert r"\x1b]0;title\x07\u202egpj[][red]\udcff" in found.output
        assert not set("\x1b\x07\u202e") & set(found.output)


def test_messages_are_printable() -> None:
    assert str(ConverterError(f"a{EVIL}:\n  b")) == (
        r"a\x1b]0;title\x07\u202egpj[/][red]\udcff:" + "\n  b"
    )
