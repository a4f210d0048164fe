"""Several runs side by side, as plain data: what each found and took, paired differences, and where the runs themselves differ.

Runs of one task and protocol form a group. Nothing is ever reckoned or ranked across groups: such scores say nothing about each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from agentnas.agents.statistics import held, mean_and_sd, paired_difference
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.view import JournalView
from agentnas.run import Run
from agentnas.scores import gap_text, with_error
from agentnas.tools.errors import UsageError
from agentnas.tools.scale import Scale

RULES = "rules"
# Where a run lies and what it is called is no setting of the search.
NOT_SETTINGS = ("runs_dir", "data_dir", "record", "review")


@dataclass(frozen=True)
class Group:
    """Runs of one task, protocol and metric, in the order in which they were named; the first is what the others are compared with."""

    task: str
    protocol: str
    metric: str
    runs: tuple[Run, ...]

    @property
    def scale(self) -> Scale:
        """How scores of the group are shown."""
        return self.runs[0].view.scale if self.metric != "?" else Scale("?")

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """What ``row_of`` says of each run."""
        equal = min(run.view.num_tried for run in self.runs)
        return [row_of(run.directory, run.view, self.runs[0].view, equal) for run in self.runs]

    @cached_property
    def ranked(self) -> list[tuple[Run, dict[str, Any]]]:
        """Runs by the validation of their winners, best first; those without a winner stand last. Never by the test: a choice by it would
        leave nobody an unseen score."""
        sign = -1 if self.runs[0].view.higher_is_better else 1
        pairs = zip(self.runs, self.rows, strict=True)
        return sorted(pairs, key=lambda pair: math.inf if pair[1]["validation"] is None else sign * pair[1]["validation"])


def groups_of(runs: Sequence[Run]) -> list[Group]:
    """The groups, in the order of their first runs; a run that has not begun stands alone under what its directory says."""
    found: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        started = run.view.started
        key = (started.task, started.protocol, started.metric) if started else (run.directory.task, "?", run.name)
        found.setdefault(key, []).append(run)
    return [Group(task, protocol, metric if protocol != "?" else "?", tuple(own)) for (task, protocol, metric), own in found.items()]


def refuse_twice(names: Sequence[str], found: Sequence[RunDirectory]) -> None:
    """Two names of one run are a slip: its difference from itself would look like a result."""
    known: dict[Path, str] = {}
    for name, directory in zip(names, found, strict=True):
        place = directory.path.resolve()
        if place in known:
            raise UsageError(f"{known[place]} and {name} are the same run, {directory.name}; give different runs")
        known[place] = name


def row_of(directory: RunDirectory, view: JournalView, first: JournalView, equal: int) -> dict[str, Any]:
    """What a run found and took; ``best`` is the best validation of its first ``equal`` trials, before confirmation;
    ``trainings`` are those of the winner's confirmation, ``cut`` those of them that the time limit ended."""
    from agentnas.report_agents import models_of
    from agentnas.report_verdicts import of_winner
    from agentnas.trace import best_after

    test, spent, paired = winner_test(view) or {}, view.calls.total, difference(view, first) or {}
    return {
        "run": directory.name,
        "task": directory.task,
        "protocol": view.started.protocol if view.started else None,
        "llm": ", ".join(models_of(view)) or RULES,
        "trials": view.num_tried,
        "evaluations": view.num_evaluations,
        "active_seconds": view.active_seconds,
        "calls": spent.calls,
        "tokens": spent.tokens,
        "cost": spent.known_cost,
        "best_at": equal,
        "best": best_after(view, equal),
        "validation": view.winner.val_mean if view.winner else None,
        **of_winner(view),
        "test": test.get("mean"),
        "sd": test.get("sd"),
        "seeds": test.get("seeds"),
        **{key: paired.get(key) for key in ("difference", "se", "inside_noise")},
        "is_first": view is first,
    }


def winner_test(view: JournalView) -> dict[str, Any] | None:
    """Mean and deviation of the winner's test scores; None while the test is sealed."""
    scores = list(_test_scores(view).values())
    if not scores:
        return None
    mean, sd = mean_and_sd(scores)
    return with_error({"mean": mean, "sd": sd, "seeds": len(scores)}, view.scale)


def _test_scores(view: JournalView) -> dict[int, float]:
    scores = view.test.scores.get(view.winner.trial, {}) if view.test and view.winner else {}
    return {int(seed): score for seed, score in scores.items()}


def difference(view: JournalView, first: JournalView) -> dict[str, Any] | None:
    """Test minus the first run's over the seeds that both have: mean, standard error, seeds, and whether that is inside the noise.

    None for the first run itself, where no seed is common, and where task or protocol differ.
    """
    ours, theirs = _test_scores(view), _test_scores(first)
    if view is first or not ours.keys() & theirs.keys() or not _same_protocol(view, first):
        return None
    return paired_difference(ours, theirs, view.started.test_to_train if view.started else 0.0)


def _same_protocol(view: JournalView, first: JournalView) -> bool:
    if view.started is None or first.started is None:
        return False
    return (view.started.task, view.started.protocol) == (first.started.task, first.started.protocol)


def difference_text(found: Mapping[str, Any] | None, scale: Scale) -> str:
    """``+0.50 ± 0.19 over 3 paired seeds: beyond the noise``; ``no seed in common`` where nothing could be paired."""
    if found is None:
        return "no seed in common"
    if found["se"] is None:
        return f"{gap_text(found, scale)} on one score each, noise unknown"
    return f"{gap_text(found, scale)} over {found['seeds']} paired seeds: {held(found)}"


def settings_that_differ(runs: Sequence[Run]) -> list[tuple[str, list[Any]]]:
    """Settings, then facts of the machine and versions of packages, that are not the same in all runs, each with its value in every run."""
    told = [dict(_facts(run)) for run in runs]
    names = dict.fromkeys(name for facts in told for name in facts)
    rows = [(name, [facts.get(name) for facts in told]) for name in names]
    return [(name, values) for name, values in rows if any(value != values[0] for value in values)]


def _facts(run: Run) -> Iterator[tuple[str, Any]]:
    started = run.view.started
    if started is None:
        return
    yield from ((name, value) for name, value in started.config.items() if name not in NOT_SETTINGS)
    yield "memory of earlier runs", run.view.memory or "none"
    for name, value in started.environment.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}: {inner}", version) for inner, version in value.items())
        else:
            yield name.replace("_", " "), value


def changes_from(first: Run, other: Run) -> list[str] | None:
    """The least changes that turn the first run's design into the other's, one a line; None where either has none yet."""
    if first.leader is None or other.leader is None:
        return None
    from agentnas.tools.spec.diff import describe, diff

    return [describe([change]) for change in diff(first.best, other.best)]
