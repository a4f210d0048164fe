"""A design measured: one run of the command for a task, and what the table needs of it, as plain data."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentnas import __version__
from agentnas.config import format_duration
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.view import JournalView
from agentnas.run import Run
from agentnas.scores import kind_words
from agentnas.tools.errors import AgentNASError
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.words import plural
from tests.benchmarks.designing import design, limit_for
from tests.benchmarks.versus_optuna.results import Row

KEYS = ("task", "rule")
QUICK = "quick"
SEED = 0
QUICK_S, QUICK_TRIALS, QUICK_SEEDS = 300.0, 4, 2
OF_BASELINE = ("name", "told", "winner_gains", "left_out")


@dataclass(frozen=True)
class Rule:
    """How every task is designed for: ``workers`` of the machine go to each of the ``parallel`` tasks that are under way at a time.

    ``quick`` is bounded by trials in place of time, so that it ends with a design on a slow machine too.
    """

    seconds: float = 600.0
    workers: int = 2
    parallel: int = 1
    quick: bool = False

    @property
    def text(self) -> str:
        """What tells results of one rule from those of another."""
        if self.quick:
            return QUICK
        shared = f", {self.parallel} tasks at a time" if self.parallel > 1 else ""
        return f"{format_duration(self.seconds)}, {plural(self.workers, 'worker')}{shared}"

    @property
    def budget(self) -> tuple[str, ...]:
        """Flags of the command that are the same for every task."""
        bounded = ("--trials", str(QUICK_TRIALS), "--confirm-seeds", str(QUICK_SEEDS)) if self.quick else ("--time", f"{self.seconds:g}")
        return (*bounded, "--workers", str(self.workers), "--seed", str(SEED), "--memory-dir", "none")


def measure(task: str, rule: Rule, keep: Path | None = None, seen: Callable[[], None] = lambda: None) -> Row:
    """Design for the task in an empty folder; with ``keep`` its run is moved below that folder. ``seen``: see ``designing.design``."""
    folder = Path(tempfile.mkdtemp(prefix="kinds-"))
    try:
        module = "tests.benchmarks.kinds.quick" if rule.quick else "agentnas.cli"
        limit_s = limit_for(QUICK_S if rule.quick else rule.seconds)
        ended, directory = design(task, rule.budget, folder, limit_s, seen, module)
        found, unread = _read(directory)
        problem = ended.problem or unread or ("" if found.get("test") else "ended without a design")
        if keep is not None and directory is not None:
            keep.mkdir(parents=True, exist_ok=True)
            shutil.move(directory.path, keep / directory.name)
        return {"task": task, "rule": rule.text, **found, "problem": problem, "wall_s": ended.wall_s, "peak_mib": ended.peak_mib}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read(directory: RunDirectory | None) -> tuple[Row, str]:
    """What a run found, and why it cannot be read: other tasks go on."""
    try:
        return ({} if directory is None else row_of(Run(directory))), ""
    except AgentNASError as error:
        return {}, str(error)


def row_of(run: Run) -> Row:
    """What a run found, how it stands to its anchors and to methods without a network, and what it took. Scores as the journal has them:
    percent, or what a design takes away of ``unit``, the error of the best constant."""
    view, told = run.view, run.summary()
    return {
        **{key: told[key] for key in ("run", "protocol", "metric", "test", "trials", "evaluations", "failed", "seconds")},
        "kind": kind_of(view), "unit": view.scale.unit, "winner": _winner(run), "anchors": _anchors(view),
        "baselines": [{key: one[key] for key in OF_BASELINE if key in one} for one in told["baselines"]], "machine": _machine(view),
    }  # fmt: skip


def kind_of(view: JournalView) -> str:
    """``graph regression``, ``node classification, directed``."""
    card = view.card or {}
    directed = card.get("reciprocity") is not None and card["reciprocity"] < 1.0
    typed = tuple(card.get("types") or (1, 1)) != (1, 1)
    return ", ".join([kind_words(view), *(["directed"] if directed else []), *(["several types"] if typed else [])])


def _winner(run: Run) -> dict[str, Any] | None:
    view = run.view
    if view.winner is None:
        return None
    proposal = view.proposals[view.winner.trial]
    anchor = proposal.name if proposal.anchor else None
    more = [word for word in beside(run.best) if word not in proposal.text]
    return {"design": ", ".join([proposal.text, *more]), "anchor": anchor, "seeds": view.winner.seeds}


def beside(spec: ArchitectureSpec) -> list[str]:
    """What the one-line text of a design leaves out of its input and head: encodings, directions, the head and how a graph is read out."""
    source, head = spec.input, spec.head
    words = [f"{encoding.kind} {encoding.dim}" for encoding in source.encodings]
    words += [f"edges {source.edges}"] if source.edges != "as_given" else []
    words += [f"{head.decoder} head"] if head.decoder not in ("none", "linear") else []
    words += [f"pair_features {head.pair_features}"] if head.kind == "link" and head.pair_features != "none" else []
    words += [f"pooling {head.pooling}"] if head.kind == "graph" else []
    return words + (["virtual node"] if head.kind == "graph" and head.virtual_node else [])


def _anchors(view: JournalView) -> dict[str, Any]:
    """The best plain and the best strong anchor by validation: its name, and the winner's paired difference to it; None where anchors of
    that kind were tried and none was confirmed."""
    tried: dict[str, Any] = {kind: None for trial in view.tried if (kind := view.proposals[trial].anchor)}
    found = view.test.comparison.items() if view.test else ()
    return tried | {kind: {**pair, "name": view.proposals[pair["anchor"]].name or pair["anchor"]} for kind, pair in found}


def _machine(view: JournalView) -> dict[str, Any]:
    known = view.started.environment if view.started else {}
    return {"processor": known.get("processor"), "cpus": known.get("cpus"), "version": __version__}
