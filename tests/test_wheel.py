"""The wheel holds what the commands need, and says its types and its public names."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("converters", "parity", "stdc_port")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed wheel: a folder of its own, far from the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder)]
    subprocess.run([*build, str(copied(folder))], check=True, capture_output=True)  # noqa: S603
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def copied(folder: Path) -> Path:
    """What a build reads, so that it leaves nothing behind in the working tree."""
    to = folder / "source"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, to / name)
    return to


def test_the_installed_wheel_converts(unpacked: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"fc.weight": np.ones((2, 3), "float32")}, tmp_path / "net.safetensors")
    # -I and -S: nothing but the wheel, numpy, click and rich, not even the editable install.
    site = Path(np.__file__).parents[1]
    run = (
        f"import sys; sys.path += [{str(unpacked)!r}, {str(site)!r}]\n"
        "import converters; assert converters.__file__.startswith(sys.path[-2])\n"
        "from converters.cli import main; main()"
    )
    command = [sys.executable, "-I", "-S", "-c", run, "net.safetensors", "--to", "paddle"]
    done = subprocess.run(  # noqa: S603
        [*command, "--no-strict"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "net.pdparams").exists()


def test_the_wheel_holds_types_data_and_commands(unpacked: Path) -> None:
    wanted = [
        *(f"{name}/py.typed" for name in PACKAGES),
        "converters/report.schema.json",
        "parity/report/schema.json",
        "parity/report/page/page.html",
        "stdc_port/recipes/stdc1_seg50.toml",
    ]
    assert [name for name in wanted if not (unpacked / name).exists()] == []
    (commands,) = unpacked.glob("*.dist-info/entry_points.txt")
    assert {"stdc-convert", "stdc-parity", "stdc-seg"} <= set(commands.read_text().split())


@pytest.mark.parametrize("package", ["converters", "parity"])
def test_every_public_name_is_there_and_documented(package: str) -> None:
    module = import_module(package)
    assert sorted(module.__all__) == module.__all__
    assert [name for name in module.__all__ if not getattr(module, name).__doc__] == []
