"""Run directories are made and filled, never overwritten; runs are found whatever state their directories are in."""

from __future__ import annotations

import json
import os
import random
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas import __version__
from agentnas.memory import events as ev
from agentnas.memory import names
from agentnas.memory.environment import environment
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.runs import RunListing, find, list_runs
from agentnas.tools.errors import RunError, UsageError
from tests.memory.samples import started
from tests.memory.test_journal import files_at_most

NOON = datetime(2026, 3, 1, 12, 0, 0).astimezone()


def make(runs_dir: Path, task: str = "cora", minutes: int = 0) -> RunDirectory:
    return RunDirectory.create(runs_dir, task, now=NOON + timedelta(minutes=minutes))


def test_a_run_has_a_name_that_sorts_and_can_be_said(tmp_path: Path) -> None:
    run = make(tmp_path / "new" / "runs", "nasbench:cora")
    assert re.fullmatch(r"20260301-120000-nasbench-cora-[a-z]+-[a-z]+", run.name)
    assert sorted(entry.name for entry in run.path.iterdir()) == ["inbox", "run.json"]
    kept = json.loads((run.path / "run.json").read_text())
    assert kept == {"schema_version": 1, "name": run.name, "task": "nasbench:cora", "created": run.created}
    again = RunDirectory.open(run.path)
    assert (again.task, again.created, again.path) == ("nasbench:cora", run.created, run.path)


def test_a_name_in_use_is_left_alone(tmp_path: Path) -> None:
    first = RunDirectory.create(tmp_path, "cora", now=NOON, rng=random.Random(1))
    (first.path / "run.json").write_text("precious")
    second = RunDirectory.create(tmp_path, "cora", now=NOON, rng=random.Random(1))
    assert second.path != first.path
    assert (first.path / "run.json").read_text() == "precious"


