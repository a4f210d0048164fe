"""A batch file: jobs with defaults and a matrix, and errors that name file, line, column, key, value and the nearest key."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agentnas.batch.file import Night, read_batch
from agentnas.tools.errors import UsageError

WHOLE = """\
night: {until: 23:30, within: 8h, max_cost: 5, parallel: 2}
defaults: {confirm_seeds: 3, llm: rules}
jobs:
  - {name: small, task: cora, max_params: 50000, priority: 2.5, retries: 0}
  - name: sweep
    matrix: {task: [citeseer, "nasbench:cora"], seed: [0, 1]}
    exclude: [{task: citeseer, seed: 1}]
    include: [{task: digits, trials: 4}]
  - {task: digits, confirm_seeds: 5, prices: prices.json, max_cost: none}
"""


def read(tmp_path: Path, text: str) -> str:
    """The error of a file, its folder left out."""
    path = tmp_path / "n.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_batch(path)
    return str(caught.value).removeprefix(str(tmp_path) + "/")


def test_defaults_matrix_and_own_values(tmp_path: Path) -> None:
    path = tmp_path / "n.yaml"
    path.write_text(WHOLE, encoding="utf-8")
    batch = read_batch(path)
    assert {job.name: job.settings for job in batch.jobs} == {
        "small": {"confirm_seeds": 3, "llm": "rules", "task": "cora", "max_params": 50000},
        "sweep-citeseer-0": {"confirm_seeds": 3, "llm": "rules", "task": "citeseer", "seed": 0},
        "sweep-nasbench-cora-0": {"confirm_seeds": 3, "llm": "rules", "task": "nasbench:cora", "seed": 0},
        "sweep-nasbench-cora-1": {"confirm_seeds": 3, "llm": "rules", "task": "nasbench:cora", "seed": 1},
        "sweep-digits-4": {"confirm_seeds": 3, "llm": "rules", "task": "digits", "trials": 4},
        "digits": {
            "confirm_seeds": 5, "llm": "rules", "task": "digits", "prices": str(tmp_path / "prices.json"), "max_cost": "none",
        },
    }  # fmt: skip
    assert (batch.jobs[0].priority, batch.jobs[0].retries) == (2.5, 0)
    assert batch.night == Night(until="23:30", within=28_800.0, max_cost=5, parallel=2)
    assert batch.place("small", "max_params")[1:] == (4, 31)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("jobs: [{task: cora, max_parms: 3}]", "n.yaml:1:21: a job: unknown key 'max_parms'; did you mean max_params?"),
        ("night: {retires: 1}\njobs: [{task: a}]", "n.yaml:1:9: night: unknown key 'retires'; did you mean retries?"),
        ("defaults:\n  trails: 3\njobs: [{task: a}]", "n.yaml:2:3: defaults: unknown key 'trails'; did you mean trials?"),
        ("jobs: [{task: a, matrix: {sed: [1]}}]", "n.yaml:1:27: matrix: unknown key 'sed'; did you mean seed?"),
        ("job: []", "n.yaml:1:1: the file: unknown key 'job'; did you mean jobs?"),
        ("jobs:\n  - {name: x, trials: 0}", "n.yaml:2:23: x: trials is 0; allowed: greater than or equal to 1"),
        ("jobs: [{task: a, time: soon}]",
         "n.yaml:1:24: a: time is 'soon'; allowed: a duration such as 45s, 10m or 1h30m, or seconds"),
        ("jobs: [{task: a, trials: }]", 'n.yaml:1:25: a: trials has no value; give one, "none" lifts a limit'),
        ("jobs: [{task: a}, {task: a}]", "n.yaml:1:19: name 'a' stands twice, first in line 1; change one"),
        ("jobs: [{task: a, task: b}]", "n.yaml:1:18: key 'task' stands twice, first in line 1; leave one out"),
        ("night: {until: 25:00}\njobs: [{task: a}]", "n.yaml:1:16: night: until is '25:00'; allowed: a time of day such as 07:00"),
        ("jobs: !!python/object/apply:os.system [ls]",
         "n.yaml:1:7: tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed;"
         " a batch file holds texts, numbers, true and false"),
        ("jobs: &a [*a]", "n.yaml:1:7: an alias leads to itself, or to more values than a batch file can hold"),
        ("a: b: c", "n.yaml:1:5: not YAML: mapping values are not allowed here"),
        ("", "n.yaml: the file is empty; it needs jobs"),
        ("jobs: []", "n.yaml:1:7: jobs is an empty list; allowed: a list of at least one"),
        ("jobs: [{task: a, review: true}]",
         "n.yaml:1:18: a job: review has no place in a batch: nobody is awake to review plans; leave it out"),
        ("jobs: [{task: a, matrix: {seed: [1]}, exclude: [{seed: 2}]}]",
         "n.yaml:1:49: exclude: no combination of the matrix is like this; correct it, or leave it out"),
        ("jobs: [{task: a, priority: yes}]", "n.yaml:1:28: a: priority is 'yes'; allowed: a number from 0.001 to 1000"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    assert read(tmp_path, text) == told


def test_names_cannot_leave_the_folder(tmp_path: Path) -> None:
    assert "n.yaml:1:15: name is '../x'; allowed: letters" in read(tmp_path, "jobs: [{name: ../x}]")


def test_aliases_that_multiply_are_stopped(tmp_path: Path) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "more values than a batch file can hold" in read(tmp_path, "\n".join(lines))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_batch(tmp_path / "none.yaml")


def test_the_earlier_deadline_counts_and_a_past_time_is_tomorrow() -> None:
    noon = time.mktime((2026, 3, 10, 12, 0, 0, 0, 0, -1))
    assert Night(within=3600).deadline(noon) == noon + 3600
    assert Night(until="13:30").deadline(noon) == noon + 5400
    assert Night(until="07:00").deadline(noon) == noon + 19 * 3600
    assert Night(until="13:30", within=600).deadline(noon) == noon + 600
    assert Night().deadline(noon) is None
