"""What a dump says of itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from converters.bits import raw
from converters.errors import InputError, brief
from parity.backends import FloatType
from parity.dump.typed import OddValueError, Types
from parity.versions import described

if TYPE_CHECKING:
    import numpy as np

FORMAT = "stdc-parity dump"
VERSION = 2
#: The member that holds the manifest; it is written last.
MEMBER = "manifest.json"


class DumpError(InputError, ValueError):
    """A dump cannot be read, or two of them cannot be compared; says why and how to mend it."""


@dataclass(frozen=True)
class Input:
    """One argument of the network.

    Attributes:
        shape: Its sizes.
        dtype: Its numpy type, before the cast to a run's precision.
        sha256: Of its values.
        name: '' if it was given by position.
    """

    shape: tuple[int, ...]
    dtype: str
    sha256: str
    name: str = ""

    @classmethod
    def of(cls, array: np.ndarray, name: str) -> Input:
        """Describe an argument; '' names one that is given by position."""
        digest = hashlib.sha256(raw(array)).hexdigest()
        return cls(array.shape, str(array.dtype), digest, name)


def told(given: Input) -> str:
    """Say what an argument is, its digest in short: 'float32 1×3×9×7 of SHA-256 0f3a…'."""
    (kind,) = described([given])
    return f"{kind} of SHA-256 {given.sha256[:12]}…"


@dataclass(frozen=True)
class Manifest:
    """What a dump says of itself.

    Attributes:
        framework: Whose network ran.
        title: What it is, for people.
        precisions: The runs it holds, in order.
        inputs: What the network was given; the values are members of the dump.
        weights_from: Where the weights come from, for people.
        weights_sha256: Of the weights that were given, before any conversion.
        own_weights: They are the network's own, and nothing connects them with the other's.
        weights_stored: No file holds them; they are members of the dump.
        versions: Of the framework, numpy, Python and this package.
        device: Where it ran, and how single precision was computed there.
        checks: What can be compared: 'forward', and 'backward' if it ran backward.
        converted: What differs between a converted file and the conversion, by tensor.
        notes: What a reader of the comparison should know.
    """

    framework: Literal["torch", "paddle"]
    title: str
    precisions: tuple[FloatType, ...]
    inputs: tuple[Input, ...]
    weights_from: str
    weights_sha256: str
    own_weights: bool
    weights_stored: bool
    versions: Mapping[str, str]
    device: Mapping[str, str]
    checks: tuple[str, ...] = ("forward",)
    converted: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give it as plain values, the format's name and version among them."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, content: Any) -> Manifest:
        """Make a manifest of what `to_json` gave.

        Raises:
            DumpError: It is something else, or of another version.
        """
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise DumpError("no dump of stdc-parity")
        version = content.pop("version", None)
        if version != VERSION:
            raise DumpError(
                f"a dump of format {brief(version)}; this version reads format {VERSION}"
            )
        try:
            found: Manifest = _TYPES.read(content, cls, _no_array)
        except OddValueError as error:
            raise DumpError(f"no complete dump ({MEMBER}: {error})") from error
        if len(found.precisions) != len(set(found.precisions)) or not found.precisions:
            raise DumpError(f"a dump of the precisions {list(found.precisions)}")
        if "kind" not in found.device:
            raise DumpError("a dump that does not say where it was made")
        return found


def _no_array(name: str) -> np.ndarray:
    raise TypeError(f"{name} among values that have no arrays")


_TYPES = Types({"Mapping": Mapping, "FloatType": FloatType}, tagged=False)
