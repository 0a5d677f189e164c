"""Building a network of one framework: STDC's, or a factory's."""

from __future__ import annotations

import importlib
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.frameworks import require_recent
from parity.backends import backend_of, require
from parity.job.request import JobError

if TYPE_CHECKING:
    from collections.abc import Callable

    from parity.carry import Weights
    from parity.job.request import Framework
    from parity.job.stdc import Identity

#: What the frameworks call a GPU.
GPU = {"torch": "cuda", "paddle": "gpu"}


@dataclass(frozen=True)
class Side:
    """One network, and the weights that it is to run with.

    Attributes:
        network: A torch Module or paddle Layer.
        weights: Those to load, converted if need be; None for the ones it has.
    """

    network: Any
    weights: Weights | None


def need(*frameworks: Framework) -> None:
    """Import frameworks.

    Raises:
        JobError: One is not installed.
        InputError: One is too old.
    """
    require_recent(*frameworks)
    try:
        with warnings.catch_warnings():
            # Paddle warns of a missing compiler cache; nobody here compiles anything.
            warnings.simplefilter("ignore", UserWarning)
            for framework in frameworks:
                importlib.import_module(framework)
    except ImportError as error:
        raise JobError(
            f"{framework} cannot be imported ({error}): install this package with its extra 'cpu' "
            "or 'gpu', which bring both frameworks; or let each dump its run where it is "
            "installed, and compare the two: stdc-parity dump, stdc-parity diff"
        ) from error


def of_stdc(framework: Framework, identity: Identity) -> Any:
    """Build an STDC network."""
    nets = importlib.import_module(f"stdc_port.{framework}_nets")
    return nets.build(identity.arch, variant=identity.variant, num_classes=identity.num_classes)


def of_factory(framework: Framework, factory: str) -> Any:
    """Call a user's factory, `package.module:name`.

    Raises:
        JobError: There is none, it raises, or it makes no network of this framework.
    """
    option = f"--{framework}"
    found = find(factory, option)
    try:
        network = found()
    except Exception as error:
        raise JobError(f"{option} {factory}: the factory raised {_short(error)}") from error
    try:
        require(network, framework)
    except TypeError as error:
        raise JobError(f"{option} {factory}: {error}") from error
    return network


def find(factory: str, option: str) -> Callable[..., Any]:
    """Find a user's function, `package.module:name`.

    Raises:
        JobError: There is no such thing; names the option.
    """
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


def _short(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def move(network: Any, device: str) -> Any:
    """Move a network to a device: cpu, gpu, gpu:1 (or cuda, cuda:1, which mean the same).

    Raises:
        JobError: There is no such device.
    """
    if device == "cpu":
        return network
    framework = backend_of(network).name
    kind, colon, number = device.partition(":")
    place = f"{GPU[framework]}{colon}{number}" if kind in GPU.values() else device
    try:
        moved = network.to(place)
    except Exception as error:
        raise JobError(
            f"--device {device}: {framework} cannot use it: {_short(error)}; leave it out to run "
            f"on the CPU, or install {framework}'s build for it"
        ) from error
    return network if moved is None else moved
