"""What is learnt: records with usual values, cards, and whole runs on disk, by rule."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentnas.memory import events as ev
from agentnas.memory.cards import PaperCard
from agentnas.memory.records import TrialRecord
from agentnas.memory.rundir import RunDirectory
from agentnas.tools.tasks.card import TaskCard
from tests.memory.conformance import Card
from tests.memory.samples import finished, proposal, started

GCN = {"body": {"nodes": [{"id": "a", "op": "gcn", "width": "out"}], "outputs": ["a"]}}
GAT = {"body": {"nodes": [{"id": "a", "op": "gat", "width": "out"}], "outputs": ["a"]}}
CITESEER = TaskCard(
    name="citeseer", source="computed", metric="accuracy", protocol="public", num_splits=1, split_sizes=(120, 500, 1000), nodes=3327,
    edges=9104, features=3703, classes=6, mean_degree=2.7, edge_homophily=0.74, label_rate=0.036,
)  # fmt: skip
MINE = PaperCard(
    id="my-paper", title="Sparrows and swans", year=2031, topics=("depth",), trigger="Birds are deep.", insight="Feathers insulate.",
    action="gcn x2", evidence="", caveat="", source="general knowledge",
)  # fmt: skip


@dataclass(frozen=True)
class CountedCard(Card):
    """A task card that counts its graph."""

    nodes: int
    edges: int
    features: int
    classes: int

    def text(self) -> str:
        return f"nodes {self.nodes}"

    def vector(self) -> tuple[float, ...]:
        return (0.8, 0.05)


def trial(name: str, **changes: Any) -> TrialRecord:
    """A trial on citeseer."""
    usual = {
        "task": "citeseer",
        "task_vector": (0.79, 0.06),
        "text": f"gcn {name}",
        "val": 70.0,
        "protocol": "public",
        "rank": 1,
        "ranked": 1,
    }
    return TrialRecord.model_validate({"id": name, **usual, **changes})


def a_finished_run(runs_dir: Path, *, finish: bool = True) -> str:
    """A run on citeseer in which a child gained on its parent; its name."""
    directory = RunDirectory.create(runs_dir, "citeseer")
    with directory.journal() as journal:
        for event in _events(finish):
            journal.append(event)
    return directory.name


def _events(finish: bool) -> list[Any]:
    parent = proposal("t0001", spec=GCN, text="gcn", spec_hash="h1")
    child = proposal("t0002", spec=GAT, text="gat", spec_hash="h2", parent="t0001", factor="body.a.op", change="gcn -> gat")
    done: list[Any] = [
        started(task="citeseer", full=("full",)), ev.TaskCarded(card=CITESEER.model_dump(mode="json")),
        ev.ProposalsDrafted(round=0, proposals=(parent, child)),
        *(finished(trial, seed=seed, val=val) for trial, vals in (("t0001", (70.0, 71.0)), ("t0002", (72.0, 73.0))) for seed, val in
          enumerate(vals)),
        ev.FindingsMade(round=0, author="analyst/rules", findings=({"text": "gat leads", "trials": ["t0002"]},), verdict="go_on"),
    ]  # fmt: skip
    return done + ([
        ev.WinnerChosen(trial="t0002", val_mean=72.5, val_sd=0.7, seeds=2, reason="best"),
        ev.TestOpened(scores={"t0001": {"100": 69.0}, "t0002": {"100": 70.0, "101": 72.0}}, comparison={}),
        ev.RunFinished(outcome="designed", exit_code=0),
    ] if finish else [])  # fmt: skip
