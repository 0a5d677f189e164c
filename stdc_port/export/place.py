"""The folder of an export: what may be there before, and what it says of itself afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from converters import InputError
from converters.errors import indented
from converters.files import put_folder_in_place
from converters.moves import NEW
from converters.small_files import small_json
from stdc_port.export.folding import Reduction
from stdc_port.export.formats import FORMATS, Exported

NOTE = "export.json"


def check_place(output: Path, *, force: bool) -> None:
    """Refuse a folder that holds something.

    Raises:
        InputError: it is there, and is no earlier export that `force` lets go.
    """
    if not output.parent.is_dir():
        raise InputError(f"{output}: there is no folder {output.parent}; make it first")
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not (output / NOTE).is_file():
        raise InputError(f"{output}: is there and no export; name another folder")
    if not force:
        raise InputError(f"{output}: holds an export already; --force replaces it")


def put(stage: Path, output: Path, content: Mapping[str, Any]) -> None:
    """Give a finished export its name; what had it goes as a whole.

    Args:
        stage: a temporary folder, in whose folder ``new`` the export lies.
        output: its name.
        content: what the note says, beside the digest of each file.
    """
    made = stage / NEW / output.name
    digests = {path.name: _digest(path) for path in sorted(made.iterdir())}
    note = json.dumps({**content, "digests": digests}, indent=1)
    (made / NOTE).write_text(note + "\n", encoding="utf-8")
    put_folder_in_place(stage, output)


def read_export(folder: Path) -> tuple[Exported, list[str]]:
    """An export's folder, and the formats in it.

    Raises:
        InputError: it is none, or a file of it is missing or another one than was compared.
    """
    try:
        note = small_json(folder / NOTE)
        reduction = Reduction(bool(note["drop_heads"]), bool(note["fold_norms"]))
        names = [row["format"] for row in note["formats"] if row["format"] in FORMATS]
        exported = Exported(folder, str(note["model"]), reduction, str(note["variant"]))
        digests = {Path(name).name: str(one) for name, one in dict(note["digests"]).items()}
    except (ValueError, KeyError, TypeError, InputError) as error:
        raise InputError(f"{folder}: no folder that stdc-seg export wrote ({error})") from error
    problems = [_problem(folder / name, digest) for name, digest in digests.items()]
    if told := [problem for problem in problems if problem]:
        raise InputError(*indented([f"{folder}: export once more, with --force", *told]))
    return exported, names


def _problem(path: Path, digest: str) -> str:
    if not path.is_file():
        return f"{path.name}: is missing"
    return "" if _digest(path) == digest else f"{path.name}: is not the file that was compared"


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
