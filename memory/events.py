"""The typed events of a journal: everything that happened in a run, in order; all else is derived from them.

Plain pydantic models, torch-free. ``t`` is active seconds since the run began, added up over resumes.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agentnas.memory.event import Event as Event
from agentnas.memory.events_asked import LLMAnswered as LLMAnswered
from agentnas.memory.events_asked import LLMAsked as LLMAsked
from agentnas.memory.events_asked import LLMJudged as LLMJudged
from agentnas.memory.events_asked import PlanReviewed as PlanReviewed
from agentnas.memory.events_asked import ReviewAwaited as ReviewAwaited
from agentnas.memory.events_asked import Told as Told

SCHEMA_VERSION = 1


class RunStarted(Event):
    """The first event of every journal; carries the schema version under which the file is read."""

    durable: ClassVar[bool] = True
    type: Literal["run_started"] = "run_started"
    schema_version: int = SCHEMA_VERSION
    task: str
    protocol: str
    config: dict[str, Any]
    environment: dict[str, Any]
    metric: str = ""
    higher_is_better: bool = True
    test_to_train: float = Field(0.0, description="test part over training part of a split, where training parts of splits overlap")
    unit: float = Field(1.0, description="error of the best constant, where the metric is an error: what its scores are shares of")
    kind: str = Field("node", description="what is predicted of: node, graph, or link (pairs of nodes)")
    target: str = Field("classes", description="what is predicted: classes, labels (several an item), or a value")
    sizes: dict[str, int] = Field(
        default_factory=dict, description="columns of features, outputs and attributes of edges; numbers of types"
    )
    class_names: tuple[str, ...] = Field((), description="what classes, or labels, are called, by number; empty where they have no names")
    full: tuple[str, ...] = Field((), description="rungs that train all epochs: their scores are pooled, confirmation apart")
    rungs: tuple[str, ...] = Field((), description="names of the rungs, lowest first; a rung not named here ranks by first appearance")
    searched: dict[str, Any] = Field(default_factory=dict, description="the space, its size, and which anchors lie outside of it")


class RunResumed(Event):
    """A writer took the run up again after it had ended, crashed or been interrupted."""

    durable: ClassVar[bool] = True
    type: Literal["run_resumed"] = "run_resumed"
    environment: dict[str, Any] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict, description="settings from here on; a resumed run may have more time, say")


class RunInterrupted(Event):
    """The run stopped early in good order, at the wish of a person or the system."""

    durable: ClassVar[bool] = True
    type: Literal["run_interrupted"] = "run_interrupted"
    reason: str


class TaskCarded(Event):
    """The task card, as plain data."""

    type: Literal["task_carded"] = "task_carded"
    card: dict[str, Any]


class EvidenceRecalled(Event):
    """What memory returned to one question of a round."""

    type: Literal["evidence_recalled"] = "evidence_recalled"
    round: int
    question: str
    evidence: tuple[dict[str, Any], ...]


class PlanMade(Event):
    """Directions for a round, each with its share of the budget and its evidence."""

    type: Literal["plan_made"] = "plan_made"
    round: int
    author: str
    directions: tuple[dict[str, Any], ...]
    reason: str = ""
    bounds: dict[str, Any] = Field(default_factory=dict, description="what alone is searched, because the owner asked for it; empty: all")


class Proposal(BaseModel):
    """A spec and why it is worth a trial. ``trial`` is the id under which it is tried (``t0001``)."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    trial: str
    spec: dict[str, Any]
    spec_hash: str
    text: str = Field(description="canonical one-line rendering of the spec")
    author: str
    parent: str | None = None
    factor: str | None = Field(None, description="what was changed against the parent")
    change: str | None = Field(None, description="how: old -> new")
    hypothesis: str = ""
    expected_gain: float | None = None
    evidence: tuple[str, ...] = ()
    anchor: Literal["plain", "strong", "start"] | None = None
    name: str | None = Field(None, description="name of the anchor")
    reference: bool = Field(False, description="outside of the space that was asked for: compared with, neither chosen nor varied")
    direction: str | None = Field(None, description="name of the direction of the round's plan that it follows")


class ProposalsDrafted(Event):
    """All proposals of a round; their order is the order in which results are folded."""

    durable: ClassVar[bool] = True
    type: Literal["proposals_drafted"] = "proposals_drafted"
    round: int
    proposals: tuple[Proposal, ...]


class TrialRejected(Event):
    """A proposal that was not tried: over a limit, a duplicate, or not buildable."""

    type: Literal["trial_rejected"] = "trial_rejected"
    trial: str
    reason: str


class TrialPriced(Event):
    """Static checks and price, before any training."""

    type: Literal["trial_priced"] = "trial_priced"
    trial: str
    profile: dict[str, Any]


