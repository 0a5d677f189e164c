"""Broken files from whole ones: blindly, and by the structure of pickle, zip and safetensors."""

from __future__ import annotations

import io
import json
import pickletools
import struct
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from random import Random

Mutation = Callable[[Random, bytes], bytes]
NUMBERS = (
    0,
    1,
    2,
    -1,
    127,
    255,
    256,
    65535,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**53,
    2**63 - 1,
    -(2**63),
)
# Each runs a command where an unpickler obeys.
ESCAPED = "/tmp/stdc-fuzz-escaped"  # noqa: S108
CANARY = "touch /tmp/stdc-fuzz-canary"
CALL = b"cos\nsystem\n(X" + struct.pack("<I", len(CANARY)) + CANARY.encode() + b"tR"
CALLS = (
    CALL,
    b"cposix\nsystem\n(X" + struct.pack("<I", len(CANARY)) + CANARY.encode() + b"tR",
    b"(X" + struct.pack("<I", len(CANARY)) + CANARY.encode() + b"ios\nsystem\n",
    b"(cos\nsystem\nX" + struct.pack("<I", len(CANARY)) + CANARY.encode() + b"o",
    b"\x8c\x02os\x8c\x06system\x93",
    b"cbuiltins\neval\n(X\x03\x00\x00\x001+1tR",
)
SNIPPETS = (
    *CALLS,
    b"cbuiltins\ngetattr\n",
    b"ctorch\nload\n",
    b"cnumpy\nload\n",
    b"cnumpy.core.multiarray\nscalar\n",
    b"\x82\x01",  # EXT1
    b"\x83\x01\x02",
    b"Pname\n",  # PERSID
    b"Q",  # BINPERSID
    b"}b",  # BUILD
    b"}\x81",
    b")\x81",
    b"]" * 50,
    b"(" * 2000,
    b"(" * 500 + b"t" * 500,
    b"h\xff",  # a memo that is not there
    b"j\xff\xff\xff\x7f",
    b"p-1\n",
    b"\x94" * 10,
    b"\x8d" + struct.pack("<Q", 2**62),  # a text longer than any file
    b"B" + struct.pack("<I", 2**31),
    b"\x8b" + struct.pack("<i", 2**30),
    b"\x8a\xff" + b"\x7f" * 255,  # an integer of 255 bytes
    b"I" + b"9" * 5000 + b"\n",
    b"F1e999\n",
    b"\x95" + struct.pack("<Q", 2**63),
    b"0" * 5,
    b"2" * 100,
    b"1" * 5,
    b"R",
    b"s",
    b"u",
    b".",
)


def flip(random: Random, data: bytes) -> bytes:
    """Change some bytes."""
    made = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        made[random.randrange(len(made))] ^= 1 << random.randrange(8)
    return bytes(made)


def number(random: Random, data: bytes) -> bytes:
    """Write a telling number over some bytes."""
    size = random.choice((1, 2, 4, 8))
    value = random.choice(NUMBERS) % 2 ** (8 * size)
    start = random.randrange(max(len(data) - size, 1))
    order = random.choice(("little", "big"))
    return data[:start] + value.to_bytes(size, order) + data[start + size :]


def cut(random: Random, data: bytes) -> bytes:
    """Leave out a stretch, at the end or anywhere."""
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + (data[end:] if random.random() < 0.5 else b"")


def repeat(random: Random, data: bytes) -> bytes:
    """Write a stretch twice, or move it."""
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    end = min(end, start + 4096)
    place = random.randrange(len(data) + 1)
    return data[:place] + data[start:end] + data[place:]


def opcodes(data: bytes) -> list[tuple[int, int]]:
    """Return where the opcodes of a pickle begin and end, as far as it can be read."""
    starts = []
    with suppress(Exception):  # as far as it goes will do
        starts.extend(at for _, _, at in pickletools.genops(data) if at is not None)
    starts.append(len(data) if not starts else starts[-1] + 1)
    return list(pairwise(starts))


def pickled(random: Random, data: bytes) -> bytes:
    """Leave out, repeat or exchange opcodes of a pickle, or put others in."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        found = opcodes(data)
        if not found:
            return flip(random, data)
        start, end = random.choice(found)
        other = random.choice(found)
        made = {
            "drop": b"",
            "double": data[start:end] * 2,
            "other": data[slice(*other)],
            "before": snippet(random) + data[start:end],
            "after": data[start:end] + snippet(random),
            "instead": snippet(random),
            "number": integer(random.choice(NUMBERS)),
            "global": data[start:end].replace(b"torch", b"os").replace(b"numpy", b"posix"),
        }
        data = data[:start] + made[random.choice(list(made))] + data[end:]
    return data


def snippet(random: Random) -> bytes:
    """Return opcodes that have no place in a weight file, often a call."""
    return random.choice(random.choice((CALLS, SNIPPETS)))


def integer(value: int) -> bytes:
    """Return the opcode of an integer."""
    made = value.to_bytes(9, "little", signed=True)
    return b"\x8a" + bytes([len(made)]) + made


def archived(random: Random, data: bytes) -> bytes:
    """Rebuild a torch zip with something wrong in it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    place = random.randrange(len(members))
    name, content = members[place]
    kind = random.randrange(9)
    if kind == 0:
        members = [(n, pickled(random, c) if n.endswith(".pkl") else c) for n, c in members]
    elif kind == 1:
        members.pop(place)
    elif kind == 2:
        members.append((name, flip(random, content) if content else b"x"))
    elif kind == 3:
        bad = (
            "../../escaped",
            ESCAPED,
            "a\\..\\b",
            "\0",
            "n" * 5000,
            "archive/../x",
        )
        members[place] = (random.choice(bad), content)
    elif kind == 4:
        members[place] = (name, content[: random.randrange(len(content) + 1)])
    elif kind == 5:
        members[place] = (name, content * random.choice((2, 100)))
    elif kind == 6:
        random.shuffle(members)
    method = zipfile.ZIP_DEFLATED if kind == 7 else zipfile.ZIP_STORED
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for one, body in members:
            info = zipfile.ZipInfo(one or "x")
            info.compress_type = method
            archive.writestr(info, b"\0" * 2**20 if kind == 7 and one == name else body)
    return directory(random, made.getvalue()) if kind == 8 else made.getvalue()


