"""A run's events as they come: a journal that grows, one that ended, one that is damaged."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentnas import following
from agentnas.following import Beat, Tail, checked_speed, follow, replay
from agentnas.memory import events as ev
from agentnas.memory.rundir import RunDirectory
from agentnas.tools.errors import RunError, UsageError
from tests.agent_runs import finished, make_agent_run

STARTED = ev.RunStarted(task="cora", protocol="public", config={}, environment={})


@pytest.fixture
def ended(tmp_path: Path) -> RunDirectory:
    return make_agent_run(tmp_path)


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A directory without a journal, whose watcher looks often."""
    monkeypatch.setattr(following, "POLL_S", 0.01)
    return RunDirectory.create(tmp_path, "cora")


def test_a_run_that_ended_is_read_at_once(ended: RunDirectory) -> None:
    events = ended.events()
    assert list(follow(ended)) == [Beat(tuple(events), events[-1].t)]


def test_each_event_is_read_once_and_a_torn_line_when_it_is_whole(ended: RunDirectory) -> None:
    whole = ended.journal_file.read_bytes()
    events, tail = tuple(ended.events()), Tail(ended)
    cut = whole.index(b"\n", 3000) + 20
    ended.journal_file.write_bytes(whole[:cut])
    first = tail.read()
    assert 0 < len(first) < len(events)
    assert tail.read() == ()
    with ended.journal_file.open("ab") as file:
        file.write(whole[cut:])
    assert first + tail.read() == events


def test_a_run_that_has_just_begun_is_waited_for_and_followed_to_its_end(begun: RunDirectory) -> None:
    beats: Iterator[Beat] = follow(begun)
    assert next(beats) == Beat((), 0.0)
    with begun.journal() as journal:
        journal.append(STARTED)
        assert [event.type for event in next(beats).events] == ["run_started"]
        assert next(beats).events == ()
        journal.append(finished("t0001", 80.0))
    assert [event.type for beat in beats for event in beat.events] == ["evaluation_finished"]


def test_a_run_killed_while_it_began_is_not_waited_for_for_ever(begun: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PATIENCE_S", 0.05)
    begun.journal_file.write_bytes(b'{"t":0.0,"type":"run_sta')
    with pytest.raises(RunError, match="has no event to show: it ended while it began"):
        list(follow(begun))


def test_following_leaves_the_run_as_it_is(begun: RunDirectory) -> None:
    """Another process can take the run up while somebody follows it."""
    with begun.journal() as journal:
        journal.append(STARTED)
    tail = Tail(begun)
    tail.read()
    before = begun.journal_file.read_bytes()
    with begun.journal() as journal:
        assert begun.journal_file.read_bytes() == before
        journal.append(ev.RunResumed())
    assert [event.type for event in tail.read()] == ["run_resumed"]


def test_the_clock_goes_on_between_events_but_not_while_a_plan_waits(begun: RunDirectory) -> None:
    tail = Tail(begun)
    assert tail.active() == 0.0
    with begun.journal() as journal:
        journal.append(STARTED)
        for path in begun.path.iterdir():
            os.utime(path, (time.time() - 100,) * 2)
        (event,) = tail.read()
        assert 100 <= tail.active() - event.t < 110
        journal.append(ev.ReviewAwaited(round=1))
        (waits,) = tail.read()
        assert tail.active() == waits.t


def test_time_that_a_run_lay_still_before_it_was_resumed_is_not_active(begun: RunDirectory) -> None:
    with begun.journal() as journal:
        journal.append(STARTED)
    os.utime(begun.journal_file, (time.time() - 5000,) * 2)
    with begun.journal():
        tail = Tail(begun)
        tail.read()
        assert tail.active() < 10


def test_a_replay_takes_the_time_of_the_run_divided_by_its_speed() -> None:
    events: list[ev.AnyEvent] = [
        STARTED,
        finished("t0001", 80.0).model_copy(update={"t": 3.0}),
        finished("t0001", 81.0).model_copy(update={"t": 6.0}),
    ]
    start = time.monotonic()
    beats = list(replay(events, 10))
    assert 0.6 <= time.monotonic() - start < 5
    assert [event for beat in beats for event in beat.events] == events
    clock = [beat.active for beat in beats]
    assert clock == sorted(clock)
    assert clock[-1] == 6.0
    assert any(3.0 < active < 6.0 for active in clock)


def test_damage_is_named_by_its_line(ended: RunDirectory) -> None:
    tail = Tail(ended)
    count = len(tail.read())
    with ended.journal_file.open("ab") as file:
        file.write(b"not an event\n")
    with pytest.raises(RunError, match=rf"events\.jsonl:{count + 1}: not a journal event"):
        tail.read()


@pytest.mark.parametrize("size", [0, 100])
def test_a_journal_that_shrinks_is_said(begun: RunDirectory, size: int) -> None:
    with begun.journal() as journal:
        journal.append(STARTED)
    tail = Tail(begun)
    tail.read()
    os.truncate(begun.journal_file, size)
    with pytest.raises(RunError, match="became shorter while it was watched"):
        tail.read()


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_a_speed_is_0_or_more(speed: float) -> None:
    with pytest.raises(UsageError, match=r"--speed .* is not allowed; give 0"):
        checked_speed(speed)
    assert checked_speed(0.5) == 0.5
