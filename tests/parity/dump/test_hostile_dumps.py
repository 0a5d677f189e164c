"""Dumps come from somebody else: what was altered is refused by its place, and never compared."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import parity_toys as toys
import pytest
from click.testing import CliRunner

from parity.carry import Weights
from parity.cli import main
from parity.dump import Dump, DumpError, diff_dumps, is_dump, write_dump

CHECKS = ("forward", "backward")
Change = Callable[[Any], Any]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pair")
    found = {"torch": folder / "torch.npz", "paddle": folder / "paddle.npz"}
    model, inputs = toys.torch_model(), toys.images()
    write_dump(model, inputs, found["torch"], checks=CHECKS)
    held = Weights.of(model)
    wrong = toys.paddle_wrong_epsilon()
    write_dump(wrong, inputs, found["paddle"], weights=held, on=found["torch"], checks=CHECKS)
    return found


def altered(path: Path, folder: Path, members: dict[str, Change | None]) -> Path:
    """Write a dump again with other members, its checksums right; None leaves a member out."""
    made = folder / f"altered-{path.name}"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(made, "w") as file:
        contents = {name: archive.read(name) for name in archive.namelist()}
        for name, change in members.items():
            content = contents.pop(name, b"null")
            if change is not None:
                contents[name] = changed(name, content, change)
        for name, content in contents.items():
            file.writestr(name, content)
    return made


def changed(name: str, content: bytes, change: Change) -> bytes:
    if name.endswith(".json"):
        found = change(json.loads(content))
        return found if isinstance(found, bytes) else json.dumps(found).encode()
    found = change(np.load(io.BytesIO(content)) if content != b"null" else None)
    if isinstance(found, bytes):
        return found
    file = io.BytesIO()
    np.save(file, found, allow_pickle=True)
    return file.getvalue()


def put(*place: Any, value: Any) -> Change:
    """Return a change of plain values: another value at a place."""

    def change(tree: Any) -> Any:
        holder = tree
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = value
        return tree

    return change


def header(text: str, values: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + values


DEEP = b"[" * 100_000
ARRAY = (0, "inputs", 0, "array", "array")
FORCED_CALL = ("pairs", 0, 1, "runs", "pairs", 0, 1, "pairs", 0, 1)
F4 = "'descr': '<f4', 'fortran_order': False"
BROKEN: dict[str, tuple[str, str, Change | None, str]] = {
    "no events": ("torch", "float32/events.json", None, "member 'float32/events.json' is missing"),
    "no network": ("torch", "network.json", None, "network.json' is missing"),
    "no array": ("torch", "float32/3.npy", None, r"float32/3\.npy' is missing"),
    "no manifest": ("torch", "manifest.json", None, "no dump of stdc-parity"),
    "no text": ("torch", "network.json", lambda _: b"\xff\xfe\x00", "network.json .*damaged"),
    "nested": ("torch", "float32/events.json", lambda _: DEEP, "nested without end"),
    "flood": ("paddle", "own.json", lambda _: b"[" + b"[]," * 2**22 + b"1]", "more lists"),
    "long number": ("torch", "network.json", lambda _: b"9" * 5000, "network.json .*damaged"),
    "twice": ("torch", "network.json", lambda _: b'{"is": 1, "is": 2}', "names a key twice"),
    "list": ("torch", "float32/events.json", lambda _: {}, "expected a list"),
    "type": (
        *("torch", "float32/events.json", put(1, "path", value=7)),
        r"events\.json .*\[1\]\.path: expected a text, found 7",
    ),
    "missing field": (
        *("torch", "float32/events.json", lambda x: [{"is": "Record"}, *x]),
        r"\[0\]: expected an object of call, .*missing or besides",
    ),
    "no class": ("torch", "network.json", put("is", value="Module"), "expected a Inventory"),
    "another class": (
        *("torch", "float32/events.json", put(0, "is", value="Border")),
        r"\[0\]: expected a Record or a Given",
    ),
    "surrogate": ("torch", "manifest.json", put("title", value="\ud800"), "surrogate"),
    "array elsewhere": (
        *("torch", "float32/events.json", put(*ARRAY, value="/etc/passwd")),
        "member '/etc/passwd' is missing",
    ),
    "call twice": ("torch", "float32/events.json", lambda x: [*x, x[-1]], "is there twice"),
    "cycle": (
        *("torch", "float32/events.json", put(2, "parent", value=["block.conv", 0])),
        "lies in one that had ended",
    ),
    "stranger": ("torch", "float32/events.json", put(0, "path", value="spare"), "of no module"),
    "module twice": (
        *("torch", "network.json", lambda x: x | {"modules": [*x["modules"], x["modules"][0]]}),
        "module '' is there twice",
    ),
    "endless path": (
        *("torch", "network.json", put("first", "pairs", 1, 0, value="a." * 200_000)),
        "is missing|nested without end",
    ),
    "no precision": ("torch", "manifest.json", put("precisions", value=[]), "precisions"),
    "no device": ("torch", "manifest.json", put("device", value={}), "where it was made"),
    "version": ("torch", "manifest.json", put("version", value=[[]]), r"a dump of format \[\[\]\]"),
    "transform": (
        *("paddle", "entries.json", put("pairs", 0, 1, 0, "transform", value="__import__")),
        "no transform '__import__'",
    ),
    "target": (
        *("paddle", "entries.json", put("pairs", 0, 1, 0, "target", value="spare")),
        "no parameter 'spare'",
    ),
    "own parent": (
        *("paddle", "own.json", put(*FORCED_CALL, "end", value=-1)),
        "is another one",
    ),
    "no gradient": (
        *("torch", "float32/gradients.json", lambda _: []),
        "expected gradients and floors",
    ),
    "gradient's shape": (
        *("torch", "float32/parameters.json", put(0, "gradient", "array", value="inputs/0.npy")),
        "has another shape",
    ),
    "objects": ("torch", "float32/3.npy", lambda _: np.array([{}]), "no array of numbers"),
    "texts": ("torch", "float32/3.npy", lambda _: np.array(["x"]), "no array of numbers"),
    "records": ("torch", "float32/3.npy", lambda x: x.view([("a", "<f4")]), "no array of numbers"),
    "negative size": (
        *("torch", "float32/3.npy", lambda x: header(f"{{{F4}, 'shape': (-1,)}}\n", x.tobytes())),
        "no array of numbers",
    ),
    "huge size": (
        *("torch", "float32/3.npy", lambda _: header(f"{{{F4}, 'shape': ({2**62}, 8)}}\n")),
        "no array of numbers",
    ),
    "deep header": ("torch", "float32/3.npy", lambda _: header("(" * 3000), "no array of numbers"),
    "code in a header": (
        *("torch", "float32/3.npy", lambda _: header("__import__('os').abort()\n")),
        "no array of numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_damaged_dump_is_refused_by_its_place(
    pair: dict[str, Path], tmp_path: Path, name: str
) -> None:
    side, member, change, said = BROKEN[name]
    path = altered(pair[side], tmp_path, {member: change})
    with pytest.raises(DumpError, match=said) as refusal:
        diff_dumps(path, pair["paddle" if side == "torch" else "torch"])
    line = str(refusal.value)
    assert line.startswith(f"{path}: ")
    assert "make it again" in line
    assert line.isprintable()
    assert len(line) < 1000


def test_the_whole_ones_are_compared(pair: dict[str, Path], tmp_path: Path) -> None:
    again = [altered(path, tmp_path, {}) for path in pair.values()]
    result = diff_dumps(*again)
    assert not result
    assert {layer.name for layer in result.faulty} == {"block.bn"}


def test_arrays_laid_out_by_columns_are_the_same_values(
    pair: dict[str, Path], tmp_path: Path
) -> None:
    path = altered(pair["torch"], tmp_path, {"float32/3.npy": np.asfortranarray})
    np.testing.assert_array_equal(
        Dump(path).array("float32/3.npy"), Dump(pair["torch"]).array("float32/3.npy")
    )


def test_a_packed_dump_is_not_unpacked(pair: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "packed.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("manifest.json", zipfile.ZipFile(pair["torch"]).read("manifest.json"))
        file.writestr("float32/0.npy", bytes(2**24))
    with pytest.raises(DumpError, match="is compressed"):
        Dump(path)


def test_what_no_zip_reader_takes_is_no_dump(pair: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "odd.npz"
    data = bytearray(pair["torch"].read_bytes())
    data[data.rindex(b"PK\x01\x02") + 6] = 200  # a zip of the far future
    path.write_bytes(data)
    assert not is_dump(path)
    with pytest.raises(DumpError, match="zip file version"):
        Dump(path)


def double(manifest: Any) -> Any:
    manifest["inputs"][0]["dtype"] = "float64"
    return manifest


ALTERED_INPUTS: dict[str, tuple[dict[str, Change | None], str]] = {
    "values": ({"inputs/0.npy": lambda x: x + 1}, r"input 0 is not what .*SHA-256 \w{12}….*SHA"),
    "one bit": ({"inputs/0.npy": lambda x: np.copysign(x, -x)}, "input 0 is not what"),
    "type": ({"inputs/0.npy": lambda x: x.astype("float64")}, "found float64"),
    "type, and said so": (
        {"inputs/0.npy": lambda x: x.astype("float64"), "manifest.json": double},
        "expected float64 .*SHA-256",
    ),
    "bytes": ({"inputs/0.npy": lambda x: x.astype(">f4")}, "found >f4"),
    "shape": ({"inputs/0.npy": lambda x: x.reshape(1, -1)}, r"expected float32 2×3×9×7"),
    "gone": ({"inputs/0.npy": None}, "inputs/0.npy' is missing"),
    "digest": (
        {"manifest.json": put("inputs", 0, "sha256", value="0" * 64)},
        "expected float32 2×3×9×7 of SHA-256 000000000000…",
    ),
}


@pytest.mark.parametrize("side", ["torch", "paddle"])
@pytest.mark.parametrize("name", ALTERED_INPUTS)
def test_altered_inputs_give_no_verdict(
    pair: dict[str, Path], tmp_path: Path, name: str, side: str
) -> None:
    members, said = ALTERED_INPUTS[name]
    path = altered(pair[side], tmp_path, members)
    with pytest.raises(DumpError, match=said):
        diff_dumps(path, pair["paddle" if side == "torch" else "torch"])
    with pytest.raises(DumpError, match=said):
        Dump(path).inputs()


def test_inputs_that_were_altered_alike_in_both_give_no_verdict(
    pair: dict[str, Path], tmp_path: Path
) -> None:
    made = [altered(path, tmp_path, {"inputs/0.npy": lambda x: x + 1}) for path in pair.values()]
    ended = CliRunner().invoke(main, ["diff", *map(str, made)])
    assert ended.exit_code == 2
    assert "inputs/0.npy" in ended.stderr
    assert not ended.stdout


def two_inputs(tmp_path: Path, given: Any, name: str) -> Path:
    import torch

    class Sum(torch.nn.Module):
        def forward(self, x: Any, y: Any) -> Any:
            return x + 2 * y

    write_dump(Sum(), given, tmp_path / f"{name}.npz", weights=Weights({}, "torch", "none"))
    return tmp_path / f"{name}.npz"


def test_inputs_in_another_order_or_of_other_names_are_said_to_be(tmp_path: Path) -> None:
    import paddle

    class Sum(paddle.nn.Layer):
        def forward(self, x: Any, y: Any) -> Any:
            return x + 2 * y

    a, b = toys.images(1), toys.images(2)
    others: dict[str, tuple[Any, str]] = {
        "order": ((b, a), r"input 0 has other values.*input 1 .*the same inputs in another order"),
        "names": ({"x": a, "y": b}, "input 0 is another: .*…, x in"),
        "named in another order": ({"y": b, "x": a}, "input 0 is another: .*…, y in"),
        "type": ((a, b.astype("float64")), "input 1 is another: .*float64"),
        "shape": ((a, b[:1]), "input 1 is another: .*1×3×9×7"),
    }
    ours = two_inputs(tmp_path, (a, b), "ours")
    theirs = tmp_path / "theirs.npz"
    none = Weights({}, "torch", "none")
    write_dump(Sum(), (a, b), theirs, weights=none)
    assert diff_dumps(ours, theirs)
    for name, (inputs, said) in others.items():
        other = two_inputs(tmp_path, inputs, name)
        with pytest.raises(DumpError, match=said):
            diff_dumps(other, theirs)


def test_altered_weights_are_not_taken(pair: dict[str, Path], tmp_path: Path) -> None:
    for members in ({"weights/out.bias.npy": lambda x: x + 1}, {"weights/out.bias.npy": None}):
        path = altered(pair["torch"], tmp_path, members)
        with pytest.raises(DumpError, match="not the weights that the network ran with"):
            Dump(path).weights()
