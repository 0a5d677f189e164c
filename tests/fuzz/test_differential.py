"""Both readers on the same broken files: the same bits, or a listed reason why one refuses."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from differences import LISTS, Difference, reason_for
from differential import Read, compare, in_child, loads, of_library, of_paddle, ours, verdict
from examples import EXAMPLES, MORE
from paddle_examples import EXAMPLES as PADDLE_EXAMPLES
from safetensors_examples import EXAMPLES as SAFETENSORS_EXAMPLES

from converters.formats import pickle_budget

COUNT = 120
SECURITY = Path(__file__).parents[2] / "docs/security.md"
ALL = {
    "torch": {name: (make, *MORE.get(name, ())) for name, make in EXAMPLES.items()},
    "safetensors": SAFETENSORS_EXAMPLES,
    "paddle": PADDLE_EXAMPLES,
}
LOADS: dict[str, Callable[[Path], Read]] = {
    "torch": loads,
    "safetensors": of_library,
    "paddle": lambda path: in_child(of_paddle, path),
}
TENSORS = {"weight": ("float32", (1,), b"\0\0\x80\x3f")}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_torch_reads_too_is_read_alike_and_the_rest_has_a_listed_reason() -> None:
    account = compare(COUNT)
    assert account.unlisted == []
    assert sum(account.counts.values()) == COUNT
    assert account.counts["both read, every bit alike"] > 5
    assert account.counts["both refuse"] > 40


@pytest.mark.parametrize("library", ["safetensors", "paddle"])
def test_what_other_libraries_read_too_is_read_alike(library: str) -> None:
    account = compare(COUNT // 2, library=library)
    assert account.unlisted == []
    assert sum(account.counts.values()) == COUNT // 2
    assert account.counts["both read, every bit alike"] > 2


def one_by_one() -> Iterator[Any]:
    """Yield every reason of every library with a file that shows it."""
    for library, examples in ALL.items():
        for reason in LISTS[library]:
            for number, make in enumerate(examples[reason.name]):
                name = f"{library}: {reason.name}, {number}"
                yield pytest.param(library, reason, make, id=name)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("library", "reason", "make"), [*one_by_one()])
def test_each_reason_has_a_file_that_one_reads_and_the_other_refuses(
    library: str,
    reason: Difference,
    make: Callable[[], bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if reason.name == "opcodes or objects without end":
        monkeypatch.setattr(pickle_budget, "ROOM", 10_000)
    path = tmp_path / "a.bin"
    path.write_bytes(make())
    us, them = ours(path), LOADS[library](path)
    refused = us if reason.side == "we refuse" else them
    assert (us.tensors is None, them.tensors is None) == (refused is us, refused is them)
    assert reason_for(reason.side, refused.refusal, LISTS[library]) == reason.name


def test_what_a_file_would_run_is_not_run(tmp_path: Path) -> None:
    class Call:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'run'}",)

    path = tmp_path / "a.pdparams"
    path.write_bytes(pickle.dumps({"a": Call()}))
    assert ours(path).refusal
    assert in_child(of_paddle, path).refusal == "the process ended with status 19712"
    assert not (tmp_path / "run").exists()


def test_every_example_is_of_a_listed_reason() -> None:
    assert LISTS.keys() == ALL.keys()
    for library, examples in ALL.items():
        assert list(examples) == [reason.name for reason in LISTS[library]]


@pytest.mark.parametrize("side", [0, 1])
def test_a_reason_that_is_not_listed_is_noticed(side: int) -> None:
    pair = [Read(TENSORS), Read(refusal="something new")]
    name, story = verdict(pair[side], pair[1 - side])
    assert name == ""
    assert "something new" in story


@pytest.mark.parametrize(
    "other",
    [
        {"weight": ("float32", (1,), b"\1\0\x80\x3f")},
        {"weight": ("int32", (1,), b"\0\0\x80\x3f")},
        {"weight": ("float32", (1, 1), b"\0\0\x80\x3f")},
        {"bias": TENSORS["weight"]},
        {},
    ],
)
def test_any_difference_of_what_both_read_is_noticed(other: dict) -> None:
    assert verdict(Read(TENSORS), Read(dict(TENSORS)))[1] == ""
    assert verdict(Read(TENSORS), Read(other))[1].startswith("both read, and differ")


def test_the_document_shows_every_reason() -> None:
    row = r"^\| (\w+ refuses?) \| (.+?) \|"
    shown = re.findall(row, SECURITY.read_text("utf-8"), re.MULTILINE)
    assert shown == [(one.side, one.name) for found in LISTS.values() for one in found]
