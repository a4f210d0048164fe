"""What each choice of a run's winner is worth: the winner is trained without it, on the seeds and splits that confirmed the winner.

Validation alone is compared, so a finished run can be asked at any time and its test stays opened once. Scores are kept in the run's
``ablation.json`` as they come: the same call goes on where an earlier one ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from agentnas.agents.statistics import held, is_beyond, mean_and_sd, paired_difference
from agentnas.memory.view import JournalView
from agentnas.scores import gap_text
from agentnas.tools.errors import RunError, UsageError
from agentnas.tools.evaluate.base import CONFIRM, PLANNED
from agentnas.tools.spec.canonical import spec_hash
from agentnas.words import plural

if TYPE_CHECKING:
    from agentnas.config import Config
    from agentnas.run import Run
    from agentnas.tools.scale import Scale
    from agentnas.tools.spec.ablations import Ablation
    from agentnas.tools.tasks import Task
    from agentnas.tools.workers import JobResult

FILE = "ablation.json"
SEEDS, MOST = 5, 12
HEAD = ["without", "validation", "winner minus it", ""]


@dataclass(frozen=True)
class Row:
    """One choice taken back. ``scores``: validation by seed; ``gap``: the winner minus this (``paired_difference``), None if it failed;
    ``cut``: seeds whose training ended at its time limit."""

    factor: str
    change: str
    scores: dict[int, float]
    gap: dict[str, Any] | None
    failure: str | None = None
    cut: tuple[int, ...] = ()

    @property
    def verdict(self) -> str:
        """What the difference says, and whether trainings were cut short for it."""
        if self.gap is None:
            return f"could not be trained: {self.failure}"
        ended = f"; {len(self.cut)} of {plural(len(self.scores), 'training')} ended at the time limit" if self.cut else ""
        return self._decision(self.gap) + ended

    @staticmethod
    def _decision(gap: Mapping[str, Any]) -> str:
        if gap["se"] is None:
            return "one seed, noise unknown"
        if not is_beyond(gap):
            return held(gap)
        return "worth it" if gap["difference"] > 0 else "better without"

    def cells(self, scale: Scale) -> list[str]:
        """A row under ``HEAD``, in the unit of the metric."""
        if self.gap is None:
            return [self.change, "", "", self.verdict]
        return [self.change, scale.spread(*mean_and_sd(list(self.scores.values()))), gap_text(self.gap, scale), self.verdict]


def ablate(
    run: Run, seeds: int = SEEDS, most: int = MOST, workers: int | None = None, *, tell: Callable[[str], None] = lambda _: None,
    on_training: Callable[[str], None] = lambda _: None, stop: threading.Event | None = None, task: Task | None = None,
    allow_code: bool | None = None,
) -> list[Row]:  # fmt: skip
    """Measure the winner without each of its choices, ``most`` of them, on the first ``seeds`` of its confirmation.

    ``task``: the run's own, where the caller holds it; else it is loaded again (``allow_code``: as in
    ``load_run_task``). ``tell`` hears what is about to be done, ``on_training``
    what came of each training. Raises UsageError for a table, which trains nothing, and RunError for a run without a winner, or whose
    data is no longer the same.
    """
    from agentnas.tools.spec.ablations import ablations

    confirmed = _confirmed(run, seeds)
    variants = ablations(run.best)[:most]
    if not variants:
        raise RunError(f"run {run.name}: the winner makes no choice that could be taken back")
    config, task = _settings(run, workers, task, allow_code)
    kept = _Kept(run, variants, list(confirmed))
    wanted = [(variant, seed, split) for variant in variants for seed, split in confirmed.items() if not kept.has(variant, seed)]
    tell(_estimate(run, len(variants) * len(confirmed), len(wanted), config))
    if wanted:
        _train(wanted, config, task, kept, run.view.scale, on_training, stop or threading.Event())
    kept.write()
    return rows(run) or []


def rows(run: Run) -> list[Row] | None:
    """What was measured of this run's winner, most costly first; None where nothing was."""
    if run.winner is None or not (run.path / FILE).exists():
        return None
    stored = run.directory.read_json(FILE)
    if stored.get("trial") != run.winner:
        return None
    own = {event.seed: event.val for event in run.view.evaluations(run.winner, CONFIRM) if event.val is not None}
    ratio = run.view.started.test_to_train if run.view.started else 0.0
    found = [_row(variant, own, ratio) for variant in stored["variants"]]
    return sorted(found, key=lambda row: -row.gap["difference"] if row.gap else 0.0)


def _row(stored: Mapping[str, Any], own: Mapping[int, float], ratio: float) -> Row:
    scores = {int(seed): float(score) for seed, score in stored["scores"].items() if int(seed) in own}
    gap = paired_difference(own, scores, ratio) if scores else None
    cut = tuple(seed for seed in stored.get("cut", ()) if seed in scores)
    return Row(stored["factor"], stored["change"], scores, gap, stored["failure"], cut)


