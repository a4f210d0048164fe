"""``agentnas watch``: on a terminal, in a pipe, beside a run of another process, and what it says to bad input."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentnas.memory import events as ev
from agentnas.memory.rundir import RunDirectory
from tests.agent_runs import finished, make_agent_run
from tests.cli.conftest import Run

COMMAND = (sys.executable, "-m", "agentnas.cli")
STARTED = ev.RunStarted(task="cora", protocol="public", config={"trials": 3}, environment={}, metric="accuracy")
FULL_SCREEN = b"\x1b[?1049h"
COLOUR = re.compile(rb"\x1b\[(?:\d+;)*3[0-7]m")


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, words: tuple[str, ...], folder: Path, columns: int, rows: int, **environment: str) -> None:
        self._fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS", "LINES")}
        # As at a prompt: a shell starts what it runs in the background with Ctrl-C ignored, and its children inherit that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.process = subprocess.Popen(
            [*COMMAND, *words], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env={**env, "TERM": "xterm-256color", **environment}
        )
        signal.signal(signal.SIGINT, before)
        os.close(theirs)
        self.shown = b""

    def until(self, text: bytes) -> None:
        """Read until the text was shown; EOFError where the command ends before."""
        while text not in self.shown:
            self._read()

    def end(self) -> int:
        """Read to the end; the exit code."""
        try:
            while True:
                self._read()
        except EOFError:
            return self.process.wait(30)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # how Linux says that the other end is closed
            data = b""
        if not data:
            raise EOFError(self.shown.decode(errors="replace"))
        self.shown += data

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._fd)


Start = Callable[..., Terminal]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Start]:
    """``terminal("watch", columns=60, rows=20)``, in the folder of the test."""
    opened: list[Terminal] = []

    def start(*words: str, columns: int = 80, rows: int = 24, **environment: str) -> Terminal:
        opened.append(Terminal(words, tmp_path, columns, rows, **environment))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_in_a_pipe_a_finished_run_is_printed_plainly(run: Run, tmp_path: Path) -> None:
    directory = make_agent_run(tmp_path / "runs")
    for words in (("watch",), ("watch", directory.name[:12], "--once"), ("watch", "latest", "--speed", "10")):
        printed = run(*words)
        assert printed.code == 0
        assert printed.out.startswith(f"finished · {directory.name}\n")
        assert "winner t0002: validation 81.75 ± 0.35" in printed.out
        assert "\x1b" not in printed.out
        assert max(map(len, printed.out.splitlines())) <= 80
        assert printed.err == f"its report: agentnas report {directory.name}\n"


def test_how_to_resume_is_said_where_it_would_change_something(run: Run, tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "other runs", "cora")
    with directory.journal() as journal:
        journal.append(STARTED)
        journal.append(ev.RunInterrupted(reason="Ctrl-C"))
    printed = run("watch", "--runs-dir", tmp_path / "other runs")
    assert printed.out.startswith("interrupted · ")
    assert printed.err.splitlines()[1] == f"to go on: agentnas design --resume {directory.name} --runs-dir '{tmp_path / 'other runs'}'"


def test_a_run_that_goes_on_is_shown_once_without_waiting(run: Run, tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "runs", "cora")
    with directory.journal() as journal:
        journal.append(STARTED)
        printed = run("watch", "--once")
    assert printed.out.startswith(f"running · {directory.name}\n")
    assert printed.err == f"the run goes on; to look again: agentnas watch {directory.name}\n"


@pytest.mark.parametrize(("columns", "rows"), [(60, 20), (200, 50)])
def test_on_a_terminal_a_run_is_replayed_and_the_terminal_given_back(terminal: Start, tmp_path: Path, columns: int, rows: int) -> None:
    make_agent_run(tmp_path / "runs")
    screen = terminal("watch", "--speed", "1", columns=columns, rows=rows)
    assert screen.end() == 0
    assert screen.shown.index(FULL_SCREEN) < screen.shown.index(b"replay") < screen.shown.index(b"\x1b[?1049l")
    after = screen.shown[screen.shown.index(b"\x1b[?1049l") :]
    assert b"finished" in after
    assert b"its report: agentnas report" in after
    assert screen.shown.rindex(b"\x1b[?25h") > screen.shown.rindex(b"\x1b[?25l")  # the cursor is seen again


def test_below_the_prompt_nothing_of_the_terminal_is_taken(terminal: Start, tmp_path: Path) -> None:
    make_agent_run(tmp_path / "runs")
    screen = terminal("watch", "--inline", "--speed", "1")
    assert screen.end() == 0
    assert FULL_SCREEN not in screen.shown
    assert b"replay" in screen.shown


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_no_colour_where_none_is_wanted(terminal: Start, tmp_path: Path, environment: dict[str, str], coloured: bool) -> None:
    make_agent_run(tmp_path / "runs")
    screen = terminal("watch", **environment)
    assert screen.end() == 0
    assert bool(COLOUR.search(screen.shown)) == coloured


def test_a_terminal_without_utf8_gets_ascii(terminal: Start, tmp_path: Path) -> None:
    make_agent_run(tmp_path / "runs")
    screen = terminal("watch", PYTHONIOENCODING="ascii")
    assert screen.end() == 0
    assert b"81.75 +- 0.35" in screen.shown
    assert screen.shown.isascii()


def test_a_run_of_another_process_is_watched_to_its_end(terminal: Start, tmp_path: Path) -> None:
    words = ("design", "--task", "nasbench:cora", "--trials", "15", "--seed", "1")
    design = subprocess.Popen([*COMMAND, *words], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not list(tmp_path.glob("runs/*/run.json")):
            assert design.poll() is None
            time.sleep(0.05)
        screen = terminal("watch")
        screen.until(b"running")
        assert screen.end() == 0
        assert design.wait(60) == 0
    finally:
        design.kill()
        design.wait()
    assert b"its report: agentnas report" in screen.shown
    assert b"to go on" not in screen.shown


def test_ctrl_c_ends_the_watching_and_leaves_the_run_alone(terminal: Start, tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "runs", "cora")
    with directory.journal() as journal:
        journal.append(STARTED)
        screen = terminal("watch")
        screen.until(b"running")
        journal.append(finished("t0001", 80.0))
        screen.until(b"t0001")
        screen.process.send_signal(signal.SIGINT)
        assert screen.end() == 0
        journal.append(finished("t0001", 81.0, seed=1))
    assert b"the run goes on; to look again: agentnas watch" in screen.shown
    assert [event.type for event in directory.events()] == ["run_started", "evaluation_finished", "evaluation_finished"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("watch", "nowhere"), 2, "no run 'nowhere' in "),
        (("watch", "--runs-dir", "empty"), 2, "no latest run: empty holds no runs; agentnas design starts one"),
        (("watch", "--speed", "-1"), 2, "--speed -1 is not allowed; give 0 for the state at once, or how many times as fast, such as 10"),
        (("watch", "--speed", "fast"), 2, "Invalid value for '--speed': Input should be a valid number"),
        (("watch", "--once", "--speed", "2"), 2, "--once and --speed 2 exclude each other; give one of them"),
    ],
)
def test_bad_input_is_one_line(run: Run, tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    make_agent_run(tmp_path / "runs")
    printed = run(*words)
    assert (printed.code, printed.out) == (code, "")
    assert said in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no event to show: it ended while it began; start a new one with agentnas design"),
        (b"rubbish\n", "events.jsonl:1: not a line of a journal: 'rubbish'"),
        (b'{"type":"run_started","schema_version":99}\n', "has schema version 99, this AgentNAS reads up to 1; update AgentNAS"),
    ],
)
@pytest.mark.parametrize("once", [True, False])
def test_a_journal_that_is_empty_or_damaged_is_one_line(run: Run, tmp_path: Path, content: bytes, said: str, once: bool) -> None:
    directory = RunDirectory.create(tmp_path / "runs", "cora")
    directory.write_json("run.json", {"name": directory.name, "task": "cora", "created": "2026-01-31T09:30:00+00:00"})
    directory.journal_file.write_bytes(content)
    printed = run("watch", directory.name, *(["--once"] if once else []))
    assert (printed.code, printed.out) == (1, "")
    assert said in printed.err
    assert printed.err.count("\n") == 1
