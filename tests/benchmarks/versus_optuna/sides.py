"""Both sides of part ``end``: run one for a task and a time, and read what it did; test scores over time are computed after its end."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from agentnas.memory.events import EvaluationFinished
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.view import JournalView
from agentnas.tools.errors import AgentNASError
from agentnas.tools.evaluate.base import CONFIRM, CONFIRM_SEED
from agentnas.tools.tasks import load_task
from agentnas.tools.workers import Job, TaskRef, WorkerPool
from tests.benchmarks.designing import design, limit_for
from tests.benchmarks.versus_optuna import process, study

POINTS = 8
QUICK_SEEDS, QUICK_EPOCHS = 2, 20
WORKERS = study.WORKERS


@dataclass
class Result:
    """What one side did in its time. ``curve``: [seconds, best validation so far]; ``test_curve``: [seconds, test of that incumbent].

    ``full`` counts trainings that ran to their own end (trials, seeds, final), ``stopped`` those that were pruned or screened out, with
    few epochs. ``val`` and ``test`` are the final choice's, by number of its fresh seed.
    """

    problem: str
    wall_s: float
    peak_mib: float
    trials: int = 0
    full: int = 0
    stopped: int = 0
    failed: int = 0
    epochs: int = 0
    curve: list[tuple[float, float]] = field(default_factory=list)
    test_curve: list[tuple[float, float]] = field(default_factory=list)
    design: str = ""
    val: dict[str, float] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Incumbent:
    """From ``t`` seconds after the start on, the best so far; ``key`` says what to test."""

    t: float
    val: float
    key: Any


def run(side: str, task: str, seconds: float, seed: int, *, quick: bool = False) -> dict[str, Any]:
    """Run a side in an empty folder of its own; with ``quick`` it is over as soon as it has a design."""
    folder = Path(tempfile.mkdtemp(prefix=f"versus-optuna-{side}-"))
    try:
        return asdict((_optuna if side == "optuna" else _ours)(task, seconds, seed, folder, quick))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _optuna(task: str, seconds: float, seed: int, folder: Path, quick: bool) -> Result:
    fewer = ("--seeds", str(QUICK_SEEDS), "--epochs", str(QUICK_EPOCHS)) if quick else ()
    command = ["-m", "tests.benchmarks.versus_optuna.study", "--task", task, "--began", f"{time.time():.3f}", "--seconds", f"{seconds:g}",
               "--seed", str(seed), "--folder", str(folder), *fewer]  # fmt: skip
    ended = process.run(command, folder, limit_for(seconds))
    result = Result(ended.problem, ended.wall_s, ended.peak_mib)
    if (folder / "study.log").exists():
        _read_study(result, task, ended.began, seed, folder)
    return result


def _read_study(result: Result, task: str, began: float, seed: int, folder: Path) -> None:
    """Fill in what the study's storage and the files of its final say."""
    import optuna

    state, trials = optuna.trial.TrialState, study.open_study(folder, seed).trials
    done = [trial for trial in trials if trial.state == state.COMPLETE]
    pruned = [trial for trial in trials if trial.state == state.PRUNED]
    result.trials, result.failed = len(done) + len(pruned), sum(trial.state == state.FAIL for trial in trials)
    result.full = sum(trial.user_attrs.get("trainings", 0) for trial in done + pruned)
    result.stopped, result.epochs = len(pruned), sum(trial.user_attrs.get("epochs", 0) for trial in trials)
    finished = sorted(done, key=lambda trial: trial.datetime_complete)
    steps = _incumbents((trial.datetime_complete.timestamp() - began, trial.value, trial) for trial in finished)
    result.curve = [(round(one.t, 2), round(one.val, 3)) for one in steps]
    loaded = load_task(task)
    result.test_curve = [(round(one.t, 2), round(_tested(one.key, loaded, folder), 3)) for one in steps]
    if (folder / "result.json").exists():
        facts = json.loads((folder / "result.json").read_text())
        result.full, result.epochs = result.full + facts["final_trainings"], result.epochs + facts["final_epochs"]
        result.val, result.test = (dict(zip(map(str, facts["seeds"]), facts[name], strict=True)) for name in ("val", "test"))
        result.design, result.note = facts["design"], f"{facts['splits']} splits a trial, {facts['finalists']} finalists"


def _tested(trial: Any, task: Any, folder: Path) -> float:
    """Test accuracy of what a trial's trainings predicted, over its splits."""
    return fmean(study.tested(folder / f"trial-{trial.number}-{split}.npy", task, split) for split in range(trial.user_attrs["trainings"]))


def _incumbents(scored: Any) -> list[Incumbent]:
    """Those that were better than all before them."""
    best: list[Incumbent] = []
    for t, val, key in scored:
        if not best or val > best[-1].val:
            best.append(Incumbent(t, val, key))
    return best


