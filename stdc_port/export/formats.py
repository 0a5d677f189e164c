"""The formats of an export, a row each, and writing them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stdc_port.export.folding import Reduction

if TYPE_CHECKING:
    from stdc_port.export.paddle_side import Runner

STEM = "network"


@dataclass(frozen=True)
class Exported:
    """What an export consists of.

    Attributes:
        folder: where its files lie.
        model: stdc1 or stdc2.
        reduction: what was taken out of the network.
        variant: whose implementation the network is.
    """

    folder: Path
    model: str
    reduction: Reduction
    variant: str = "authors"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"model": self.model, "variant": self.variant, **asdict(self.reduction)}


@dataclass(frozen=True)
class Format:
    """How a network is written in one format and read again.

    Attributes:
        files: what it writes; the first one is loaded.
        needs: packages, by their import names.
        write: of an export, whose network is given both trained and reduced.
        load: gives what maps (N, 3, H, W) to logits.
    """

    files: tuple[str, ...]
    needs: tuple[str, ...]
    write: Callable[[Exported, Any, Any], None]
    load: Callable[[Exported, int], Runner]

    def lacks(self) -> list[str]:
        """Packages that it needs and that are not installed."""
        return [name for name in self.needs if find_spec(name) is None]

    def path(self, exported: Exported) -> Path:
        """The file that is loaded."""
        return exported.folder / self.files[0]


def _write_paddle(exported: Exported, _: Any, reduced: Any) -> None:
    from stdc_port.export.paddle_side import save_inference

    save_inference(reduced, exported.folder / STEM)


def _load_paddle(exported: Exported, threads: int) -> Runner:
    from stdc_port.export.paddle_side import load_inference

    return load_inference(FORMATS["paddle"].path(exported), threads=threads)


def _write_onnx(exported: Exported, _: Any, reduced: Any) -> None:
    import tempfile

    from stdc_port.export import onnx_side
    from stdc_port.export.paddle_side import save_inference

    with tempfile.TemporaryDirectory(dir=exported.folder) as folder:
        program, _weights = save_inference(reduced, Path(folder) / STEM)
        onnx_side.save(program, FORMATS["onnx"].path(exported))


def _load_onnx(exported: Exported, threads: int) -> Runner:
    from stdc_port.export import onnx_side

    return onnx_side.load(FORMATS["onnx"].path(exported), threads=threads)


def _write_torch(exported: Exported, trained: Any, _: Any) -> None:
    from stdc_port.export import torch_side

    network = torch_side.twin(trained, exported)
    torch_side.save(network, FORMATS["torch"].path(exported))


def _write_safetensors(exported: Exported, trained: Any, _: Any) -> None:
    import tempfile

    from converters import convert_file
    from stdc_port.export import torch_side

    network = torch_side.twin(trained, exported)
    with tempfile.TemporaryDirectory(dir=exported.folder) as folder:
        source = Path(folder) / f"{STEM}.pth"
        torch_side.save(network, source)
        target = FORMATS["safetensors"].path(exported)
        convert_file(source, target, to="torch", form="safetensors")


def _loader(name: str) -> Callable[[Exported, int], Runner]:
    def load(exported: Exported, threads: int) -> Runner:
        from stdc_port.export import torch_side

        path = FORMATS[name].path(exported)
        return torch_side.load(path, exported, threads=threads)

    return load


FORMATS: Mapping[str, Format] = {
    "paddle": Format((f"{STEM}.json", f"{STEM}.pdiparams"), (), _write_paddle, _load_paddle),
    "onnx": Format((f"{STEM}.onnx",), ("paddle2onnx", "onnxruntime"), _write_onnx, _load_onnx),
    "torch": Format((f"{STEM}.pth",), ("torch",), _write_torch, _loader("torch")),
    "safetensors": Format(
        (f"{STEM}.safetensors",), ("torch",), _write_safetensors, _loader("safetensors")
    ),
}
"""By the name that `--format` takes. Torch's and safetensors' files have torch's keys."""


def possible(wanted: Sequence[str]) -> dict[str, list[str]]:
    """What each wanted format lacks; nothing for those that can be written here."""
    return {name: FORMATS[name].lacks() for name in wanted}
