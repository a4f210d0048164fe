"""Past trials as the memory holds them, made comparable: one score for each design on each task, as the run's search space sees it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agentnas.agents.transfer import Past, PastTask
from agentnas.agents.transfer_drafts import Transfer
from agentnas.memory.memory import Memory, TaskCardLike, TaskTrials, TrialRecord
from agentnas.memory.view import JournalView
from agentnas.tools.anchors import with_scale
from agentnas.tools.errors import SpecError
from agentnas.tools.evaluate.ladder import MANY_SPLITS, ONE_SPLIT, TABLE
from agentnas.tools.spec.cellspace import CellSpace
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.tasks.card import TaskCard

CUT = {rung.name for rung in (*ONE_SPLIT, *MANY_SPLITS) if rung.epochs < 1.0}
SCALE = "input.scale="
# Trials that a design cites for itself.
CITED = 2


@dataclass(frozen=True)
class RememberedTrials:
    """``PastTrials`` of a memory. ``card`` is the card of the run's own task, ``scale`` how its raw features are usually scaled: designs
    of other tasks are tried with that, as anchors are."""

    memory: Memory
    card: Callable[[], TaskCardLike]
    scale: str | None = None

    def past(self, space: SearchSpace) -> Past | None:
        """Designs of other runs that the space can express, each once; tables teach tables, and trained trials trained ones."""
        if isinstance(space, CellSpace) and not space.is_table:
            return None  # what was trained elsewhere are no cells, and what tables say is no training
        tasks = [task for task in self.memory.past_trials(self.card()) if _is_table(task) == space.is_table]
        return _past(tasks, space, self.scale) if tasks else None


def transfer_from(memory: Memory, view: JournalView, scale: str | None) -> Transfer:
    """What other runs tried, for a run whose card is in its journal when this is first asked."""

    def card() -> TaskCard:
        return TaskCard.model_validate(view.card)

    return Transfer(RememberedTrials(memory, card, scale), lambda: card().vector())


def _is_table(task: TaskTrials) -> bool:
    return task.trials[0].rung == TABLE[0].name


def _past(tasks: Sequence[TaskTrials], space: SearchSpace, scale: str | None) -> Past | None:
    import numpy as np

    designs: dict[tuple[float, ...], list[TrialRecord]] = {}
    scores: list[dict[tuple[float, ...], list[float]]] = []
    for task in tasks:
        told: dict[tuple[float, ...], list[float]] = {}
        for trial, score in _scores(task.trials):
            vector = _vector(trial, space, scale)
            if vector is not None:
                designs.setdefault(vector, []).append(trial)
                told.setdefault(vector, []).append(score)
        scores.append(told)
    if not designs:
        return None
    held = list(designs)
    known = [[statistics.fmean(told[vector]) if vector in told else np.nan for vector in held] for told in scores]
    past_tasks = [PastTask(task.trials[0].task, task.task_vector, np.array(row)) for task, row in zip(tasks, known, strict=True)]
    return Past(
        np.array(held, dtype=np.float32),
        lambda design: _adopted(designs[held[design]][0], space, scale),
        tuple(past_tasks),
        lambda design: tuple(f"trial:{trial.id}" for trial in designs[held[design]][:CITED]),
    )


def _scores(trials: Sequence[TrialRecord]) -> list[tuple[TrialRecord, float]]:
    """Higher is better. A trial that was cut short was among the worse half of its round: it counts as no better than the median of those
    that were trained in full. One whose trainings the time limit ended is at least as good as it scored: above that median it counts, below
    it says nothing of a design that may only be slow, and is left out."""
    signed = [(trial, trial.val if trial.higher_is_better else -trial.val) for trial in trials if trial.val is not None]
    full = [(trial, score) for trial, score in signed if trial.rung not in CUT]
    whole = [score for trial, score in full if not trial.cut]
    middle = statistics.median(whole or [score for _, score in full] or [math.inf])
    told = [(trial, score) for trial, score in signed if trial.rung in CUT or not trial.cut or not whole or score >= middle]
    return [(trial, min(score, middle) if trial.rung in CUT else score) for trial, score in told]


def _vector(trial: TrialRecord, space: SearchSpace, scale: str | None) -> tuple[float, ...] | None:
    """The structure as the space counts it. Of trained trials it was kept, and specs are parsed only where they are proposed."""
    if space.is_table:
        spec = _adopted(trial, space, scale)
        return None if spec is None else tuple(space.vector(spec))
    structure = trial.structure
    if scale is not None:
        structure = {name: value for name, value in structure.items() if not name.startswith(SCALE)} | {f"{SCALE}{scale}": 1.0}
    return tuple(structure.get(name, 0.0) for name in space.vector_names())


def _adopted(trial: TrialRecord, space: SearchSpace, scale: str | None) -> ArchitectureSpec | None:
    try:
        spec = space.adopt(parse_spec(trial.spec))
    except SpecError:
        return None  # of a version whose language said more
    if spec is None or scale is None or space.is_table:
        return spec
    scaled = with_scale(spec, scale)
    return scaled if space.refuses(scaled) is None else spec
