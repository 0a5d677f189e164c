"""Plain values read as what they are said to be: the annotations of the dataclasses are the schema.

A dump comes from somebody else. Whatever does not fit is refused by its place and by what was
expected there, before anybody works with it.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from converters.errors import brief

#: Gives the array of a member.
Load = Callable[[str], np.ndarray]
Reading = Callable[[Any, Load], Any]
# Calls, sizes, numbers: none needs more than 64 bits.
_LARGEST_INTEGER = 2**63 - 1


class OddValueError(ValueError):
    """A plain value is not what was expected in its place."""

    def __init__(self, expected: str, found: str) -> None:
        """Say what was expected and what was found."""
        self.expected, self.found, self.place = expected, found, ""
        super().__init__()

    def within(self, outer: str) -> OddValueError:
        """Say where the place lies."""
        point = "." if self.place and not self.place.startswith("[") else ""
        self.place = f"{outer}{point}{self.place}"
        return self

    def __str__(self) -> str:
        """Say it on one line."""
        place = f"{self.place}: " if self.place else ""
        return f"{place}expected {self.expected}, found {self.found}"


class Types:
    """Reads plain values as types: texts, numbers, tuples, mappings, dataclasses, arrays."""

    def __init__(
        self,
        names: Mapping[str, Any],
        made: Mapping[type, type] | None = None,
        *,
        tagged: bool = True,
    ) -> None:
        """Prepare for some dataclasses.

        Args:
            names: What their annotations name that their modules import for type checkers alone.
            made: Classes to make instead of those that annotations name.
            tagged: Dataclasses tell their class under `is`, and mappings are lists of pairs; else
                both are plain objects.
        """
        self._names, self._made, self._tagged = {"np": np, **names}, made or {}, tagged
        self._reading = cache(self._choose)

    def read(self, plain: Any, expected: Any, load: Load) -> Any:
        """Read a value.

        Args:
            plain: The plain value.
            expected: The type it is to be of.
            load: Gives the array of a member.

        Raises:
            OddValueError: It is something else.
        """
        return self._reading(expected)(plain, load)

    def _choose(self, expected: Any) -> Reading:
        origin, parts = get_origin(expected), get_args(expected)
        if expected is np.ndarray:
            return _array
        if origin is Literal:
            return _one_of(parts)
        if origin in {Union, types.UnionType}:
            return self._either(parts)
        if origin is tuple:
            return self._row(parts[0]) if parts[1:] == (...,) else self._fixed(parts)
        if origin in {dict, Mapping}:
            return self._mapping(*parts)
        return self._dataclass(expected) if is_dataclass(expected) else _SCALARS[expected]

    def _either(self, parts: tuple[Any, ...]) -> Reading:
        options = [(_looks_like(part), self._reading(part)) for part in parts]
        said = " or ".join(map(_name, parts))

        def read(plain: Any, load: Load) -> Any:
            for suits, reading in options:
                if suits(plain):
                    return reading(plain, load)
            raise OddValueError(said, brief(plain))

        return read

    def _row(self, part: Any) -> Reading:
        reading = self._reading(part)

        def read(plain: Any, load: Load) -> Any:
            return tuple(
                _inside(f"[{place}]", reading, one, load) for place, one in enumerate(_list(plain))
            )

        return read

    def _fixed(self, parts: tuple[Any, ...]) -> Reading:
        readings = [self._reading(part) for part in parts]

        def read(plain: Any, load: Load) -> Any:
            if len(_list(plain)) != len(readings):
                raise OddValueError(f"{len(readings)} values", f"{len(plain)}")
            pairs = enumerate(zip(readings, plain, strict=True))
            return tuple(_inside(f"[{at}]", reading, one, load) for at, (reading, one) in pairs)

        return read

    def _mapping(self, key: Any, value: Any) -> Reading:
        row = self._reading(tuple[tuple[key, value], ...])

        def read(plain: Any, load: Load) -> Any:
            content = _object(plain, {"pairs"} if self._tagged else None)
            pairs = row(
                content["pairs"] if self._tagged else list(map(list, content.items())), load
            )
            found = dict(pairs)
            if len(found) < len(pairs):
                raise OddValueError("different keys", "one of them twice")
            return found

        return read

    def _dataclass(self, expected: Any) -> Reading:
        hints = get_type_hints(expected, localns=self._names)
        # What is not shown is of the process alone.
        shown = [part.name for part in fields(expected) if part.repr]
        readings = {name: self._reading(hints[name]) for name in shown}
        made = self._made.get(expected, expected)
        keys = set(readings) | ({"is"} if self._tagged else set())

        def read(plain: Any, load: Load) -> Any:
            if _object(plain, keys).get("is", expected.__name__) != expected.__name__:
                raise OddValueError(_name(expected), brief(plain["is"]))
            return made(
                **{name: _inside(name, one, plain[name], load) for name, one in readings.items()}
            )

        return read


def _inside(place: str, reading: Reading, plain: Any, load: Load) -> Any:
    try:
        return reading(plain, load)
    except OddValueError as error:
        raise error.within(place) from None


def _list(plain: Any) -> list[Any]:
    if not isinstance(plain, list):
        raise OddValueError("a list", brief(plain))
    return plain


def _object(plain: Any, keys: set[str] | None) -> dict[str, Any]:
    if not isinstance(plain, dict):
        raise OddValueError("an object", brief(plain))
    if keys is not None and plain.keys() != keys:
        odd = sorted(keys ^ plain.keys())
        raise OddValueError(
            f"an object of {', '.join(sorted(keys))}", f"{brief(odd)} missing or besides"
        )
    return plain


def _array(plain: Any, load: Load) -> np.ndarray:
    name = _object(plain, {"array"})["array"]
    return load(_text(name, load))


def _text(plain: Any, _: Load) -> str:
    if not isinstance(plain, str):
        raise OddValueError("a text", brief(plain))
    if not plain.isascii():
        try:
            plain.encode()
        except UnicodeEncodeError as error:
            raise OddValueError("a text", "half of a surrogate pair") from error
    return plain


def _integer(plain: Any, _: Load) -> int:
    if type(plain) is not int or abs(plain) > _LARGEST_INTEGER:
        raise OddValueError("an integer of 64 bits", brief(plain))
    return plain


def _number(plain: Any, _: Load) -> float:
    whole = type(plain) is int and abs(plain) <= _LARGEST_INTEGER
    if not whole and (not isinstance(plain, float) or math.isnan(plain)):
        raise OddValueError("a number", brief(plain))
    return float(plain)


def _flag(plain: Any, _: Load) -> bool:
    if not isinstance(plain, bool):
        raise OddValueError("true or false", brief(plain))
    return plain


def _none(plain: Any, _: Load) -> None:
    if plain is not None:
        raise OddValueError("null", brief(plain))


_SCALARS: dict[Any, Reading] = {
    str: _text, int: _integer, float: _number, bool: _flag, types.NoneType: _none,
}  # fmt: skip


def _one_of(values: tuple[Any, ...]) -> Reading:
    def read(plain: Any, _: Load) -> Any:
        if not isinstance(plain, str) or plain not in values:
            raise OddValueError(f"one of {', '.join(values)}", brief(plain))
        return plain

    return read


def _looks_like(expected: Any) -> Callable[[Any], bool]:
    """Tell by a value's kind which of several types it is to be read as."""
    if expected is types.NoneType:
        return lambda plain: plain is None
    if expected is np.ndarray:
        return lambda plain: isinstance(plain, dict) and "is" not in plain
    if isinstance(expected, type) and is_dataclass(expected):
        tag = expected.__name__
        return lambda plain: isinstance(plain, dict) and plain.get("is") == tag
    if get_origin(expected) is tuple:
        return lambda plain: isinstance(plain, list)
    return lambda plain: isinstance(plain, str | int | float) is (expected in _SCALARS)


def _name(expected: Any) -> str:
    words = {types.NoneType: "null", str: "a text", float: "a number", np.ndarray: "an array"}
    return words.get(expected) or ("a list" if get_origin(expected) else f"a {expected.__name__}")
