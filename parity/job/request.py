"""The command line's choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path

Framework = Literal["torch", "paddle"]
DEFAULT_SIZE = (256, 512)


class JobError(Exception):
    """What was asked for cannot be done; the message says what, where and how to mend it."""


@dataclass(frozen=True)
class Request:
    """The command line's choices; see the options' help texts."""

    checkpoint: Path | None = None
    arch: str = "auto"
    variant: str | None = None
    torch_factory: str | None = None
    paddle_factory: str | None = None
    inputs: tuple[str, ...] = ()
    size: tuple[int, int] = DEFAULT_SIZE
    convert: bool = True
    seed: int = 0
    device: str = "cpu"

    def factory(self, framework: Framework) -> str | None:
        """Give the user's own factory for a framework."""
        return self.torch_factory if framework == "torch" else self.paddle_factory


def request_of(options: dict[str, Any]) -> Request:
    """Make a request of the command line's options."""
    known = {name: value for name, value in options.items() if name != "no_convert"}
    return Request(**known, convert=not options["no_convert"])
