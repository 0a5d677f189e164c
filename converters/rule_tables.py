"""The tables of a user's file of rules, each row a pattern and what then holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.patterns import Patience, Pattern
from converters.small_files import small_text, toml_in

# Table: the field besides the pattern, and whether it must be there.
TABLES = {
    "rename": ("to", True),
    "drop": ("reason", False),
    "kind": ("kind", True),
    "tensor": ("kind", True),
}


# Each is tried on each key.
MOST_RULES = 1000


@dataclass(frozen=True)
class UserRule:
    """One rule of a file: what its pattern fits, and what then holds."""

    pattern: Pattern
    value: str


def tables_in(path: Path) -> dict[str, Any]:
    """Return what a TOML file says.

    Raises:
        InputError: it cannot be read, or is not TOML.
    """
    try:
        return toml_in(small_text(path))
    except ImportError as error:
        raise InputError("--rules needs Python 3.11, or the package tomli") from error
    except ValueError as error:
        raise InputError(f"{path}: is not TOML: {error}") from error


def rows_of(where: object, table: str, rows: Any, patience: Patience) -> Iterator[UserRule]:
    """Yield the rules of one table.

    Args:
        where: the file, for messages.
        table: its name.
        rows: what the file says there.
        patience: the time that all patterns of the file have together.

    Raises:
        InputError: a row is no rule, or its pattern no regular expression.
    """
    name, needed = TABLES[table]
    fields = {"pattern", name} if needed else {"pattern"}
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{where}: write [[{table}]] in double brackets, once for each rule")
    if len(rows) > MOST_RULES:
        raise InputError(f"{where}: {len(rows)} rules [[{table}]]; at most {MOST_RULES} are read")
    for row in rows:
        if not fields <= set(row) <= {"pattern", name} or not all(
            isinstance(value, str) for value in row.values()
        ):
            raise InputError(
                f"{where}: [[{table}]] {row}: expected the texts pattern and {name}, nothing else"
            )
        pattern = Pattern.of(row["pattern"], f"{where}: [[{table}]]", patience)
        try:
            re.sub(pattern.compiled, row[name] if table == "rename" else "", "")
        except (re.error, IndexError) as error:
            raise InputError(f"{where}: [[{table}]] {row['pattern']!r}: {error}") from error
        yield UserRule(pattern, row.get(name, f"left out by the rule {row['pattern']!r}"))
