"""The journal survives kills, torn lines, full disks and second writers."""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnas.memory import events as ev
from agentnas.memory.journal import Journal, lock_file
from agentnas.memory.lock import writer_of
from agentnas.memory.view import JournalView
from agentnas.tools.errors import RunError
from tests.memory import samples

KILLS = 200 if os.environ.get("AGENTNAS_PROVE") else 6

WRITER = """
import sys
from pathlib import Path
from agentnas.memory.journal import Journal
from tests.memory.samples import finished, started
path = Path(sys.argv[1])
with (Journal.open(path) if path.exists() else Journal.create(path)) as journal:
    if journal.view.started is None:
        journal.append(started())
    for seed in range(journal.view.num_evaluations, 10**6):
        journal.append(finished("t0001", seed=seed))
        print(seed, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "some-run"
    folder.mkdir()
    return folder / "events.jsonl"


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """As on a disk that has room for files of ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def spawn_writer(path: Path) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=root, stdout=subprocess.PIPE, text=True)


@given(started=samples.models(ev.RunStarted), events=st.lists(samples.events(), max_size=5))
@settings(max_examples=60, deadline=None)
def test_what_is_appended_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, started: ev.RunStarted, events: list[ev.Event]) -> None:
    path = tmp_path_factory.mktemp("run") / "events.jsonl"
    with Journal.create(path) as journal:
        stored = [journal.append(event) for event in (started, *events)]
        live = journal.view
    assert Journal.read(path) == stored
    assert [event.model_copy(update={"t": 0.0}) for event in stored] == [e.model_copy(update={"t": 0.0}) for e in (started, *events)]
    with Journal.open(path) as reopened:
        assert vars(reopened.view) == vars(live)


def test_a_live_view_is_the_view_of_a_resumed_run(path: Path) -> None:
    details = {"curve": [(1, float("nan"), 2.0)], 5: "five"}
    with Journal.create(path) as journal:
        journal.append(samples.started())
        journal.append(samples.finished("t0001", val=float("inf")).model_copy(update={"details": details}))
        live = journal.view.evaluations("t0001")
    (read,) = JournalView(Journal.read(path)).evaluations("t0001")
    assert live == [read]
    assert read.val == float("inf")
    assert read.details == {"curve": [[1, "NaN", 2.0]], "5": "five"}


def test_active_seconds_add_up_over_resumes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("agentnas.memory.journal.time.monotonic", lambda: clock[0])
    with Journal.create(path) as journal:
        journal.append(samples.started())
        clock[0] += 7
        journal.append(samples.drafted("t0001"))
    clock[0] += 1000  # nobody works on it
    with Journal.open(path) as journal:
        clock[0] += 5
        assert journal.append(ev.RunResumed()).t == 12.0
        assert journal.view.active_seconds == journal.active_seconds == 12.0


def test_a_line_torn_at_any_byte_is_dropped_and_cut_off(path: Path) -> None:
    with Journal.create(path) as journal:
        kept = [journal.append(samples.started()), journal.append(samples.drafted("t0001"))]
        size = path.stat().st_size
        journal.append(samples.finished("t0001"))
    whole = path.read_bytes()
    for cut in range(size, len(whole)):
        path.write_bytes(whole[:cut])
        assert Journal.read(path) == kept
        with Journal.open(path) as journal:
            assert path.stat().st_size == size
            journal.append(samples.finished("t0001"))
        assert len(Journal.read(path)) == 3


def test_a_run_killed_before_its_first_event_can_begin(path: Path) -> None:
    Journal.create(path).close()
    path.write_bytes(b'{"type": "run_st')
    assert Journal.read(path) == []
    with Journal.open(path) as journal:
        journal.append(samples.started())
    assert len(Journal.read(path)) == 1


@pytest.mark.parametrize("line", [b"", b"\x00\x00\x00", b'{"type": "run_resu', b"[1]", b'{"type": "dreamt"}', b'{"type": "run_finished"}'])
def test_a_broken_line_in_the_middle_is_named(path: Path, line: bytes) -> None:
    with Journal.create(path) as journal:
        journal.append(samples.started())
        journal.append(samples.drafted("t0001"))
    first, second, _ = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([first, line, second, b""]))
    for use in (Journal.read, Journal.open):
        with pytest.raises(RunError, match=r"events\.jsonl:2: not a journal event: ") as caught:
            use(path)
        assert "\n" not in str(caught.value)
    assert writer_of(lock_file(path)) is None


