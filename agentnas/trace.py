"""The conversation behind a run and behind each of its trials, as plain data: who proposed what, from what evidence, what came of it.

Everything is derived from the journal; a run of rule-based agents has no calls, and all the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from agentnas.memory import events as ev
from agentnas.memory.calls import Call
from agentnas.memory.memory import InMemory, Memory
from agentnas.memory.view import JournalView
from agentnas.report import ancestry
from agentnas.run import Run
from agentnas.tools.errors import UsageError, suggest

# Trials that an error names where none is like the one that was asked for.
NAMED = 5


def trace_run(run: Run) -> dict[str, Any]:
    """All calls to language models, all faults, and who descends from whom."""
    calls = run.view.calls.of()
    return {
        "run": run.name,
        "metric": run.view.scale.metric,
        "unit": run.view.scale.unit,
        "calls": [call_row(call) for call in calls],
        "faults": [fault for call in calls for fault in _faults(call)] + [_warning(note) for note in run.view.notes if _is_warning(note)],
        "family": list(_family(run.view)),
    }


def trace_trial(run: Run, trial: str) -> dict[str, Any]:
    """The ancestry of a trial up to an anchor or a fresh sample, the plans of its round, the calls behind it, what was said of it after."""
    view = run.view
    if trial not in view.proposals:
        names = list(view.proposals)
        known = suggest(trial, names) if len(names) <= NAMED else f"allowed: {names[0]} to {names[-1]}"
        hint = known if names else "nothing was proposed yet"
        raise UsageError(f"no trial {trial!r} in run {run.name}; {hint}")
    memory, proposal, round_ = InMemory(view, run.name), view.proposals[trial], view.round_of[trial]
    chain = list(reversed(ancestry(view, trial)))
    calls = [call for call in view.calls.of() if _is_behind(call, {view.round_of[step.trial] for step in chain}, round_)]
    return {
        "run": run.name,
        "metric": run.view.scale.metric,
        "unit": run.view.scale.unit,
        "trial": trial,
        "round": round_,
        "steps": [_step(view, memory, step) for step in chain],
        "plans": _plans(run.events, round_, proposal),
        "told": list(view.told.get(round_, ())),
        "calls": [call_row(call) for call in calls],
        "faults": [fault for call in calls for fault in _faults(call)],
        "findings": [found for made in view.findings.values() for found in _findings_about(made, trial)],
    }


def _is_behind(call: Call, rounds: set[int], own: int) -> bool:
    """Whoever planned or drafted a round of the ancestry, and the analyst of the trial's own round."""
    return call.asked.round in rounds if call.asked.role != "analyst" else call.asked.round == own


def call_row(call: Call) -> dict[str, Any]:
    """One call: who asked whom, what it took, what the checks said. A call without an answer counts at its worst case."""
    asked, answered, judged = call.asked, call.answered, call.judged
    return {
        "call": asked.call, "round": asked.round, "role": asked.role, "step": asked.step, "attempt": asked.attempt, "model": asked.model,
        "prompt_hash": asked.prompt_hash,
        "input_tokens": answered.input_tokens if answered else asked.input_tokens,
        "output_tokens": answered.output_tokens if answered else asked.max_tokens,
        "cached_tokens": answered.cached_tokens if answered else None,
        "cost": answered.cost if answered else asked.worst_cost,
        "seconds": answered.seconds if answered else None,
        "outcome": answered.outcome if answered else "unanswered",
        "error": answered.error if answered else "",
        "items": judged.items if judged else None,
        "taken": judged.taken if judged else None,
        "problems": list(judged.problems) if judged else [],
    }  # fmt: skip


def _faults(call: Call) -> Iterator[dict[str, Any]]:
    """A call that failed or whose answer could not be used, and what the model was told about its answer."""
    row = call_row(call)
    if row["outcome"] != "answered":
        text = row["error"] or "the process ended before the answer came; counted at its worst case"
        yield {"call": row["call"], "role": row["role"], "round": row["round"], "kind": row["outcome"], "text": text}
    for problem in row["problems"]:
        yield {"call": row["call"], "role": row["role"], "round": row["round"], "kind": "told", "text": problem}


def _is_warning(note: ev.Noted) -> bool:
    return note.level == "warning"


def _warning(note: ev.Noted) -> dict[str, Any]:
    return {"call": None, "role": None, "round": None, "kind": "warning", "text": note.message}


def _step(view: JournalView, memory: Memory, proposal: ev.Proposal) -> dict[str, Any]:
    return {
        "trial": proposal.trial, "round": view.round_of[proposal.trial], "author": proposal.author, "parent": proposal.parent,
        "anchor": proposal.name if proposal.anchor else None, "change": change_of(proposal), "architecture": proposal.text,
        "direction": proposal.direction, "hypothesis": proposal.hypothesis, "expected_gain": proposal.expected_gain,
        "gain": _gain(view, proposal),
        "result": _result(view, proposal.trial), "evidence": [_evidence(memory, name) for name in proposal.evidence],
    }  # fmt: skip


