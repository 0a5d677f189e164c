"""Broken dumps from whole ones, by their structure: members, plain values, arrays."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

import numpy as np
from mutations import CANARY, ESCAPED, NUMBERS, Mutation, cut, directory, flip

Members = list[tuple[str, bytes]]
NAMES = (
    *("../../escaped", ESCAPED, "a\\..\\b", "\0", "n" * 5000, "float32/../x", "manifest.json"),
    *("inputs/0.npy", "inputs/9.npy", "weights/\x1b[31m.npy", "weights/.npy", "own.json"),
)
DEEP = 100_000
# Of what is stored as it is; bombs alone hold more.
LARGEST = 2**16
VALUES: tuple[Any, ...] = (
    *(None, True, False, "", "x", "x" * 5000, "\x1b[31m", "\ud800", "<script>", "stem.0", "torch"),
    *(1e308, -1.5, float("nan"), float("inf"), 2, "float64", "2", 10**400, *NUMBERS),
    *([], {}, [[]], [None], [["", 0]], ["stem", 0], ["", 0], {"pairs": []}, {"pairs": [[[], 1]]}),
    *({"pairs": [[1]]}, {"is": "Record"}, {"is": "Value", "slot": "", "array": 1}, {"is": []}),
    *({"array": "missing.npy"}, {"array": "manifest.json"}, {"array": "../../etc/passwd"}),
    *({"array": []}, {"array": "float32/0.npy"}, {"is": "Border", "array": "float32/0.npy"}),
)
DTYPES = (
    *("<f2", "<f8", ">f4", "<i8", "|b1", "<c16", "|O", "|S3", "<U2", "<M8[s]", "|V7", "<f4,<i2"),
    *([("a", "<f4"), ("b", "|O")], "", "x" * 300, None, 7),
)
SHAPES: tuple[Any, ...] = (
    *((), (0,), (1,), (-1,), (2**62, 4), (2**70,), (1,) * 70, (3, -2), (0, 2**62), "x", None),
    *((True,), (1.0,), [2, 3]),
)


def resized(random: Random, data: bytes) -> bytes:
    """Rebuild a dump with something wrong with one of its members, its checksums right."""
    members = members_of(data)
    place = random.randrange(len(members))
    name, content = members[place]
    change: dict[str, Callable[[], Any]] = {
        "gone": lambda: members.pop(place),
        "twice": lambda: members.append((name, flip(random, content or b"x"))),
        "renamed": lambda: members.__setitem__(place, (random.choice(NAMES), content)),
        "another": lambda: members.__setitem__(place, (name, random.choice(members)[1])),
        "cut": lambda: members.__setitem__(place, (name, cut(random, content or b"x"))),
        "longer": lambda: members.__setitem__(
            place, (name, content[:LARGEST] * random.choice((2, 100)))
        ),
        "empty": lambda: members.__setitem__(place, (name, b"")),
        "turned": members.reverse,
    }
    change[random.choice(list(change))]()
    return built(members)


def packed(random: Random, data: bytes) -> bytes:
    """Pack members, one of them as a bomb."""
    members = members_of(data)
    place = random.randrange(len(members))
    if random.random() < 0.7:
        size = random.choice((2**16,) * 9 + (2**20, 2**28))
        members[place] = (members[place][0], bytes(size))
    return built(members, zipfile.ZIP_DEFLATED)


def in_values(random: Random, data: bytes) -> bytes:
    """Change plain values: another one, one less or more, one from elsewhere."""
    members = members_of(data)
    place = random.choice([at for at, (name, _) in enumerate(members) if name.endswith(".json")])
    name, content = members[place]
    tree = json.loads(content)
    for _ in range(random.choice((1, 1, 1, 3))):
        changed(random, tree)
    members[place] = (name, json.dumps(tree).encode())
    return built(members)


def in_text(random: Random, data: bytes) -> bytes:
    """Spoil the text of plain values: nested or repeated without end, a key twice, no text."""
    members = members_of(data)
    place = random.choice([at for at, (name, _) in enumerate(members) if name.endswith(".json")])
    name, content = members[place]
    texts = (
        b"[" * DEEP,
        b'{"a":' * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        b"[" + b"[]," * 2**20 + b"[]]",
        b"[" + b"0," * 2**21 + b"0]",
        b'{"is": "Value", ' + content.lstrip(b" [{"),
        content.replace(b'"is"', b'"is": "Record", "is"'),
        content.replace(b", ", b", \xff ", 1),
        b"\xff\xfe" + content,
        b"9" * 5000,
        b'"\\ud800"',
        flip(random, content),
        cut(random, content),
    )
    members[place] = (name, random.choice(texts))
    return built(members)


def in_array(random: Random, data: bytes) -> bytes:
    """Change an array: another shape or type, a header that lies, objects, other values."""
    members = members_of(data)
    place = random.choice([at for at, (name, _) in enumerate(members) if name.endswith(".npy")])
    name, content = members[place]
    members[place] = (name, array(random, content))
    return built(members)


def array(random: Random, content: bytes) -> bytes:
    """Change a .npy file."""
    values = np.load(io.BytesIO(content))
    header = {"descr": values.dtype.str, "fortran_order": False, "shape": values.shape}
    kind = random.randrange(10)
    if kind == 0:
        header["shape"] = random.choice(SHAPES)
    elif kind == 1:
        header["descr"] = random.choice(DTYPES)
    elif kind == 2:
        header["fortran_order"] = random.choice((True, None, "x", 1))
    elif kind == 3:
        header.pop(random.choice(list(header)))
    elif kind == 4:
        return pickled()
    elif kind == 5:
        return npy(values.astype(random.choice(("<f2", "<f8", "<i4", "|b1", "<c8", ">f4"))))
    elif kind == 6:
        return npy(values.reshape(-1)[: values.size // 2])
    elif kind == 7:
        odd = random.choice((np.nan, np.inf, -0.0, 1e38))
        return npy(np.where(np.arange(values.size).reshape(values.shape) % 3, values, odd))
    text = repr(header)
    if kind == 8:
        text = random.choice(
            ("(" * 3000, "[" * 60000, "{" * 200, "x", "__import__('os')", "1" * 60000)
        )
    version = random.choice(((1, 0), (1, 0), (1, 0), (2, 0), (3, 0), (9, 9)))
    return headed(text, values.tobytes(), version)


def pickled() -> bytes:
    """Return an array of objects that runs a command where somebody unpickles it."""
    call = b"cos\nsystem\n(X" + struct.pack("<I", len(CANARY)) + CANARY.encode() + b"tR."
    return headed(repr({"descr": "|O", "fortran_order": False, "shape": (1,)}), call, (1, 0))


def headed(text: str, values: bytes, version: tuple[int, int]) -> bytes:
    """Return a .npy file of a given header."""
    size = struct.pack("<H" if version == (1, 0) else "<I", (len(text) + 1) % 2**16)
    return b"\x93NUMPY" + bytes(version) + size + text.encode() + b"\n" + values


def npy(values: np.ndarray) -> bytes:
    """Return a .npy file of an array."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def changed(random: Random, tree: Any) -> None:
    """Change one value somewhere in plain values."""
    places = list(walked(tree))
    if not places:
        return
    holder, key = random.choice(places)
    kind = random.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        other, where = random.choice(places)
        if not any(one is holder for one, _ in walked(other[where])):
            holder[key] = json.loads(json.dumps(other[where]))
    elif kind == 2 and isinstance(holder, list):
        holder.insert(random.randrange(len(holder) + 1), value(random))
    elif kind == 2:
        holder[random.choice(("x", "is", "pairs", "array", "", "k" * 3000))] = value(random)
    elif kind == 3 and isinstance(holder, list):
        holder[key:key] = [holder[key]] * random.choice((1, 100))
    else:
        holder[key] = value(random)


def value(random: Random) -> Any:
    """Return a value that fits nowhere, or hardly; a copy, for it may be changed in its turn."""
    return deepcopy(random.choice(VALUES))


def walked(tree: Any) -> Any:
    """Yield each list or dict of plain values with each index or key that it has."""
    open_ones = [tree]
    while open_ones:
        one = open_ones.pop()
        if isinstance(one, dict | list):
            for key in list(one) if isinstance(one, dict) else range(len(one)):
                yield one, key
                open_ones.append(one[key])


def members_of(data: bytes) -> Members:
    """Return the members of a zip."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def built(members: Members, method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip of members."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method, compresslevel=1) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name or "x")
            info.compress_type = method
            stored = method == zipfile.ZIP_STORED
            archive.writestr(info, content[: 256 * LARGEST] if stored else content)
    return made.getvalue()


_BY_STRUCTURE: tuple[Mutation, ...] = (
    *(in_values, in_values, in_values, in_values, in_values),
    *(in_text, in_array, in_array, resized, packed, directory),
)
BY_FORMAT = {"torch": _BY_STRUCTURE, "paddle": _BY_STRUCTURE}
