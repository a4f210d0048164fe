"""Conversations on disk: what is kept, what a kill leaves, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentnas.chat import session as se
from agentnas.tools.errors import RunError, UsageError


def test_entries_come_back_as_they_were(tmp_path: Path) -> None:
    opened = se.open_session(tmp_path, "a")
    entries: list[se.AnyEntry] = [
        se.Said(text="hi", sent="[plan] hi"),
        se.Answered(text="", calls=(("c", "plan", "{}"),)),
        se.Linked(path="/runs/x"),
    ]
    for entry in entries:
        opened.append(entry)
    opened.close()
    assert se.open_session(tmp_path, "a").entries[1:] == entries
    assert oct((tmp_path / "a.jsonl").stat().st_mode & 0o777) == "0o600"


def test_a_torn_last_line_is_dropped_and_written_over(tmp_path: Path) -> None:
    opened = se.open_session(tmp_path, "a")
    opened.append(se.Said(text="one"))
    opened.close()
    with opened.path.open("ab") as file:
        file.write(b'{"type": "said", "te')
    again = se.open_session(tmp_path, "a")
    again.append(se.Said(text="two"))
    assert [entry.text for entry in se.read_entries(again.path)[0] if isinstance(entry, se.Said)] == ["one", "two"]
    again.close()


def test_latest_is_the_one_that_changed_last(tmp_path: Path) -> None:
    for age, name in ((20, "old"), (10, "new")):
        opened = se.open_session(tmp_path, name)
        opened.append(se.Called(command=f"/{name}", text=""))
        opened.close()
        then = opened.path.stat().st_mtime - age
        os.utime(opened.path, (then, then))
    assert se.open_session(tmp_path, latest=True).name == "new"
    assert [(row.name, row.turns, row.last) for row in se.list_sessions(tmp_path)] == [("new", 1, "/new"), ("old", 1, "/old")]


def test_two_chats_do_not_share_a_session(tmp_path: Path) -> None:
    opened = se.open_session(tmp_path, "a")
    with pytest.raises(RunError, match=f"session a is being written by process {os.getpid()}"):
        se.open_session(tmp_path, "a")
    opened.close()
    se.open_session(tmp_path, "a").close()


@pytest.mark.parametrize("name", ["../a", "", "a b", "-x", ".hidden"])
def test_names_that_are_none(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name"):
        se.open_session(tmp_path, name)


@pytest.mark.parametrize(
    ("line", "said"),
    [(b"what?\n", "s.jsonl:1: is no line of a conversation"), (b'{"type":"opened","version":9,"created":""}\n', "version 9")],
)
def test_damaged_files_are_named_and_left_alone(line: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(line)
    with pytest.raises(RunError, match=said):
        se.open_session(tmp_path, "s")
    assert path.read_bytes() == line
    assert se.list_sessions(tmp_path) == []


def test_nothing_to_continue(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no conversation to continue"):
        se.open_session(tmp_path, latest=True)
    se.open_session(tmp_path, "cora").close()
    with pytest.raises(UsageError, match="no session 'coar' to continue; did you mean cora"):
        se.require_known(tmp_path, "coar")
