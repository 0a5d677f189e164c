"""What is fuzzed: kinds of files that people send each other, and what is done with each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dump_mutations
import dump_seeds
import mutations
import other_files
import seeds
from mutations import Mutation
from seeds import SHARD, Seeds

# What a use may write, and leave.
OUT = "out.safetensors"


@dataclass(frozen=True)
class Subject:
    """One kind of files.

    Attributes:
        seeds: makes a whole file of each of its formats in a folder; frameworks may be loaded.
        use: does what the commands do with such a file; a word it returns is its verdict.
        by_format: how files of each format are broken by their structure.
        names: a format's file name, where it is not "broken." and the format.
        beside: whole files that lie beside the broken one: the name of each, and its format.
    """

    seeds: Callable[[Path], Seeds]
    use: Callable[[Path], str | None]
    by_format: Mapping[str, tuple[Mutation, ...]]
    names: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)

    def name(self, form: str) -> str:
        """Return what a broken file of a format is called."""
        return self.names.get(form, f"broken.{form}")


def convert(path: Path) -> None:
    """Read everything in a checkpoint, convert it, and describe it."""
    from converters.convert import convert_file
    from converters.formats import read_checkpoint
    from converters.inspect import inspect_checkpoint

    for tensor in read_checkpoint(path).values():
        tensor.load()
    inspect_checkpoint(path)
    convert_file(path, path.with_name(OUT), force=True, strict=False)


def compare(path: Path) -> str:
    """Compare a dump with the other network's, take its inputs and weights, report all."""
    import io

    from rich.console import Console

    from parity.dump import Dump, diff_dumps
    from parity.report.terminal import show

    other = path.with_name("paddle.npz" if path.suffix == ".torch" else "torch.npz")
    dump = Dump(path)
    dump.inputs()
    dump.weights()
    result = diff_dumps(dump, other)
    result.to_json(dump.manifest.title)
    result.save_html(path.with_name(OUT), dump.manifest.title)
    show(result, Console(file=io.StringIO()), everything=True)
    return "match" if result else "mismatch"


SUBJECTS = {
    "checkpoints": Subject(
        seeds.seeds,
        convert,
        mutations.BY_FORMAT,
        names={"index": "model.safetensors.index.json"},
        beside={SHARD: "safetensors"},
    ),
    "dumps": Subject(
        dump_seeds.seeds,
        compare,
        dump_mutations.BY_FORMAT,
        beside={"torch.npz": "torch", "paddle.npz": "paddle"},
    ),
    "others": Subject(other_files.seeds, other_files.use, other_files.BY_FORMAT),
}