def change_of(proposal: ev.Proposal) -> str:
    """What the proposal is: an anchor, a change to its parent, or a fresh sample."""
    if proposal.anchor:
        return f"your own {proposal.name}" if proposal.anchor == "start" else f"{proposal.anchor} anchor {proposal.name}"
    if proposal.factor:
        return f"{proposal.factor}: {proposal.change}"
    return proposal.change or "fresh sample"


def _result(view: JournalView, trial: str) -> dict[str, Any]:
    standing, failures = view.standing(trial), view.failures(trial)
    return {
        "state": view.state(trial),
        "validation": standing.val_mean if standing else None,
        "sd": standing.val_sd if standing else None,
        "seeds": standing.seeds if standing else 0,
        "rung": standing.rung if standing else None,
        "rank": view.rank(trial),
        "reason": view.rejected.get(trial) or (f"{failures[-1].kind}: {failures[-1].reason}" if failures else ""),
    }


def _gain(view: JournalView, proposal: ev.Proposal) -> dict[str, Any] | None:
    """Mean score minus the parent's over the seeds that both have on the highest rung that both reached; None where they share none."""
    if proposal.parent is None:
        return None
    for rung in reversed(view.rungs):
        ours, theirs = ({(e.seed, e.split): e.val for e in view.evaluations(t, rung)} for t in (proposal.trial, proposal.parent))
        shared = sorted(ours.keys() & theirs.keys())
        if shared:
            difference = math.fsum(ours[key] - theirs[key] for key in shared) / len(shared)
            return {"difference": difference, "seeds": len(shared), "rung": rung}
    return None


def _evidence(memory: Memory, name: str) -> dict[str, Any]:
    found = memory.get(name)
    return {"id": name, "text": found.text if found else None, "why": found.why if found else None}


def _plans(events: Sequence[ev.AnyEvent], round_: int, proposal: ev.Proposal) -> list[dict[str, Any]]:
    """Every plan of the round in order, each with what a person said of it; the last is the one that was carried out.

    What a person said comes after their own plan where they edited one, and is said of the plan before.
    """
    plans: list[dict[str, Any]] = []
    for event in events:
        if isinstance(event, ev.PlanMade) and event.round == round_:
            directions = [{**direction, "is_of_trial": _is_of(direction, proposal)} for direction in event.directions]
            plans.append({"author": event.author, "reason": event.reason, "review": None, "directions": directions})
        elif isinstance(event, ev.PlanReviewed) and event.round == round_ and plans:
            of = -2 if event.decision == "edited" and len(plans) > 1 else -1
            plans[of]["review"] = {"decision": event.decision, "reason": event.reason}
    return plans


def _is_of(direction: dict[str, Any], proposal: ev.Proposal) -> bool:
    """Where a proposal names no direction, as in older journals, it is one that varies its factor or says its hypothesis."""
    if proposal.direction is not None:
        return bool(proposal.direction == direction.get("name"))
    same_words = bool(proposal.hypothesis) and proposal.hypothesis == direction.get("hypothesis")
    return same_words or (proposal.factor is not None and proposal.factor in direction.get("factors", ()))


def _findings_about(made: ev.FindingsMade, trial: str) -> Iterator[dict[str, Any]]:
    for number, finding in enumerate(made.findings, start=1):
        if trial in finding.get("trials", ()):
            name = finding.get("id") or f"r{made.round}-{number}"
            author = finding.get("author") or made.author
            yield {"id": f"finding:{name}", "round": made.round, "author": author, "text": str(finding.get("text", ""))}


def _family(view: JournalView) -> Iterator[dict[str, Any]]:
    """Proposals with each parent before its children, and how deep each stands."""
    children: dict[str | None, list[str]] = {}
    for trial, proposal in view.proposals.items():
        parent = proposal.parent if proposal.parent in view.proposals else None
        children.setdefault(parent, []).append(trial)
    waiting = [(0, trial) for trial in reversed(children.get(None, []))]
    while waiting:
        depth, trial = waiting.pop()
        proposal = view.proposals[trial]
        yield {
            "trial": trial, "depth": depth, "parent": proposal.parent, "round": view.round_of[trial], "author": proposal.author,
            "change": change_of(proposal), "architecture": proposal.text, "result": _result(view, trial),
        }  # fmt: skip
        waiting += [(depth + 1, child) for child in reversed(children.get(trial, []))]


def best_after(view: JournalView, trials: int) -> float | None:
    """Best mean validation score among the first ``trials`` that were tried, over the rungs that train all epochs; confirmation apart."""
    full = view.started.full if view.started else ()
    means = [mean for trial in view.tried[:trials] if (mean := _full_mean(view, trial, full)) is not None]
    return (max if view.higher_is_better else min)(means, default=None)


def _full_mean(view: JournalView, trial: str, full: Sequence[str]) -> float | None:
    done = [e for e in view.evaluations(trial) if (e.rung in full if full else e.rung != "confirm")]
    return math.fsum(e.val for e in done) / len(done) if done else None
