"""``agentnas spaces``: what can be searched, as people see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentnas.tools.spec.named import NAMED
from tests.cli.conftest import Run


def test_list_names_every_space_with_its_size(run: Run) -> None:
    printed = run("spaces", "list", "--json")
    assert printed.code == 0
    assert [row["space"] for row in printed.data] == list(NAMED)
    assert all(row["designs"] and row["good_for"] for row in printed.data)
    lines = run("spaces", "list").out.splitlines()
    assert len(lines) == 1 + len(NAMED)


@pytest.mark.parametrize("name", sorted(NAMED))
def test_show_tells_operators_and_values(run: Run, name: str) -> None:
    printed = run("spaces", "show", name)
    assert printed.code == 0
    assert "operators" in printed.out
    assert printed.err == ""
    assert run("spaces", "show", name, "--json").code == 0


def test_show_of_a_file_for_a_task(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("from: small\noperators: [gat, gcn]\nvalues: {gat.heads: [2, 4]}\nlock: [recipe.epochs=50]\n")
    lines = run("spaces", "show", "mine.yaml", "--task", "digits").out.splitlines()
    assert lines[0].startswith("space mine for node tasks: 10^")
    assert lines[1] == "locked: recipe.epochs 50"
    assert any(line.startswith("  gat ") and "heads 2, 4" in line for line in lines)
    assert any(line.split() == ["epochs", "50"] for line in lines)


def test_size_says_what_it_counts(run: Run) -> None:
    assert run("spaces", "size", "nasbench", "--json").data == {
        "space": "nasbench, settings of cora", "designs": "26,206", "log10_size": 4.42, "factors": 2,
        "counted": "exactly: distinct cells, equal ones counted once",
    }  # fmt: skip
    whole, locked = (run("spaces", "size", "default", *more, "--json").data for more in ((), ("--lock", "recipe.epochs=50")))
    assert whole["counted"].startswith("from above: ")
    assert locked["log10_size"] < whole["log10_size"]
    assert locked["locked"].startswith("recipe.epochs 50: ")


def test_a_start_gives_the_locks_their_values(run: Run, tmp_path: Path) -> None:
    spec = {"body": {"nodes": [{"id": "enc", "op": "gat", "width": 16}], "outputs": ["enc"]}}
    (tmp_path / "gat.json").write_text(json.dumps(spec))
    lines = run("spaces", "show", "default", "--lock", "body.enc", "--start", "gat.json").out.splitlines()
    assert lines[1] == "locked: body.enc (gat)"


@pytest.mark.parametrize(("words", "told"), [
    (("show", "atention"), "unknown space 'atention'; did you mean attention?"),
    (("size", "none.yaml"), "none.yaml: no such file; give a space file, see docs/spaces.md"),
    (("show", "default", "--lock", "body.n1"), "give --start SPEC too"),
    (("show", "nasbench", "--task", "digitz"), "digitz"),
])  # fmt: skip
def test_what_is_wrong_is_one_line(run: Run, words: tuple[str, ...], told: str) -> None:
    printed = run("spaces", *words)
    assert printed.code == 2
    assert told in printed.err
    assert printed.err.count("\n") == 1