def _ours(task: str, seconds: float, seed: int, folder: Path, quick: bool) -> Result:
    # What is bounded by trials ends with a design on a slow machine too; tests.quick is the command with shorter trainings.
    budget = ("--trials", "2", "--confirm-seeds", str(QUICK_SEEDS)) if quick else ("--time", f"{seconds:g}")
    flags = (*budget, "--workers", str(WORKERS), "--seed", str(seed), "--memory-dir", str(folder / "memory"))
    starts: list[float] = []
    seen = _first_sight(folder / "runs", starts)
    ended, directory = design(task, flags, folder, limit_for(seconds), seen, "tests.quick" if quick else "agentnas.cli")
    result = Result(ended.problem, ended.wall_s, ended.peak_mib)
    if directory is not None:
        _read_run(result, task, directory, (starts[0] if starts else ended.began) - ended.began)
    return result


def _first_sight(runs: Path, starts: list[float]) -> Callable[[], None]:
    """Notes the moment at which the journal is there: its clock starts then, the process's earlier."""

    def look() -> None:
        if not starts and any(runs.glob("*/events.jsonl")):
            starts.append(time.time())

    return look


def _read_run(result: Result, task: str, directory: RunDirectory, offset: float) -> None:
    """Fill in what the journal says; incumbents are trained again, which gives the same weights, and tested."""
    view, steps = _replayed(directory, offset)
    full = {*(view.started.full if view.started else ()), CONFIRM}
    made = [one for trial in view.tried for one in view.evaluations(trial)]
    promoted = {one.trial for one in made if one.rung in full}
    result.trials, result.full = view.num_tried, sum(one.rung in full for one in made)
    result.stopped = sum(view.state(trial) == "done" and trial not in promoted for trial in view.tried)
    result.failed, result.epochs = len(view.failed_trials()), sum(one.epochs or 0 for one in made)
    result.curve = [(round(one.t, 2), round(one.val, 3)) for one in steps]
    if view.winner and view.test:
        trial, confirmed = view.winner.trial, view.evaluations(view.winner.trial, CONFIRM)
        scores = {int(seed): score for seed, score in view.test.scores[trial].items()}
        result.val = {str(one.seed - CONFIRM_SEED): one.val for one in confirmed}
        result.test = {str(seed - CONFIRM_SEED): scores[seed] for seed in sorted(scores)}
        result.design = view.proposals[trial].text
        result.note = f"{sum(bool(view.evaluations(trial, CONFIRM)) for trial in view.tried)} finalists and anchors"
    try:
        result.test_curve = _tested_again(task, view, _some(steps, result.wall_s))
    except AgentNASError as error:  # what was measured is not lost with it
        result.note += f"; no test over time: {error}"


def _replayed(directory: RunDirectory, offset: float) -> tuple[JournalView, list[Incumbent]]:
    """The run's state, and the head of its leaderboard as often as it or its mean changed: of trials that had a full training, until the
    confirmation began."""
    view, steps = JournalView(), list[Incumbent]()
    for event in directory.events():
        view.apply(event)
        if not isinstance(event, EvaluationFinished) or view.finalists is not None or view.started is None or view.best is None:
            continue
        best, full = view.best, view.started.full
        used = tuple((one.seed, one.split) for one in view.evaluations(best.trial) if one.rung in full)
        if used and (not steps or steps[-1].key != (best.trial, used)):
            steps.append(Incumbent(offset + event.t, best.val_mean, (best.trial, used)))
    return view, steps


def _some(steps: list[Incumbent], wall_s: float) -> list[Incumbent]:
    """The incumbents at ``POINTS`` moments, evenly spaced."""
    moments = [wall_s * (number + 1) / POINTS for number in range(POINTS)]
    standing = [[one for one in steps if one.t <= moment][-1:] for moment in moments]
    return [*{one.key: one for found in standing for one in found}.values()]


def _tested_again(task: str, view: JournalView, steps: list[Incumbent]) -> list[tuple[float, float]]:
    """Mean test of the trainings that made each incumbent: repeated outside of the measured time, with the same seeds and splits."""
    with tempfile.TemporaryDirectory() as folder, WorkerPool(TaskRef(task), WORKERS) as pool:
        jobs = {}
        for trial, seed, split in dict.fromkeys((one.key[0], *pair) for one in steps for pair in one.key[1]):
            name = f"{trial}-{seed}-{split}"
            jobs[name] = Job(name, view.proposals[trial].spec, seed, split, None, 3600, save_weights=str(Path(folder, f"{name}.pt")))
        trained = [result.id for result in pool.run(jobs.values()) if result.state == "done"]
        scores = {result.id: result.details["test"] for result in pool.run(replace(jobs[name], kind="test") for name in trained)}
    curve = []
    for one in steps:
        found = [scores[name] for seed, split in one.key[1] if (name := f"{one.key[0]}-{seed}-{split}") in scores]
        curve += [(round(one.t, 2), round(fmean(found), 3))] if found else []
    return curve
