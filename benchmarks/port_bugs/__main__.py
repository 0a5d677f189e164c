"""``python -m benchmarks.port_bugs``: plant bugs, ask the harness, print figures."""

from __future__ import annotations

import json
from pathlib import Path

import click

from benchmarks.port_bugs.bugs import BUGS
from benchmarks.port_bugs.correct import CORRECT
from benchmarks.port_bugs.matrix import ask_all
from benchmarks.port_bugs.network import NETWORKS
from benchmarks.port_bugs.tables import as_json, section


@click.command()
@click.option("--network", "networks", multiple=True, type=click.Choice(list(NETWORKS)))
@click.option("--cause", "causes", multiple=True, help="Only bugs of this name.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path), help="Also write it all here."
)
def main(networks: tuple[str, ...], causes: tuple[str, ...], json_path: Path | None) -> None:
    """Plant bugs in ports one at a time, and count what the harness finds."""
    bugs = [
        bug
        for bug in BUGS
        if (not networks or bug.network in networks) and (not causes or bug.cause in causes)
    ]
    scores, alarms = ask_all(bugs, () if networks or causes else CORRECT)
    print("\n".join(section(scores, alarms)))
    if json_path is not None:
        json_path.write_text(json.dumps(as_json(scores, alarms), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
