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
from converters.moves import NEW
from converters.report import FileFacts

# Bytes that are gathered before they go to the file. From 2 MiB on Linux takes huge pages for them,
# which a virtual machine may first have to ask its host for: writing then takes twice as long.
BUFFER = 1 << 20


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
        """Refuse to overwrite something; see :func:`check_target`.

        Raises:
            InputError: one of the files is a source, a folder, or there without ``force``.
        """
        for path in (self.path, *self.replaced):
            check_target(path, sources, force=force)

    def write(self, stage: Path) -> Written:
        """Write all files into a temporary folder, one after the other, the leading one last."""
        folder = stage / NEW
        folder.mkdir()
        files: dict[str, InWork] = {}
        for name, part in self.parts.items():
            last = list(files.values())[-1:]
            files[name] = self.write_part(folder / name, part)
            for one in last:  # so that hashing never falls behind by more than a file
                one.digest.result()
        if self.index is None:
            return Written(folder, files, files[self.leading].digest)
        files[self.leading] = self.write_index(folder / self.leading, self.index)
        paths = (folder / name for name in (self.leading, *self.parts))
        return Written(folder, files, digest_of(*paths))

    def write_part(self, path: Path, content: Content) -> InWork:
        """Write a file, which is hashed and brought to the disk while it grows."""
        finished = Event()
        with path.open("wb", buffering=BUFFER) as file:
            safe = Background(lambda: sync(path, finished))
            digest = digest_of(path, finished=finished) if self.writer.grows else None
            try:
                self.writer.write(file, content)
                file.flush()
            finally:
                finished.set()
        return InWork(digest or digest_of(path), safe)

    def write_index(self, path: Path, text: bytes) -> InWork:
        """Write the index of the shards."""
        path.write_bytes(text)
        finished = Event()
        finished.set()
        return InWork(digest_of(path), Background(lambda: sync(path, finished)))

    def files(self, written: Written) -> tuple[FileFacts, ...]:
        """Return the facts of each file, the leading one last."""
        return tuple(
            FileFacts(
                str(self.path.with_name(name)),
                file.digest.result(),
                self.writer.name if name in self.parts else "index",
                (written.folder / name).stat().st_size,
            )
            for name, file in written.files.items()
        )

    def whole(self, written: Written) -> FileFacts:
        """Return the facts of all files as one, as if they were a source."""
        path, size = self.path.with_name(self.leading), sum(f.bytes for f in self.files(written))
        return FileFacts(str(path), written.digest.result(), self.format, size)


@dataclass(frozen=True)
class InWork:
    """What is still done with a written file.

    Attributes:
        digest: its SHA-256.
        safe: done once it is on the disk.
    """

    digest: Background[str]
    safe: Background[None]


@dataclass(frozen=True)
class Written:
    """Files that were written, not yet in their place.

    Attributes:
        folder: where they lie.
        files: what is still done with each, by name.
        digest: SHA-256 of all, the leading one first.
    """

    folder: Path
    files: Mapping[str, InWork]
    digest: Background[str]

    def wait(self) -> None:
        """Wait until all files are on the disk.

        Raises:
            OSError: one could not be brought there.
        """
        for file in self.files.values():
            file.safe.result()


def sync(path: Path, written: Event) -> None:
    """Bring a file to the disk while it grows, and all of it once it is written."""
    with path.open("r+b", buffering=0) as file:
        while not written.wait(0.01):
            os.fdatasync(file.fileno())
        os.fsync(file.fileno())
