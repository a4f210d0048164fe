"""``agentnas prompts``: what ships, what was sent in a run, what would be sent."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from agentnas.memory import events as ev
from agentnas.memory.inbox import leave_message
from agentnas.memory.rundir import RunDirectory
from agentnas.prompts import Prompts
from agentnas.prompts.roles import ROLES
from agentnas.run import Run as FinishedRun
from tests.cli.conftest import Run

OWN = "---\nversion: mine\n---\n# System\nBe brief.\n# User\n{task}\n{factors}\n{evidence}\n{results}\n{told}\n"
Turn = dict[str, str]


def turn(role: str, content: str) -> Turn:
    return {"role": role, "content": content}


OPENING = (turn("system", "You plan.\n"), turn("user", "Plan round 1.\n"))
REPAIR = (*OPENING, turn("assistant", "{}"), turn("user", "directions are missing"))


def asked(call: str, role: str, round_: int, step: int, messages: tuple[Turn, ...], attempt: int = 0) -> ev.LLMAsked:
    return ev.LLMAsked(
        call=call, role=role, round=round_, step=step, attempt=attempt, model="scripted:x", prompt_hash=f"hash-{step}", messages=messages,
        input_tokens=10, max_tokens=20, worst_cost=None,
    )  # fmt: skip


@pytest.fixture
def asking_run(tmp_path: Path) -> RunDirectory:
    """A run that asked its planner in rounds 1 and 2: in the latter twice over a broken line, then once for a repair."""
    run = RunDirectory.create(tmp_path / "runs", "cora")
    with run.journal() as journal:
        journal.append(ev.RunStarted(task="cora", protocol="public", config={}, environment={}))
        journal.append(asked("c0001", "planner", 1, 0, OPENING))
        journal.append(ev.LLMAnswered(call="c0001", outcome="answered", text="{}"))
        journal.append(asked("c0002", "planner", 2, 0, OPENING))
        journal.append(ev.LLMAnswered(call="c0002", outcome="connection", error="cut"))
        journal.append(asked("c0003", "planner", 2, 0, OPENING, attempt=1))
        journal.append(ev.LLMAnswered(call="c0003", outcome="unreadable", text="{}"))
        journal.append(asked("c0004", "planner", 2, 1, REPAIR))
    return run


def test_list_shows_version_source_and_placeholders(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "planner.md").write_text(OWN, encoding="utf-8")
    rows = {row["role"]: row for row in run("prompts", "list", "--prompts-dir", folder, "--json").data}
    assert rows.keys() == ROLES.keys()
    assert rows["planner"] == {
        "role": "planner", "version": Prompts(folder).versions()["planner"], "source": str(folder / "planner.md"), "partials": [],
        "placeholders": ["evidence", "factors", "results", "task", "told"],
    }  # fmt: skip
    assert rows["coder"]["source"] == "shipped"
    printed = run("prompts", "list")
    assert printed.out.splitlines()[0].split() == ["role", "version", "source", "partials"]
    assert f"\ncoder is filled with: {', '.join(sorted(ROLES['coder']))}\n" in printed.out


def test_show_prints_what_was_sent_with_every_repair(run: Run, asking_run: RunDirectory) -> None:
    assert run("prompts", "show", "planner", "--run", asking_run.name) == (0, (
        "==== c0002: planner, round 2, question, scripted:x, prompt hash-0: connection\n"
        "---- system\nYou plan.\n\n"
        "---- user\nPlan round 1.\n\n"
        "==== c0003: planner, round 2, question, try 2, scripted:x, prompt hash-0: unreadable\n"
        "(the 2 turns of c0002 again)\n\n"
        "==== c0004: planner, round 2, repair 1, scripted:x, prompt hash-1: no answer yet\n"
        "(the 2 turns of c0003, then)\n\n"
        "---- assistant\n{}\n\n"
        "---- user\ndirections are missing\n\n"
    ), "")  # fmt: skip


def test_show_of_a_round_is_exact_as_json(run: Run, asking_run: RunDirectory) -> None:
    shown = run("prompts", "show", "planner", "--run", asking_run.name, "--round", "1", "--json").data
    assert shown == [{
        "run": asking_run.name, "sent": True, "call": "c0001", "role": "planner", "round": 1, "step": 0, "attempt": 0,
        "model": "scripted:x", "prompt_hash": "hash-0", "messages": list(OPENING),
    }]  # fmt: skip


@pytest.mark.parametrize(
    ("role", "line"),
    [
        ("planner", "asked the planner nothing in round 7; it was asked in round 1, 2"),
        ("coder", "asked the coder nothing in round 7; it was never asked; leave --round out for what would be sent"),
    ],
)
def test_a_round_without_a_question(run: Run, asking_run: RunDirectory, role: str, line: str) -> None:
    printed = run("prompts", "show", role, "--run", asking_run.name, "--round", "7")
    assert printed == (2, "", f"agentnas: error: run {asking_run.name} {line}\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("planer",), "no role 'planer'; did you mean planner?"),
        (("planner", "--round", "1"), "--round 1 needs a run; name one with --run"),
        (("planner", "--run", "latest", "--task", "cora"),
         "--task cora is for a new run; a run has its own, so leave it out, or leave --run out"),
        (("planner", "--task", "core"), "task 'core' does not exist; did you mean cora?"),
    ],
)  # fmt: skip
def test_wrong_words_are_one_line(run: Run, words: tuple[str, ...], line: str) -> None:
    printed = run("prompts", "show", *words)
    assert (printed.code, printed.out) == (2, "")
    assert printed.err.startswith(f"agentnas: error: {line.removesuffix('?')}")
    assert printed.err.count("\n") == 1


def test_a_conversation_belongs_to_no_run(run: Run) -> None:
    printed = run("prompts", "show", "chat")
    assert printed.out.startswith("---- system\nYou are the voice of AgentNAS")
    assert "\n---- user\n[The next run as planned: nothing set yet. The run spoken of: none.]\nhello" in printed.out
    refused = run("prompts", "show", "chat", "--run", "latest")
    assert (refused.code, refused.out) == (2, "")
    assert "--run latest is for the agents of a run; a conversation has none" in refused.err


@pytest.mark.parametrize("role", [role for role in ROLES if role != "chat"])
def test_a_new_run_on_a_table_is_asked_about_its_anchors(run: Run, role: str) -> None:
    printed = run("prompts", "show", role)
    assert printed.code == 0
    assert printed.out.startswith("---- system\n")
    assert printed.out.count("\n---- user\n") == 1
    assert "79.40, 503,559 parameters" in printed.out
    assert printed.err.startswith("nothing was sent (about ")
    shown = run("prompts", "show", role, "--json").data
    assert (shown["role"], shown["run"], shown["sent"]) == (role, None, False)
    turns = [f"---- {turn['role']}\n{turn['content'].rstrip()}\n\n" for turn in shown["messages"]]
    assert "".join(turns) == printed.out


def test_a_task_that_trains_is_shown_before_its_anchors_are_trained(run: Run) -> None:
    printed = run("prompts", "show", "planner", "--task", "digits")
    assert printed.code == 0
    assert "task: digits, node classification" in printed.out
    assert "t0002: no score yet, " in printed.out


def test_own_prompts_are_shown_filled(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "planner.md").write_text(OWN, encoding="utf-8")
    printed = run("prompts", "show", "planner", "--prompts-dir", folder)
    assert printed.out.startswith("---- system\nBe brief.\n\n---- user\ntask: nasbench:cora")
    (folder / "planner.md").write_text(OWN.replace("{told}", "{tld}"), encoding="utf-8")
    printed = run("prompts", "show", "planner", "--prompts-dir", folder)
    assert printed == (4, "", f"agentnas: error: prompt {folder / 'planner.md'}: unknown placeholder {{tld}}; did you mean told?\n")


@pytest.fixture
def ruled_run(table_run: FinishedRun, tmp_path: Path) -> RunDirectory:
    """A finished run by rules that this test alone has."""
    shutil.copytree(table_run.path, tmp_path / "own" / table_run.name)
    return RunDirectory.open(tmp_path / "own" / table_run.name)


def test_a_run_by_rules_is_shown_what_would_come_next_and_stays_as_it_is(run: Run, ruled_run: RunDirectory) -> None:
    def content() -> dict[str, str]:
        files = sorted(path for path in ruled_run.path.rglob("*") if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    leave_message(ruled_run, "try attention")
    before = content()
    printed = run("prompts", "show", "planner", "--run", ruled_run.path)
    assert printed.err.startswith(f"run {ruled_run.name} asked the planner nothing; this is what it would be sent next (about ")
    assert "\n- try attention\n" in printed.out
    assert "Left: 0 trials" in printed.out
    assert content() == before
    best = ruled_run.view().best
    assert best is not None
    assert f"- {best.trial}: {best.val_mean:.2f}, " in printed.out


def test_a_run_without_trials_asks_nothing_yet(run: Run, ruled_run: RunDirectory) -> None:
    first = ruled_run.journal_file.read_bytes().split(b"\n")[0]
    ruled_run.journal_file.write_bytes(first + b"\n")
    line = f"run {ruled_run.name} has no trial yet, and no model is asked before the anchors are tried; leave --run out"
    assert run("prompts", "show", "coder", "--run", ruled_run.path) == (2, "", f"agentnas: error: {line}\n")
