"""All entries, in the order of their numbers. Importing this loads both frameworks."""

from __future__ import annotations

from types import ModuleType

from parity.traps.families import (
    builds,
    files,
    frozen,
    habits,
    layouts,
    losses,
    norms,
    optimizers,
    ports,
    recipes,
    resampling,
    schedules,
    values,
)
from parity.traps.trap import Trap


def entries(module: ModuleType) -> tuple[Trap, ...]:
    """Return the entries that a module defines."""
    return tuple(value for value in vars(module).values() if isinstance(value, Trap))


FAMILIES = (
    ports,
    recipes,
    habits,
    norms,
    frozen,
    layouts,
    resampling,
    values,
    losses,
    optimizers,
    schedules,
    files,
    builds,
)
TRAPS = tuple(
    sorted((trap for family in FAMILIES for trap in entries(family)), key=lambda trap: trap.number)
)


def chosen(names: tuple[str, ...]) -> tuple[Trap, ...]:
    """Return the entries of some numbers or slugs; all where none is named.

    Raises:
        ValueError: A name that is neither.
    """
    known = {key: trap for trap in TRAPS for key in (trap.slug, str(trap.number))}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"no trap is called {', '.join(unknown)}: expected a number from 1 to "
            f"{TRAPS[-1].number} or a slug, bn-momentum for example"
        )
    picked = [known[name] for name in names]
    return tuple(trap for trap in TRAPS if trap in picked) if names else TRAPS
