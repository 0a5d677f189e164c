"""The `--input` option: what the networks are given, read or drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from parity.arguments import Arguments
from parity.input_files import InputError, Picture, from_file
from parity.inputs import random_input

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FORMS = (
    "random; a shape (1x3x224x224); int:1x16:0..100, integers from 0 to 99; int:1x16:1, all 1; "
    "float:4x8:-1..1; bool:1x16; a .npy or .npz file, a dump, or an image; NAME= in front passes "
    "it by name"
)
_SHAPE = re.compile(r"\d+([x×]\d+)*")
_DRAWN = re.compile(r"(?P<kind>[a-z]+\d*):(?P<shape>[^:]*)(:(?P<range>[^:]*))?")
_KINDS = {
    "float": np.float32, "float32": np.float32, "int": np.int64, "int64": np.int64,
    "int32": np.int32, "bool": np.bool_,
}  # fmt: skip
_NAMED = re.compile(r"(?P<name>[^\W\d]\w*)=(?P<what>.*)")


@dataclass
class _Collected:
    """Inputs so far."""

    positional: list[np.ndarray] = field(default_factory=list)
    named: dict[str, np.ndarray] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def add(self, option: str, name: str, array: np.ndarray, words: str) -> None:
        if name in self.named:
            raise InputError(f"--input {option}: {name} was given before")
        if name:
            self.named[name] = array
        elif self.named:
            raise InputError(f"--input {option}: by position behind one by name; change the order")
        else:
            self.positional.append(array)
        shape = "×".join(map(str, array.shape)) or "a number"
        self.said.append(" ".join(filter(None, ["input", name, shape, words])))


def read_inputs(
    options: Iterable[str], picture: Picture, seed: int
) -> tuple[Arguments, tuple[str, ...]]:
    """Read or draw what `--input` options ask for.

    Args:
        options: Their values in order; none stands for one random image.
        picture: How an image becomes an input; a random one has its size.
        seed: Of what is drawn; each further input has the next seed.

    Returns:
        The arguments of both networks, and one line on each for people.

    Raises:
        InputError: One cannot be had.
    """
    found = _Collected()
    for option in tuple(options) or ("random",):
        name, what = _name_of(option)
        for own_name, array, words in _arrays(what, picture, seed + len(found.said)):
            found.add(option, name or own_name, array, words)
    return Arguments.of(found.positional, found.named), tuple(found.said)


def _name_of(option: str) -> tuple[str, str]:
    found = _NAMED.fullmatch(option)
    return ("", option) if found is None else (found["name"], found["what"])


def _arrays(what: str, picture: Picture, seed: int) -> Iterator[tuple[str, np.ndarray, str]]:
    drawn = _DRAWN.fullmatch(what)
    if what == "random":
        yield "", random_input((1, 3, *picture.size), seed), ""
    elif _SHAPE.fullmatch(what):
        yield "", random_input(_shape(what), seed), ""
    elif drawn and drawn["kind"] in _KINDS:
        yield "", _drawn(what, drawn, seed), drawn["kind"]
    elif Path(what).is_file():
        yield from from_file(Path(what), picture)
    else:
        raise InputError(f"--input {what}: no such file, and no other form; expected {FORMS}")


def _shape(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in re.split("[x×]", text))


def _drawn(what: str, parts: re.Match[str], seed: int) -> np.ndarray:
    if not _SHAPE.fullmatch(parts["shape"]):
        raise InputError(f"--input {what}: {parts['shape']!r} is no shape; expected 1x16, say")
    shape, dtype = _shape(parts["shape"]), np.dtype(_KINDS[parts["kind"]])
    rng = np.random.default_rng([seed, *shape])
    if dtype.kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    low, high = _range(what, parts["range"] or "", float if dtype.kind == "f" else int)
    if low == high:
        return np.full(shape, low, dtype)
    if dtype.kind == "f":
        return rng.uniform(low, high, shape).astype(dtype)
    return rng.integers(int(low), int(high), shape, dtype)


def _range(what: str, text: str, number: type) -> tuple[float, float]:
    try:
        parts = [number(part) for part in text.split("..")]
    except ValueError:
        parts = []
    if len(parts) == 1:
        return parts[0], parts[0]
    if len(parts) != 2 or not parts[0] < parts[1]:
        raise InputError(
            f"--input {what}: {text or 'no range'}: expected LOW..HIGH, HIGH not included, or one "
            "value; int:1x16:0..100 draws integers from 0 to 99"
        )
    return parts[0], parts[1]
