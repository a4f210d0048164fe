"""docs/own-walkthrough.md: its commands are run, with tiny budgets where they train, and what is the same in every run is compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.newcomers import FOLDERS
from tests.walkthrough import commands, renewed

PAGE = (Path(__file__).resolve().parents[2] / "docs/own-walkthrough.md").read_text(encoding="utf-8")
TINY = ("--trials", "1", "--confirm-seeds", "1", "--time", "none")
ANY = ("task: ", "  t0001 anchor ")  # lines of a design that hang on the data alone


def of(folder: str) -> list[tuple[list[str], str]]:
    """Commands of the page about one folder."""
    return [(words, said) for words, said in commands(PAGE) if folder in " ".join(words)]


def lines(text: str) -> list[str]:
    return sorted(filter(None, text.splitlines()))


def stable(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith(ANY)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("folder", FOLDERS)
def test_from_files_to_a_report(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    if folder == "molecules":
        pytest.importorskip("rdkit")
    monkeypatch.setenv("AGENTNAS_MEMORY_DIR", "none")
    FOLDERS[folder](tmp_path / folder)
    told = of(folder)
    assert [words[0] for words, _ in told][-1] == "design"
    for words, said in told[:-1]:
        printed = run(*words)
        assert (printed.code, lines(printed.out + printed.err)) == (0, lines(said))
    words, said = told[-1]
    printed = run(*_tiny(words))
    assert printed.code == 0, printed.err
    assert stable(said) == stable(printed.err)
    report = next(line.split()[-1] for line in (printed.out + printed.err).splitlines() if line.startswith("report "))
    assert "<html" in (tmp_path / report).read_text(encoding="utf-8")


def _tiny(words: list[str]) -> list[str]:
    """A design of one trial in place of minutes."""
    at = words.index("--time")
    return [*words[:at], *words[at + 2 :], *TINY]


def test_a_page_is_renewed_in_place() -> None:
    page = "a\n```console\n$ agentnas tasks list\nold\n```\nb\n"
    assert renewed(page, lambda words: f"{words}\n") == "a\n```console\n$ agentnas tasks list\n['tasks', 'list']\n```\nb\n"
    assert renewed(PAGE, lambda words: next(said for told, said in commands(PAGE) if told == words)) == PAGE
