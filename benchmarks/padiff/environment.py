"""An environment with PaDiff in it, on top of the one that this runs in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "padiff-venv"
#: It needs pyyaml and does not say so.
PACKAGES = ("padiff==0.2.0", "pyyaml")


def python() -> str:
    """Return the environment's Python; it is made at the first call.

    It has torch and Paddle from the environment that asks for it: the very same versions.

    Raises:
        RuntimeError: a package could not be installed; pip's last words are quoted.
    """
    found, made = FOLDER / "bin" / "python", FOLDER / "made.txt"
    outer = sysconfig.get_path("purelib")
    recipe = "\n".join((*PACKAGES, outer, sys.version))
    if made.exists() and made.read_text(encoding="utf-8") == recipe:
        return str(found)
    venv.create(FOLDER, clear=True, with_pip=True)
    say = "import sysconfig; print(sysconfig.get_path('purelib'))"
    inner = subprocess.run([found, "-c", say], capture_output=True, text=True, check=True).stdout
    Path(inner.strip(), "outer.pth").write_text(outer, encoding="utf-8")
    command = [found, "-m", "pip", "install", "--quiet", *PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(PACKAGES)} cannot be installed: {done.stderr[-500:]}")
    made.write_text(recipe, encoding="utf-8")
    return str(found)


def surroundings(**more: str) -> dict[str, str]:
    """Return the variables under which this project is found in any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def lines_of(
    folder: Path, group: str, numbers: Sequence[int], **variables: str
) -> Iterator[dict[str, Any]]:
    """Yield what ``benchmarks.padiff.run`` prints of some of a group's ports.

    Where the process dies it is started again behind the port that killed it, which gets a line
    with the key `died`.

    Args:
        folder: PaDiff writes its logs there.
        group: see that module.
        numbers: of the ports.
        variables: of the environment.

    Raises:
        RuntimeError: it died at the very first port; its last words are quoted.
    """
    left, alive = list(numbers), False
    while left:
        names = [group, *map(str, left)]
        done = subprocess.run(
            [python(), "-W", "ignore", "-m", "benchmarks.padiff.run", *names],
            cwd=folder,
            env=surroundings(OMP_NUM_THREADS="1", **variables),
            capture_output=True,
            text=True,
            check=False,
        )
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        yield from rows
        alive = alive or bool(rows)
        if not alive:
            raise RuntimeError(f"PaDiff could not be asked: {done.stderr[-500:]}")
        left = left[len(rows) :]
        if left:
            yield {"number": left.pop(0), "died": done.stderr[-200:]}
