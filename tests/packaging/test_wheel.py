"""The wheel, installed beside openai-agents in a clean environment, works from any folder and leaves ``agents`` to them.

With ``AGENTNAS_WHEEL=full`` (``make wheel``) every dependency is installed anew; else the environment borrows those of this one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FULL = os.environ.get("AGENTNAS_WHEEL") == "full"
SOURCES = ("agentnas", "agents", "memory", "prompts", "tools")

pytestmark = pytest.mark.timeout(1200 if FULL else 300)


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command; its standard error where it fails."""
    clean = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    if "No matching distribution found" in done.stderr and os.environ.get("CI") != "true":
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, so that no build folder of another time is mixed in."""
    folder = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist", cwd=folder)
    return next((folder / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The scripts folder of an environment with the wheel and openai-agents."""
    folder = tmp_path_factory.mktemp("clean")
    run(sys.executable, "-m", "venv", folder, cwd=folder)
    python = folder / "bin" / "python"
    if FULL:
        run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel, "openai-agents", cwd=folder)
    else:
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel, "openai-agents", cwd=folder)
        borrow_dependencies(python, folder)
    yield folder / "bin"
    shutil.rmtree(folder)


def borrow_dependencies(python: Path, folder: Path) -> None:
    """Put this environment's packages after the clean one's own, but run none of their ``.pth`` files: one of them leads to the sources."""
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    (own / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")


def test_the_wheel_holds_sources_and_data_once(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    ours = [name for name in names if ".dist-info/" not in name]
    assert {name.split("/")[0] for name in ours} == {"agentnas"}
    expected = {path.relative_to(ROOT).as_posix() for name in SOURCES for path in sources(ROOT / name)}
    packed = {name.removeprefix("agentnas/") if name.split("/")[1] in SOURCES else name for name in ours}
    assert packed == expected
    assert len(ours) == len(expected)


def sources(folder: Path) -> list[Path]:
    """What a folder must contribute to the wheel, links not followed."""
    patterns = ("*.py", "*.md", "*.json", "*.jsonl", "*.css", "*.html", "*.js", "py.typed")
    found = [path for pattern in patterns for path in folder.rglob(pattern)]
    return [path for path in found if not any(parent.is_symlink() for parent in path.parents)]


def test_agents_belongs_to_openai_agents(clean: Path, tmp_path: Path) -> None:
    where = run(clean / "python", "-c", "import importlib.util as u; print(u.find_spec('agents').origin)", cwd=tmp_path)
    assert Path(where.strip()) == next(clean.parent.glob("lib/python*/site-packages/agents/__init__.py"))
    if FULL:
        assert run(clean / "python", "-c", "import agents, agentnas.agents; print(agents.Agent.__name__)", cwd=tmp_path) == "Agent\n"


@pytest.mark.parametrize("name", ["memory", "prompts", "tools"])
def test_no_other_name_is_taken(clean: Path, tmp_path: Path, name: str) -> None:
    assert run(clean / "python", "-c", f"import importlib.util as u; print(u.find_spec({name!r}))", cwd=tmp_path) == "None\n"


def test_the_command_works_from_another_folder(clean: Path, tmp_path: Path) -> None:
    assert "design" in run(clean / "agentnas", "--help", cwd=tmp_path)
    assert "digits" in run(clean / "agentnas", "tasks", "list", cwd=tmp_path)


def test_it_runs_from_its_own_files(clean: Path, tmp_path: Path) -> None:
    where = run(clean / "python", "-c", "import agentnas.tools.spec.model as m; print(m.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(clean.parent)
