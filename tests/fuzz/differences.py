"""Why we refuse a file that ``torch.load(weights_only=True)`` reads, or the reverse: all of it.

``docs/security.md`` shows the same list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Side = Literal["we refuse", "torch refuses"]


@dataclass(frozen=True)
class Difference:
    """One reason for which one of two readers refuses a file.

    Attributes:
        name: as the document has it.
        side: who refuses.
        message: what the refusal says, as a regular expression; found anywhere in it.
    """

    name: str
    side: Side
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


def reason_for(side: Side, message: str) -> str:
    """Return the name of the reason for a refusal, '' if none is listed."""
    found = (
        one.name for one in DIFFERENCES if one.side == side and re.search(one.message, message)
    )
    return next(found, "")
