"""How outcomes become events, and how a run that has nothing to choose from says why."""

from __future__ import annotations

import math

from agentnas.agents.house import CLOSING_S, House
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
    what = "before one design of the space that is searched was scored" if view.num_evaluations else "before one training was over"
    what += f" ({len(failed)} failed)" if failed else ""
    seconds, is_over = house.budget.seconds, house.search_over()
    if seconds is None or (house.trials_left() == 0 and not is_over):
        return BudgetEndedError(f"the budget of trials ended {what}; give more --trials and resume")
    return BudgetEndedError(f"the time of {seconds:g} s ended {what}: {_time_needed(house, seconds)}")


def _time_needed(house: House, seconds: float) -> str:
    """How far the time went, and what would have been enough for one training, its confirmation and the end of the run: more than
    the ``seconds`` that it had."""
    spent, limit = house.journal.active_seconds, house.trial_time_s
    one = f", and one training may take {limit:.0f} s" if math.isfinite(limit) else ""
    least = max(spent, seconds) + (2 * limit if math.isfinite(limit) else spent) + CLOSING_S
    return f"{spent:.0f} s went into what comes before{one}; give --time {10 * math.ceil(least / 10)}s or more and resume"
