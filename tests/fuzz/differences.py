"""Why we refuse a file that its own library reads, or the reverse: all of it.

The libraries: ``torch.load(weights_only=True)``, ``safetensors`` and
``paddle.load``.
``docs/security.md`` shows the same lists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One reason for which one of two readers refuses a file.

    Attributes:
        name: as the document has it.
        side: who refuses: "we refuse", or "torch refuses" and so on.
        message: what the refusal says, as a regular expression; found anywhere in it.
    """

    name: str
    side: str
    message: str


DIFFERENCES = (
    Difference("a checksum that is wrong", "we refuse", r"checksum"),
    Difference("a member twice", "we refuse", r"names a member twice"),
    Difference("members that overlap", "we refuse", r"its members .* overlap"),
    Difference(
        "a header with another name, or none",
        "we refuse",
        r"has (another name in its|no local) header",
    ),
    Difference(
        "a member that is no plain file", "we refuse", r"is said to be (encrypted|a folder)"
    ),
    Difference("a table of contents of a newer zip", "we refuse", r"zip file version"),
    Difference("a compressed member", "we refuse", r"is compressed; torch\.save stores plainly"),
    Difference("no dict of tensors", "we refuse", r"holds no dict of tensors"),
    Difference("a signature spelt in another way", "we refuse", r"no known checkpoint format"),
    Difference("keys that may collide", "we refuse", r"keys that are neither texts nor numbers"),
    Difference("opcodes or objects without end", "we refuse", r"more than any checkpoint: a flood"),
    Difference("few elements repeated", "we refuse", r"would fill a disk"),
    Difference("a lazy view", "we refuse", r"a lazy view"),
    Difference("more dimensions than numpy has", "we refuse", r"and no array may"),
    Difference("the highest byte first", "we refuse", r"big-endian file"),
    Difference("a list of storages that lacks some", "we refuse", r"its list of storages"),
    Difference("a count beyond 64 bits of bytes", "we refuse", r"holds \d{19} elements"),
    Difference(
        "members of other kinds of files",
        "we refuse",
        r"numpy arrays \(\.npz\)|an exported program|a TorchScript program",
    ),
    Difference("quantised tensors", "we refuse", r"its tensors are quantised"),
    Difference("a name that torch alone knows", "we refuse", r"not on the list of known names"),
    Difference("an archive in several volumes", "torch refuses", r"unsupported multidisk"),
    Difference(
        "a table of contents that miniz finds odd", "torch refuses", r"invalid header or arch"
    ),
    Difference(
        "no readable version member", "torch refuses", r"hasRecord\(.version.\)|the version"
    ),
    Difference("members outside of the folder", "torch refuses", r"not in a subdirectory"),
    Difference("an encrypted member beside", "torch refuses", r"unsupported encryption"),
    Difference("a flag that miniz does not know", "torch refuses", r"unsupported feature"),
    Difference("a table of contents that counts no members", "torch refuses", r"contain any files"),
    Difference("a name or text that is not UTF-8", "torch refuses", r"UnicodeDecodeError"),
    Difference("an opcode or name off torch's list", "torch refuses", r"Weights only load failed"),
    Difference("a rest on the pickle's stack", "torch refuses", r"IndexError: (list index|pop)"),
    Difference("a flag that no weight depends on", "torch refuses", r"requires_grad must be"),
    Difference("more arguments than torch takes", "torch refuses", r"positional arguments but"),
    Difference("a magic number in other opcodes", "torch refuses", r"Invalid magic number"),
)


SAFETENSORS = (
    Difference("a key twice", "we refuse", r"names a key twice"),
    Difference("a second name of ours of no tensor", "we refuse", r"a second name of no tensor"),
    Difference("a header that begins with spaces", "we refuse", r"no known checkpoint format"),
    Difference("no tensors", "we refuse", r"holds no dict of tensors, but dict of 0 entries"),
    Difference("more dimensions than numpy has", "we refuse", r"and no array may"),
    Difference("a type that is not converted", "we refuse", r"has type '\w+', expected one of"),
    Difference("a tensor's facts as a list", "we refuse", r"list indices must be integers"),
    Difference(
        "metadata that is no text", "safetensors refuses", r"type: .*, expected a (string|map)"
    ),
    Difference(
        "half of a surrogate pair", "safetensors refuses", r"surrogate|unexpected end of hex escape"
    ),
    Difference(
        "a size that is spelt as no integer", "safetensors refuses", r"type: .*, expected usize"
    ),
    Difference("NaN in the metadata", "safetensors refuses", r"expected value at line"),
)
PADDLE = (
    Difference("a name off our list", "we refuse", r"asks to run|the file calls|has no place in"),
    Difference("no dict of tensors", "we refuse", r"holds no dict of tensors"),
    Difference("a type as a key", "we refuse", r"unhashable type"),
    Difference("an array's state of four parts", "we refuse", r"not enough values to unpack"),
    Difference("keys that may collide", "we refuse", r"keys that are neither texts nor numbers"),
    Difference("opcodes or objects without end", "we refuse", r"more than any checkpoint: a flood"),
    Difference(
        "an array's facts that numpy does not take",
        "paddle refuses",
        r"_reconstruct|__setstate__|data type|dtype|SystemError|integer|MemoryError|parse",
    ),
    Difference("a frame longer than any file", "paddle refuses", r"FRAME length|frame"),
)
LISTS = {"torch": DIFFERENCES, "safetensors": SAFETENSORS, "paddle": PADDLE}


def reason_for(side: str, message: str, differences: tuple[Difference, ...] = DIFFERENCES) -> str:
    """Return the name of the reason for a refusal, '' if none is listed."""
    found = (
        one.name for one in differences if one.side == side and re.search(one.message, message)
    )
    return next(found, "")
