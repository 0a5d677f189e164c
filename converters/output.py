"""The files that a target consists of: one, or shards and their index."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from converters.background import Background, digest_of
from converters.files import check_target
from converters.formats.content import Content
from converters.formats.sharding import (
    bytes_of,
    in_shards,
    index_name,
    index_of,
    shard_name,
    shards_beside,
)
from converters.formats.writers import Writer
from converters.report import FileFacts

# Bytes that are gathered before they go to the file.
BUFFER = 4 << 20


@dataclass(frozen=True)
class Output:
    """What is to be written under which names; nothing is there yet.

    Attributes:
        path: the target as it was given.
        writer: writes every file but the index.
        parts: what each file holds, by name, in the order of writing.
        index: of the shards; None for one file.
    """

    path: Path
    writer: Writer
    parts: Mapping[str, Content]
    index: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, path: Path, writer: Writer, content: Content, shard: str | int | None = None
    ) -> Output:
        """Return the output of a content, in shards of a size where it does not fit into one.

        Raises:
            InputError: the size is none.
        """
        shards = [content] if shard is None else in_shards(content, bytes_of(shard))
        if len(shards) == 1:
            return cls(path, writer, {path.name: content})
        numbered = enumerate(shards, start=1)
        parts = {shard_name(path.name, n, len(shards)): part for n, part in numbered}
        return cls(path, writer, parts, index_of(parts, seconds=writer.seconds))

    @property
    def leading(self) -> str:
        """Name of the file that is read: the only one, or the index."""
        return self.path.name if self.index is None else index_name(self.path.name)

    @property
    def format(self) -> str:
        """Name of the format, as it is read."""
        return self.writer.name + ("" if self.index is None else "-sharded")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all files, the leading one last."""
        return (*self.parts, *(() if self.index is None else (self.leading,)))

    @property
    def replaced(self) -> tuple[Path, ...]:
        """Files that are in the way, if they are there, the leading one first.

        Of a target in shards it is the whole of an older one: readers prefer a single file to an
        index, and shards that no index names would stay for ever.
        """
        if self.index is None:
            return (self.path,)
        return (self.path.with_name(self.leading), self.path, *shards_beside(self.path))

    def check(self, sources: tuple[Path, ...], *, force: bool) -> None:
        """Refuse to write what cannot be written, or what would overwrite something.

        Raises:
            InputError: an element type that the format has not; or see :func:`check_target`.
        """
        for path in (self.path, *self.replaced):
            check_target(path, sources, force=force)
        for part in self.parts.values():
            self.writer.require_types(self.path, part)

    def write(self, stage: Path) -> Written:
        """Write all files into a temporary folder, one after the other, the leading one last."""
        folder = stage / "new"
        folder.mkdir()
        digests = {name: self.write_part(folder / name, part) for name, part in self.parts.items()}
        if self.index is None:
            whole = digests[self.leading]
        else:
            (folder / self.leading).write_bytes(self.index)
            digests[self.leading] = digest_of(folder / self.leading)
            whole = digest_of(*(folder / name for name in (self.leading, *self.parts)))
        return Written(folder, digests, whole, Background(lambda: save(folder)))

    def write_part(self, path: Path, content: Content) -> Background[str]:
        """Write a file and return its digest, which is counted while it grows where it can be."""
        finished = Event()
        with path.open("wb", buffering=BUFFER) as file:
            digest = digest_of(path, finished=finished) if self.writer.grows else None
            try:
                self.writer.write(file, content)
                file.flush()
            finally:
                finished.set()
        return digest or digest_of(path)

    def files(self, written: Written) -> tuple[FileFacts, ...]:
        """Return the facts of each file, the leading one last."""
        return tuple(
            FileFacts(
                str(self.path.with_name(name)),
                digest.result(),
                self.writer.name if name in self.parts else "index",
                (written.folder / name).stat().st_size,
            )
            for name, digest in written.digests.items()
        )

    def whole(self, written: Written) -> FileFacts:
        """Return the facts of all files as one, as if they were a source."""
        path, size = self.path.with_name(self.leading), sum(f.bytes for f in self.files(written))
        return FileFacts(str(path), written.whole.result(), self.format, size)


@dataclass(frozen=True)
class Written:
    """Files that were written, not yet in their place.

    Attributes:
        folder: where they lie.
        digests: SHA-256 of each, by name.
        whole: SHA-256 of all, the leading one first.
        safe: done once they are on the disk.
    """

    folder: Path
    digests: Mapping[str, Background[str]]
    whole: Background[str]
    safe: Background[None]


def save(folder: Path) -> None:
    """Make sure that the files of a folder are on the disk."""
    for path in folder.iterdir():
        with path.open("r+b") as file:
            os.fsync(file.fileno())
