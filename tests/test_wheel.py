"""The wheel holds what the commands need, and says its types and its public names."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import import_module, metadata
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs/tools"))
import api_page  # noqa: E402 - a tool beside the documents, in no package

PACKAGES = ("converters", "parity", "stdc_port")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder)]
    subprocess.run([*build, str(copied(folder))], check=True, capture_output=True)  # noqa: S603
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def empty(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment that has the wheel and what it requires, and nothing else."""
    home = tmp_path_factory.mktemp("empty") / "env"
    venv.create(home, with_pip=False)
    install = [sys.executable, "-m", "pip", "--python", str(home), "install", "--quiet"]
    command = [*install, "--no-index", "--no-deps", "--no-compile", str(wheel)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    (site,) = home.glob("lib/python*/site-packages")
    # No test opens a connection: what the wheel requires is lent by this environment.
    for name in required("stdc-port"):
        for top in top_levels(name):
            if not (site / top.name).exists():
                (site / top.name).symlink_to(top)
    return home


def required(name: str) -> set[str]:
    """The packages that one requires without extras, and what those require."""
    asked = [Requirement(text) for text in metadata.requires(name) or ()]
    direct = {one.name for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})}
    return direct.union(*map(required, direct))


def top_levels(name: str) -> set[Path]:
    """The folders and files of a package that lie in site-packages."""
    found = metadata.distribution(name)
    files = (file for file in found.files or () if file.parts[0] not in ("..", "__pycache__"))
    return {Path(str(found.locate_file(file.parts[0]))) for file in files}


def copied(folder: Path) -> Path:
    """What a build reads, so that it leaves nothing behind in the working tree."""
    to = folder / "source"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, to / name)
    return to


def run(home: Path, command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the environment, with nothing of this one on its path."""
    name, *arguments = command.split()
    return subprocess.run(  # noqa: S603
        [str(home / "bin" / name), *arguments],
        cwd=folder, env={"PATH": str(home / "bin")}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_an_empty_environment_has_nothing_else(empty: Path, tmp_path: Path) -> None:
    (site,) = empty.glob("lib/python*/site-packages")
    there = {path.name for path in site.iterdir()}
    assert {*PACKAGES, "numpy", "click", "rich"} <= there
    names = ["torch", "paddle", "PIL", "pydantic", "matplotlib", "safetensors", "converters"]
    (tmp_path / "look.py").write_text(
        "import importlib.util as u, converters\n"
        f"print([name for name in {names} if u.find_spec(name)], converters.__file__)\n"
    )
    told = run(empty, "python look.py", tmp_path).stdout
    assert told.startswith("['converters'] ")
    assert str(site) in told


def test_the_installed_wheel_converts_and_compares(empty: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    tensors = {"fc.weight": np.arange(6, dtype="float32").reshape(2, 3), "fc.bias": np.ones(2)}
    save_file(tensors, tmp_path / "net.safetensors")
    for command, told in (
        ("stdc-convert --help", "Usage: stdc-convert"),
        ("stdc-convert --version", "stdc-convert 0."),
        ("stdc-convert net.safetensors --to paddle", "read back and compared bit for bit"),
        ("stdc-convert inspect net.pdparams", "1 linear"),
        ("stdc-convert diff net.safetensors net.pdparams", "the same: 2 equal"),
        ("stdc-convert net.pdparams -o back.pth", "(torch-zip, "),
        ("stdc-convert diff net.safetensors back.pth --json d.json", "the same: 2 equal"),
        ("stdc-parity --help", "Usage: stdc-parity"),
        ("stdc-seg --help", "Usage: stdc-seg"),
    ):
        done = run(empty, command, tmp_path)
        assert done.returncode == 0, done.stderr
        assert told in done.stdout, command


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("stdc-parity --arch stdc1", "torch cannot be imported"),
        ("stdc-seg evaluate --weights a --data b", "pip install 'stdc-port["),
    ],
)
def test_without_frameworks_it_is_said_what_to_install(
    empty: Path, tmp_path: Path, command: str, told: str
) -> None:
    done = run(empty, command, tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_wheel_holds_everything_but_the_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        there = set(archive.namelist())
    sources = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert sources <= there
    assert {f"{name}/py.typed" for name in PACKAGES} <= there
    assert {name.partition("/")[0] for name in there - sources} == {"stdc_port-0.1.0.dist-info"}


@pytest.mark.parametrize("package", api_page.PACKAGES)
def test_every_public_name_is_there_documented_and_typed(package: str) -> None:
    module = import_module(package)
    assert sorted(module.__all__) == module.__all__
    for name in module.__all__:
        found = getattr(module, name)
        assert found.__doc__, name
        if inspect.isfunction(found):
            hints = {*inspect.signature(found).parameters, "return"}
            assert set(found.__annotations__) == hints, name


def test_the_page_of_public_names_lists_them_all() -> None:
    assert api_page.PAGE.read_text("utf-8") == api_page.page()


def test_the_help_loads_little() -> None:
    code = (
        "import sys\n"
        "from converters.cli import main\n"
        "main(['--help'], prog_name='stdc-convert', standalone_mode=False)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True)  # noqa: S603
    loaded = set(done.stderr.split())
    heavy = {"numpy", "rich", "torch", "paddle", "parity", "PIL", "pydantic", "matplotlib"}
    assert loaded & heavy == set()
    assert loaded & {"asyncio", "unittest", "multiprocessing", "http", "email"} == set()
