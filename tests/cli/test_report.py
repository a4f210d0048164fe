"""``agentnas report``: Markdown or a page, printed or written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agentnas.run import Run as Made
from tests.cli.conftest import Run


@pytest.fixture
def made(table_run: Made, tmp_path: Path) -> Path:
    """A finished run of one's own."""
    return Path(shutil.copytree(table_run.path, tmp_path / table_run.name))


def test_markdown_is_printed(run: Run, made: Path) -> None:
    assert run("report", made).out.startswith(f"# {made.name}\n")


@pytest.mark.parametrize("words", [("-o", "page.html"), ("--format", "html", "-o", "page.txt")])
def test_a_page_is_written_where_its_name_or_the_option_says_so(run: Run, made: Path, words: tuple[str, ...]) -> None:
    printed = run("report", made, *words)
    assert (printed.code, printed.out) == (0, f"{words[-1]}\n")
    assert Path(words[-1]).read_text(encoding="utf-8") == (made / "report.html").read_text(encoding="utf-8")


def test_a_page_can_be_printed_and_markdown_can_have_any_name(run: Run, made: Path) -> None:
    assert run("report", made, "--format", "html").out.startswith("<!DOCTYPE html>")
    assert run("report", made, "--format", "markdown", "-o", "x.html").code == 0
    assert Path("x.html").read_text(encoding="utf-8").startswith(f"# {made.name}\n")


def test_an_unknown_format_is_named_with_those_that_exist(run: Run, made: Path) -> None:
    printed = run("report", made, "--format", "pdf", "-o", "x.pdf")
    assert printed.code == 2
    assert "--format pdf is not known; allowed are markdown and html" in printed.err
    assert not Path("x.pdf").exists()
