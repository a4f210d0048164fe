"""What a run leaves behind, and that it gets into the store once, whatever died between."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentnas.memory import events as ev
from agentnas.memory.experience import experience
from agentnas.memory.keeping import keep_run, reconcile
from agentnas.memory.layered import Layered
from agentnas.memory.memory import trial_records
from agentnas.memory.portable import export_lines, forget_id, forget_run, forget_task
from agentnas.memory.records import record_evidence
from agentnas.memory.runs import find
from agentnas.memory.store import RunMark, Store
from agentnas.memory.view import JournalView
from agentnas.tools.evaluate.base import PLANNED
from tests.memory.chroma_server import running
from tests.memory.learning import CITESEER, a_finished_run
from tests.memory.samples import drafted, finished, started


def test_a_run_leaves_trials_findings_and_edits(tmp_path: Path) -> None:
    run = a_finished_run(tmp_path)
    found = experience(find(tmp_path, run).view(), "r")
    assert found is not None
    assert (found.task.key, found.task.graph, found.task.text) == ("citeseer, public", (3327, 9104, 3703, 6), CITESEER.text())
    best, other = found.trials
    assert (best.id, best.val, best.seeds, best.rank, best.ranked, best.rung) == ("r/t0002", 72.5, 2, 1, 2, "full")
    assert best.val_sd == pytest.approx(0.7071, abs=1e-4)
    assert best.task_vector == tuple(CITESEER.vector())
    assert (best.structure["body.nodes"], best.structure["op.gat"], "op.gcn" in best.structure) == (1.0, 1.0, False)
    assert best.design != other.design
    assert [(f.id, f.text) for f in found.findings] == [
        ("r/r0-1", "gat leads"),
        ("r/edit-t0002", "on citeseer, changing body.a.op (gcn -> gat) gained 2.00 ± 0.71 points over 1 pair"),
    ]
    assert found.findings[1].trials == ("r/t0001", "r/t0002")


def test_what_the_time_limit_ended_is_told_with_its_score(tmp_path: Path) -> None:
    view = find(tmp_path, a_finished_run(tmp_path)).view()
    assert not any(record.cut for record in trial_records(view, view.proposals))
    late = finished("t0001", seed=1, val=71.0).model_copy(update={"details": {PLANNED: 400}})
    view.apply(late)
    found = experience(view, "r")
    assert found is not None
    assert {trial.id: trial.cut for trial in found.trials} == {"r/t0001": True, "r/t0002": False}
    assert {record.id: record.cut for record in trial_records(view, view.proposals)} == {"t0001": True, "t0002": False}
    told = {trial.id: record_evidence(trial, 1.0).why for trial in found.trials}
    assert told["r/t0001"].endswith(", place 2 of 2 in its run, ended by the time limit of a training")
    assert told["r/t0002"].endswith(", place 1 of 2 in its run")


def test_an_edit_that_the_time_limit_ended_is_no_gain_or_loss_over_a_whole_training(tmp_path: Path) -> None:
    """Where it ended both they are alike again."""
    view = find(tmp_path, a_finished_run(tmp_path)).view()

    def edits() -> list[str]:
        found = experience(view, "r")
        assert found is not None
        return [finding.id for finding in found.findings if "edit" in finding.id]

    late = [finished(trial, seed=1, val=71.0).model_copy(update={"details": {PLANNED: 400}}) for trial in ("t0001", "t0002")]
    view.apply(late[0])
    assert edits() == []
    view.apply(late[1])
    assert edits() == ["r/edit-t0002"]


def test_test_scores_are_kept_of_the_winner_alone_and_told_to_nobody(tmp_path: Path, fresh: Path) -> None:
    a_finished_run(tmp_path)
    store = Store(str(fresh))
    reconcile(store, tmp_path)
    winner, other = sorted(store.trials_of("citeseer, public"), key=lambda trial: trial.test is None)
    assert winner.test == 71.0
    assert winner.test_sd == pytest.approx(1.4142, abs=1e-4)
    assert other.test is None
    told = " ".join(f"{e.text} {e.why}" for e in store.recall(CITESEER, "which?", 30) if e.kind != "card")
    assert "validation 72.50" in told
    assert "71.0" not in told
    assert "69.0" not in told


@pytest.mark.parametrize("events", [[], [started()], [started(), drafted("t0001"), finished("t0001")]])
def test_a_run_that_died_before_its_task_was_carded_leaves_nothing(events: list[ev.AnyEvent]) -> None:
    assert experience(JournalView(events), "r") is None


def test_what_a_crash_left_out_is_written_at_the_next_start_and_once(tmp_path: Path, fresh: Path) -> None:
    ended, died = a_finished_run(tmp_path), a_finished_run(tmp_path, finish=False)
    store = Store(str(fresh))
    assert set(reconcile(store, tmp_path).written) == {ended, died}
    lines = list(export_lines(store))
    assert reconcile(store, tmp_path).written == ()
    keep_run(store, find(tmp_path, ended).view(), ended)
    assert reconcile(store, tmp_path).written == (ended,), "a mark of 0 bytes: it is looked at again"
    assert list(export_lines(store)) == lines
    with find(tmp_path, died).journal() as journal:
        journal.append(ev.Noted(message="resumed"))
        assert reconcile(store, tmp_path).written == (), "somebody writes it"
    assert reconcile(store, tmp_path).written == (died,)


def test_catching_up_stops_when_its_time_is_over_and_names_what_it_cannot_read(tmp_path: Path, fresh: Path) -> None:
    runs = [a_finished_run(tmp_path) for _ in range(3)]
    store = Store(str(fresh))
    first = reconcile(store, tmp_path, seconds=-1.0)
    assert (first.written, set(first.left)) == ((), set(runs))
    journal = tmp_path / runs[0] / "events.jsonl"
    lines = journal.read_bytes().split(b"\n")
    journal.write_bytes(b"\n".join([*lines[:2], b"garbage", *lines[3:]]))
    second = reconcile(store, tmp_path)
    assert (set(second.written), list(second.unreadable)) == (set(runs[1:]), [runs[0]])


def test_what_was_forgotten_stays_forgotten(tmp_path: Path, fresh: Path) -> None:
    one, two, three = (a_finished_run(tmp_path) for _ in range(3))
    store = Store(str(fresh))
    reconcile(store, tmp_path)
    assert forget_id(store, f"trial:{one}/t0001") == (1, 0, 0)
    assert forget_run(store, two) == (2, 2, 0)
    for run in (one, two):  # their journals grow, and are read again
        with find(tmp_path, run).journal() as journal:
            journal.append(ev.Noted(message="more"))
    assert set(reconcile(store, tmp_path).written) == {one, two}
    assert {trial.id for trial in store.trials_of("citeseer, public")} == {f"{one}/t0002", f"{three}/t0001", f"{three}/t0002"}
    assert forget_task(store, "citeseer") == (3, 4, 0)
    reconcile(store, tmp_path)
    assert (store.trials_of("citeseer, public"), store.tasks()) == ([], {})
    later = a_finished_run(tmp_path)
    reconcile(store, tmp_path)
    assert {trial.run for trial in store.trials_of("citeseer, public")} == {later}


def test_a_server_that_goes_away_is_told_once_and_written_to_later(tmp_path: Path) -> None:
    run = a_finished_run(tmp_path / "runs")
    notes: list[str] = []
    with running(tmp_path / "server") as server:
        store = Store(server.address)
        memory = Layered(find(tmp_path / "runs", run).view(), run, store, notes.append)
        assert len(memory.recall(CITESEER, "which?", 6)) == 6
        server.stop()
        found = memory.recall(CITESEER, "which?", 6)
        assert {evidence.kind for evidence in found} == {"trial", "finding", "card"}, "the run's own, and the cards that ship"
        memory.keep()
        assert [note.split(":")[0] for note in notes] == ["the memory at http"]
        assert "does not answer" in notes[0]
        assert "the run goes on without it, and what it learns is written later" in notes[0]
        server.start()
        memory.keep()
        memory.settle(7)
        assert notes[1:] == [f"the memory in {server.address} is back"]
        assert len(store.trials_of("citeseer, public")) == 2
        assert store.marks() == {run: RunMark(run, 7)}
        store.close()


def test_a_run_that_was_not_kept_is_not_marked_as_seen(tmp_path: Path, fresh: Path) -> None:
    run, store = a_finished_run(tmp_path), Store(str(fresh))
    memory = Layered(find(tmp_path, run).view(), run, store, lambda note: None)
    memory.settle(10**6)
    assert reconcile(store, tmp_path).written == (run,)


def test_a_run_is_told_its_own_trials_once_and_those_of_others_in_turn(tmp_path: Path, fresh: Path) -> None:
    other, run = a_finished_run(tmp_path), a_finished_run(tmp_path)
    store = Store(str(fresh))
    reconcile(store, tmp_path)
    memory = Layered(find(tmp_path, run).view(), run, store, lambda note: None)
    trials = [evidence.id for evidence in memory.recall(CITESEER, "gat", 30) if evidence.kind == "trial"]
    assert trials == ["trial:t0002", f"trial:{other}/t0002", "trial:t0001", f"trial:{other}/t0001"]
    assert memory.get(f"trial:{other}/t0001") is not None
    assert memory.get("trial:no-such/t0001") is None
