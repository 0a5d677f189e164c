"""Which versions of the frameworks are new enough, told without importing them."""

from __future__ import annotations

import re

from converters.errors import InputError

OLDEST = {"torch": "2.2", "paddle": "2.6"}
DISTRIBUTIONS = {"torch": ("torch",), "paddle": ("paddlepaddle", "paddlepaddle-gpu")}


def require_recent(*frameworks: str) -> None:
    """Refuse versions that this project was not made for; what is not installed is let pass.

    Raises:
        InputError: a framework is older than :data:`OLDEST`.
    """
    for framework in frameworks:
        package, version = installed(framework)
        if version and _before(version, OLDEST[framework]):
            raise InputError(
                f"{framework} {version} is installed, {OLDEST[framework]} or newer is needed; "
                f"run: pip install --upgrade '{package}>={OLDEST[framework]}'"
            )


def installed(framework: str) -> tuple[str, str]:
    """Return the package that brings a framework, and its version; '' for none."""
    from importlib.metadata import distributions

    for package in DISTRIBUTIONS[framework]:
        for found in distributions(name=package):
            return package, found.version
    return "", ""


def _before(version: str, oldest: str) -> bool:
    found, least = (
        [int(part) for part in re.findall(r"\d+", one)[:2]] for one in (version, oldest)
    )
    # Paddle calls its builds from source 0.0.0.
    return found < least and any(found)