def test_a_newer_schema_is_refused_with_both_versions(path: Path) -> None:
    newer = {"type": "run_started", "schema_version": ev.SCHEMA_VERSION + 1, "shape": "unknown here"}
    path.write_text(json.dumps(newer) + "\n" + json.dumps({"type": "from the future"}) + "\n")
    for use in (Journal.read, Journal.open):
        with pytest.raises(RunError, match=rf"schema version {ev.SCHEMA_VERSION + 1}, this AgentNAS reads up to {ev.SCHEMA_VERSION}"):
            use(path)


@pytest.mark.parametrize("first", ["not json", '{"type": "noted", "message": "x"}', "[]"])
def test_a_file_that_is_no_journal_is_refused(path: Path, first: str) -> None:
    path.write_text(first + "\n")
    with pytest.raises(RunError, match=r"events\.jsonl:1: "):
        Journal.read(path)


def test_the_first_event_says_what_the_run_is(path: Path) -> None:
    with Journal.create(path) as journal, pytest.raises(RunError, match="begins with run_started, not Noted"):
        journal.append(ev.Noted(message="too early"))
    assert path.read_bytes() == b""


def test_a_missing_or_existing_file_is_one_line(path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot read .*No such file"):
        Journal.open(path)
    Journal.create(path).close()
    with pytest.raises(RunError, match=r"cannot create .*File exists"):
        Journal.create(path)
    with pytest.raises(RunError, match=r"cannot lock run nowhere: .*No such file"):
        Journal.create(path.parent / "nowhere" / "events.jsonl")


def test_a_second_writer_is_told_who_writes(path: Path) -> None:
    with Journal.create(path) as journal:
        journal.append(samples.started())
        with pytest.raises(RunError, match=f"run some-run is being written by process {os.getpid()}"):
            Journal.open(path)
        assert len(Journal.read(path)) == 1
        assert writer_of(lock_file(path)) == f"process {os.getpid()}"
    assert writer_of(lock_file(path)) is None
    Journal.open(path).close()


def test_a_second_writing_process_is_told_who_writes(path: Path) -> None:
    with spawn_writer(path) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "0\n"
        with pytest.raises(RunError, match=f"run some-run is being written by process {first.pid}"):
            Journal.open(path)
        first.kill()
    Journal.open(path).close()


@pytest.mark.timeout(600)
def test_kill_9_during_appends_loses_no_acknowledged_evaluation(path: Path) -> None:
    rng = random.Random(0)
    acknowledged = -1
    for _ in range(KILLS):
        with spawn_writer(path) as writer:
            assert writer.stdout is not None
            seeds = [writer.stdout.readline()]
            time.sleep(rng.uniform(0, 0.02))
            writer.send_signal(signal.SIGKILL)
            seeds += writer.stdout.readlines()
        acknowledged = max(acknowledged, *(int(seed) for seed in seeds if seed.endswith("\n")))
        read = [event.seed for event in JournalView(Journal.read(path)).evaluations("t0001")]
        assert read == list(range(len(read))), "one is missing or was written twice"
        assert len(read) > acknowledged
    Journal.open(path).close()


def test_a_full_disk_leaves_the_journal_as_it_was(path: Path) -> None:
    with Journal.create(path) as journal:
        journal.append(samples.started())
        before, events = path.read_bytes(), journal.view.num_events
        for room in (0, 1, 40):  # none of the line fits, or a part of it
            with files_at_most(len(before) + room), pytest.raises(RunError, match=r"cannot write .*; free some space") as caught:
                journal.append(samples.finished("t0001"))
            assert "\n" not in str(caught.value)
            assert path.read_bytes() == before
            assert (journal.view.num_events, journal.view.evaluations("t0001")) == (events, [])
        journal.append(samples.finished("t0001"))
    assert len(Journal.read(path)) == 2


def test_a_disk_that_cannot_even_undo_ends_the_writing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    journal = Journal.create(path)
    kept = journal.append(samples.started())
    monkeypatch.setattr("agentnas.memory.journal.os.fsync", broken)
    monkeypatch.setattr("agentnas.memory.journal.os.ftruncate", broken)
    with pytest.raises(RunError, match="Input/output error"):
        journal.append(samples.finished("t0001"))
    with pytest.raises(RunError, match="is closed; open the run again"):
        journal.append(ev.Noted(message="after half a line this would be garbage"))
    monkeypatch.undo()
    assert Journal.read(path)[0] == kept
    Journal.open(path).close()


def test_durable_events_are_on_disk_before_append_returns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    with Journal.create(path) as journal:
        monkeypatch.setattr("agentnas.memory.journal.os.fsync", lambda fd: synced.append(os.fstat(fd).st_size))
        journal.append(samples.started())
        journal.append(ev.Noted(message="may be lost in a power cut"))
        journal.append(samples.finished("t0001"))
        sizes = path.read_bytes().splitlines(keepends=True)
    assert synced == [len(sizes[0]), sum(map(len, sizes))]
    assert {kind.__name__ for kind in samples.EVENT_TYPES if kind.durable} == {
        "RunStarted", "RunResumed", "RunInterrupted", "RunFinished", "ProposalsDrafted", "EvaluationFinished", "EvaluationFailed",
        "WinnerChosen", "TestOpened", "BaselineMeasured", "LLMAsked", "LLMAnswered", "Told", "PlanReviewed",
    }  # fmt: skip


@pytest.mark.parametrize("value", [object(), "\ud800"])
def test_what_is_not_plain_data_is_refused_before_it_is_written(path: Path, value: object) -> None:
    with Journal.create(path) as journal:
        journal.append(samples.started())
        before = path.read_bytes()
        with pytest.raises(RunError, match="TaskCarded is not plain data"):
            journal.append(ev.TaskCarded(card={"value": value}))
        assert path.read_bytes() == before


def test_threads_of_a_process_share_the_journal(path: Path) -> None:
    with Journal.create(path) as journal:
        journal.append(samples.started())
        threads = [
            threading.Thread(target=lambda trial: [journal.append(samples.finished(trial, seed=s)) for s in range(20)], args=(f"t{i}",))
            for i in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    times = [event.t for event in Journal.read(path)]
    assert len(times) == 81
    assert times == sorted(times)


def test_listeners_see_what_is_already_written(path: Path) -> None:
    seen: list[tuple[str, int]] = []
    with Journal.create(path) as journal:
        journal.listeners.append(lambda event: seen.append((event.type, len(Journal.read(path)))))
        journal.append(samples.started())
        journal.append(ev.RunResumed())
    assert seen == [("run_started", 1), ("run_resumed", 2)]


def test_a_listener_whose_stream_is_gone_is_dropped_and_the_others_go_on(path: Path) -> None:
    heard: list[str] = []

    def gone(event: ev.AnyEvent) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    with Journal.create(path) as journal:
        journal.listeners += [gone, lambda event: heard.append(event.type)]
        journal.append(samples.started())
        journal.append(samples.drafted("t1"))
        assert gone not in journal.listeners
    assert heard == ["run_started", "proposals_drafted"]
    assert [event.type for event in Journal.read(path)] == heard


def test_a_bug_in_a_listener_is_told_after_the_event_is_written(path: Path) -> None:
    def buggy(event: ev.AnyEvent) -> None:
        raise KeyError("no such thing")

    with Journal.create(path) as journal:
        journal.listeners.append(buggy)
        with pytest.raises(KeyError, match="no such thing"):
            journal.append(samples.started())
        assert journal.view.num_events == len(Journal.read(path)) == 1
        journal.listeners.clear()
        journal.append(samples.drafted("t1"))
    assert len(Journal.read(path)) == 2


def test_time_that_passes_in_a_pause_is_not_active(path: Path) -> None:
    with Journal.create(path) as journal:
        journal.append(samples.started())
        with journal.paused():
            before = journal.active_seconds
            time.sleep(0.2)
            assert journal.append(ev.Noted(message="while a person thinks")).t == pytest.approx(before, abs=0.001)
        assert journal.active_seconds - before < 0.1
        time.sleep(0.05)
        assert journal.active_seconds - before >= 0.05


@pytest.mark.parametrize("was_on", [True, False])
def test_reading_leaves_the_collector_as_it_was(tmp_path: Path, was_on: bool) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"type":"run_started","schema_version":1}\n')
    (gc.enable if was_on else gc.disable)()
    try:
        with pytest.raises(RunError):
            Journal.read(path)
        assert gc.isenabled() == was_on
    finally:
        gc.enable()
