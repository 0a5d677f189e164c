"""Broken files, read by us and by their own library beside it: torch's or safetensors."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from differences import LISTS, reason_for
from guard import FORBIDDEN
from mutations import mutated
from seeds import Seeds, seeds

SECONDS = 20
MEMORY = 4 * 2**30
FORBIDDEN_STATUS = 77
# By key: element type, shape and bits.
Tensors = dict[str, tuple[str, tuple[int, ...], bytes]]


@dataclass(frozen=True)
class Read:
    """What a reader made of a file.

    Attributes:
        tensors: what it read; None if it refused.
        refusal: its message, or how it came down.
    """

    tensors: Tensors | None = None
    refusal: str = ""


@dataclass
class Account:
    """What became of all files.

    Attributes:
        counts: both read alike, both refuse, or the name of a listed reason.
        unlisted: seed and story of what no reason is listed for; of what differs above all.
    """

    counts: Counter[str] = field(default_factory=Counter)
    unlisted: list[tuple[int, str]] = field(default_factory=list)


def ours(path: Path) -> Read:
    """Return what we read; the path inside the file of its dict leads every key."""
    from converters import ConverterError
    from converters.formats import read_checkpoint

    try:
        found = read_checkpoint(path)
        tensors = {key: (one.dtype, one.shape, one.load().tobytes()) for key, one in found.items()}
    except ConverterError as error:
        return Read(refusal=str(error).partition(": ")[2])
    return Read(
        {f"{found.wrapper}.{key}" if found.wrapper else key: v for key, v in tensors.items()}
    )


def theirs(path: Path) -> Read:
    """Return what torch reads."""
    import torch

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        return Read(dict(flat(loaded)))
    except Exception as error:  # noqa: BLE001 - torch refuses with errors of any kind
        return Read(refusal=f"{type(error).__name__}: {error}")


def loads(path: Path) -> Read:
    """Return whether torch reads a file, however large what it reads would be if written out."""
    import torch

    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - torch refuses with errors of any kind
        return Read(refusal=f"{type(error).__name__}: {error}")
    return Read({})


def flat(loaded: Any, path: str = "") -> Tensors:
    """Return the tensors of dicts in dicts, by path."""
    import torch

    found: Tensors = {}
    if isinstance(loaded, torch.Tensor):
        plain = loaded.detach().resolve_conj().resolve_neg().contiguous()
        kind = str(loaded.dtype).removeprefix("torch.")
        raw = bytes(plain.reshape(-1).view(torch.uint8).numpy()) if plain.numel() else b""
        found[path] = (kind, tuple(loaded.shape), raw)
    elif isinstance(loaded, Mapping):
        for key, value in loaded.items():
            found |= flat(value, f"{path}.{key}" if path else str(key))
    return found


def in_child(read: Callable[[Path], Read], path: Path) -> Read:
    """Return what a reader makes of a file in a process that may hang, swell or fall."""
    source, sink = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(SECONDS)
        with os.fdopen(sink, "wb") as file:
            pickle.dump(read(path), file)
        os._exit(0)
    os.close(sink)
    with os.fdopen(source, "rb") as file:
        told = file.read()
    _, status = os.waitpid(child, 0)
    if status:
        return Read(refusal=f"the process ended with status {status}")
    return pickle.loads(told)  # noqa: S301 - of our own child


def verdict(us: Read, them: Read, library: str = "torch") -> tuple[str, str]:
    """Return a name for how two readings compare, and the story where none is listed."""
    if us.tensors is None and them.tensors is None:
        return "both refuse", ""
    if us.tensors is not None and them.tensors is not None:
        shared = {key: them.tensors.get(key) for key in us.tensors}
        if shared == us.tensors and set(us.tensors) == set(them.tensors):
            return "both read, every bit alike", ""
        return "", f"both read, and differ: {difference(us.tensors, them.tensors)}"
    side = "we refuse" if us.tensors is None else f"{library} refuses"
    message = us.refusal or them.refusal
    name = reason_for(side, message, LISTS[library])
    return name, "" if name else f"{side}: {message[:300]}"


def difference(ours: Tensors, theirs: Tensors) -> str:
    """Return what differs, in words."""
    odd = sorted(set(ours) ^ set(theirs))
    values = [key for key in ours if key in theirs and ours[key] != theirs[key]]
    return f"keys {odd[:5]}, tensors {[(k, ours[k][:2], theirs[k][:2]) for k in values[:3]]}"


def of_library(path: Path) -> Read:
    """Return what the safetensors library reads."""
    import safetensors

    from converters.dtypes import BY_SAFETENSORS

    def kind_of(tag: str) -> str:
        return BY_SAFETENSORS[tag].name if tag in BY_SAFETENSORS else tag

    try:
        found = safetensors.deserialize(path.read_bytes())
    except Exception as error:  # noqa: BLE001 - one class of its own, and what Python finds
        return Read(refusal=f"{type(error).__name__}: {error}")
    return Read(
        {
            key: (kind_of(one["dtype"]), tuple(one["shape"]), bytes(one["data"]))
            for key, one in found
        }
    )


def of_paddle(path: Path) -> Read:
    """Return what ``paddle.load`` reads, in a process that ends where it would run what it holds.

    Only for a child: the watch cannot be taken off.
    """
    import numpy as np
    import paddle

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.addaudithook(end_where_forbidden)
    try:
        loaded = paddle.load(str(path), return_numpy=True)
    except Exception as error:  # noqa: BLE001 - paddle and pickle refuse with errors of any kind
        return Read(refusal=f"{type(error).__name__}: {error}")
    arrays: Tensors = {}
    for name, value in entries(loaded):
        if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
            kind = "bfloat16" if value.dtype == np.uint16 else value.dtype.name
            arrays[name] = (kind, value.shape, np.ascontiguousarray(value).tobytes())
    return Read(arrays)


def entries(loaded: Any, path: str = "") -> list[tuple[str, Any]]:
    """Return the entries under texts of dicts in dicts, by path, a list or a value alone as one."""
    if not isinstance(loaded, Mapping):
        return [(path, loaded)]
    found = [(key, value) for key, value in loaded.items() if isinstance(key, str)]
    return [
        pair
        for key, value in found
        if key != "StructuredToParameterName@@"
        for pair in entries(value, f"{path}.{key}" if path else key)
    ]


def end_where_forbidden(event: str, arguments: tuple[Any, ...]) -> None:
    """End this process before it does what reading a file has no business with."""
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if writes or (FORBIDDEN.match(event) and event != "pickle.find_class"):
        os._exit(FORBIDDEN_STATUS)


# How each library reads, and its formats.
LIBRARIES: dict[str, tuple[Callable[[Path], Read], tuple[str, ...]]] = {
    "torch": (theirs, ("zip", "legacy")),
    "safetensors": (of_library, ("safetensors",)),
    "paddle": (of_paddle, ("pdparams",)),
}


def compare(
    count: int, first: int = 0, made: Seeds | None = None, library: str = "torch"
) -> Account:
    """Read mutated files with both.

    Args:
        count: how many.
        first: seed of the first one.
        made: the whole files; made anew if None.
        library: whose files.
    """
    import paddle  # noqa: F401 - once, not in every child
    import torch  # noqa: F401

    account, number = Account(), first
    read, formats = LIBRARIES[library]
    with tempfile.TemporaryDirectory() as folder:
        # Second names are an addition of ours, of which the library knows nothing.
        made = made or seeds(Path(folder), aliases=library == "torch")
        path = Path(folder) / "broken.bin"
        while sum(account.counts.values()) + len(account.unlisted) < count:
            name, data = mutated({form: made[form] for form in formats}, number)
            path.write_bytes(data)
            kind, story = verdict(ours(path), in_child(read, path), library)
            if story:
                account.unlisted.append((number, f"{name}: {story}"))
            else:
                account.counts[kind] += 1
            number += 1
    return account


if __name__ == "__main__":
    words = sys.argv[1:]
    library = words.pop(0) if words[0] in LIBRARIES else "torch"
    tried = compare(*map(int, words), library=library)
    for kind, seen in tried.counts.most_common():
        sys.stdout.write(f"{seen:>8}  {kind}\n")
    for seed, story in tried.unlisted[:60]:
        sys.stdout.write(f"seed {seed}, {story}\n")
    sys.exit(bool(tried.unlisted))
