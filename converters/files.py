"""Files that are written: under a temporary name until they are known to be right.

A temporary is locked by the process that writes it, so that the next one on the same target can
tell what a killed process left behind from what is still being written.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from converters.errors import InputError
from converters.moves import NEW, exchanged, move_all, take_back
from converters.stopping import held_back

# Of a name's 255 bytes a temporary takes so many; the rest tells it from others.
KEPT = 220


def check_target(path: Path, sources: tuple[Path, ...], *, force: bool) -> None:
    """Refuse a target that would overwrite something.

    A link counts as a file, whether or not it leads anywhere: replaced is the link itself, never
    what it names.

    Raises:
        InputError: it is a source, a folder, or exists without ``force``; or its folder does not.
    """
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file")
    if path.exists() and any(source.exists() and path.samefile(source) for source in sources):
        raise InputError(f"{path}: source and target are the same file; name another")
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is no regular file; name another")
    if os.path.lexists(path) and not force:
        what = "exists already" if path.exists() else "is a link that leads nowhere"
        raise InputError(f"{path}: {what}; --force replaces it, or name another")


def made_folder(path: Path) -> Path:
    """Make a folder, and those that it lies in, unless it is there; return it.

    Raises:
        InputError: something else has its name, or it may not be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        taken = isinstance(error, FileExistsError | NotADirectoryError)
        reason = "a file is in its way" if taken else error.strerror
        raise InputError(f"{path}: no folder can be made ({reason}); name another") from error
    return path


@contextmanager
def temporary_beside(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """Yield a temporary file or folder beside the target; it is gone afterwards, whatever happens.

    What killed processes left behind for the same target is removed first; what they had replaced
    by half comes back.

    Raises:
        InputError: the folder cannot be written to, or the disk is full; or the path ends in no
            name, as ``.`` does, so that nothing can take its place.
    """
    if path.name in ("", ".."):
        raise InputError(f"{path}: has no name here; name it from outside: {path.absolute()}")
    with cleanup() as held:
        try:
            remove_abandoned(path)
            temporary = made_and_locked(path, held, folder=folder)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error
        try:
            yield temporary
        except OSError as error:
            raise InputError(f"{path}: not written ({error.strerror or error})") from error


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """Yield a folder of one's own where the system keeps temporaries; it is gone afterwards.

    What killed processes left there under the same name is removed first.

    Args:
        name: what the folder's name begins with.

    Raises:
        OSError: there is no room for it.
    """
    place = Path(tempfile.gettempdir()) / name
    with cleanup() as held:
        remove_abandoned(place)
        yield made_and_locked(place, held, folder=True)


def write_text(path: Path, text: str) -> None:
    """Write a text so that the file is there whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    with temporary_beside(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)


@contextmanager
def cleanup() -> Iterator[ExitStack]:
    """Yield a stack of what is to be done in the end; signals wait until it is done."""
    held = ExitStack()
    try:
        yield held
    finally:
        try:
            with held_back():
                held.close()
        finally:
            held.close()  # where a signal came before it could be held back


def made_and_locked(path: Path, held: ExitStack, *, folder: bool) -> Path:
    """Return a new temporary; it is locked, and ``held`` removes it."""
    while True:
        temporary = path.with_name(f"{beginning(path)}{os.urandom(4).hex()}.part")
        if os.path.lexists(temporary):
            continue
        # Before it is made: a signal may come between any two steps.
        held.callback(discard, temporary)
        temporary.mkdir(0o700) if folder else temporary.touch(exist_ok=False)
        held.enter_context(locked(temporary, wait=True))
        # Before it was locked another process may have taken it for abandoned.
        if temporary.exists():
            return temporary


def beginning(path: Path) -> str:
    """Return what the names of a target's temporaries begin with."""
    return f".{os.fsdecode(os.fsencode(path.name)[:KEPT])}."


def remove_abandoned(path: Path) -> None:
    """Remove a target's temporaries that no process holds."""
    remove_unheld(path.parent, re.escape(beginning(path)) + r"[0-9a-f]{8}\.part")


def remove_unheld(folder: Path, pattern: str = r"\..*\.[0-9a-f]{8}\.part") -> None:
    """Remove a folder's temporaries that no process holds.

    What belongs to another user and may not be removed stays.

    Args:
        folder: where they lie.
        pattern: of their names; those of all targets unless given.
    """
    for temporary in named_like(folder, pattern):
        with locked(temporary, wait=False) as ours, suppress(PermissionError):
            if ours:
                discard(temporary)


def named_like(folder: Path, pattern: str) -> list[Path]:
    """Return what in a folder has a name of a pattern; nothing where the folder cannot be read."""
    with suppress(PermissionError):
        return sorted(one for one in folder.iterdir() if re.fullmatch(pattern, one.name))
    return []


def discard(temporary: Path) -> None:
    """Remove a temporary file or folder; what it took the place of only by half comes back."""
    take_back(temporary)
    remove(temporary)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Lock a file or folder against other processes; yield whether that was possible.

    Args:
        path: what to lock.
        wait: until nobody else has it locked; otherwise that is a no.
    """
    try:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY)
    except (ImportError, OSError):  # another system than POSIX; or gone, or not to be read
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        ours = True
    except OSError:
        ours = False
    try:
        yield ours
    finally:
        os.close(descriptor)


def put_in_place(
    stage: Path, names: Sequence[str], replaced: Sequence[Path], *, force: bool
) -> None:
    """Give finished files their names, all of them or none.

    Processes with the same target do so one after the other. Of several files the old ones are
    taken away before, the leading one first, and brought back if anything fails; so nobody reads
    a mixture. One file alone takes the place of another in one step.

    Args:
        stage: a temporary folder beside the target; the files lie in its folder ``new``.
        names: of the files; the last is the one that leads to the others.
        replaced: what they take the place of, the leading file first; need not be there.
        force: it may be there.

    Raises:
        InputError: it is there without ``force``; it may have come since the work began.
        OSError: a file could not be moved.
    """
    folder = stage.parent
    with locked(folder, wait=True):
        there = [path for path in replaced if os.path.lexists(path)]
        for path in there:
            check_target(path, (), force=force)
        if len(names) == 1 and {path.name for path in there} <= set(names):
            (stage / NEW / names[0]).replace(folder / names[0])
        else:
            move_all(stage, names, there)


def put_folder_in_place(stage: Path, folder: Path) -> None:
    """Give a finished folder its name, in one step where the system can exchange two names.

    Args:
        stage: a temporary folder beside it, in whose folder ``new`` it lies under its name.
        folder: the name.

    Raises:
        OSError: it could not be moved; what lay there lies there again.
    """
    with locked(stage.parent, wait=True):
        there = os.path.lexists(folder)
        if not (there and exchanged(stage / NEW / folder.name, folder)):
            move_all(stage, [folder.name], [folder] if there else [])
