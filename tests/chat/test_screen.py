"""What reaches a terminal: folded at words, clean, in ASCII where there is nothing else."""

from __future__ import annotations

import io
import re

import pytest

from agentnas.chat.app import asker
from agentnas.chat.screen import Fold, Screen, clean

CODE = "print('a line of code that is longer than the width')"
TEXT = f"The architecture with the best validation score is a two-layer network.\n\n```\n{CODE}\n```\nEnd."


@pytest.mark.parametrize("size", [1, 3, 7, 200])
@pytest.mark.parametrize("width", [20, 40, 60])
def test_words_are_folded_however_the_pieces_come(size: int, width: int) -> None:
    fold = Fold(width)
    shown = "".join(fold.feed(TEXT[at : at + size]) for at in range(0, len(TEXT), size)) + fold.end()
    lines = shown.split("\n")
    assert CODE in lines
    assert all(len(line.rstrip()) <= width for line in lines if line != CODE)
    assert shown.split() == TEXT.split()


def test_escape_sequences_in_pieces_do_not_reach_the_terminal() -> None:
    evil = "a\x1b[31;1mred\x1b]0;title\x07 b\x1b[2Jc\x9b1m\x1b"
    for size in (1, 2, 5, 100):
        out = io.StringIO()
        screen = Screen(out, io.StringIO(), utf8=True)
        for at in range(0, len(evil), size):
            screen.say(evil[at : at + size])
        screen.end()
        assert out.getvalue() == "ared bc1m\n"


def test_without_utf8_everything_is_ascii() -> None:
    out, err = io.StringIO(), io.StringIO()
    screen = Screen(out, err, utf8=False)
    screen.say("81.2 ± 0.3 — “good” → 漢")
    screen.end()
    screen.tool("plan", "task cora", "ok")
    assert out.getvalue() == '81.2 +- 0.3 - "good" -> ?\n'
    assert err.getvalue() == "- plan(task cora) -> ok\n"


def test_the_locale_c_means_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setenv("LANG", "C")
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    assert Screen(out, io.StringIO()).fitted("±") == "+-"
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    assert Screen(out, io.StringIO()).fitted("±") == "±"


def test_a_tool_is_one_line_of_the_terminals_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    err = io.StringIO()
    Screen(io.StringIO(), err, utf8=True).tool("search_memory", '"over\nsmoothing in deep networks with many many layers"', "5 hits")
    (line,) = err.getvalue().splitlines()
    assert re.fullmatch(r'· search_memory\("over smoothing .*…\) → 5 hits', line)
    assert len(line) <= 60


def test_clean_keeps_lines() -> None:
    assert clean("a\tb\r\nc\x00\u202e") == "a    b\nc"


def test_a_question_is_folded_and_an_answer_is_asked_on_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out, asked = io.StringIO(), list[str]()

    def answer(text: str) -> str:
        asked.append(text)
        return "y"

    question = "task  cora\nStart this run (cora, 20m time, --max-params 50000 --max-latency-ms 2; $0)?"
    assert asker(Screen(out, io.StringIO(), utf8=True), yes=False, ask=answer)(question)
    shown = out.getvalue() + asked[0]
    assert shown.split() == f"{question} [y/N]".split()
    assert max(map(len, shown.splitlines())) <= 60


@pytest.mark.parametrize("typed", ["", "n", "maybe", "no"])
def test_anything_but_yes_is_no(typed: str) -> None:
    assert not asker(Screen(io.StringIO(), io.StringIO(), utf8=True), yes=False, ask=lambda _: typed)("Start?")
