"""`stdc-parity dump`: one network's run, kept for a comparison elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converters.command_line import common_options, write_json
from converters.errors import one_line
from parity.commands.options import DEVICE, INPUTS, NETWORKS, RENAMING, RUNNING, chosen
from parity.commands.outcome import errors_as_exit_codes

if TYPE_CHECKING:
    from parity.dump import Dump, Manifest

EXAMPLES = """
\b
Examples:
  stdc-parity dump model.pth --framework torch --out torch.npz
  stdc-parity dump model.pth --framework paddle --out paddle.npz
  stdc-parity dump --framework torch --torch nets:ours --out torch.npz
  stdc-parity dump torch.npz --framework paddle --paddle nets:theirs --out paddle.npz
  stdc-parity diff torch.npz paddle.npz

\b
Exit codes: 0 written; 1 the converter refuses the weights; 2 it could not be done.
"""
WRITING: tuple[click.Parameter, ...] = (
    click.Option(
        ["--framework"],
        required=True,
        type=click.Choice(["torch", "paddle"]),
        help="Whose network runs; the other need not be installed.",
    ),
    click.Option(
        ["--out", "-o"],
        required=True,
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The dump, a zip of arrays that numpy.load opens.",
    ),
    click.Option(
        ["--on"],
        metavar="DUMP",
        type=click.Path(path_type=Path),
        help="Torch's dump, for the paddle side: it brings its inputs, tells which layer is which, "
        "and lets diff tell each layer's own error from what it inherits. A CHECKPOINT that is a "
        "dump does so by itself.",
    ),
    click.Option(
        ["--check", "checks"],
        multiple=True,
        default=["forward"],
        show_default=True,
        type=click.Choice(["forward", "backward"]),
        help="backward: keep gradients, too: of all outputs, inputs and parameters.",
    ),
    click.Option(["--force"], is_flag=True, help="Replace FILE if it exists."),
)


PARAMS = [*WRITING, *NETWORKS, *INPUTS, *RENAMING, *RUNNING, *DEVICE]


@click.command("dump", params=PARAMS, epilog=EXAMPLES)
@common_options
def dump_command(**options: Any) -> None:
    """Run one network and write what every layer returned, for `stdc-parity diff`.

    CHECKPOINT holds the weights of both sides: a torch file, which the paddle side converts by
    itself; a .pdparams, which the torch side converts; or the other side's dump, which brings its
    inputs along and its weights where no file holds them. Without one, seeded weights are used.
    """
    with errors_as_exit_codes():
        manifest = _dump(options)
        if options["json_path"] is not None:
            write_json(options["json_path"], manifest.to_json())
    if not options["quiet"]:
        _tell(manifest, options["out"])


def _dump(options: dict[str, Any]) -> Manifest:
    from parity.dump import write_dump
    from parity.job import prepare_side, request_of

    framework = options["framework"]
    on = _on(options)
    job = prepare_side(request_of(chosen((*NETWORKS, *INPUTS, *DEVICE), options)), framework)
    side = job.sides[framework]
    return write_dump(
        side.network,
        job.inputs,
        options["out"],
        weights=side.weights,
        title=", ".join((job.title, *job.said)),
        force=options["force"],
        on=on,
        checks=options["checks"],
        **chosen((*RENAMING, *RUNNING), options),
    )


def _on(options: dict[str, Any]) -> Dump | None:
    """Open the dump that this one is made on; what it brings along need not be given again."""
    from parity.dump import Dump, is_dump

    path, checkpoint = options["on"], options["checkpoint"]
    if path is None:
        paddle = options["framework"] == "paddle" and checkpoint is not None
        return Dump(checkpoint) if paddle and checkpoint.is_file() and is_dump(checkpoint) else None
    dump = Dump(path)
    options["inputs"] = options["inputs"] or (str(path),)
    if checkpoint is None and dump.manifest.weights_stored:
        options["checkpoint"] = path
    return dump


def _tell(manifest: Manifest, path: Path) -> None:
    from parity.dump.compatible import where

    size = path.stat().st_size / 1e6
    version = manifest.versions[manifest.framework]
    click.echo(one_line(f"{path}: {manifest.title}"))
    click.echo(
        f"{' and '.join(manifest.precisions)} of {manifest.framework} {version} on "
        f"{where(manifest)}, {size:.1f} MB"
    )
