"""What the pages say is so: generated pages are current, examples run, and names that are mentioned exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentnas.cli.reference import pages
from agentnas.cli.shell import COMMANDS, load

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "runs/README.md"))


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["cli.md", "spec.md"])
def test_generated_pages_are_current(name: str) -> None:
    assert text(f"docs/{name}") == pages()[name], "make docs"


def test_pages_are_the_same_on_any_terminal() -> None:
    program = "from agentnas.cli.reference import cli_reference as r; import sys; sys.stdout.write(r())"
    wide = os.environ | {"COLUMNS": "250", "FORCE_COLOR": "1", "AGENTNAS_SEED": "3"}
    printed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=wide, capture_output=True, text=True, check=True).stdout
    assert printed == text("docs/cli.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_that_are_mentioned_exist(page: Path) -> None:
    found = page.read_text(encoding="utf-8")
    commands = set(re.findall(r"(?:`|\$ (?:\.venv/bin/)?)agentnas ([a-z]+)(?: ([a-z]+))?", found))
    assert {name for name, _ in commands} <= COMMANDS.keys()
    groups = {name: load(name) for name, _ in commands if hasattr(load(name), "commands")}
    assert [(name, inner) for name, inner in commands if name in groups and inner and inner not in groups[name].commands] == []
    targets = set(re.findall(r"(?:`|\$ )make ([a-z]+)", found))
    assert targets <= set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))


def test_the_tree_in_the_readme_exists() -> None:
    tree = text("README.md").split("## The house")[1].split("```")[1].strip().splitlines()
    parent = Path()
    for line in tree:
        name = line.split()[0]
        parent = parent if line.startswith("  ") else Path(name)
        assert (ROOT / (parent / name if line.startswith("  ") else parent)).is_dir(), line


def test_make_help_names_every_target() -> None:
    printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = re.findall(r"^make ([a-z]+)", printed, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", text("Makefile"), re.MULTILINE)
    assert phony is not None
    assert named == phony[1].split()


def test_the_operator_of_the_guide_works_as_it_stands(tmp_path: Path) -> None:
    """In a process of its own: operators are found once."""
    source = re.search(r"```python\n(.*?)```", text("CONTRIBUTING.md"), re.DOTALL)
    assert source is not None
    (tmp_path / "contrast.py").write_text(source[1], encoding="utf-8")
    program = (
        "import torch\n"
        "from agentnas.tools.nn.graph import Graph\n"
        "from agentnas.tools.nn.network import build_network\n"
        "from agentnas.tools.spec.model import parse_spec\n"
        "spec = parse_spec({'body': {'nodes': [{'id': 'a', 'op': 'contrast', 'params': {'strength': 2.0}}], 'outputs': ['a']}})\n"
        "graph = Graph(torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), 3)\n"
        "print(*build_network(spec, in_channels=5, out_channels=4)(torch.randn(3, 5), graph).shape)\n"
        "from agentnas.tools.operators.base import operator_module\n"
        "x = torch.tensor([[1.0], [2.0], [5.0]])\n"
        "print(*operator_module('contrast')(1, 1, strength=2.0)(x, graph).flatten().tolist())\n"
    )
    around = os.environ | {"AGENTNAS_OPERATORS": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=around, capture_output=True, text=True, check=False)
    assert done.stdout == "3 4\n-3.0 -4.0 1.0\n", done.stderr
