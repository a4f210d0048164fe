"""What commands import: what is not imported takes no time, on any machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = """
import sys
from agentnas.cli import main
code = main(sys.argv[1:])
print("modules:", *sorted(sys.modules), file=sys.stderr)
sys.exit(code)
"""
HEAVY = {"torch", "torch_geometric", "chromadb", "langgraph", "sklearn", "scipy", "matplotlib", "pandas", "ray"}
TABLE = ["design", "--task", "nasbench:cora", "--trials", "6", "--memory-dir", "none"]
TRAINING = {"torch", "torch_geometric", "agentnas.tools.workers", "agentnas.tools.fork_server", "agentnas.tools.ray_pool"}


def modules(folder: Path, *words: str) -> set[str]:
    """All modules that a command's process has imported at its end."""
    done = subprocess.run([sys.executable, "-c", COMMAND, *words], cwd=folder, capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].removeprefix("modules: ").split())


def test_a_table_is_searched_without_torch_and_without_workers(tmp_path: Path) -> None:
    loaded = modules(tmp_path, *TABLE, "--runs-dir", str(tmp_path))
    assert {"langgraph", "agentnas.agents.graph"} <= loaded, "a run was made"
    assert loaded & TRAINING == set()


@pytest.mark.parametrize(
    ("words", "light"),
    [(["--help"], {"numpy"}), (["tasks", "list"], {"numpy"}), (["runs", "list"], set()), (["report", "--help"], {"numpy"})],
)
def test_commands_that_look_import_nothing_heavy(words: list[str], light: set[str], tmp_path: Path) -> None:
    loaded = modules(tmp_path, *words)
    assert "typer" in loaded
    assert loaded & (HEAVY | light) == set()
