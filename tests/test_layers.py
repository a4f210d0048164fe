"""Who may import whom, and what only the edges may do; read from the source of every file."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"agents", "memory", "prompts", "tools"}

# A layer may import itself and these: agentnas -> agents -> memory, prompts -> tools.
BELOW = {
    "agentnas": FOLDERS,
    "agents": {"memory", "prompts", "tools"},
    "memory": {"tools"},
    "prompts": {"tools"},
    "tools": set[str](),
}
# Tools measure; none of them asks a language model or needs the house above it.
NOT_IN_TOOLS = {"anthropic", "chromadb", "google", "langchain_core", "langgraph", "litellm", "ollama", "openai", "typer"}
# A spec can be read, checked, sampled and looked up in a table on a machine without torch, and so can a journal.
WITHOUT_TORCH = ("memory", "prompts", "tools/errors.py", "tools/metrics.py", "tools/operators/base.py", "tools/spec", "tools/tasks")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = [line for extra, lines in PROJECT["optional-dependencies"].items() if extra != "dev" for line in lines]
REQUIRED: list[str] = [*PROJECT["dependencies"], *EXTRAS]
DISTRIBUTIONS = {"sklearn": "scikit-learn", "pydantic_core": "pydantic", "yaml": "pyyaml"}
EDGES = {
    "agentnas/cli/__init__.py", "agentnas/report.py", "tools/evaluate/fitting.py", "tools/own/code.py", "tools/profiling.py",
    "tools/train/layerwise.py", "tools/worker_main.py", "tools/workers.py",
}  # fmt: skip


def files() -> list[Path]:
    """Every source file once, by its real folder."""
    tops = [ROOT / "agentnas", *(ROOT / name for name in sorted(FOLDERS))]
    return sorted(path for top in tops for path in top.rglob("*.py") if not is_through_a_link(path))


def is_through_a_link(path: Path) -> bool:
    return any(parent.is_symlink() for parent in path.parents)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module", params=files(), ids=name)
def source(request: pytest.FixtureRequest) -> tuple[str, ast.Module]:
    path: Path = request.param
    return name(path), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all that a file imports, wherever in the file it does so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import hides the layer"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(dotted: str) -> str | None:
    """``agentnas.tools.spec.model`` is in ``tools``; ``agentnas.api`` in ``agentnas``; ``numpy`` in none."""
    parts = dotted.split(".")
    if parts[0] != "agentnas":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in FOLDERS else "agentnas"


def test_imports_point_downwards(source: tuple[str, ast.Module]) -> None:
    path, tree = source
    here = path.split("/")[0]
    upward = [dotted for dotted in imports(tree) if layer(dotted) not in {None, here, *BELOW[here]}]
    assert upward == [], f"{path} is in {here}, which may import {sorted(BELOW[here])}"


def test_our_folders_are_imported_by_their_full_name(source: tuple[str, ast.Module]) -> None:
    path, tree = source
    assert [dotted for dotted in imports(tree) if dotted.split(".")[0] in FOLDERS] == [], path


def test_tools_ask_no_language_model(source: tuple[str, ast.Module]) -> None:
    path, tree = source
    if path.startswith("tools/"):
        assert [dotted for dotted in imports(tree) if dotted.split(".")[0] in NOT_IN_TOOLS] == [], path


def test_specs_tasks_and_journals_need_no_torch(source: tuple[str, ast.Module]) -> None:
    path, tree = source
    if path.startswith(WITHOUT_TORCH):
        assert [dotted for dotted in imports(tree) if dotted.split(".")[0] in {"torch", "torch_geometric"}] == [], path


def test_only_the_edges_catch_everything(source: tuple[str, ast.Module]) -> None:
    path, tree = source
    if path in EDGES:
        return
    handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    assert [node.lineno for node in handlers if is_broad(node)] == [], f"{path}: name the errors that are expected here"


def is_broad(node: ast.ExceptHandler) -> bool:
    """Catches everything and keeps it; cleaning up and raising again hides nothing."""
    if isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None:
        return False
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(kind is None or ast.unparse(kind) in {"Exception", "BaseException"} for kind in caught)


def test_only_the_command_line_prints(source: tuple[str, ast.Module]) -> None:
    path, tree = source
    if path.startswith("agentnas/cli/"):
        return
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "typer.echo"}]
    assert [node.lineno for node in calls] == [], path


def test_every_edge_says_why(source: tuple[str, ast.Module]) -> None:
    """The line above, or the one of, a broad handler is a comment."""
    path, tree = source
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and is_broad(node):
            around = lines[node.lineno - 2 : node.lineno + 1]
            assert any(line.strip().startswith("#") for line in around), f"{path}:{node.lineno}"


def test_what_is_imported_is_required(source: tuple[str, ast.Module]) -> None:
    path, tree = source
    names = {dotted.split(".")[0] for dotted in imports(tree)} - sys.stdlib_module_names - {"agentnas"}
    required = {normal(re.split(r"[^A-Za-z0-9._-]", line)[0]) for line in REQUIRED}
    assert {name for name in names if normal(DISTRIBUTIONS.get(name, name)) not in required} == set(), f"{path}: not in pyproject.toml"


def normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


@pytest.mark.parametrize(
    ("dotted", "expected"),
    [("agentnas.tools.spec.model", "tools"), ("agentnas.api", "agentnas"), ("agentnas", "agentnas"), ("numpy.random", None)],
)
def test_layer_of_a_name(dotted: str, expected: str | None) -> None:
    assert layer(dotted) == expected
