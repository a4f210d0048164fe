"""The recording that ships shows a newcomer the three agents at work: no key, no network, answers that were really given."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import agentnas
from agentnas.agents.llm.names import recordings
from agentnas.agents.llm.recording import load_recording


@pytest.mark.parametrize("name", sorted(recordings()))
def test_what_ships_is_whole_and_holds_answers_of_all_three_roles(name: str) -> None:
    header, memory, lines = load_recording(Path(str(recordings()[name])), name)
    assert header.task.replace(":", "-") == name
    assert {line.role for line in lines} == {"planner", "coder", "analyst"}
    assert {json.loads(line)["kind"] for line in memory} == {"task", "trial", "finding"}
    assert all(line.text and line.finish == "stop" for line in lines)


def test_a_newcomer_sees_the_three_agents_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    began = time.monotonic()
    run = agentnas.design("nasbench:cora", trials=30, llm="replay:nasbench-cora", memory_dir="none", runs_dir=tmp_path)
    assert time.monotonic() - began < 120, "half a minute, and four times that on a busy machine"
    view = run.view
    assert (run.exit_code, view.num_tried) == (0, 30)
    assert {call.asked.role for call in view.calls.by_id.values()} == {"planner", "coder", "analyst"}
    assert all(call.answered is not None and call.answered.outcome == "answered" for call in view.calls.by_id.values())
    authors = [proposal.author for proposal in view.proposals.values()]
    assert authors.count("coder/replay:nasbench-cora") == 20, "all but the first round"
    assert authors.count("coder/transfer") == 5, "what the recorded run remembered of other data sets begins it"
    cited = {name for proposal in view.proposals.values() if ":" in proposal.author for name in proposal.evidence}
    assert any(name.startswith("trial:") and "/" in name for name in cited), "the model rests on trials of other data sets too"
    notes = [note.message for note in view.notes]
    assert "replay:nasbench-cora: demonstration recording, not a measure of any model" in notes
    assert not any("differs" in note for note in notes)
    assert view.memory == "memory: 120 trials of 4 tasks by earlier runs"
