"""Runs of every kind of task and target with a winner that was trained for a moment in this process: no search, no workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from agentnas.agents.statistics import mean_and_sd
from agentnas.api import begin
from agentnas.config import resolve
from agentnas.memory import events as ev
from agentnas.memory.journal import Journal
from agentnas.memory.rundir import RunDirectory
from agentnas.report import write_report
from agentnas.run import Run
from agentnas.tools.evaluate.base import CONFIRM, CONFIRM_SEED
from agentnas.tools.spec.canonical import canonical, canonical_data, spec_hash
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.spec.render import render
from agentnas.tools.tasks import Task, load_task
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.trainer import predict, save_weights, train
from agentnas.winner import write_winner

KINDS = (
    ("node", "classes"), ("node", "labels"), ("node", "value"), ("graph", "classes"), ("graph", "labels"), ("graph", "value"),
    ("link", "classes"),
)  # fmt: skip
SEEDS = (CONFIRM_SEED, CONFIRM_SEED + 1)
TRIAL = "t0001"


def task_file(folder: Path, kind: str, target: str) -> Path:
    """A task file over CSV tables: sixty nodes, or thirty rings and paths, with an attribute on edges; classes have names."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    nodes, edges, graphs = [f"id,owner,a,b{_head(target)}"], ["source,target,strength"], [f"name{_head(target)}"]
    for number in range(30 if kind == "graph" else 1):
        size = int(rng.integers(3, 8)) if kind == "graph" else 60
        values = rng.normal(size=(size, 2)).round(3)
        nodes += [f"v{number}_{i},g{number},{a},{b}{_labels(target, a)}" for i, (a, b) in enumerate(values.tolist())]
        links = {(i, (i + 1) % size) for i in range(size - number % 2)}
        links |= set() if kind == "graph" else {(int(i), int(j)) for i, j in rng.integers(size, size=(120, 2))}
        edges += [f"v{number}_{i},v{number}_{j},{rng.random():.3f}" for i, j in sorted(links) if i < j]
        graphs.append(f"g{number}{_labels(target, float(values[:, 0].sum()))}")
    for name, rows in (("nodes.csv", nodes), ("edges.csv", edges), ("graphs.csv", graphs)):
        (folder / name).write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "task.yaml").write_text(_yaml(kind, target), encoding="utf-8")
    return folder / "task.yaml"


def _head(target: str) -> str:
    return ",up,far" if target == "labels" else ",label"


def _labels(target: str, x: float) -> str:
    if target == "labels":
        return f",{int(x > 0)},{int(abs(x) > 0.7)}"
    return f",{'high' if x > 0.3 else 'low'}" if target == "classes" else f",{20 + 5 * x:.3f}"


def _yaml(kind: str, target: str) -> str:
    label = "[up, far]" if target == "labels" else "label"
    lines = [f"target: {target}"] if target != "classes" else []
    if kind == "link":
        lines += ["kind: link", "nodes: {file: nodes.csv, id: id, features: [a, b]}", "split: {kind: links, count: 2}"]
    elif kind == "graph":
        lines += [
            f"graphs: {{file: graphs.csv, id: name, label: {label}}}",
            "nodes: {file: nodes.csv, id: id, graph: owner, features: [a, b]}",
        ]
    else:
        lines.append(f"nodes: {{file: nodes.csv, id: id, features: [a, b], label: {label}}}")
    lines += ["edges: {file: edges.csv, features: [strength]}"] + (["split: {kind: random, count: 2}"] if kind != "link" else [])
    return "\n".join(lines) + "\n"


def spec_for(kind: str, **head: Any) -> dict[str, Any]:
    """Two operators, one of which looks at attributes of edges, scaled features and an encoding."""
    first = {"id": "a", "op": "gine", "width": 8, "activation": "relu", "norm": "batch"}
    second = {"id": "b", "op": "sage", "inputs": ["a"], "width": 8}
    return {
        "input": {"scale": "standard", "encodings": [{"kind": "degree", "dim": 3}]},
        "body": {"nodes": [first, second], "outputs": ["b"]},
        "head": {"kind": kind, **({"decoder": "mlp"} if kind == "link" else {"decoder": "linear"}), **head},
        "recipe": {"epochs": 8},
    }  # fmt: skip


def run_of(folder: Path, kind: str, target: str, data: dict[str, Any] | None = None) -> Run:
    """A finished run: the winner's two trainings, its test opened once, its folder written and the report drawn."""
    path = str(task_file(folder / f"{kind}-{target}", kind, target))
    task = load_task(path)
    config = resolve({"task": path, "runs_dir": folder / "runs", "trials": 1}).config
    directory = RunDirectory.create(config.runs_dir, task.name)
    directory.write_json("config.json", {**config.model_dump(mode="json"), "data_fingerprint": task.fingerprint})
    directory.folder("weights")
    with directory.journal() as journal:
        begin(journal, directory, config, task)
        _played(journal, directory, task, data or spec_for(kind))
    run = Run(directory)
    write_report(run)
    return run


def _played(journal: Journal, directory: RunDirectory, task: Task, data: dict[str, Any]) -> None:
    spec, prepared = canonical(parse_spec(data)), PreparedTask.from_task(task)
    proposal = ev.Proposal(
        trial=TRIAL, spec=canonical_data(spec), spec_hash=spec_hash(spec), text=render(spec).splitlines()[0], author="coder/rules",
        hypothesis="tried for a moment",
    )  # fmt: skip
    journal.append(ev.ProposalsDrafted(round=0, proposals=(proposal,)))
    tests, quality, scores = {}, {}, []
    for seed in SEEDS:
        trained, file = train(spec, prepared, split=seed, seed=seed), f"weights/{TRIAL}-{seed}.pt"
        save_weights(trained.state_dict, directory.path / file)
        journal.append(ev.EvaluationFinished(
            trial=TRIAL, rung=CONFIRM, seed=seed, split=seed % task.num_splits, val=trained.val, seconds=0.1, epochs=8, weights=file,
        ))  # fmt: skip
        found = predict(spec, prepared, seed, trained.state_dict)
        tests[str(seed)], quality[str(seed)] = prepared.test_score(found, seed), prepared.test_quality(found, seed)
        scores.append(trained.val)
    mean, sd = mean_and_sd(scores)
    journal.append(ev.WinnerChosen(trial=TRIAL, val_mean=mean, val_sd=sd, seeds=len(SEEDS), reason="the only one"))
    journal.append(ev.TestOpened(scores={TRIAL: tests}, comparison={}, quality=quality))
    journal.append(ev.Exported(files=write_winner(directory, journal.view, task)))
    journal.append(ev.RunFinished(outcome="designed", exit_code=0))
