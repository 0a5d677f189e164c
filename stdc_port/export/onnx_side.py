"""ONNX by paddle2onnx, and how it is run."""

from __future__ import annotations

from pathlib import Path

from converters import InputError
from stdc_port.export.paddle_side import Pixels, Runner
from stdc_port.export.quiet import held_back

OPSET = 17


def save(program: Path, path: Path) -> None:
    """Turn Paddle's inference files into an ONNX file.

    paddle2onnx's step of optimisation is left out: it installs packages by itself.

    Args:
        program: the `.json` file; its `.pdiparams` lies beside it.
        path: of the ONNX file.

    Raises:
        InputError: paddle2onnx wrote nothing.
    """
    with held_back():
        import paddle2onnx

        paddle2onnx.export(
            str(program),
            str(program.with_suffix(".pdiparams")),
            str(path),
            opset_version=OPSET,
            enable_optimize=False,
            optimize_tool="none",
        )
    if not path.is_file() or not path.stat().st_size:
        raise InputError(f"{path}: paddle2onnx wrote nothing")


def load(path: Path, *, threads: int) -> Runner:
    """Run an ONNX file by ONNX Runtime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(pixels: Pixels) -> Pixels:
        logits: Pixels = session.run(None, {name: pixels})[0]
        return logits

    return run
