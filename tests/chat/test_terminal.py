"""A person at a real terminal: from "hello" to an exported model, with a model and with none; Ctrl-C, narrow, plain, piped."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from agentnas.memory.runs import find
from tests.llm_server import LLMServer, Stall, calls

COMMAND = ["-m", "agentnas.cli", "chat"]
PLAIN = {"PROMPT_TOOLKIT_NO_CPR": "1", "NO_COLOR": "1", "TERM": "xterm", "LANG": "C.UTF-8"}
PATIENCE_S = 30
# What a terminal is told when a line may be typed: pasted text is to be marked.
ESCAPE = r"\x1b\[[0-?]*[ -/]*[@-~]"
PROMPT = "\x1b[?2004h"


class Terminal:
    """``agentnas chat`` on a terminal of its own."""

    def __init__(self, folder: Path, *words: str, columns: int = 100, **around: str) -> None:
        env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "LC_ALL")}
        places = ["--sessions-dir", str(folder / "sessions"), "--runs-dir", str(folder / "runs")]
        self.child = pexpect.spawn(
            sys.executable, [*COMMAND, *places, *words], cwd=str(folder), env={**env, **PLAIN, **around}, dimensions=(40, columns),
            encoding="utf-8", codec_errors="replace", timeout=PATIENCE_S,
        )  # fmt: skip
        self.begun = self.until(PROMPT)

    def until(self, text: str) -> str:
        """Wait until the text was shown."""
        self.child.expect_exact(text)
        return str(self.child.before)

    def type(self, line: str, *shown: str) -> None:
        """Type a line, wait for what it brings, in order, and for the next prompt."""
        self.ask(line, *shown)
        self.until(PROMPT)

    def ask(self, line: str, *shown: str) -> None:
        """The same of a line that brings a question."""
        self.child.send(f"{line}\r")
        for text in shown:
            self.until(text)

    def leave(self) -> int:
        """Ctrl-D; the exit code."""
        self.child.sendeof()
        self.child.expect(pexpect.EOF)
        self.child.close()
        return int(self.child.exitstatus)


@pytest.fixture
def opened() -> Iterator[list[Terminal]]:
    """Terminals that are closed whatever happens."""
    held: list[Terminal] = []
    yield held
    for terminal in held:
        terminal.child.close(force=True)


def test_from_hello_to_an_exported_model_with_a_model(tmp_path: Path, opened: list[Terminal]) -> None:
    answers: list[Any] = [
        "Hello! For which graph do you need an architecture?",
        calls("inspect_data", {"path": "papers.csv"}),
        "There is no papers.csv here. I could design for nasbench:cora, which is a citation graph too.",
        calls("show_task", {"name": "nasbench:cora"}),
        calls("plan", {"task": "nasbench:cora", "trials": 7}),
        "Cora has 2,708 nodes. The plan: 7 trials, no model is paid. Shall I start?",
        calls("start_run"),
        calls("wait_for_run", {"longest": "5m"}),
        calls("best", {"top": 3}),
        "It is done; the winner would reach 99.9 elsewhere.",
        "It is done; /best shows the winner.",
        calls("export", {"folder": "model"}),
        "The winner is in the folder model.",
    ]
    with LLMServer(answers) as server:
        terminal = Terminal(tmp_path, "--llm", f"openai:m@{server.url}")
        opened.append(terminal)
        terminal.type("hello", "For which graph do you need an architecture?")
        terminal.type("node classification on my citation data in papers.csv", "· inspect_data(", "papers.csv", "There is no papers.csv")
        terminal.type("take that, 7 trials", "· show_task(", "2708 nodes", "· plan(", "Shall I start?")
        terminal.ask("yes, start and wait", "Start this run (nasbench:cora, 7 trials; $0: no language model is called)? [y/N] ")
        terminal.type("y", "· start_run(", "started ", "· wait_for_run(", "· best(", "unverified: 99.9 is in no tool result", "/best shows")
        terminal.type("export it to model", "· export(", "in model", "The winner is in the folder model.")
        assert terminal.leave() == 0
    assert (tmp_path / "model" / "spec.json").exists()
    assert find(tmp_path / "runs", "latest").view().finished is not None
    saved = "".join(path.read_text() for path in (tmp_path / "sessions").glob("*.jsonl"))
    assert '"type":"corrected"' in saved


def test_from_hello_to_an_exported_model_without_a_key(tmp_path: Path, opened: list[Terminal]) -> None:
    terminal = Terminal(tmp_path, "--session", "mine")
    opened.append(terminal)
    terminal.type("hello", "Hello! I design graph neural networks.")
    terminal.type("/task nasbench:cora", "chosen for the next run")
    terminal.type("/plan trials=7", "no language model is called")
    terminal.ask("/run", "[y/N] ")
    terminal.type("n", "Not started")
    terminal.ask("/run", "[y/N] ")
    terminal.type("y", "goes on in the background")
    terminal.type("/wait", "finished")
    terminal.type("/best", "winner", "rung")
    terminal.type("/why best", "How it came about")
    terminal.type("/export model", "model/spec.json")
    assert terminal.leave() == 0
    assert (tmp_path / "model" / "spec.json").exists()
    again = Terminal(tmp_path, "--continue")
    opened.append(again)
    assert "session mine goes on; last you said: /export model" in again.begun
    again.type("/status", "finished")
    assert again.leave() == 0


def test_ctrl_c_interrupts_the_answer_and_not_the_run(tmp_path: Path, opened: list[Terminal]) -> None:
    with LLMServer([Stall(30.0, "too late"), "Here I am."]) as server:
        terminal = Terminal(tmp_path, "--llm", f"openai:m@{server.url}", "--yes")
        opened.append(terminal)
        terminal.type("/plan task=nasbench:cora trials=3000", "3000")
        terminal.type("/run", "goes on in the background")
        terminal.child.send("how is it going?\r")
        while not server.history:
            terminal.child.expect([pexpect.TIMEOUT], timeout=0.1)
        terminal.child.sendintr()
        terminal.until("interrupted; the run goes on")
        terminal.until(PROMPT)
        terminal.type("/status", "running")
        terminal.type("and now?", "Here I am.")
        terminal.type("/stop", "stops after the evaluations")
        terminal.type("/wait", "interrupted")
        assert terminal.leave() == 0
    assert find(tmp_path / "runs", "latest").view().interrupted is not None


def test_a_narrow_terminal_without_utf8(tmp_path: Path, opened: list[Terminal]) -> None:
    terminal = Terminal(tmp_path, columns=60, LANG="C")
    opened.append(terminal)
    terminal.child.send("/help\r")
    shown = re.sub(ESCAPE, "", terminal.until("leave; a run goes on"))
    assert shown.isascii()
    terminal.until(PROMPT)
    terminal.child.send("hello\r")
    told = terminal.until("everything.")
    terminal.until(PROMPT)
    lines = [re.sub(ESCAPE, "", line) for line in told.splitlines()]
    assert max(len(line.rstrip()) for line in lines) <= 60
    assert terminal.leave() == 0


def test_lines_are_joined_and_names_completed(tmp_path: Path, opened: list[Terminal]) -> None:
    terminal = Terminal(tmp_path)
    opened.append(terminal)
    terminal.child.send("/task nasbench:pho\t")
    terminal.type("", "task: nasbench:photo", "chosen for the next run")
    terminal.child.send("please stop\\\r")
    terminal.type("the run", "/stop")
    terminal.child.sendintr()
    terminal.until("Ctrl-D or /exit leaves")
    terminal.until(PROMPT)
    terminal.ask("/exit", "agentnas chat --session ")
    terminal.child.expect(pexpect.EOF)


def piped(folder: Path, text: str, *words: str, **around: str) -> subprocess.CompletedProcess[str]:
    places = ["--sessions-dir", str(folder / "sessions"), "--runs-dir", str(folder / "runs")]
    return subprocess.run(
        [sys.executable, *COMMAND, *places, *words], cwd=folder, input=text, capture_output=True, text=True, check=False,
        env={**os.environ, **around}, timeout=PATIENCE_S,
    )  # fmt: skip


def test_a_pipe_gets_plain_text_and_nobody_is_asked(tmp_path: Path) -> None:
    done = piped(tmp_path, "hello\n/plan task=nasbench:cora trials=7\n/run\n/exit\nnot read\n")
    assert "\x1b" not in done.stdout + done.stderr
    assert ">" not in done.stdout
    assert "nobody is there to be asked; agentnas chat --yes says yes beforehand" in done.stderr
    assert done.returncode == 1
    assert not (tmp_path / "runs").exists()


def test_a_pipe_with_yes_designs_and_exports(tmp_path: Path) -> None:
    done = piped(tmp_path, "/plan task=nasbench:cora trials=7\n/run\n/wait\n/export model\n", "--yes", LANG="C", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model" / "spec.json").exists()
    listed = piped(tmp_path, "", "--list")
    assert "/export model" in listed.stdout


def test_a_run_that_cannot_begin_says_why(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where a folder belongs", encoding="utf-8")
    done = piped(tmp_path, "/plan task=nasbench:cora trials=7\n/run\n", "--yes")
    assert "error: the run did not begin: " in done.stderr
    assert done.stderr.count("error: ") == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--continue",), 2, "no conversation to continue"),
        (("--session", "a/b"), 2, "is no name"),
        (("--session", "x", "--continue"), 2, "no session 'x' to continue"),
        (("--llm", "opnai:x"), 2, "unknown provider 'opnai'"),
        (("--llm", "openai:gpt-5"), 4, "no key; set OPENAI_API_KEY"),
        (("--llm", "openai:m@http://127.0.0.1:9/v1"), 4, "127.0.0.1:9"),
        (("--json",), 2, "--json goes with --list"),
    ],
)
def test_what_cannot_work_is_one_line(words: tuple[str, ...], code: int, said: str, tmp_path: Path) -> None:
    done = piped(tmp_path, "", *words, OPENAI_API_KEY="")
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert done.stderr.removeprefix("opening the conversation\n").count("\n") == 1
