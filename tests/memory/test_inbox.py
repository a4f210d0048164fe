"""The inbox: what other processes leave is taken once, in order, wherever the run was killed; what is no item never stops a run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.memory import events as ev
from agentnas.memory import inbox as box
from agentnas.memory.inbox import Inbox, Review, leave_message, leave_review, plan_id
from agentnas.memory.journal import Journal
from agentnas.memory.rundir import RunDirectory
from agentnas.tools.errors import UsageError
from tests.memory.samples import started

PLAN = ev.PlanMade(round=1, author="planner/rules", directions=({"name": "width", "share": 1.0},))
OTHER = ev.PlanMade(round=1, author="planner/rules", directions=({"name": "depth", "share": 1.0},))


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path, "cora")


@pytest.fixture
def journal(run: RunDirectory) -> Iterator[Journal]:
    with run.journal() as journal:
        journal.append(started())
        yield journal


@pytest.fixture
def inbox(run: RunDirectory, journal: Journal) -> Inbox:
    return Inbox(journal, run.inbox)


def warnings(journal: Journal) -> list[str]:
    return [note.message for note in journal.view.notes if note.level == "warning"]


def files(run: RunDirectory, where: str = ".") -> list[str]:
    return sorted(path.name for path in (run.inbox / where).iterdir() if path.is_file()) if (run.inbox / where).exists() else []


def test_messages_come_in_the_order_in_which_they_were_left_and_each_once(run: RunDirectory, journal: Journal, inbox: Inbox) -> None:
    for text in ("first", "second", "third"):
        leave_message(run, text)
    assert [message.text for message in inbox.messages()] == ["first", "second", "third"]
    for message in inbox.messages():
        journal.append(ev.Told(round=1, text=message.text, item=message.name))
        inbox.done(message)
    assert inbox.messages() == []
    assert (len(files(run)), len(files(run, "read"))) == (0, 3)
    assert journal.view.told == {1: ("first", "second", "third")}


def test_an_item_that_was_journalled_before_a_crash_is_put_away_and_not_taken_again(run: RunDirectory, journal: Journal) -> None:
    message = leave_message(run, "try attention")
    journal.append(ev.Told(round=0, text=message.text, item=message.name))
    journal.close()
    with run.journal() as again:
        assert Inbox(again, run.inbox).messages() == []
        assert files(run, "read") == [message.name]
        assert again.view.told == {0: ("try attention",)}


def test_an_item_that_was_not_journalled_before_a_crash_is_still_there(run: RunDirectory, journal: Journal, inbox: Inbox) -> None:
    leave_message(run, "try attention")
    inbox.messages()
    journal.close()
    with run.journal() as again:
        assert [message.text for message in Inbox(again, run.inbox).messages()] == ["try attention"]


def test_text_is_one_line_without_control_characters(run: RunDirectory, inbox: Inbox) -> None:
    leave_message(run, "  try\x1b[31m  attention\r\nwith \u202efewer heads\x00 ")
    assert [message.text for message in inbox.messages()] == ["try [31m attention with fewer heads"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "the message is empty; say in words what the planner should know"),
        (" \n\u200b ", "the message is empty; say in words what the planner should know"),
        ("x" * 2001, "the message has 2,001 letters, at most 2,000 are read; say it shorter"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_and_leaves_nothing(run: RunDirectory, text: str, line: str) -> None:
    with pytest.raises(UsageError, match=f"^{line}$"):
        leave_message(run, text)
    assert files(run) == []


def test_the_longest_text_arrives_whole(run: RunDirectory, inbox: Inbox) -> None:
    leave_message(run, "ä" * 2000)
    assert inbox.messages()[0].text == "ä" * 2000


def test_a_rejection_needs_a_reason(run: RunDirectory) -> None:
    with pytest.raises(UsageError, match=r"^the reason is empty"):
        leave_review(run, PLAN, "rejected", reason=" ")
    assert files(run) == []


def test_a_review_is_of_the_plan_that_was_seen(run: RunDirectory, journal: Journal, inbox: Inbox) -> None:
    left = leave_review(run, PLAN, "accepted")
    assert inbox.review_of(OTHER) is None
    assert warnings(journal) == [f"inbox/{left.name}: the plan of round 1 that it accepted is no longer there; not used"]
    assert files(run, "read") == [left.name]
    assert inbox.review_of(PLAN) is None, "it was put away"


def test_the_last_decision_on_a_plan_counts(run: RunDirectory, journal: Journal, inbox: Inbox) -> None:
    leave_review(run, PLAN, "accepted")
    last = leave_review(run, PLAN, "rejected", reason="too wide")
    found = inbox.review_of(PLAN)
    assert found == last
    assert found is not None
    assert (found.decision, found.reason, found.plan) == ("rejected", "too wide", plan_id(PLAN))
    assert inbox.review_of(PLAN) == last, "it stays until it is put away"
    inbox.done(last)
    assert inbox.review_of(PLAN) is None
    assert warnings(journal) == []


def test_an_edit_is_still_of_the_plan_that_it_has_become(run: RunDirectory, inbox: Inbox) -> None:
    """A crash between the edited plan and the review that goes with it."""
    left = leave_review(run, PLAN, "edited", directions=OTHER.directions)
    assert inbox.review_of(OTHER) == left


JUNK = {
    "no json": b"junk",
    "empty": b"",
    "not utf-8": b"\xff\xfe{}",
    "another kind": b'{"kind": "order", "text": "stop"}',
    "no text": b'{"kind": "message"}',
    "a field too many": b'{"kind": "message", "text": "hello", "sudo": true}',
    "text of nothing visible": '{"kind": "message", "text": "\u200b"}'.encode(),
    "far too long": b'{"kind": "message", "text": "' + b"x" * 3000 + b'"}',
    "nested too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_what_is_no_item_is_told_once_and_moved_aside(run: RunDirectory, journal: Journal, inbox: Inbox, junk: bytes) -> None:
    name = "00000000000000000001-00000000.json"
    (run.inbox / name).write_bytes(junk)
    leave_message(run, "hello")
    for _ in range(2):
        assert [message.text for message in inbox.messages()] == ["hello"]
    (line,) = warnings(journal)
    assert line.startswith(f"inbox/{name} (")
    assert line.endswith(") is nothing that a person told this run; moved to inbox/damaged/")
    assert files(run, "damaged") == [name]


@pytest.mark.timeout(10)
def test_foreign_things_are_moved_aside_and_never_opened(run: RunDirectory, journal: Journal, inbox: Inbox, tmp_path: Path) -> None:
    (run.inbox / "notes.txt").write_text("hello", encoding="utf-8")
    os.mkfifo(run.inbox / "00000000000000000001-00000000.json")
    (tmp_path / "secret").write_text('{"kind": "message", "text": "a secret"}', encoding="utf-8")
    (run.inbox / "00000000000000000002-00000000.json").symlink_to(tmp_path / "secret")
    (run.inbox / ".half-written.tmp").touch()
    (run.inbox / "folder").mkdir()
    assert inbox.messages() == []
    assert [line.split("(")[1].split(")")[0] for line in warnings(journal)] == [
        "no regular file",
        "no regular file",
        "a name of another kind",
    ]
    assert sorted(path.name for path in run.inbox.iterdir()) == [".half-written.tmp", "damaged", "folder"]
    assert (tmp_path / "secret").exists()


def test_a_run_whose_inbox_is_gone_has_no_messages(run: RunDirectory, inbox: Inbox) -> None:
    run.inbox.rmdir()
    assert inbox.messages() == []
    leave_message(run, "hello")
    assert [message.text for message in inbox.messages()] == ["hello"]


def test_many_processes_leave_messages_and_none_is_lost(run: RunDirectory, inbox: Inbox) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from agentnas.memory.inbox import leave_message; from agentnas.memory.rundir import RunDirectory\n"
        "run = RunDirectory.open(Path(sys.argv[1]))\n"
        "for i in range(20): leave_message(run, f'{sys.argv[2]} {i}')"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, str(run.path), str(who)]) for who in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    texts = [message.text for message in inbox.messages()]
    assert sorted(texts) == sorted(f"{who} {i}" for who in range(2) for i in range(20))
    assert [text for text in texts if text.startswith("0 ")] == [f"0 {i}" for i in range(20)], "in the order of each process"


@given(
    st.builds(
        Review, round=st.integers(0, 9), plan=st.just("x"), decision=st.sampled_from(["accepted", "edited", "rejected"]),
        reason=st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20),
        directions=st.lists(st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False), max_size=3)).map(tuple),
    )
)  # fmt: skip
def test_what_is_written_is_what_is_read(review: Review) -> None:
    assert box._ITEM.validate_json(review.model_dump_json()) == review
