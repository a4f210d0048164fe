"""What stopping trainings by their curves would spare, and whom it would lose: ``python -m tests.benchmarks.abandonment FOLDER ...``.

Replays the journals of searches that have ended; ``FOLDER`` is a run, or holds some. A full training of a newcomer is stopped at a
checkpoint where its best validation score so far is below the worst that any of the best third of the trials of earlier rounds had there,
on the same split with the same seed, by more than ``margin`` times the noise between seeds at that checkpoint. Its trial then trains no
more. Anchors are never stopped, and nobody is before ``LEAST`` trials have trained in full. Curves in a journal have 60 points at most;
between them the best so far is that of the point before, for all alike.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from agentnas.memory import events as ev
from agentnas.memory.rundir import RunDirectory
from agentnas.tools.errors import AgentNASError
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.words import markdown_table

LEAST, SHARE = 6, 1 / 3
NEWCOMER, HEAD = "full", "seeds"  # the rung of a trial's first full training, and that of the head of the run
EARLY = 50  # epochs after which the one who knows the end stops a training
EPOCHS = ((50.0,), (100.0,), tuple(50.0 * step for step in range(1, 41)))
SHARES = ((0.25,), (0.5,), (0.25, 0.5, 0.75))


@dataclass(frozen=True)
class Training:
    """One training of a search: ``planned`` are the epochs of its recipe, ``epochs`` those it took; ``curve``: epoch and validation."""

    trial: str
    round: int
    rung: str
    seed: int
    split: int
    began: float
    ended: float
    planned: int
    epochs: int
    val: float
    curve: tuple[tuple[int, float], ...]

    def best(self, epoch: float) -> float | None:
        """The best validation score up to an epoch; None before the first point of the curve."""
        return max((val for at, val in self.curve if at <= epoch), default=None)


@dataclass(frozen=True)
class Search:
    """What a journal says of a search. ``names``: trials in words; ``chosen``: its finalists; ``winner``: None where it has none."""

    task: str
    trainings: tuple[Training, ...]
    anchors: frozenset[str]
    names: Mapping[str, str]
    chosen: frozenset[str]
    winner: str | None

    @property
    def head(self) -> frozenset[str]:
        """Trials that got more seeds."""
        return frozenset(one.trial for one in self.trainings if one.rung == HEAD)

    def newcomers(self) -> list[Training]:
        """First full trainings that a rule may stop, as they began."""
        found = [one for one in self.trainings if one.rung == NEWCOMER and one.trial not in self.anchors]
        return sorted(found, key=lambda one: one.began)

    def before(self, training: Training) -> list[Training]:
        """Full trainings of earlier rounds that had ended when this one began."""
        full = [one for one in self.trainings if one.rung in (NEWCOMER, HEAD)]
        return [one for one in full if one.round < training.round and one.ended <= training.began]


@dataclass(frozen=True)
class Rule:
    """``checkpoints`` are epochs, or with ``of_recipe`` shares of the epochs that a recipe plans."""

    checkpoints: tuple[float, ...]
    of_recipe: bool
    margin: float

    @property
    def words(self) -> str:
        points = [f"{100 * point:g} %" if self.of_recipe else f"{point:g}" for point in self.checkpoints]
        unit = "of the recipe's epochs" if self.of_recipe else "epochs"
        return f"after {', '.join(points)} {unit}" if len(points) <= 3 else f"after each {points[0]} {unit}"

    def stops(self, training: Training, past: Sequence[Training]) -> float | None:
        """The epoch after which the training is stopped, by what the past trainings had shown there; None where it is not."""
        rivals = [one for one in _best_third(past) if (one.seed, one.split) == (training.seed, training.split)]
        for point in self.checkpoints:
            epoch = self._epoch(training, point)
            if epoch >= training.epochs or not rivals:
                return None
            own, theirs = training.best(epoch), [best for one in rivals if (best := one.best(self._epoch(one, point))) is not None]
            spread = noise({one: best for one in past if (best := one.best(self._epoch(one, point))) is not None})
            if own is not None and theirs and spread is not None and own < min(theirs) - self.margin * spread:
                return epoch
        return None

    def _epoch(self, training: Training, point: float) -> float:
        return point * training.planned if self.of_recipe else point


def _best_third(past: Sequence[Training]) -> list[Training]:
    """All trainings of the best third of the trials by their means; none of fewer than ``LEAST`` trials."""
    scores: dict[str, list[float]] = {}
    for one in past:
        scores.setdefault(one.trial, []).append(one.val)
    ranked = sorted(scores, key=lambda trial: (-fmean(scores[trial]), trial))
    leading = ranked[: math.ceil(SHARE * len(ranked))] if len(ranked) >= LEAST else []
    return [one for one in past if one.trial in leading]


def noise(found: Mapping[Training, float]) -> float | None:
    """Standard deviation of scores between seeds of one trial, pooled over trials; None with fewer than three degrees of freedom.

    Where seeds stand for splits, what a split does to all trials alike is taken out first.
    """
    by_split: dict[int, list[float]] = {}
    for one, score in found.items():
        by_split.setdefault(one.split, []).append(score)
    by_trial: dict[str, list[float]] = {}
    for one, score in found.items():
        by_trial.setdefault(one.trial, []).append(score - fmean(by_split[one.split]))
    freedom = sum(len(scores) - 1 for scores in by_trial.values()) - (len(by_split) - 1)
    squares = sum((score - fmean(scores)) ** 2 for scores in by_trial.values() for score in scores)
    return math.sqrt(squares / freedom) if freedom >= 3 else None


Stopped = dict[str, tuple[Training, float]]  # by trial: the training that is stopped, and the epoch after which it is


def replay(search: Search, rule: Rule) -> Stopped:
    """Whom a rule would have stopped. Who is stopped still counts among those that are looked back at: it had trained in this search."""
    stopped: Stopped = {}
    for one in search.newcomers():
        epoch = None if one.trial in stopped else rule.stops(one, search.before(one))
        if epoch is not None:
            stopped[one.trial] = one, epoch
    return stopped


def with_hindsight(search: Search) -> Stopped:
    """As one would who knows the end: nobody is stopped who got more seeds or was a finalist; nor in the first round, as by any rule."""
    stopped: Stopped = {}
    for one in search.newcomers():
        if one.round and one.trial not in search.head | search.chosen and one.epochs > EARLY:
            stopped.setdefault(one.trial, (one, EARLY))
    return stopped


def spared(search: Search, stopped: Stopped) -> float:
    """Epochs of the search that are not trained: the rest of what is stopped, and what its trial would have trained after it."""
    total = sum(one.epochs - epoch for one, epoch in stopped.values())
    later = [one for one in search.trainings if one.trial in stopped and one.rung in (NEWCOMER, HEAD)]
    return total + sum(one.epochs for one in later if one.began > stopped[one.trial][0].began)


def search_of(events: Iterable[ev.AnyEvent]) -> Search | None:
    """The search of a journal; None where it keeps no curves."""
    task, chosen, winner = "", frozenset[str](), None
    rounds: dict[str, int] = {}
    proposals: dict[str, ev.Proposal] = {}
    trainings = []
    for event in events:
        if isinstance(event, ev.RunStarted):
            task = event.task
        elif isinstance(event, ev.ProposalsDrafted):
            proposals |= {proposal.trial: proposal for proposal in event.proposals}
            rounds |= {proposal.trial: event.round for proposal in event.proposals}
        elif isinstance(event, ev.EvaluationFinished) and event.epochs and event.details.get("curve"):
            trainings.append(_training(event, rounds[event.trial], proposals[event.trial]))
        elif isinstance(event, ev.FinalistsChosen):
            chosen = frozenset(event.finalists)
        elif isinstance(event, ev.WinnerChosen):
            winner = event.trial
    anchors = frozenset(trial for trial, proposal in proposals.items() if proposal.anchor)
    names = {trial: proposal.text for trial, proposal in proposals.items()}
    return Search(task, tuple(trainings), anchors, names, chosen, winner) if trainings else None


def _training(event: ev.EvaluationFinished, round_: int, proposal: ev.Proposal) -> Training:
    assert event.epochs is not None
    curve = tuple((int(epoch), float(val)) for epoch, _, val in event.details["curve"])
    planned = int(proposal.spec.get("recipe", {}).get("epochs", event.epochs))
    began = event.t - event.seconds
    where = (event.trial, round_, event.rung, event.seed, event.split)
    return Training(*where, began, event.t, planned, event.epochs, event.val, curve)


def searches(folders: Iterable[Path], least: int) -> Iterator[Search]:
    """Searches below the folders in which at least so many trials trained in full; one that is there several times counts once."""
    seen = set()
    for journal in sorted(file for folder in folders for file in folder.rglob("events.jsonl")):
        try:
            search = search_of(RunDirectory.open(journal.parent).events())
        except AgentNASError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        full = frozenset((one.trial, one.seed, one.val) for one in search.trainings if one.rung == NEWCOMER) if search else frozenset()
        if search and full not in seen and len({trial for trial, _, _ in full}) >= least:
            seen.add(full)
            yield search


def about(known: Sequence[Search]) -> str:
    """A row for each task: how its epochs were spent, and what one who knows the end would spare of them."""
    rows = []
    for task in sorted({search.task for search in known}):
        own = [search for search in known if search.task == task]
        epochs = {rung: sum(_epochs(search, rung) for search in own) for rung in ("short", NEWCOMER, HEAD, CONFIRM)}
        total = sum(epochs.values())
        best = sum(spared(search, with_hindsight(search)) for search in own)
        trials = sum(len({one.trial for one in search.trainings}) for search in own)
        rows.append([task, str(len(own)), str(trials), *(f"{100 * part / total:.0f} %" for part in (*epochs.values(), best))])
    return markdown_table(["task", "searches", "trials", "short", "first in full", "more seeds", "confirmation", "spared at best"], rows)


def _epochs(search: Search, rung: str) -> int:
    return sum(one.epochs for one in search.trainings if one.rung == rung)


def rules(known: Sequence[Search]) -> str:
    """A row for each rule: what it spares, of the epochs of first full trainings, of those of rounds after the first, and of all."""
    rows = []
    for checkpoints, of_recipe in [(points, False) for points in EPOCHS] + [(points, True) for points in SHARES]:
        for margin in (1.0, 2.0):
            rule = Rule(checkpoints, of_recipe, margin)
            rows.append([rule.words, f"{margin:g}", *_figures(known, [replay(search, rule) for search in known])])
    rows.append(["by one who knows the end", "", *_figures(known, [with_hindsight(search) for search in known])])
    header = ["stopped", "margin", "trials", "of first full epochs", "of later rounds", "of all", "in the head", "finalists", "winners"]
    return markdown_table(header, rows)


def _figures(known: Sequence[Search], stopped: Sequence[Stopped]) -> list[str]:
    total = sum(spared(search, out) for search, out in zip(known, stopped, strict=True))
    searched = [one for search in known for one in search.trainings]
    first = sum(one.epochs for one in searched if one.rung == NEWCOMER)
    later = sum(one.epochs for one in searched if one.rung != CONFIRM and one.round)
    shares = [f"{100 * total / max(1, whole):.1f} %" for whole in (first, later, sum(one.epochs for one in searched))]
    pairs = list(zip(known, stopped, strict=True))
    lost = (sum(len(search.head & set(out)) for search, out in pairs), sum(len(search.chosen & set(out)) for search, out in pairs))
    winners = sum(search.winner in out for search, out in pairs)
    return [str(sum(len(out) for out in stopped)), *shares, *map(str, (*lost, winners))]


def losses(known: Sequence[Search], rule: Rule) -> str:
    """The finalists that a rule would have stopped, with what they had shown by then and what they came to."""
    rows = []
    for search in known:
        for trial, (one, epoch) in replay(search, rule).items():
            if trial in search.chosen:
                then = one.best(epoch)
                rows.append([search.task, search.names[trial], f"{epoch:g} of {one.planned}", f"{then:.1f}", f"{one.val:.1f}"])
    return markdown_table(["task", "finalist", "stopped after", "validation then", "at its end"], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description="what stopping trainings by their curves would have spared and lost")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="a run, or a folder of runs")
    parser.add_argument("--least", type=int, default=10, help="trials that trained in full, for a search to count (default 10)")
    options = parser.parse_args(arguments)
    known = list(searches(options.folders, options.least))
    if not known:
        print(f"no search with {options.least} full trainings below {', '.join(map(str, options.folders))}", file=sys.stderr)
        return 1
    print(f"{about(known)}\n\n{rules(known)}\n\n{losses(known, Rule(EPOCHS[-1], False, 1.0))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
