"""Data on stdout, plain for machines, coloured only for people who want it."""

from __future__ import annotations

import json
import math
import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agentnas.cli import output
from agentnas.cli.output import emit, emit_json, say, table
from tests.waiting import until


def on_a_terminal(**environment: str) -> str:
    """What ``agentnas config show`` prints where stdout is a terminal."""
    ours, theirs = pty.openpty()
    around = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm"} | environment
    command = [sys.executable, "-m", "agentnas.cli", "config", "show"]
    subprocess.run(command, stdout=theirs, stderr=subprocess.DEVNULL, env=around, check=True)
    os.close(theirs)
    printed = os.read(ours, 65536).decode()
    os.close(ours)
    return printed


def test_a_table_is_aligned_and_says_what_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    emit(table(("run", "score"), [("calm-otter", 81.25), ("a", None)]))
    assert capsys.readouterr().out == "run         score\ncalm-otter  81.25\na               ?\n"


def test_an_empty_table_is_its_heading() -> None:
    assert "run" in table(("run", "score"), [])


def test_a_terminal_has_bold_headings() -> None:
    assert on_a_terminal().startswith("\x1b[1msetting")


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colour_gets_none(variable: str, value: str) -> None:
    printed = on_a_terminal(**{variable: value})
    assert printed.startswith("setting")
    assert "\x1b" not in printed


def test_json_is_valid_whatever_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json({"path": Path("a"), "nan": math.nan, "inf": math.inf, "text": "±"})
    assert json.loads(capsys.readouterr().out) == {"path": "a", "nan": None, "inf": None, "text": "±"}


def test_talk_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say("hello")
    assert capsys.readouterr() == ("", "hello\n")


def test_a_wait_is_told_once_it_is_one(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with output.soon("reading"):
        pass
    assert capsys.readouterr().err == "", "what is quick says nothing"
    monkeypatch.setattr(output, "PATIENCE_S", 0.0)
    with output.soon("reading"):
        until(lambda: not any(isinstance(thread, threading.Timer) for thread in threading.enumerate()), 10.0)
    assert capsys.readouterr().err == "reading\n"
    monkeypatch.setattr(output, "PATIENCE_S", 0.2)
    with output.soon("reading") as settled:
        settled()
        time.sleep(0.4)
    assert capsys.readouterr().err == "", "other words came first"
