"""What really left the machine in whole runs: the journal holds every word that was sent, and none of it is private."""

from __future__ import annotations

import getpass
import json
import platform
import re
from pathlib import Path
from typing import Any

import pytest

import agentnas
from agentnas.api import stored_settings
from agentnas.first_prompt import next_prompt
from agentnas.memory import events as ev
from agentnas.run import Run
from agentnas.tools.tasks import load_task
from tests import quick
from tests.agents.private import leaks

KEY = "sk-private-0123456789"
PLAN = {
    "reason": "depth is unknown",
    "directions": [
        {"name": name, "mode": "exploit", "factors": [], "share": 0.5, "hypothesis": f"{name} pays", "expected_gain": 0.1, "evidence": []}
        for name in ("one", "two")
    ],
}


def run_with_script(folder: Path, **settings: Any) -> Run:
    """A run all of whose agents ask a model that plans without evidence, writes no proposal, and analyses nothing."""
    nothing: dict[str, Any] = {"findings": [], "verdict": "go_on", "reason": "", "falsify": ""}
    script = folder / "script.json"
    script.write_text(json.dumps({"planner": [PLAN] * 20, "coder": [{"proposals": []}] * 20, "analyst": [nothing] * 20}), encoding="utf-8")
    return agentnas.design(**{"llm": f"scripted:{script}", "runs_dir": folder / "runs", **settings})


def sent(run: Run) -> dict[str, list[str]]:
    """All texts by role."""
    found: dict[str, list[str]] = {}
    for event in run.events:
        if isinstance(event, ev.LLMAsked):
            found.setdefault(event.role, []).extend(message["content"] for message in event.messages)
    return found


@pytest.mark.parametrize("task", ["nasbench:cora", "digits"])
def test_no_word_of_a_whole_run_is_private(task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    quick.shorten(monkeypatch)
    more = {"trials": 14} if task.startswith("nasbench:") else {"trials": 4, "confirm_seeds": 1, "workers": 1}
    texts = sent(run_with_script(tmp_path, task=task, **more))
    assert texts.keys() == {"planner", "coder", "analyst"}
    said = [text for role in texts.values() for text in role]
    assert leaks(said) == []
    machine = {str(tmp_path), str(Path.home()), platform.node(), KEY, *([getpass.getuser()] if getpass.getuser() != "root" else [])}
    assert [(word, text) for text in said for word in machine if word and word in text] == []


def test_what_is_shown_next_is_what_a_run_would_send(tmp_path: Path) -> None:
    """The journal is cut before its first question: the prompt that is shown then is the one that was sent."""
    run = run_with_script(tmp_path, task="nasbench:cora", trials=14)
    asked = next(event for event in run.events if isinstance(event, ev.LLMAsked))
    before = run.directory.journal_file.read_bytes().splitlines(keepends=True)[: run.events.index(asked)]
    run.directory.journal_file.write_bytes(b"".join(before))
    config, _ = stored_settings(run.directory)
    shown = next_prompt(asked.role, run.directory, config, load_task("nasbench:cora"))
    assert [message.as_dict() for message in shown] == list(asked.messages)


def test_the_planner_is_told_how_many_trials_its_round_has(tmp_path: Path) -> None:
    run = run_with_script(tmp_path, task="nasbench:cora", trials=17)
    asked = [
        event.messages[1]["content"]
        for event in run.events
        if isinstance(event, ev.LLMAsked) and (event.role, event.step) == ("planner", 0)
    ]
    rounds = [len(event.proposals) for event in run.events if isinstance(event, ev.ProposalsDrafted) and event.round > 0]
    told = [re.findall(r"Left: (\d+) trials.* This round: (\d+) trials?(, then \d+ are left|, the last)\.", text)[0] for text in asked]
    left = [sum(rounds[i:]) for i in range(len(rounds))]
    after = [f", then {all_ - now} are left" if all_ > now else ", the last" for all_, now in zip(left, rounds, strict=True)]
    assert told == [(str(all_), str(now), then) for all_, now, then in zip(left, rounds, after, strict=True)]
    assert len(told) >= 2
