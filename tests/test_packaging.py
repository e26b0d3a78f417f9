"""What is installed: the wheel and the sdist, built from this tree, and looked into."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path
from typing import NamedTuple

import pytest

import gradcli
from gradcli.templates import template_names

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TREE = f"gradcli-{gradcli.__version__}"
BESIDE = {"LICENSE", "README.md", "pyproject.toml"}
MADE = {"PKG-INFO", ".gitignore"}
"""What Hatchling adds to an sdist."""


class Built(NamedTuple):
    """The two files that are published."""

    wheel: Path
    sdist: Path


def build(source: Path, target: Path) -> Built:
    """Build both, by the backend itself: nothing is installed or loaded for that."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(target)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (wheel,), (sdist,) = target.glob("*.whl"), target.glob("*.tar.gz")
    assert len(list(target.iterdir())) == 2
    return Built(wheel, sdist)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(ROOT, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def unpacked(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(built.sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / TREE


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as an installer lays it out."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(built.wheel) as archive:
        archive.extractall(folder)
    return folder


def sources(*folders: str) -> Iterator[str]:
    """Files of the project in some folders, without what running them leaves behind."""
    for folder in folders:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix()


def test_the_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        names = set(archive.namelist())
    about = {name for name in names if name.startswith(f"{TREE}.dist-info/")}
    assert names - about == set(sources("gradcli"))
    assert {name.partition("/")[2] for name in about} == {
        *("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    assert {Path(name).suffix for name in names - about} == {".py", ".typed", ".yaml", ".csv",
                                                             ".py-tpl"}  # fmt: skip
    assert "gradcli/py.typed" in names


def test_the_sdist_holds_the_project_and_nothing_else(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {member.name.removeprefix(f"{TREE}/") for member in archive if member.isfile()}
    assert names == {*sources("gradcli", "specs", "tests", ".github"), *BESIDE, *MADE}


def test_the_wheel_of_the_sdist_is_the_wheel(built: Built, unpacked: Path, tmp_path: Path) -> None:
    assert build(unpacked, tmp_path).wheel.read_bytes() == built.wheel.read_bytes()


def test_what_is_said_of_the_package(installed: Path) -> None:
    about = installed / f"{TREE}.dist-info"
    metadata = Parser().parsestr((about / "METADATA").read_text("utf-8"))
    assert metadata["Version"] == gradcli.__version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(needed) == sorted(PROJECT["dependencies"])
    assert {line.partition(">=")[0] for line in needed} == {"click", "numpy", "rich", "pyyaml"}
    assert "gradcli = gradcli.__main__:run" in (about / "entry_points.txt").read_text("utf-8")
    assert (about / "licenses" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_extras_are_the_groups_too() -> None:
    """Extras are for who installs the package, groups for who has the tree; the same tools."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    for name in ("test", "lint"):
        assert groups[name] == PROJECT["optional-dependencies"][name]


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m gradcli`, of the wheel, in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "gradcli", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def test_the_wheel_runs(installed: Path, tmp_path: Path) -> None:
    where = [sys.executable, "-c", "import gradcli; print(gradcli.__file__)"]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    found = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert found.stdout.strip() == str(installed / "gradcli" / "__init__.py")
    told = run(installed, tmp_path, "--version")
    assert (told.returncode, told.stdout) == (0, f"gradcli {gradcli.__version__}\n")
    for name in template_names():
        assert run(installed, tmp_path, "new", name).returncode == 0
    checked = run(installed, tmp_path, "check", ".", "--allow-python", "--quiet")
    assert checked.returncode == 0, checked.stdout
    assert f"{len(template_names())} specs" in checked.stdout
