"""A section is measured in a process of its own, and put into RESULTS.md as a whole."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import click

from benchmarks.results import Page, stamp, table_row
from benchmarks.sections import SECTIONS, Compared, Line, Section
from converters.files import temporary_beside

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"


def measure(section: Section, results: Path) -> bool:
    """Measure a section and put it into the file; say what went wrong and return False if it does.

    It has a process of its own: a process begins as large as its parent, and threads that one
    section sets would be the next one's.
    """
    click.echo(f"\n## {section.title}\n")
    began, load = time.perf_counter(), os.getloadavg()[0]
    spawn = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            lines = pool.submit(measured, section).result()
    except Exception as error:  # noqa: BLE001 - whatever it is, the other sections go on
        click.echo(f"{section.name}: {type(error).__name__}: {error}", err=True)
        return False
    seconds = time.perf_counter() - began
    day = datetime.now(tz=timezone.utc).date().isoformat()
    page = read(results).put(section, stamp(section, day, seconds, load), lines)
    write(results, page.render(SECTIONS))
    return True


def measured(section: Section) -> list[Line]:
    """Return a section's lines, printed as they come."""
    lines = []
    # Beside this file: what is compared with a disk is compared with the same one.
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        for line in section.rows(Path(folder)):
            shown = table_row(section.name, line) if isinstance(line, Compared) else line
            print(shown, flush=True)
            lines.append(line)
    return lines


def read(results: Path) -> Page:
    """Read the file, which may not be there yet."""
    return Page.parse(results.read_text(encoding="utf-8") if results.exists() else "")


def write(results: Path, text: str) -> None:
    """Write the file as a whole or not at all."""
    with temporary_beside(results) as temporary:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(results)
