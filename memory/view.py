"""What a run's events add up to. Everything that others read about a run (leaderboard, prompts, report, resume) comes from here."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from agentnas.memory import events as ev
from agentnas.memory.calls import Calls
from agentnas.memory.collecting import without_collections
from agentnas.tools.scale import Scale

TrialState = Literal["proposed", "rejected", "failed", "done"]


@dataclass(frozen=True)
class Standing:
    """A trial on its highest rung: mean and sample standard deviation of the validation score (None for one seed)."""

    trial: str
    rung: str
    val_mean: float
    val_sd: float | None
    seeds: int


class JournalView:
    """State derived from events, one ``apply`` each, in time that does not grow with the run.

    ``config`` are the settings in force; ``touched`` names the trial of each event that is about one, in order; ``trial_of`` the trial
    with a spec's hash; ``named`` a finding by its id, with its round's; ``recalled`` what was recalled first under an id.
    Mappings and lists that it hands out are for reading. Dictionaries keep the order of the journal, proposals the order of drafting.
    """

    def __init__(self, events: Iterable[ev.AnyEvent] = ()) -> None:
        self.started: ev.RunStarted | None = None
        self.config: Mapping[str, Any] = {}
        self.finished: ev.RunFinished | None = None
        self.interrupted: ev.RunInterrupted | None = None
        self.finalists: ev.FinalistsChosen | None = None
        self.winner: ev.WinnerChosen | None = None
        self.test: ev.TestOpened | None = None
        self.baselines: dict[str, ev.BaselineMeasured] = {}
        self.exported: ev.Exported | None = None
        self.card: dict[str, Any] | None = None
        self.active_seconds = 0.0
        self.resumes = 0
        self.num_events = 0
        self.last: str | None = None
        self.proposals: dict[str, ev.Proposal] = {}
        self.round_of: dict[str, int] = {}
        self.rounds: dict[int, tuple[str, ...]] = {}
        self.rejected: dict[str, str] = {}
        self.profiles: dict[str, dict[str, Any]] = {}
        self.plans: dict[int, ev.PlanMade] = {}
        self.evidence: dict[int, ev.EvidenceRecalled] = {}
        self.findings: dict[int, ev.FindingsMade] = {}
        self.correlations: list[ev.RungCorrelation] = []
        self.stopped: dict[str, dict[str, ev.SeedsStopped]] = {}
        self.notes: list[ev.Noted] = []
        self.calls = Calls()
        self.told: dict[int, tuple[str, ...]] = {}
        self.reviews: dict[int, ev.PlanReviewed] = {}
        self.rejections: dict[int, int] = {}
        self.awaiting: int | None = None
        self.items: set[str] = set()
        self.touched: list[str] = []
        self.trial_of: dict[str, str] = {}
        self.named: dict[str, tuple[ev.FindingsMade, Mapping[str, Any]]] = {}
        self.recalled: dict[str, Mapping[str, Any]] = {}
        self._num_evaluations = 0
        self._tried: set[str] = set()
        self._seen: set[tuple[str, int | None]] = set()
        self._finished: dict[str, dict[str, dict[tuple[int, int], ev.EvaluationFinished]]] = {}
        self._failed: dict[str, list[ev.EvaluationFailed]] = {}
        self._rung_rank: dict[str, int] = {}
        self._scores: dict[str, dict[str, float]] = {}
        self._ordinal: dict[str, int] = {}
        self._standings: dict[str, Standing] = {}
        self._board: list[tuple[int, float, int, str]] = []
        with without_collections():
            for event in events:
                self.apply(event)

    def apply(self, event: ev.AnyEvent) -> None:
        """Fold one event in; events come in the order of the journal."""
        self.num_events += 1
        self.last = event.type
        self.active_seconds = max(self.active_seconds, event.t)
        self._seen.add((event.type, None))
        if (round_ := getattr(event, "round", None)) is not None:
            self._seen.add((event.type, round_))
        match event:
            case ev.EvaluationFinished():
                self.touched.append(event.trial)
                self._apply_finished(event)
            case ev.EvaluationFailed():
                self.touched.append(event.trial)
                self._ordinal.setdefault(event.trial, len(self._ordinal))
                self._tried.add(event.trial)
                self._failed.setdefault(event.trial, []).append(event)
            case ev.TrialPriced():
                self.touched.append(event.trial)
                self.profiles[event.trial] = {**self.profiles.get(event.trial, {}), **event.profile}
            case ev.TrialRejected():
                self.touched.append(event.trial)
                self.rejected[event.trial] = event.reason
            case ev.ProposalsDrafted():
                self._apply_proposals(event)
            case _:
                self._apply_rare(event)

    def _apply_rare(self, event: ev.AnyEvent) -> None:
        match event:
            case ev.PlanMade():
                self.plans[event.round] = event
                self.reviews.pop(event.round, None)  # what was said was said of the plan before
            case ev.EvidenceRecalled():
                self.evidence[event.round] = event
                for item in event.evidence:
                    self.recalled.setdefault(str(item.get("id")), item)
            case ev.FindingsMade():
                self.findings[event.round] = event
                for name, finding in named_findings(event):
                    self.named.setdefault(name, (event, finding))
            case ev.RungCorrelation():
                self.correlations.append(event)
            case ev.SeedsStopped():
                self.stopped.setdefault(event.trial, {})[event.rung] = event
                self.touched.append(event.trial)
            case ev.Noted():
                self.notes.append(event)
            case ev.TaskCarded():
                self.card = event.card
            case ev.LLMAsked() | ev.LLMAnswered() | ev.LLMJudged():
                self.calls.apply(event)
            case ev.Told():
                self._tell(event.round, event.text, event.item)
            case ev.PlanReviewed():
                self._apply_review(event)
            case _:
                self._apply_milestone(event)

    def _apply_milestone(self, event: ev.AnyEvent) -> None:
        match event:
            case ev.RunStarted():
                self.started, self.config = event, event.config
                self._rung_rank = {rung: rank for rank, rung in enumerate(event.rungs)}
            case ev.RunResumed():
                self.resumes += 1
                self.config = event.config or self.config
                self.finished = self.interrupted = self.awaiting = None
            case ev.RunInterrupted():
                self.interrupted, self.awaiting = event, None
            case ev.ReviewAwaited():
                self.awaiting = event.round
            case ev.FinalistsChosen():
                self.finalists = event
            case ev.WinnerChosen():
                self.winner = event
            case ev.TestOpened():
                self.test = event
            case ev.BaselineMeasured():
                self.baselines[event.name] = event
            case ev.Exported():
                self.exported = event
            case ev.RunFinished():
                self.finished, self.awaiting = event, None

    def _tell(self, round_: int, text: str, item: str) -> None:
        self.told[round_] = (*self.told.get(round_, ()), text)
        self.items |= {item} if item else set()

    def _apply_review(self, event: ev.PlanReviewed) -> None:
        """A rejection is a message to the planner, which is asked anew in the same round."""
        self.reviews[event.round], self.awaiting = event, None
        self.items |= {event.item} if event.item else set()
        if event.decision == "rejected":
            self.rejections[event.round] = self.rejections.get(event.round, 0) + 1
            plan = self.plans.get(event.round)
            names = ", ".join(str(direction.get("name")) for direction in plan.directions) if plan else ""
            self._tell(event.round, f"I reject the plan ({names}): {event.reason}", event.item)
            self.calls.ask_again("planner", event.round)

    def _apply_proposals(self, event: ev.ProposalsDrafted) -> None:
        for proposal in event.proposals:
            self.proposals[proposal.trial] = proposal
            self.trial_of[proposal.spec_hash] = proposal.trial
            self.touched.append(proposal.trial)
            self.round_of[proposal.trial] = event.round
            self._ordinal.setdefault(proposal.trial, len(self._ordinal))
        drafted = tuple(proposal.trial for proposal in event.proposals)
        self.rounds[event.round] = self.rounds.get(event.round, ()) + drafted

    def _apply_finished(self, event: ev.EvaluationFinished) -> None:
        self._ordinal.setdefault(event.trial, len(self._ordinal))
        self._rung_rank.setdefault(event.rung, len(self._rung_rank))
        on_rung = self._finished.setdefault(event.trial, {}).setdefault(event.rung, {})
        self._num_evaluations += (event.seed, event.split) not in on_rung
        self._tried.add(event.trial)
        on_rung[event.seed, event.split] = event
        self._scores.setdefault(event.rung, {})[event.trial] = _mean_sd([evaluation.val for evaluation in on_rung.values()])[0]
        standing = self._standings.get(event.trial)
        if standing is None or self._level(event.rung) >= self._level(standing.rung):
            self._rank(self._stand(event.trial, event.rung))

    def _level(self, rung: str) -> int:
        """Rungs that train all epochs say the same thing with more seeds: they share a level."""
        full = self.started.full if self.started else ()
        return min(self._rung_rank.get(name, 0) for name in full) if rung in full else self._rung_rank[rung]

    def _stand(self, trial: str, rung: str) -> Standing:
        """Mean and deviation over all seeds of the rung's level."""
        level = [name for name in self._finished[trial] if self._level(name) == self._level(rung)]
        mean, sd = _mean_sd([evaluation.val for name in level for evaluation in self._finished[trial][name].values()])
        return Standing(trial, max(level, key=self._rung_rank.__getitem__), mean, sd, sum(len(self._finished[trial][n]) for n in level))

    def _rank(self, standing: Standing) -> None:
        old = self._standings.get(standing.trial)
        if old is not None:
            del self._board[bisect_left(self._board, self._key(old))]
        self._standings[standing.trial] = standing
        insort(self._board, self._key(standing))

    def _key(self, standing: Standing) -> tuple[int, float, int, str]:
        """Ascending: highest rung, then best mean, then first drafted, so that ties do not depend on who finished first."""
        signed = -standing.val_mean if self.higher_is_better else standing.val_mean
        worst_last = math.inf if math.isnan(signed) else signed
        return -self._level(standing.rung), worst_last, self._ordinal[standing.trial], standing.trial

    @property
    def higher_is_better(self) -> bool:
        """Direction of the task's metric, as the run's first event says."""
        return self.started is None or self.started.higher_is_better

    @property
    def scale(self) -> Scale:
        """How scores are shown, as the run's first event says."""
        return Scale(self.started.metric or "accuracy", self.started.unit) if self.started else Scale()

    def natural(self, score: float) -> float:
        """A score as its metric is usually given: percent, or an error in the unit of the target."""
        return self.scale.natural(score)

    @property
    def rungs(self) -> list[str]:
        """Names of the rungs, lowest first."""
        return sorted(self._rung_rank, key=self._rung_rank.__getitem__)

    @property
    def num_tried(self) -> int:
        """Trials that reached the first training rung: what a budget of trials counts."""
        return len(self._tried)

    @property
    def tried(self) -> list[str]:
        """Trials that reached the first training rung, in the order of drafting."""
        return sorted(self._tried, key=self._ordinal.__getitem__)

    @property
    def num_ranked(self) -> int:
        """Trials on the leaderboard."""
        return len(self._board)

    @property
    def num_evaluations(self) -> int:
        """Evaluations that finished, over all trials, rungs and seeds."""
        return self._num_evaluations

    @property
    def memory(self) -> str | None:
        """What the run remembered of others when it began, in words; None where that was nothing."""
        return next((note.message for note in self.notes if note.message.startswith(ev.MEMORY_NOTE)), None)

    def has(self, kind: type[ev.Event], round: int | None = None) -> bool:  # noqa: A002  # the field's own name
        """Whether an event of this type was written, of that round if one is given."""
        return (kind.model_fields["type"].default, round) in self._seen

    def evaluations(self, trial: str, rung: str | None = None) -> list[ev.EvaluationFinished]:
        """Finished evaluations of a trial, by seed and split; all rungs in order, or one."""
        rungs = self._finished.get(trial, {})
        wanted = self.rungs if rung is None else [rung]
        return [rungs[name][key] for name in wanted if name in rungs for key in sorted(rungs[name])]

    def evaluation(self, trial: str, rung: str, seed: int, split: int) -> ev.EvaluationFinished | None:
        """The finished evaluation with exactly this rung, seed and split: what must not be run again."""
        return self._finished.get(trial, {}).get(rung, {}).get((seed, split))

    def failures(self, trial: str, rung: str | None = None) -> list[ev.EvaluationFailed]:
        """Failed evaluations of a trial, in the order of the journal."""
        return [failure for failure in self._failed.get(trial, []) if rung in (None, failure.rung)]

    def failed_trials(self) -> list[str]:
        """Trials with a failed and no finished evaluation."""
        held = tuple(self._failed)  # results may come in beside who asks
        return [trial for trial in held if trial not in self._finished]

    def state(self, trial: str) -> TrialState:
        """``done`` once any evaluation finished, ``failed`` if all failed, ``rejected`` before training, else ``proposed``."""
        if trial in self._finished:
            return "done"
        if trial in self._failed:
            return "failed"
        return "rejected" if trial in self.rejected else "proposed"

    def scores(self, rung: str) -> Mapping[str, float]:
        """Mean validation score of every trial that finished on a rung; a live, read-only view."""
        return MappingProxyType(self._scores.get(rung, {}))

    def standing(self, trial: str) -> Standing | None:
        """The trial's score on its highest rung; None before its first finished evaluation."""
        return self._standings.get(trial)

    def rank(self, trial: str) -> int | None:
        """Place on the leaderboard, from 1; None before the trial's first finished evaluation."""
        standing = self._standings.get(trial)
        return None if standing is None else bisect_left(self._board, self._key(standing)) + 1

    def leaderboard(self, limit: int | None = None) -> list[Standing]:
        """Trials by highest rung, then mean validation score in the direction of the metric, then order of drafting."""
        return [self._standings[trial] for *_, trial in self._board[:limit]]

    @property
    def best(self) -> Standing | None:
        """The head of the leaderboard."""
        return next(iter(self.leaderboard(1)), None)


def named_findings(made: ev.FindingsMade) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The findings of a round with their ids; those without one are numbered."""
    for number, finding in enumerate(made.findings, start=1):
        yield finding.get("id") or f"r{made.round}-{number}", finding


def _mean_sd(values: list[float]) -> tuple[float, float | None]:
    if not all(map(math.isfinite, values)):
        return math.nan, None
    mean = math.fsum(values) / len(values)  # fsum: the same for any order of the seeds
    if len(values) == 1:
        return mean, None
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
