"""Runs and the memory that outlives them: what one learns the next is told, and no run ends because of its memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import agentnas
from agentnas.agents.llm.recording import load_recording
from agentnas.memory import events as ev
from agentnas.memory.embedding import Lexical
from agentnas.memory.store import Store
from agentnas.run import Run
from agentnas.tools.errors import ConfigError
from tests.llm_server import LLMServer
from tests.minds import role_of, think

TABLE: dict[str, Any] = {"trials": 6, "seed": 1}


def told(run: Run) -> list[str]:
    return [item["id"] for event in run.events if isinstance(event, ev.EvidenceRecalled) for item in event.evidence]


def test_a_run_is_told_what_the_one_before_learnt(tmp_path: Path) -> None:
    where: dict[str, Any] = {"runs_dir": tmp_path / "runs", "memory_dir": tmp_path / "memory"}
    first = agentnas.design("nasbench:citeseer", **TABLE, **where)
    second = agentnas.design("nasbench:cora", **TABLE, **where)
    assert [name for name in told(first) if "/" in name] == []
    assert f"trial:{first.name}/{first.winner}" in told(second)
    assert any(name.startswith(f"finding:{first.name}/") for name in told(second))
    again = agentnas.design("nasbench:citeseer", **TABLE, **where, forget_task=True)
    assert {name.split("/")[0] for name in told(again) if "/" in name} == {f"trial:{second.name}", f"finding:{second.name}"}
    store = Store(str(tmp_path / "memory"))
    assert {run: mark.journal_bytes for run, mark in store.marks().items()} == {
        run.name: (run.path / "events.jsonl").stat().st_size for run in (first, second, again)
    }
    assert [run.view.memory for run in (first, second, again)] == [
        None,
        "memory: 6 trials of 1 task by earlier runs",
        "memory: 12 trials of 2 tasks by earlier runs",
    ]
    assert "--memory-dir none`" in first.report()
    assert "- memory: 6 trials of 1 task by earlier runs; with another memory the search takes another way" in second.report()
    assert [note for run in (first, second, again) for note in run.view.notes if note.level == "warning"] == []


def test_what_was_best_elsewhere_is_proposed_first_beside_an_anchor(tmp_path: Path) -> None:
    where: dict[str, Any] = {"runs_dir": tmp_path / "runs", "memory_dir": tmp_path / "memory"}
    first = agentnas.design("nasbench:citeseer", **TABLE | {"trials": 15}, **where)
    second = agentnas.design("nasbench:cora", **TABLE | {"trials": 10}, **where)
    proposals = list(second.view.proposals.values())
    assert proposals[0].author == "coder/transfer"
    remembered = proposals[0].evidence[0]
    assert remembered.startswith(f"trial:{first.name}/")
    assert (first.view.rank(remembered.rpartition("/")[2]) or 99) <= 3
    assert proposals[0].hypothesis.endswith("on nasbench:citeseer")
    (recalled, *_) = [event.evidence for event in second.events if isinstance(event, ev.EvidenceRecalled)]
    assert [item["why"].startswith("promising by") for item in recalled[:5]] == [True] * 4 + [False]
    assert len({item["id"] for item in recalled}) == len(recalled)
    assert proposals[0].change == "remembered from nasbench:citeseer"
    for round_ in (0, 1):
        assert any(second.view.proposals[trial].anchor for trial in second.view.rounds[round_])
    assert second.view.test is not None
    assert "plain" in second.view.test.comparison
    alone = agentnas.design("nasbench:cora", **TABLE, runs_dir=tmp_path / "alone", memory_dir=None)
    assert {proposal.author for proposal in alone.view.proposals.values()} == {"coder/anchors", "coder/evolution"}


def test_a_replay_remembers_what_the_recorded_run_did_and_nothing_else(tmp_path: Path) -> None:
    recording = tmp_path / "calls.jsonl"
    where: dict[str, Any] = {"runs_dir": tmp_path / "runs", "memory_dir": tmp_path / "memory"}
    agentnas.design("nasbench:citeseer", **TABLE | {"trials": 10}, **where)
    with LLMServer(think, role_of=role_of) as server:
        first = agentnas.design("nasbench:cora", **TABLE | {"trials": 12}, **where, llm=f"openai:m@{server.url}", record=recording)
    agentnas.design("nasbench:pubmed", **TABLE, **where)
    again = agentnas.design(
        "nasbench:cora",
        **TABLE | {"trials": 12},
        runs_dir=tmp_path / "elsewhere",
        memory_dir=tmp_path / "memory",
        llm=f"replay:{recording}",
    )
    assert any("/" in name for name in told(first))
    assert told(again) == told(first)
    assert [p.spec_hash for p in again.view.proposals.values()] == [p.spec_hash for p in first.view.proposals.values()]
    assert [note.message for note in again.view.notes if "differs" in note.message] == []
    assert again.name not in Store(str(tmp_path / "memory")).marks(), "its runs folder is another one's"


def test_a_memory_too_large_for_a_recording_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnas.agents.llm.recording.MOST_REMEMBERED", 3)
    where: dict[str, Any] = {"runs_dir": tmp_path / "runs", "memory_dir": tmp_path / "memory"}
    agentnas.design("nasbench:citeseer", **TABLE, **where)
    with LLMServer(think, role_of=role_of) as server:
        run = agentnas.design("nasbench:cora", **TABLE, **where, llm=f"openai:m@{server.url}", record=tmp_path / "calls.jsonl")
    assert any("at most 3 are recorded; a replay goes without it" in note.message for note in run.view.notes)
    assert load_recording(tmp_path / "calls.jsonl", "calls")[1] == ()


@pytest.mark.parametrize("place", ["http://127.0.0.1:9", "{file}"])
def test_a_memory_that_cannot_be_used_is_noted_and_the_run_goes_on(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    place = place.format(file=tmp_path / "file")
    run = agentnas.design("nasbench:cora", **TABLE, runs_dir=tmp_path / "runs", memory_dir=place)
    assert run.exit_code == 0
    (note,) = run.view.notes
    assert note.message.endswith("the run goes on without memory of other runs")
    later = agentnas.design("nasbench:citeseer", **TABLE, runs_dir=tmp_path / "runs", memory_dir=tmp_path / "memory")
    assert f"trial:{run.name}/{run.winner}" in told(later), "what could not be written is caught up with"


def test_another_embedder_is_said_before_a_run_begins(tmp_path: Path) -> None:
    class Other(Lexical):
        name = "other"

    Store(str(tmp_path / "memory"), Other()).close()
    with pytest.raises(ConfigError, match="was filled with the embedder other, this run asks for lexical-1"):
        agentnas.design("nasbench:cora", **TABLE, runs_dir=tmp_path / "runs", memory_dir=tmp_path / "memory")
    assert not (tmp_path / "runs").exists()


def test_without_a_place_nothing_outlives_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTNAS_MEMORY_DIR", str(tmp_path / "memory"))
    run = agentnas.design("nasbench:cora", **TABLE, runs_dir=tmp_path / "runs", memory_dir="none")
    assert run.exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]
