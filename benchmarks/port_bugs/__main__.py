"""``python -m benchmarks.port_bugs``: plant every bug, ask the harness, print and write figures."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import click

from benchmarks.port_bugs.bugs import BUGS
from benchmarks.port_bugs.correct import CORRECT
from benchmarks.port_bugs.network import NETWORKS
from benchmarks.port_bugs.score import judge, judge_correct
from benchmarks.port_bugs.tables import TITLE, as_json, section
from converters.command_line import progress_bar

RESULTS = Path(__file__).parents[1] / "RESULTS.md"


@click.command()
@click.option("--network", "networks", multiple=True, type=click.Choice(list(NETWORKS)))
@click.option("--cause", "causes", multiple=True, help="Only bugs of this name.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path), help="Also write it all here."
)
@click.option("--write/--no-write", help="Put the section into RESULTS.md.")
def main(
    networks: tuple[str, ...], causes: tuple[str, ...], json_path: Path | None, write: bool
) -> None:
    """Plant bugs in ports one at a time, and count what the harness finds."""
    warnings.simplefilter("ignore")
    bugs = [
        bug
        for bug in BUGS
        if (not networks or bug.network in networks) and (not causes or bug.cause in causes)
    ]
    correct = () if networks or causes else CORRECT
    with progress_bar("asking", len(bugs) + len(correct)) as step:
        scores = [step(bug.name) or judge(bug) for bug in bugs]
        alarms = [step(port.name) or judge_correct(port) for port in correct]
    lines = list(section(scores, alarms))
    print("\n".join(lines))
    if json_path is not None:
        json_path.write_text(json.dumps(as_json(scores, alarms), indent=1), encoding="utf-8")
    if write:
        RESULTS.write_text(
            with_section(RESULTS.read_text(encoding="utf-8"), lines), encoding="utf-8"
        )


def with_section(text: str, lines: list[str]) -> str:
    """Return a text with the benchmark's section in it, in the old one's place or at the end."""
    before, _, rest = text.partition(TITLE)
    _, mark, after = rest.partition("\n## ")
    return before.rstrip("\n") + "\n\n" + "\n".join(lines) + "\n" + (mark + after if mark else "")


if __name__ == "__main__":
    main()
