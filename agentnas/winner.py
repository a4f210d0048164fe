"""The winner of a run as files: spec, weights, data as tensors, and code that imports only torch and reproduces the stored score.

The folder appears whole: it is written beside its place and renamed. The shipped weights are those of the confirmation seed with the median
validation score, so that they are neither lucky nor unlucky.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from agentnas.agents.selection import median_seed
from agentnas.agents.statistics import mean_and_sd
from agentnas.memory.events import EvaluationFinished
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.view import JournalView
from agentnas.scores import repeat_under
from agentnas.shipping.examples import winner_example
from agentnas.tools.errors import RunError
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.spec.canonical import canonical_data
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks import Task
from agentnas.words import plural, spread

FOLDER = "winner"


def write_winner(directory: RunDirectory, view: JournalView, task: Task) -> tuple[str, ...]:
    """Write ``winner/`` and return its files, relative to the run directory."""
    assert view.winner is not None
    spec = parse_spec(view.proposals[view.winner.trial].spec)
    for left in directory.path.glob(f".{FOLDER}.*"):  # of a process that was killed while it wrote
        shutil.rmtree(left)
    draft = directory.folder(f".{FOLDER}.{os.getpid()}")
    (draft / "spec.json").write_text(json.dumps(canonical_data(spec), indent=2) + "\n", encoding="utf-8")
    if task.data is not None:
        _write_model(draft, directory, view, task, spec)
    else:
        (draft / "README.md").write_text(_table_readme(directory.name, task), encoding="utf-8")
    names = tuple(sorted(f"{FOLDER}/{path.name}" for path in draft.iterdir()))
    final = directory.path / FOLDER
    if final.exists():  # a crash came between the renaming and its event: what stands there is this same winner
        shutil.rmtree(draft)
        return names
    os.replace(draft, final)
    return names


def _write_model(draft: Path, directory: RunDirectory, view: JournalView, task: Task, spec: ArchitectureSpec) -> None:
    """Code, weights, data and figures of a trained winner; figures.json is written last, after the code has reproduced its score."""
    from agentnas.tools.codegen import export_source, write_data

    assert view.winner is not None
    trial = view.winner.trial
    chosen = shipped(view, trial)
    assert chosen is not None
    assert chosen.weights is not None
    shutil.copyfile(directory.path / chosen.weights, draft / "weights.pt")
    write_data(draft / "data.pt", spec, task, chosen.split)
    (draft / "model.py").write_text(export_source(spec, task, chosen.split), encoding="utf-8")
    (draft / "example.py").write_text(winner_example(task.kind, task.target), encoding="utf-8")
    figures = _figures(view, trial, chosen.seed, task)
    figures["reproduced_test"] = reproduced(draft)
    figures["constants"] = constants_of(spec, task, chosen.split)
    (draft / "README.md").write_text(_readme(directory.name, figures, task), encoding="utf-8")
    (draft / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def constants_of(spec: ArchitectureSpec, task: Task, split: int) -> dict[str, Any]:
    """Numbers of the training data that the network works with: centre and spread of values, and the unit of degrees."""
    from agentnas.tools.codegen import centre_and_spread, degree_unit

    assert task.data is not None
    centre, spread = centre_and_spread(task.data.y[task.split(split).train]) if task.target == "value" else (0.0, 1.0)
    return {"centre": centre, "spread": spread, "degree_unit": degree_unit(spec, task.data)}


def shipped(view: JournalView, trial: str) -> EvaluationFinished | None:
    """The training whose weights are shipped: of the confirmation, the one with the median score; None before there is any."""
    confirmed = {e.seed: e for e in view.evaluations(trial, CONFIRM)}
    return confirmed[median_seed({seed: e.val for seed, e in confirmed.items()})] if confirmed else None


def reproduced(folder: Path) -> float:
    """The test score that the exported model.py prints when it runs alone; raises RunError if it does not run."""
    alone = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-I", "model.py"]
    done = subprocess.run(command, cwd=folder, env=alone, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise RunError(f"the exported {folder / 'model.py'} does not run: {last}; the weights are kept, resume to export again")
    return float(done.stdout.split()[-1])


def _figures(view: JournalView, trial: str, seed: int, task: Task) -> dict[str, Any]:
    """What the shipped weights and all seeds scored: in percent, or errors in the unit of the target."""
    assert view.test is not None
    natural = task.metric.natural
    test = {int(s): natural(score) for s, score in view.test.scores[trial].items()}
    validation = {e.seed: natural(e.val) for e in view.evaluations(trial, CONFIRM)}
    test_mean, test_sd = mean_and_sd(list(test.values()))
    val_mean, val_sd = mean_and_sd(list(validation.values()))
    return {
        "schema_version": 1, "task": task.name, **({"task_file": task.file} if task.file else {}), "protocol": task.protocol,
        "metric": task.metric.name, "unit": "of the target" if task.metric.is_error else "percent",
        "predicts": f"{task.target} of {task.kind}s", "trial": trial,
        "shipped_seed": seed, "shipped_test": test[seed], "shipped_validation": validation[seed],
        "test": {"mean": test_mean, "sd": test_sd, "by_seed": test},
        "validation": {"mean": val_mean, "sd": val_sd, "by_seed": validation},
    }  # fmt: skip


def _readme(run: str, figures: dict[str, Any], task: Task) -> str:
    scale = task.metric.scale
    unit = ", an error in the unit of the target" if scale.is_error else ""
    count = len(figures["test"]["by_seed"])
    each = repeat_under(task.protocol, count)
    return f"""# Winner of {run}

`python model.py` loads `weights.pt` and `data.pt` and prints the test {scale.name} of the shipped weights{unit}; it needs torch alone.
Run so at export it printed {figures["reproduced_test"]:{".9g" if scale.is_error else ".6f"}}. `example.py` predicts {examples_of(task)}.
The shipped weights are those of seed {figures["shipped_seed"]}, the median of {plural(count, each)} on validation.
Task {figures["task"]}, {figures["protocol"]}.

| {f"{scale.name}, lower is better" if scale.is_error else f"{scale.name}, %"} | shipped | all {each}s |
| --- | --- | --- |
| validation | {_shown(figures, "validation", scale.digits)} |
| test | {_shown(figures, "test", scale.digits)} |
"""


def examples_of(task: Task) -> str:
    """What the example predicts, in words."""
    if task.kind == "link":
        return "whether there is an edge between some pairs of nodes"
    what = {"classes": "the classes", "labels": "the labels", "value": "the values"}[task.target]
    return f"{what} of some {task.kind}s"


def _shown(figures: dict[str, Any], part: str, digits: int) -> str:
    """Cells of the shipped weights and of all seeds."""
    return f"{figures[f'shipped_{part}']:.{digits}f} | {spread(figures[part]['mean'], figures[part]['sd'], digits)}"


def _table_readme(run: str, task: Task) -> str:
    data = task.name.partition(":")[2]
    return f"""# Winner of {run}

`spec.json` was found by looking a table up; nothing was trained. `agentnas train spec.json --task {data} --seeds 10` trains it where
the data of {data} is at hand.
"""
