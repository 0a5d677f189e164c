"""A request carried out: networks built, weights found, inputs read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from parity import weights as crossing
from parity.carry import Weights
from parity.dump import Dump, is_dump
from parity.input_files import Picture
from parity.input_option import read_inputs
from parity.inputs import seed_weights
from parity.job import stdc
from parity.job.networks import Side, move, need, of_factory, of_stdc
from parity.job.request import JobError
from stdc_port.spec import VARIANTS

if TYPE_CHECKING:
    from parity.arguments import Arguments
    from parity.job.request import Framework, Request


@dataclass(frozen=True)
class Job:
    """One network or two, ready to run.

    Attributes:
        sides: By framework.
        inputs: The arguments of both.
        title: What is compared, for people.
        said: How the inputs came about, one line each.
        identity: Which STDC network they are; None for the user's own.
    """

    sides: dict[Framework, Side]
    inputs: Arguments
    title: str
    said: tuple[str, ...]
    identity: stdc.Identity | None = None

    @property
    def torch_module(self) -> Any:
        """The reference, its weights loaded."""
        return self.sides["torch"].network

    @property
    def paddle_layer(self) -> Any:
        """The network in question."""
        return self.sides["paddle"].network


def prepare(request: Request) -> Job:
    """Build both networks, load torch's weights, and make the inputs.

    Raises:
        JobError: A framework, factory or file is missing or unfit.
        converters.ConverterError: The checkpoint cannot be read, or does not fit the torch network.
        ValueError: An input cannot be had.
    """
    if not (request.convert or request.paddle_factory):
        raise JobError("--no-convert needs --paddle: a factory that loads its own weights")
    if bool(request.torch_factory) != bool(request.paddle_factory):
        raise JobError("--torch and --paddle go together: give a factory for each framework")
    job = _prepare(request, ("torch", "paddle"))
    side = job.sides["torch"]
    if side.weights is not None:
        _load(request, side)
    return job


def prepare_side(request: Request, framework: Framework) -> Job:
    """Build one framework's network and find the weights it is to run with, but do not load them.

    Raises:
        As `prepare`.
    """
    other = request.factory("paddle" if framework == "torch" else "torch")
    if other is not None:
        raise JobError(f"--framework {framework}: leave out the other framework's factory, {other}")
    if framework == "paddle":
        _need_weights(request)
    return _prepare(request, (framework,))


def _need_weights(request: Request) -> None:
    if request.checkpoint is None and request.convert and request.paddle_factory:
        raise JobError(
            "--framework paddle: which weights? Give as CHECKPOINT the torch file or torch's dump; "
            "--no-convert takes those that the factory loaded"
        )
    if request.checkpoint is None and not (request.convert or request.paddle_factory):
        raise JobError(
            "--no-convert needs weights of Paddle's: a .pdparams file, or a --paddle factory that "
            "loads its own"
        )


def _prepare(request: Request, frameworks: tuple[Framework, ...]) -> Job:
    weights, options = _checkpoint(request)
    need(*frameworks)
    own = any(request.factory(framework) for framework in frameworks)
    identity = None if own else stdc.identify(request, weights)
    if identity is not None and weights is None:
        weights = stdc.seeded(identity, request.seed)
    spec = VARIANTS[stdc.DEFAULT_VARIANT] if identity is None else identity.spec
    picture = Picture(request.size, spec.colour_mean, spec.colour_std, batched=identity is not None)
    inputs, said = read_inputs(options, picture, request.seed)
    sides = {framework: _side(request, framework, identity, weights) for framework in frameworks}
    return Job(sides, inputs, _title(request, frameworks, identity, sides), said, identity)


def _checkpoint(request: Request) -> tuple[Weights | None, tuple[str, ...]]:
    """Give the weights of CHECKPOINT, and the inputs: a dump's own if none are asked for."""
    path = request.checkpoint
    if path is None:
        return None, request.inputs
    if not (path.is_file() and is_dump(path)):
        return Weights.read(path), request.inputs
    dump, inputs = Dump(path), request.inputs or (str(path),)
    if not dump.manifest.weights_stored:
        raise JobError(
            f"{path} holds no weights: it was made with {dump.manifest.weights_from}; give that, "
            f"and --input {path}"
        )
    return Weights.stored(dump.weights(), dump.manifest.framework, path.name), inputs


def _side(
    request: Request, framework: Framework, identity: stdc.Identity | None, weights: Weights | None
) -> Side:
    factory = request.factory(framework)
    if factory is not None:
        network = of_factory(framework, factory)
    else:
        assert identity is not None  # noqa: S101 - without any factory it was told
        network = of_stdc(framework, identity)
    if factory is not None and framework == "torch" and weights is None and request.convert:
        seed_weights(network, request.seed)
        weights = replace(Weights.of(network), source=f"seeded weights ({request.seed})")
    return Side(move(network, request.device), _own(request, framework, weights))


def _own(request: Request, framework: Framework, weights: Weights | None) -> Weights | None:
    if request.convert or weights is None or framework == "torch":
        return weights
    # Torch's are what --no-convert keeps from the paddle network.
    return replace(weights, own=True) if weights.framework == "paddle" else None


def _load(request: Request, side: Side) -> None:
    assert side.weights is not None  # noqa: S101 - the caller looked
    try:
        crossing.load(side.network, side.weights.fitted(side.network))
    except ValueError as error:
        raise JobError(f"{request.checkpoint or side.weights.source}: {error}") from error


def _title(
    request: Request,
    frameworks: tuple[Framework, ...],
    identity: stdc.Identity | None,
    sides: dict[Framework, Side],
) -> str:
    factories = [name for name in map(request.factory, frameworks) if name]
    if identity is None:
        return " and ".join(factories)
    weights = next((side.weights for side in sides.values() if side.weights), None)
    return f"{identity.arch}, {identity.variant}, {weights.source if weights else 'own weights'}"
