"""InMemory keeps the contract, and sees the run that it belongs to as it goes on."""

from __future__ import annotations

import time

import pytest

from agentnas.memory import events as ev
from agentnas.memory.memory import InMemory, Memory, finding_records, one_line, task_similarity, trial_records
from agentnas.memory.view import JournalView
from tests.memory.conformance import Card, MemoryConformance
from tests.memory.samples import drafted, failed, finished, proposal, started


def a_run() -> JournalView:
    children = ev.ProposalsDrafted(
        round=1,
        proposals=(
            proposal("t0003", text="gcn x2 dropout 0.7", parent="t0001", factor="body.dropout", change="0.5 -> 0.7"),
            proposal("t0004", text="gat x2"),
            proposal("t0005", text="sage x9"),
        ),
    )
    learnt = ({"id": "r0-1", "text": "dropout gains", "trials": ["t0001"], "gain": 0.4}, {"factor": "depth", "gain": -1.0})
    return JournalView(
        [
            started(), drafted("t0001", "t0002"), finished("t0001", val=80.0), finished("t0001", seed=1, val=81.0), failed("t0002"),
            ev.FindingsMade(round=0, author="rules", findings=learnt, verdict="go on"), children, finished("t0003", val=82.0),
            ev.TrialRejected(trial="t0005", reason="parameters 9e9 > 1e6"),
        ]
    )  # fmt: skip


class TestInMemory(MemoryConformance):
    @pytest.fixture
    def memory(self) -> Memory:
        return InMemory()


class TestInMemoryOfARun(MemoryConformance):
    @pytest.fixture
    def memory(self) -> Memory:
        return InMemory(a_run())


def why(memory: InMemory, name: str) -> str:
    evidence = memory.get(name)
    assert evidence is not None
    return evidence.why


def test_trials_of_the_run_say_what_came_of_them() -> None:
    memory = InMemory(a_run())
    assert why(memory, "trial:t0001") == "validation 80.50 ± 0.71 (full, seeds 2), rank 2 of 2 in this run"
    assert why(memory, "trial:t0003") == (
        "validation 82.00 ± ? (full, seeds 1), rank 1 of 2 in this run; changed body.dropout (0.5 -> 0.7) against t0001"
    )
    assert why(memory, "trial:t0002") == "failed in this run: memory: over 100 MiB"
    assert why(memory, "trial:t0005") == "rejected in this run: parameters 9e9 > 1e6"
    assert memory.get("trial:t0004") is None, "a proposal that was not tried is no evidence"


def test_findings_of_the_run_are_cited_by_their_ids() -> None:
    memory = InMemory(a_run())
    first, second = memory.get("finding:r0-1"), memory.get("finding:r0-2")
    assert first is not None
    assert (first.text, first.why) == ("dropout gains", "concluded in round 0 of this run by rules")
    assert second is not None
    assert second.text == "factor: depth; gain: -1.0"


def test_the_view_is_read_live() -> None:
    view = a_run()
    memory = InMemory(view)
    view.apply(finished("t0004", val=85.0))
    trials = [evidence.id for evidence in memory.recall(None, "", 20) if evidence.kind == "trial"]
    assert trials[0] == "trial:t0004", "the leader first"
    assert trials[1:3] == ["trial:t0001", "trial:t0003"], "then what is least like it"
    assert trials[3:] == ["trial:t0002"], "then a failure"


def test_a_question_moves_the_trials_that_it_names_forward() -> None:
    memory = InMemory(a_run())
    (first, *_) = [e for e in memory.recall(None, "gcn t0001", 9) if e.kind == "trial"]
    assert first.id == "trial:t0001"


@pytest.mark.parametrize(("name", "prefix"), [("amber-fox", "amber-fox"), ("amber-fox", ""), ("", "")])
def test_records_of_a_run_are_not_told_twice(name: str, prefix: str) -> None:
    view = a_run()
    memory = InMemory(view, name)
    before = memory.recall(Card(), "dropout", 30)
    memory.add_trials(trial_records(view, view.proposals, Card().vector(), run=prefix))
    memory.add_findings(finding_records(view, 0, Card().vector(), run=prefix))
    assert memory.recall(Card(), "dropout", 30) == before


def test_another_runs_trials_are_no_own_ones_though_their_ids_coincide() -> None:
    memory, other = InMemory(a_run(), "amber-fox"), a_run()
    memory.add_trials(trial_records(other, ["t0001"], run="blue-owl"))
    memory.add_findings(finding_records(other, 0, run="blue-owl"))
    assert "in this run" in why(memory, "trial:t0001")
    assert why(memory, "trial:amber-fox/t0001") == why(memory, "trial:t0001")
    assert why(memory, "trial:blue-owl/t0001").startswith("validation 80.50 on task cora")
    told = [evidence.id for evidence in memory.recall(Card(), "dropout", 40)]
    assert {"trial:t0001", "trial:blue-owl/t0001", "finding:r0-1", "finding:blue-owl/r0-1"} <= set(told)
    (first, _) = finding_records(other, 0, run="blue-owl")
    assert first.trials == ("blue-owl/t0001",)


def test_failures_are_told_by_id_and_not_as_they_ended() -> None:
    def told(*ended: str) -> list[str]:
        view = JournalView([started(), drafted("t0001", "t9999", "t10000"), *map(failed, ended)])
        return [evidence.id for evidence in InMemory(view).recall(None, "", 20) if evidence.kind == "trial"]

    assert told("t9999", "t0001", "t10000") == told("t10000", "t9999", "t0001") == ["trial:t10000", "trial:t9999", "trial:t0001"]


def test_records_carry_a_run_into_another_memory() -> None:
    view, memory = a_run(), InMemory()
    memory.add_trials(trial_records(view, view.proposals, Card().vector()))
    memory.add_findings(finding_records(view, 0, Card().vector()))
    assert why(memory, "trial:t0003") == "validation 82.00 on task cora, similarity 1.00, public"
    assert [memory.get(f"trial:{trial}") is not None for trial in sorted(view.proposals)] == [True, False, True, False, False]
    assert [memory.get(name) is not None for name in ("finding:r0-1", "finding:r0-2")] == [True, True]
    assert finding_records(view, 7) == []


def test_task_similarity_falls_with_distance() -> None:
    assert task_similarity((0.1, 0.2), (0.1, 0.2)) == 1
    assert task_similarity((0.1, 0.2), (0.2, 0.2)) > task_similarity((0.1, 0.2), (0.9, 0.2)) > 0
    assert task_similarity((), (0.1,)) == 0.5
    assert task_similarity((0.1,), (0.1, 0.2)) == 0.0


def test_text_becomes_one_line() -> None:
    assert one_line(" a\n\tb\x07\u200bc ") == "a b c"
    assert one_line("word " * 10, 20) == "word word word wo..."


def test_a_task_without_a_question_is_asked_by_its_conditions() -> None:
    texas = Card("nodes 183\nedge homophily 0.11\nlabel rate 0.48")
    topics = [evidence.why for evidence in InMemory().recall(texas, "", 6)]
    assert sum("heterophily" in told for told in topics) >= 4


def test_recall_stays_fast_in_a_long_run() -> None:
    view = JournalView([started()])
    for i in range(3000):
        view.apply(drafted(f"t{i}", round=i))
        view.apply(finished(f"t{i}", val=i / 100))
        view.apply(ev.FindingsMade(round=i, author="rules", findings=({"text": f"finding {i}"},), verdict="go on"))
    memory = InMemory(view)
    times = []
    for _ in range(11):
        began = time.perf_counter()
        memory.recall(Card(), "dropout or depth?", 8)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.02