def _confirmed(run: Run, seeds: int) -> dict[int, int]:
    """Split of each seed of the winner's confirmation; the first ``seeds`` of them."""
    if run.winner is None:
        raise RunError(f"run {run.name} has no winner yet; {_hint(run.view)}")
    found = {event.seed: event.split for event in run.view.evaluations(run.winner, CONFIRM)}
    if not found:
        raise UsageError(f"run {run.name} confirmed its winner with no training of its own: there is nothing to compare with")
    return dict(sorted(found.items())[:seeds])


def _hint(view: JournalView) -> str:
    return "resume it first" if view.finished is None else "no design was found in it"


def _settings(run: Run, workers: int | None, task: Task | None, allow_code: bool | None) -> tuple[Config, Task]:
    """The run's own settings, and its task; raises RunError where the data is another one."""
    from agentnas.api import stored_settings
    from agentnas.run_task import load_run_task

    config, _ = stored_settings(run.directory)
    task = task or load_run_task(run, allow_code=allow_code)
    if task.table is not None:
        raise UsageError(f"task {task.name} is a table: its cells are looked up, and have no parts to train without")
    return config if workers is None else config.model_copy(update={"workers": workers}), task


def _estimate(run: Run, all_: int, left: int, config: Config) -> str:
    from agentnas.config import format_duration
    from agentnas.executing import workers_of

    each = median(event.seconds for event in run.view.evaluations(str(run.winner), CONFIRM))
    known = f", {all_ - left} known already" if left < all_ else ""
    about = format_duration(max(1.0, round(each * left / workers_of(config))))
    return f"what each choice of {run.winner} is worth: {plural(left, 'training')}, about {about}{known}"


class _Kept:
    """Scores in the run's file, by spec and seed, and what they are of."""

    def __init__(self, run: Run, variants: Sequence[Ablation], seeds: Sequence[int]) -> None:
        self._run, self._seeds = run, seeds
        self._variants = [(variant, spec_hash(variant.spec)) for variant in variants]
        self._failures: dict[str, str] = {}
        self._scores: dict[tuple[str, int], float] = {}
        self._cut: set[tuple[str, int]] = set()
        stored = run.directory.read_json(FILE) if (run.path / FILE).exists() else {}
        for variant in stored.get("variants", []) if stored.get("trial") == run.winner else []:
            self._scores |= {(variant["spec_hash"], int(seed)): float(score) for seed, score in variant["scores"].items()}
            self._cut |= {(variant["spec_hash"], seed) for seed in variant.get("cut", ())}

    def has(self, variant: Ablation, seed: int) -> bool:
        return (spec_hash(variant.spec), seed) in self._scores

    def note(self, variant: Ablation, seed: int, result: JobResult) -> None:
        """Keep what came of a training."""
        if result.val is None:
            self._failures[spec_hash(variant.spec)] = f"{result.kind}: {result.reason}"
        else:
            self._scores[spec_hash(variant.spec), seed] = result.val
            self._cut |= {(spec_hash(variant.spec), seed)} if PLANNED in result.details else set()
        self.write()

    def write(self) -> None:
        """All that is known, as the run's file."""
        self._run.directory.write_json(FILE, {"trial": self._run.winner, "variants": [self._told(*known) for known in self._variants]})

    def _told(self, variant: Ablation, hashed: str) -> dict[str, Any]:
        scores = {str(seed): self._scores[hashed, seed] for seed in self._seeds if (hashed, seed) in self._scores}
        return {
            "factor": variant.factor, "change": variant.change, "spec_hash": hashed, "spec": variant.spec.model_dump(mode="json"),
            "scores": scores, "failure": self._failures.get(hashed), "cut": [seed for seed in self._seeds if (hashed, seed) in self._cut],
        }  # fmt: skip


def _train(
    wanted: Sequence[tuple[Ablation, int, int]], config: Config, task: Task, kept: _Kept, scale: Scale,
    on_training: Callable[[str], None], stop: threading.Event,
) -> None:  # fmt: skip
    from agentnas.executing import executor
    from agentnas.tools.workers import Job

    jobs = [
        Job(f"{number}", variant.spec.model_dump(mode="json"), seed, split, time_limit_s=config.trial_time_s)
        for number, (variant, seed, split) in enumerate(wanted)
    ]
    pool, _ = executor(config, task, None)
    try:
        for count, result in enumerate(pool.run(jobs, stop.is_set), start=1):
            variant, seed, _ = wanted[int(result.id)]
            kept.note(variant, seed, result)
            came = f"{result.kind}: {result.reason}" if result.val is None else scale.told(result.val)
            on_training(f"{count}/{len(jobs)} seed {seed} without: {variant.change}: {came}")
    finally:
        pool.close()
