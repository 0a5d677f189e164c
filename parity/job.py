"""What the command line asks for, turned into two networks and their inputs.

The only module of this package that knows the STDC networks.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import converters
from converters.plan import without_prefix
from parity.backends import require
from parity.inputs import load_input, random_input, seed_weights
from stdc_port.spec import ARCHS

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from converters import Checkpoint

DEFAULT_ARCH = "stdc1-seg"
DEFAULT_VARIANT = "authors"
DEFAULT_SIZE = (256, 512)


class JobError(Exception):
    """The check cannot be made; the message says what, where and how to mend it."""


@dataclass(frozen=True)
class Job:
    """Two networks, ready to be compared.

    Attributes:
        torch_module: The reference, its weights loaded.
        paddle_layer: The network in question.
        inputs: Their positional arguments.
        title: What is compared, for people.
    """

    torch_module: Any
    paddle_layer: Any
    inputs: tuple[np.ndarray, ...]
    title: str


@dataclass(frozen=True)
class Request:
    """The command line's choices; see the options' help texts."""

    checkpoint: Path | None = None
    arch: str = "auto"
    variant: str | None = None
    torch_factory: str | None = None
    paddle_factory: str | None = None
    input_file: Path | None = None
    size: tuple[int, int] = DEFAULT_SIZE
    convert: bool = True
    seed: int = 0


def request_of(options: dict[str, Any]) -> Request:
    """Make a request of the command line's options."""
    no_convert, source = options.pop("no_convert"), options.pop("input_file")
    file = None if source == "random" else Path(source)
    return Request(**options, convert=not no_convert, input_file=file)


def prepare(request: Request) -> Job:
    """Build both networks, load torch's weights, and make the inputs.

    Raises:
        JobError: A framework, factory or file is missing or unfit.
        converters.InputError: The checkpoint cannot be read, or is another network's.
    """
    if not (request.convert or request.paddle_factory):
        raise JobError("--no-convert needs --paddle: a factory that loads its own weights")
    need_frameworks()
    inputs = (_input(request),)
    if request.torch_factory or request.paddle_factory:
        torch_module, paddle_layer, title = _from_factories(request)
    else:
        torch_module, paddle_layer, title = _stdc(request)
    return Job(torch_module, paddle_layer, inputs, title)


def need_frameworks() -> None:
    """Import both frameworks, or say how to get the one that is missing.

    Raises:
        JobError: One cannot be imported.
    """
    for name in ("torch", "paddle"):
        _need(name)


def _need(name: str) -> None:
    try:
        with warnings.catch_warnings():
            # Paddle warns of a missing compiler cache; nobody here compiles anything.
            warnings.simplefilter("ignore", UserWarning)
            importlib.import_module(name)
    except ImportError as error:
        raise JobError(
            f"{name} cannot be imported ({error}): install this package with its extra "
            "'cpu' or 'gpu', which bring both frameworks"
        ) from error


def _input(request: Request) -> np.ndarray:
    if request.input_file is None:
        return random_input((1, 3, *request.size), request.seed)
    try:
        return load_input(request.input_file)
    except (OSError, ValueError) as error:
        raise JobError(f"--input {request.input_file}: {_short(error)}") from error


def _from_factories(request: Request) -> tuple[Any, Any, str]:
    if not (request.torch_factory and request.paddle_factory):
        raise JobError("--torch and --paddle go together: give a factory for each framework")
    torch_module = _call(request.torch_factory, "--torch")
    paddle_layer = _call(request.paddle_factory, "--paddle")
    if request.checkpoint is not None:
        _load_strictly(torch_module, converters.read_checkpoint(request.checkpoint))
    elif request.convert:
        seed_weights(torch_module, request.seed)
    return torch_module, paddle_layer, f"{request.torch_factory} and {request.paddle_factory}"


def _call(factory: str, option: str) -> Any:
    found = _find(factory, option)
    try:
        network = found()
    except Exception as error:
        raise JobError(f"{option} {factory}: the factory raised {_short(error)}") from error
    try:
        require(network, option.removeprefix("--"))
    except TypeError as error:
        raise JobError(f"{option} {factory}: {error}") from error
    return network


def _find(factory: str, option: str) -> Callable[[], Any]:
    module_name, _, name = factory.partition(":")
    if not module_name or not name:
        raise JobError(f"{option} {factory!r}: expected package.module:factory")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module_name), name, None)
    except Exception as error:
        raise JobError(
            f"{option} {factory}: {module_name} cannot be imported: {_short(error)}"
        ) from error
    if not callable(found):
        raise JobError(f"{option} {factory}: {module_name} has no callable {name!r}")
    return found


def _stdc(request: Request) -> tuple[Any, Any, str]:
    from stdc_port import paddle_nets, torch_nets

    path = request.checkpoint
    weights = None if path is None else converters.read_checkpoint(path)
    arch, variant, classes = _identify(request, weights)
    torch_module = torch_nets.build(arch, variant=variant, num_classes=classes)
    if weights is None:
        seed_weights(torch_module, request.seed)
    else:
        _load_strictly(torch_module, weights)
    paddle_layer = paddle_nets.build(arch, variant=variant, num_classes=classes)
    source = path.name if path else f"seeded weights ({request.seed})"
    return torch_module, paddle_layer, f"{arch}, {variant}, {source}"


def _identify(request: Request, weights: Checkpoint | None) -> tuple[str, str, int | None]:
    if weights is None:
        arch = DEFAULT_ARCH if request.arch == "auto" else request.arch
        return arch, request.variant or DEFAULT_VARIANT, None
    found = converters.plan_conversion(weights, arch=request.arch).layout
    if found.arch not in ARCHS:
        raise JobError(
            f"{request.checkpoint} holds no STDC network: name yours with --torch and --paddle"
        )
    return found.arch, request.variant or found.variant, found.num_classes


def _load_strictly(torch_module: Any, weights: Checkpoint) -> None:
    import torch

    # The wrappers' prefixes that all keys share belong to no network.
    state = {
        name: torch.from_numpy(weights[key].load().copy())
        for name, key in without_prefix(weights).items()
    }
    try:
        torch_module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        said = " ".join(lines)[:600]
        raise JobError(f"{weights.path} does not fit the torch network: {said}") from error


def _short(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
