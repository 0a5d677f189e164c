"""``python -m benchmarks``: measure sections, print them, and put them into ``RESULTS.md``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from benchmarks.run import RESULTS, measure, read
from benchmarks.sections import SECTIONS


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--only",
    "names",
    multiple=True,
    metavar="NAME",
    type=click.Choice([section.name for section in SECTIONS]),
    help="Measure this section (may be given several times); the others stay as they are.",
)
@click.option("--list", "listed", is_flag=True, help="List sections and how long they took.")
@click.option(
    "--results",
    type=click.Path(dir_okay=False, path_type=Path),
    default=RESULTS,
    help="The file to put them into, benchmarks/RESULTS.md by default.",
)
def main(names: tuple[str, ...], listed: bool, results: Path) -> None:
    """Measure all sections of RESULTS.md, or some: python -m benchmarks --only conversion."""
    if listed:
        took = read(results).took()
        for section in SECTIONS:
            click.echo(f"{section.name:12} {took.get(section.name, 'never'):12} {section.title}")
        return
    failed = [
        section.name
        for section in SECTIONS
        if (not names or section.name in names) and not measure(section, results)
    ]
    if failed:
        click.echo(f"could not be measured, and left as before: {', '.join(failed)}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
