"""The package list, the folders and the links say the same, in the repository and in git."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import agentnas

ROOT = Path(__file__).resolve().parents[2]
INSIDE = ("agents", "memory", "prompts", "tools")


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def packages_of(folder: Path, name: str) -> set[str]:
    """A folder and those below it that hold a package, links not followed."""
    inner = {path.parent for path in folder.rglob("__init__.py") if not any(parent.is_symlink() for parent in path.parents)}
    return {".".join((name, *path.relative_to(folder).parts)) for path in inner}


def test_every_folder_is_in_the_package_list(pyproject: dict[str, Any]) -> None:
    folders = packages_of(ROOT / "agentnas", "agentnas").union(*(packages_of(ROOT / name, f"agentnas.{name}") for name in INSIDE))
    assert pyproject["tool"]["setuptools"]["packages"] == sorted(folders)


def test_every_folder_of_sources_is_a_package() -> None:
    sources = {path.parent for name in ("agentnas", *INSIDE) for path in (ROOT / name).rglob("*.py")}
    assert [str(folder) for folder in sources if not (folder / "__init__.py").exists()] == []


def test_package_dir_maps_the_four_folders(pyproject: dict[str, Any]) -> None:
    expected = {"agentnas": "agentnas"} | {f"agentnas.{name}": name for name in INSIDE}
    assert pyproject["tool"]["setuptools"]["package-dir"] == expected


@pytest.mark.parametrize("name", INSIDE)
def test_the_link_leads_to_the_folder(name: str) -> None:
    link = ROOT / "agentnas" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / name
    assert (link / "__init__.py").samefile(ROOT / name / "__init__.py")


def test_git_stores_the_links_as_links() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    listed = subprocess.run(["git", "ls-files", "-s", "agentnas"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    links = sorted(line.split("\t")[1] for line in listed.splitlines() if line.startswith("120000"))
    assert links == [f"agentnas/{name}" for name in INSIDE]


@pytest.mark.parametrize("name", INSIDE)
def test_a_stray_import_says_what_to_import(name: str) -> None:
    stray = subprocess.run([sys.executable, "-c", f"import {name}"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert stray.returncode == 1
    assert stray.stderr.splitlines()[-1].startswith(f"ImportError: import agentnas.{name}, not {name};")


def test_every_kind_of_package_data_exists(pyproject: dict[str, Any]) -> None:
    for package, patterns in pyproject["tool"]["setuptools"]["package-data"].items():
        folder = ROOT.joinpath(*package.removeprefix("agentnas.").split("."))
        for pattern in patterns:
            assert list(folder.glob(pattern)), f"{package}: nothing matches {pattern}"


def test_the_version_is_the_newest_of_the_changelog() -> None:
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert agentnas.__version__ == versions[0]


def test_every_dependency_has_a_tested_version(pyproject: dict[str, Any]) -> None:
    extras = pyproject["project"]["optional-dependencies"].values()
    wanted = {normal(line) for lines in (pyproject["project"]["dependencies"], *extras) for line in lines}
    pinned = {normal(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line}
    assert wanted - pinned == set()


def test_no_version_is_bound_to_one_build() -> None:
    """``torch==2.13.0+cpu`` is found in no public index."""
    assert "+" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")


def normal(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def test_only_what_everybody_can_install_is_required(pyproject: dict[str, Any]) -> None:
    """PyG's compiled companions have no wheel for many machines."""
    wanted = {normal(line) for line in pyproject["project"]["dependencies"]}
    assert wanted & {"pyg-lib", "torch-scatter", "torch-sparse", "torch-cluster", "torch-spline-conv"} == set()
