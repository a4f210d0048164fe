"""The table of every kind: its cells, what it comes to, and the command from start to end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from agentnas.memory.rundir import RunDirectory
from agentnas.run import Run
from agentnas.tools.anchors_of_kinds import graph_anchors, link_anchors
from agentnas.tools.errors import UsageError
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.tasks.catalog import data_set
from tests.benchmarks.kinds import outcome
from tests.benchmarks.kinds.__main__ import main
from tests.benchmarks.kinds.outcome import KEYS, Rule, beside, row_of
from tests.benchmarks.kinds.table import HEAD, anchors_line, bars_line, cells, render
from tests.benchmarks.kinds.tasks import BARS, TASKS, names
from tests.benchmarks.versus_optuna.process import Ended
from tests.benchmarks.versus_optuna.results import Results, Row
from tests.flags import refusal

ROOT = Path(__file__).resolve().parents[2]
TIME = Rule().text


def gap(difference: float, se: float | None, inside: bool | None) -> dict[str, Any]:
    return {"difference": difference, "se": se, "seeds": 10, "inside_noise": inside}


def row(task: str = "mutag", mean: float = 88.0, **changed: Any) -> Row:
    """A finished row: a gain over the plain anchor, the strong one inside the noise, behind one method without a network."""
    known = {
        "task": task, "rule": TIME, "problem": "", "wall_s": 611.4, "peak_mib": 900.0, "protocol": "10 folds", "metric": "accuracy",
        "unit": 1.0, "kind": "graph classification", "trials": 87, "winner": {"design": "gin32", "anchor": None, "seeds": 10},
        "test": {"mean": mean, "sd": 6.0, "seeds": 10}, "machine": {"processor": "a chip", "cpus": 2, "version": "1.0"},
        "anchors": {
            "plain": {"anchor": "t1", "name": "mlp", "is_winner": False, **gap(2.0, 0.5, False)},
            "strong": {"anchor": "t2", "name": "pna", "is_winner": False, **gap(-0.5, 0.5, True)},
        },
        "baselines": [{"name": "boosting", "told": "gradient boosting", "winner_gains": gap(-2.0, 0.5, False)}],
    }  # fmt: skip
    return {**known, **changed}


def test_a_line_of_the_table() -> None:
    assert cells(row()) == [
        "mutag, 10 folds", "graph classification", "`gin32`", "accuracy 88.00 ± 6.00", "mlp +2.00 ± 0.50, a gain",
        "pna -0.50 ± 0.50, inside the noise", "gradient boosting -2.00 ± 0.50, a loss", "≥ 86: met", "611 s, 87 trials",
    ]  # fmt: skip


def test_errors_stand_in_the_unit_of_the_target() -> None:
    shown = dict(zip(HEAD, cells(row("esol", 60.0, metric="rmse", unit=2.0)), strict=True))
    assert (shown["test"], shown["bar"]) == ("RMSE 0.80 ± 0.12", "≤ 0.75: missed")
    assert shown["minus best plain anchor"] == "mlp RMSE -0.04 ± 0.01, a gain"


def test_a_winner_that_is_an_anchor_and_what_is_missing_are_said() -> None:
    itself = {"anchor": "t1", "name": "mlp", "is_winner": True}
    winner = {"design": "mlp64", "anchor": "mlp", "seeds": 3}
    line = cells(row("ns", anchors={"plain": itself}, winner=winner, baselines=[], test={"mean": 90.0, "sd": 1.0, "seeds": 3}))
    assert line[2:8] == ["the mlp anchor, `mlp64`", "accuracy 90.00 ± 1.00 (3 seeds)", "itself", "none was tried", "not measured", ""]
    unconfirmed = row(anchors={"plain": None, "strong": itself})
    assert cells(unconfirmed)[4:6] == ["none was confirmed", "itself"]
    told = "At least as good as the best anchors: 0 of 1 task; behind one inside the noise: none; beyond it: none"
    assert anchors_line([unconfirmed]) == f"{told}; with no anchor of one kind confirmed: mutag."


@pytest.mark.parametrize(
    ("test", "above", "told", "line"),
    [
        (96.0, gap(3.0, 0.5, False), "≥ 95: met; above Adamic-Adar by more than the noise: met", "Bars: 1 of 1 met; not met: none."),
        (96.0, gap(0.3, 0.5, True), "≥ 95: met; above Adamic-Adar by more than the noise: missed", "Bars: 0 of 1 met; not met: usair."),
        (94.0, gap(3.0, 0.5, False), "≥ 95: missed; above Adamic-Adar by more than the noise: met", "Bars: 0 of 1 met; not met: usair."),
    ],
)
def test_usair_has_two_bars(test: float, above: dict[str, Any], told: str, line: str) -> None:
    shared = {"name": "adamic-adar", "told": "Adamic-Adar", "winner_gains": above}
    usair = row("usair", test, baselines=[row()["baselines"][0], shared])
    shown = dict(zip(HEAD, cells(usair), strict=True))
    assert shown["bar"] == told
    assert shown["minus best without a network"].split("; ")[1].startswith("Adamic-Adar +")
    assert bars_line([usair]) == line


def test_adamic_adar_that_was_left_out_is_no_bar_met() -> None:
    usair = row("usair", 99.0, baselines=[{"name": "adamic-adar", "told": "Adamic-Adar", "left_out": "no time"}])
    assert cells(usair)[6:8] == ["Adamic-Adar was left out", "≥ 95: met; above Adamic-Adar by more than the noise: missed"]
    assert bars_line([usair]).startswith("Bars: 0 of 1")


def test_a_few_splits_are_no_bar_met() -> None:
    partly = row("proteins", 80.0, test={"mean": 80.0, "sd": 1.0, "seeds": 4})
    assert cells(partly)[7] == "≥ 74.5: met on 4 seeds, not on 10"
    assert bars_line([partly, row("mutag")]) == "Bars: 1 of 2 met; not met: proteins."


def test_what_is_behind_an_anchor_is_named_with_its_noise() -> None:
    lost = {"plain": {"anchor": "t1", "name": "mlp", "is_winner": False, **gap(-3.0, 0.5, False)}}
    ahead = {"plain": {"anchor": "t1", "name": "mlp", "is_winner": True}}
    told = anchors_line([row("mutag"), row("texas", anchors=lost), row("actor", anchors=ahead)])
    assert told == "At least as good as the best anchors: 1 of 3 tasks; behind one inside the noise: mutag; beyond it: texas."


def test_the_table_says_how_it_was_made_and_what_failed() -> None:
    shared = Rule(600, 1, 2)
    printed = render(
        [row("esol", rule=shared.text, problem="killed by SIGKILL"), row("texas", 81.0), row("proteins", 75.0, rule=shared.text)]
    )
    assert printed.index(f"### {TIME}") < printed.index("| texas, 10 folds |") < printed.index("### 10m, 1 worker, 2 tasks at a time")
    assert "`agentnas design --task TASK --time 10m --workers 1 --seed 0` by rules, with an empty memory; 2 tasks at a time;" in printed
    assert printed.endswith("\n\nesol (10m, 1 worker, 2 tasks at a time): killed by SIGKILL")
    assert render([]) == "no results yet"


def test_a_design_is_told_with_its_head_and_its_encodings() -> None:
    found = {anchor.name: beside(anchor.spec) for anchor in graph_anchors()}
    assert (found["mlp"], found["gcn-virtual"]) == (["mlp head", "pooling sum"], ["mlp head", "pooling mean", "virtual node"])
    walks = {"input": {"encodings": [{"kind": "random_walk", "dim": 8}], "edges": "both"}}
    assert beside(parse_spec(walks)) == ["random_walk 8", "edges both"]
    read = {"head": {"kind": "link", "decoder": "dot", "pair_features": "structure"}}
    assert beside(parse_spec(read)) == ["dot head", "pair_features structure"]
    heads = ["mlp head", "dot head", "mlp head", "common_neighbour head", "pair_features structure"]
    assert [beside(anchor.spec)[-1] for anchor in link_anchors()] == heads


def test_tasks_of_every_kind_have_a_place_and_bars_are_of_the_tasks() -> None:
    kinds = {data_set(name).kind for name in TASKS}
    assert kinds == {"node", "graph", "link"}
    assert set(BARS) < set(TASKS)
    assert names(",".join(TASKS)) == list(TASKS)
    assert names("texas, generated:hetero,nodes=300, degree=6,texas") == ["texas", "generated:hetero,nodes=300,degree=6"]
    with pytest.raises(UsageError, match="a table, on which nothing is trained"):
        names("nasbench:cora")


def test_a_row_says_what_the_run_says(live_run: Run) -> None:
    told = json.loads(json.dumps(row_of(live_run)))
    assert live_run.view.winner is not None
    assert told["test"]["scores"] == live_run.test_scores[live_run.view.winner.trial]
    assert live_run.view.test is not None
    assert {kind: pair["anchor"] for kind, pair in told["anchors"].items() if pair} == {
        kind: pair["anchor"] for kind, pair in live_run.view.test.comparison.items()
    }
    assert {one["name"] for one in told["baselines"]} == set(live_run.view.baselines)
    assert told["kind"] == "node classification"
    line = cells({"task": "digits", "rule": TIME, "wall_s": 5.0, **told})
    assert len(line) == len(HEAD)
    assert live_run.view.proposals[live_run.view.winner.trial].text in line[2]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--tasks", "mutga"], "task 'mutga' does not exist; did you mean mutag"),
        (["--tasks", ","], "--tasks is empty"),
        (["--time", "soon"], "--time: 'soon'; allowed: a duration"),
        (["--parallel", "0"], "--parallel is 0, allowed: 1 or more"),
        (["--workers", "3", "--parallel", "2"], "--workers 3 cannot be shared by --parallel 2 tasks"),
    ],
)
def test_a_wrong_flag_is_named(flags: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refusal(main, flags, capsys)
    assert code == 2
    assert told in said


def test_results_of_another_command_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.json").write_text('{"rows": [{"part": "end"}]}')
    assert main(["--table", str(tmp_path / "other.json")]) == 2
    assert "holds rows without task, rule; give another file" in capsys.readouterr().err


def test_a_task_that_failed_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    Results(path, KEYS).add({"task": "texas", "rule": TIME, "problem": "killed by SIGKILL"})
    assert not Results(path, KEYS).has(task="texas", rule=TIME)
    Results(path, KEYS).add(row("texas"))
    assert Results(path, KEYS).has(task="texas", rule=TIME)
    assert len(Results(path, KEYS).rows) == 1


def test_a_run_that_ended_without_a_design_or_cannot_be_read_is_a_problem_of_its_task(
    live_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = tmp_path / "runs" / live_run.name
    shutil.copytree(live_run.path, begun)
    first = (begun / "events.jsonl").read_text().splitlines(keepends=True)[0]
    (begun / "events.jsonl").write_text(first)
    ended = Ended(0.0, 5.0, 90.0, "")
    monkeypatch.setattr(outcome, "design", lambda *_: (ended, RunDirectory.open(begun)))
    found = outcome.measure("digits", Rule())
    assert (found["problem"], found["metric"]) == ("ended without a design", "accuracy")
    (begun / "events.jsonl").write_text("nonsense\n" + first)
    assert "events.jsonl" in outcome.measure("digits", Rule())["problem"]


def command(out: Path, *flags: str) -> list[str]:
    tasks = ("--tasks", "generated:value,nodes=200")
    return [sys.executable, "-m", "tests.benchmarks.kinds", "--quick", *tasks, "--workers", "1", "--out", str(out), *flags]


def test_the_command_runs_and_the_same_again_measures_nothing(tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    done = subprocess.run(
        command(out, "--runs", str(tmp_path / "runs")), cwd=ROOT, capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(out.read_text())["rows"]
    assert (found["kind"], found["metric"]) == ("node regression", "rmse")
    assert set(found["anchors"]) == {"plain", "strong"}
    assert found["baselines"]
    assert len(found["test"]["scores"]) == 2
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [found["run"]]
    assert (tmp_path / "runs" / found["run"] / "report.md").exists()
    again = subprocess.run(command(out), cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (again.stdout, again.stderr) == (done.stdout, "")


def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    process = subprocess.Popen(command(tmp_path / "results.json"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children: list[psutil.Process] = []
    try:
        until = time.monotonic() + 60
        while not children and time.monotonic() < until:
            children = psutil.Process(process.pid).children(recursive=True)
            time.sleep(0.1)
        assert children
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=20) == 143
        _, left = psutil.wait_procs(children, timeout=10)
        assert left == []
    finally:
        process.kill()