class EvaluationFinished(Event):
    """One training (or look-up) of a trial on one rung with one seed. Scores are validation scores; the test stays sealed."""

    durable: ClassVar[bool] = True
    type: Literal["evaluation_finished"] = "evaluation_finished"
    trial: str
    rung: str
    seed: int
    split: int
    val: float
    seconds: float
    epochs: int | None = None
    best_epoch: int | None = None
    details: dict[str, Any] = Field(default_factory=dict, description="curve, train score, peak memory, further metrics on validation")
    weights: str | None = Field(None, description="file of the weights, relative to the run directory")


class EvaluationFailed(Event):
    """An evaluation that ended without a score, and why."""

    durable: ClassVar[bool] = True
    type: Literal["evaluation_failed"] = "evaluation_failed"
    trial: str
    rung: str
    seed: int
    split: int
    kind: Literal["timeout", "memory", "diverged", "crashed", "error"]
    reason: str
    seconds: float


class SeedsStopped(Event):
    """A trial gets no more seeds on a rung: it is behind a rival by more than the noise, and more seeds would not turn that."""

    type: Literal["seeds_stopped"] = "seeds_stopped"
    trial: str
    rung: str
    rival: str
    difference: float = Field(description="mean paired difference to the rival, in points")
    se: float = Field(description="its standard error")
    seeds: int = Field(description="shared seeds that decided it; a training that was under way may have added one")
    planned: int = Field(description="seeds that the rung has for a trial")
    reason: str


class RungCorrelation(Event):
    """Spearman rank correlation of the trials that two rungs share; None where it is undefined."""

    type: Literal["rung_correlation"] = "rung_correlation"
    round: int
    lower: str
    upper: str
    trials: int
    spearman: float | None


class FindingsMade(Event):
    """What the analyst concluded from a round. Evidence ids are ``finding:<id>``; a finding without ``id`` is r<round>-<number from 1>.

    A finding's own ``author``, where it has one, says whether a model or the rules concluded it.
    """

    type: Literal["findings_made"] = "findings_made"
    round: int
    author: str
    findings: tuple[dict[str, Any], ...]
    verdict: str
    reason: str = Field("", description="why this verdict")
    falsify: str = Field("", description="what the analyst would test to prove itself wrong")


class FinalistsChosen(Event):
    """The trials that are confirmed with many seeds, and the anchors that they are compared with."""

    type: Literal["finalists_chosen"] = "finalists_chosen"
    finalists: tuple[str, ...]
    plain_anchor: str | None
    strong_anchor: str | None
    start: str | None = Field(None, description="the best of the designs that a person started from")
    reason: str


class WinnerChosen(Event):
    """The choice by validation, made before the test is opened."""

    durable: ClassVar[bool] = True
    type: Literal["winner_chosen"] = "winner_chosen"
    trial: str
    val_mean: float
    val_sd: float | None
    seeds: int
    reason: str


class TestOpened(Event):
    """The one time at which test scores are read; per trial, one score a seed."""

    durable: ClassVar[bool] = True
    type: Literal["test_opened"] = "test_opened"
    scores: dict[str, dict[str, float]]
    comparison: dict[str, Any]
    quality: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="of the winner, by seed: what happened to each class, calibration, or errors (tools.quality)"
    )


class BaselineMeasured(Event):
    """What a method without a neural network reaches on the splits of the winner's confirmation; comes after the test was opened."""

    durable: ClassVar[bool] = True
    type: Literal["baseline_measured"] = "baseline_measured"
    name: str
    told: str = Field(description="what it is, in words")
    val: dict[str, float] = Field(description="validation score by split; empty where it was left out")
    test: dict[str, float] = Field(description="test score by split")
    setting: str = Field("", description="what validation chose on the first split")
    seconds: float = 0.0
    reason: str = Field("", description="why it was left out, or ended before the last split")


class Exported(Event):
    """Files of the winner that are complete, relative to the run directory."""

    type: Literal["exported"] = "exported"
    files: tuple[str, ...]


MEMORY_NOTE = "memory: "


class Noted(Event):
    """Anything a person should be able to find later: a warning, a fallback, a budget threshold."""

    type: Literal["noted"] = "noted"
    level: Literal["info", "warning"] = "info"
    message: str


class RunFinished(Event):
    """The run ended, with the exit code of its command."""

    durable: ClassVar[bool] = True
    type: Literal["run_finished"] = "run_finished"
    outcome: Literal["designed", "failed", "no_design_fits", "budget_ended"]
    exit_code: int
    message: str = ""


AnyEvent = Annotated[
    RunStarted
    | RunResumed
    | RunInterrupted
    | TaskCarded
    | EvidenceRecalled
    | PlanMade
    | ProposalsDrafted
    | TrialRejected
    | TrialPriced
    | EvaluationFinished
    | EvaluationFailed
    | SeedsStopped
    | RungCorrelation
    | FindingsMade
    | FinalistsChosen
    | WinnerChosen
    | TestOpened
    | BaselineMeasured
    | Exported
    | LLMAsked
    | LLMAnswered
    | LLMJudged
    | Told
    | ReviewAwaited
    | PlanReviewed
    | Noted
    | RunFinished,
    Field(discriminator="type"),
]
EVENT: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
