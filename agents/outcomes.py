"""How outcomes become events, and how a run that has nothing to choose from says why."""

from __future__ import annotations

import math

from agentnas.agents.house import House
from agentnas.memory import events as ev
from agentnas.memory.view import JournalView
from agentnas.tools.errors import AgentNASError, BudgetEndedError, ConstraintError, RunError
from agentnas.tools.evaluate.base import Outcome


def record_outcome(outcome: Outcome) -> ev.EvaluationFinished | ev.EvaluationFailed:
    """The event that journals an outcome."""
    asked = outcome.request
    if outcome.val is None:
        assert outcome.failure is not None
        return ev.EvaluationFailed(trial=asked.trial, rung=asked.rung, seed=asked.seed, split=asked.split, kind=outcome.failure,
                                   reason=outcome.reason, seconds=outcome.seconds)  # fmt: skip
    return ev.EvaluationFinished(
        trial=asked.trial, rung=asked.rung, seed=asked.seed, split=asked.split, val=outcome.val, seconds=outcome.seconds,
        epochs=outcome.epochs, best_epoch=outcome.best_epoch, details=outcome.details, weights=asked.weights,
    )  # fmt: skip


def _nearest(view: JournalView) -> str:
    """The reason of the rejected trial with the fewest parameters."""
    smallest = min(view.rejected, key=lambda trial: (view.profiles.get(trial, {}).get("parameters") or math.inf, trial))
    return view.rejected[smallest]


def nothing_to_choose(house: House) -> AgentNASError:
    """Why there is no trial to choose: limits, budget, or failures, in this order."""
    view = house.view
    if view.proposals and len(view.rejected) == len(view.proposals):
        return ConstraintError(
            f"no design that meets the limits was found ({house.limits.as_text()}): all {len(view.proposals)} proposals broke one,"
            f" the smallest by {_nearest(view)}; loosen a limit"
        )
    failed = [trial for trial in view.proposals if view.failures(trial)]
    if failed and len(failed) + len(view.rejected) == len(view.proposals):
        reason = view.failures(failed[0])[0]
        longer = "; give more --trial-time" if reason.kind == "timeout" else ""
        return RunError(f"all {len(failed)} trials failed, the first by {reason.kind}: {reason.reason}{longer}")
    if any(proposal.reference for proposal in view.proposals.values()) and view.num_evaluations:
        return BudgetEndedError("the budget ended before one design of the space that is searched was scored; give more --trials or --time")
    time = "no limit" if house.budget.seconds is None else f"{house.budget.seconds:g} s"
    return BudgetEndedError(f"the budget ended before one trial finished (time {time}); give more --time and resume")