@given(st.text(max_size=80))
def test_any_task_gives_a_file_name(task: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", names.slug(task))
    assert len(names.slug(task)) <= 40


def test_names_are_many_and_plain() -> None:
    adjectives, nouns = names.ADJECTIVES.split(), names.NOUNS.split()
    assert len({*adjectives, *nouns}) == len(adjectives) + len(nouns)
    assert len(adjectives) * len(nouns) > 5000


def test_a_place_that_cannot_hold_runs_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(RunError, match=r"cannot create a run in .*choose another place with --runs-dir"):
        make(file)


def test_the_journal_begins_and_resumes(tmp_path: Path) -> None:
    run = make(tmp_path)
    assert (run.events(), run.writer()) == ([], None)
    with run.journal() as journal:
        journal.append(started())
        assert run.writer() == f"process {os.getpid()}"
    with run.journal() as journal:
        journal.append(ev.RunResumed())
    assert run.view().resumes == 1
    assert [event.type for event in run.events()] == ["run_started", "run_resumed"]


def test_json_is_written_whole_with_the_schema_version(tmp_path: Path) -> None:
    run = make(tmp_path)
    path = run.write_json("winner/metrics.json", {"val": 81.5, "where": tmp_path, "name": "Zürich"})
    assert json.loads(path.read_text(encoding="utf-8")) == {"schema_version": 1, "val": 81.5, "where": str(tmp_path), "name": "Zürich"}
    assert run.read_json("winner/metrics.json") == {"val": 81.5, "where": str(tmp_path), "name": "Zürich"}


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.write_text("report.md", "old")
    with files_at_most(100), pytest.raises(RunError, match=r"cannot write .*report\.md: File too large"):
        run.write_text("report.md", "new" * 100)
    assert (run.path / "report.md").read_text() == "old"
    assert sorted(entry.name for entry in run.path.iterdir()) == ["inbox", "report.md", "run.json"]


def test_a_folder_in_the_way_of_a_file_is_one_line(tmp_path: Path) -> None:
    run = make(tmp_path)
    with pytest.raises(RunError, match="cannot write"):
        run.write_text("inbox", "text")
    run.write_text("weights", "a file")
    with pytest.raises(RunError, match="cannot create"):
        run.folder("weights")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"schema_version": 2, "task": "cora"}', "schema version 2, this AgentNAS reads up to 1; update AgentNAS"),
        ('{"task": "cora"}', "schema version None"),
        ('{"schema_version": 1}', "lacks task, created"),
        ('{"schema_ver', "is not JSON"),
        ("[]", "holds list, expected an object"),
        ("\xff", "is not JSON"),
    ],
)
def test_a_broken_or_newer_run_file_is_one_line(tmp_path: Path, content: str, message: str) -> None:
    run = make(tmp_path)
    (run.path / "run.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(RunError, match=message) as caught:
        RunDirectory.open(run.path)
    assert "\n" not in str(caught.value)
    (listing,) = list_runs(tmp_path)
    assert (listing.state, listing.problem) == ("newer" if "version 2" in message else "half-written", str(caught.value))


def test_runs_are_listed_with_their_state_newest_first(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    half = tmp_path / "20260301-130000-cora-half-made"
    half.mkdir()
    fresh, ended, writing = (make(tmp_path, minutes=minute) for minute in range(3))
    with ended.journal() as journal:
        journal.append(started())
        journal.append(ev.RunFinished(outcome="designed", exit_code=0))
    with writing.journal() as journal:
        journal.append(started())
        listed = list_runs(tmp_path)
    assert listed == [
        RunListing(writing.path, "running", "cora", writing.created),
        RunListing(ended.path, "finished", "cora", ended.created, "designed"),
        RunListing(fresh.path, "unfinished", "cora", fresh.created),
        RunListing(half, "half-written", problem=listed[-1].problem),
    ]
    assert "has no run.json" in str(listed[-1].problem)
    assert list_runs(tmp_path / "nowhere") == []


def test_a_torn_last_line_does_not_hide_that_a_run_was_going_on(tmp_path: Path) -> None:
    run = make(tmp_path)
    with run.journal() as journal:
        journal.append(started())
    with run.journal_file.open("ab") as file:
        file.write(b'{"type": "run_finished", "outc')
    assert [listing.state for listing in list_runs(tmp_path)] == ["unfinished"]


def test_a_run_is_found_by_latest_name_prefix_and_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = make(tmp_path, "texas"), make(tmp_path, "cora", minutes=1)
    (tmp_path / "20270101-000000-cora-half-made").mkdir()
    assert find(tmp_path, "latest").path == new.path
    assert find(tmp_path, old.name).path == old.path
    assert find(tmp_path, "20260301-120000").path == old.path
    assert find(tmp_path / "elsewhere", str(old.path)).path == old.path
    monkeypatch.chdir(tmp_path)
    assert find(tmp_path / "elsewhere", old.name).path.resolve() == old.path


def test_latest_is_the_newest_also_within_a_second(tmp_path: Path) -> None:
    runs = [RunDirectory.create(tmp_path, "cora", now=NOON + timedelta(milliseconds=i)) for i in range(8)]
    assert find(tmp_path, "latest").path == runs[-1].path


def test_a_run_that_is_not_found_names_those_that_were_meant(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no latest run: .* holds no runs; agentnas design starts one"):
        find(tmp_path, "latest")
    with pytest.raises(UsageError, match=r"no run 'x': .* holds no runs"):
        find(tmp_path, "x")
    first, second = make(tmp_path, "cora"), make(tmp_path, "texas", minutes=1)
    with pytest.raises(UsageError, match=f"'2026' begins 2 runs: .*{second.name}.*give more letters"):
        find(tmp_path, "2026")
    with pytest.raises(UsageError, match=f"no run 'texas' in .*; did you mean {second.name}"):
        find(tmp_path, "texas")
    with pytest.raises(UsageError, match=f"did you mean {first.name}"):
        find(tmp_path, first.name[:-1] + "?")
    with pytest.raises(RunError, match="is not a directory"):
        find(tmp_path, str(tmp_path / "gone"))


def test_the_environment_names_versions_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    found = environment()
    assert found["packages"]["pydantic"]
    assert found["packages"]["agentnas"] == __version__
    assert found["cpus"] == os.cpu_count()
    told = json.dumps(found)
    assert "sk-secret" not in told
    assert os.uname().nodename not in told.replace(found["platform"], "")