def directory(random: Random, data: bytes) -> bytes:
    """Make a zip's table of contents, or a local header, disagree with the rest."""
    signature = random.choice((b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"))
    places = [at for at in range(len(data) - 4) if data[at : at + 4] == signature]
    at = random.choice(places) + random.randrange(4, 46)
    size = random.choice((2, 4))
    value = random.choice(NUMBERS) % 2 ** (8 * size)
    return data[:at] + value.to_bytes(size, "little") + data[at + size :]


def safetensors(random: Random, data: bytes) -> bytes:
    """Change the header of a safetensors file."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    key = random.choice([key for key in header if key != "__metadata__"])
    odd = (
        "",
        "\0",
        "\x1b[31m",
        "../x",
        ESCAPED,
        "<script>",
        "k" * 10000,
        "\ud800",
        "__metadata__",
    )
    entry = header[key]
    kind = random.randrange(9)
    if kind == 0:
        entry["data_offsets"] = [random.choice(NUMBERS), random.choice(NUMBERS)]
    elif kind == 1:
        entry["shape"] = [random.choice(NUMBERS) for _ in range(random.choice((0, 1, 2, 64, 1000)))]
    elif kind == 2:
        entry["dtype"] = random.choice(
            ("F64", "BF16", "F8_E4M3", "I64", "BOOL", "", None, 7, "C64")
        )
    elif kind == 3:
        header[random.choice(odd)] = header.pop(key)
    elif kind == 4:
        header["__metadata__"] = random.choice(
            ({"a": 1}, [], None, {"a": "conv.weight"}, "x", {"a": {}})
        )
    elif kind == 5:
        entry.pop(random.choice(list(entry)))
    elif kind == 6:
        header[key] = random.choice(
            (None, [], 1, "x", {}, {"shape": {}, "dtype": [], "data_offsets": 1})
        )
    text = json.dumps(header).encode()
    if kind == 7:
        text = (
            text[:-1] + b"," + json.dumps(key).encode() + b":" + json.dumps(entry).encode() + b"}"
        )
    elif kind == 8:
        text = b"[" * 100_000 if random.random() < 0.3 else flip(random, text)
    length = random.choice(NUMBERS) % 2**64 if random.random() < 0.1 else len(text)
    return length.to_bytes(8, "little") + text + data[8 + size :]


def index(random: Random, data: bytes) -> bytes:
    """Change where the index of a checkpoint in shards points."""
    content = json.loads(data)
    odd = (
        "../shard.safetensors",
        "/etc/passwd",
        "/dev/zero",
        "missing",
        "",
        ".",
        "\0",
        7,
        None,
        [],
        "x" * 5000,
        "model.safetensors.index.json",
    )
    keys = list(content["weight_map"])
    kind = random.randrange(4)
    if kind == 0:
        content["weight_map"][random.choice(keys)] = random.choice(odd)
    elif kind == 1:
        content["weight_map"] = dict.fromkeys(keys, random.choice(odd))
    elif kind == 2:
        content[random.choice(("weight_map", "metadata"))] = random.choice(([], None, {}, 1, "x"))
    else:
        return flip(random, data)
    return json.dumps(content).encode()


BLIND: tuple[Mutation, ...] = (flip, number, cut, repeat)
BY_FORMAT: dict[str, tuple[Mutation, ...]] = {
    "zip": (archived, archived, archived, directory),
    "legacy": (pickled, pickled, pickled),
    "tar": (flip, number),
    "pdparams": (pickled, pickled, pickled),
    "safetensors": (safetensors, safetensors, safetensors),
    "index": (index, index, index),
}


def mutated(
    seeds: dict[str, bytes],
    seed: int,
    by_format: Mapping[str, tuple[Mutation, ...]] = BY_FORMAT,
) -> tuple[str, bytes]:
    """Return the format and the bytes of one broken file; the same ones for the same seed."""
    random = Random(seed)  # noqa: S311
    name = random.choice(sorted(seeds))
    data = seeds[name]
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        try:
            data = random.choice(BLIND + by_format[name])(random, data) or b"x"
        except Exception:  # noqa: BLE001, PERF203
            data = flip(random, data)  # too broken by now to have a structure
    return name, data
