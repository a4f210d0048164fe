"""The winner beside an anchor, or beside the design that a person started from, in one plain sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agentnas.agents.statistics import held, is_beyond, is_few, mean_and_sd
from agentnas.config import format_duration
from agentnas.memory.events import EvaluationFinished, Proposal
from agentnas.memory.view import JournalView
from agentnas.scores import gap_text, repeat_of
from agentnas.tools.evaluate.base import CONFIRM, PLANNED
from agentnas.words import plural


def verdict(kind: str, pair: Mapping[str, Any], view: JournalView) -> str:
    """The comparison with an anchor, or with a person's own design, in words; inside the noise, or of two seeds, is no gain."""
    name, scale = view.proposals[pair["anchor"]].name or pair["anchor"], view.scale
    if pair["is_winner"]:
        return _itself(kind, name)
    against = f"against your own {name}" if kind == "start" else f"against the best {kind} anchor {name}"
    if pair["se"] is None:
        return f"{against}: {gap_text(pair, scale)} on one score each, noise unknown"
    paired = plural(pair["seeds"], f"paired {repeat_of(view, pair['seeds'])}")
    gap = f"{gap_text(pair, scale)} (standard error, {paired}{chance(pair)})"
    what = f"a {'gain' if pair['difference'] > 0 else 'loss'}" if is_beyond(pair) else f"{held(pair)}, no gain"
    return f"{against}: {gap}: {what}"


def _itself(kind: str, name: str) -> str:
    """What to say where the winner is what it would be compared with."""
    whose = f"your own {name}" if kind == "start" else f"its own best {kind} anchor, {name}"
    return f"the search returned {whose}: nothing that it tried was better on validation by more than the noise"


def notes(view: JournalView) -> list[str]:
    """What a person who decides by the numbers has to know beside them: edges that are not read, time that was not used."""
    return [*unread_edges(view), *ended_early(view)]


def unread_edges(view: JournalView) -> list[str]:
    """One line where edges have no part in what the winner predicts."""
    from agentnas.tools.spec.kinds import reads_edges
    from agentnas.tools.spec.model import parse_spec

    if view.winner is None or reads_edges(parse_spec(view.proposals[view.winner.trial].spec)):
        return []
    return ["the winner reads no edges: it predicts from the features of nodes alone"]


def ended_early(view: JournalView) -> list[str]:
    """One line where the analyst ended the search before its limits did: why, and what was left of the time."""
    last = view.findings[max(view.findings)] if view.findings else None
    if last is None or last.verdict != "stop" or view.finished is None:
        return []
    if (trials := view.config.get("trials")) is not None and view.num_tried >= trials:
        return []
    said = f"the analyst ended the search after {plural(last.round + 1, 'round')}{f': {last.reason}' if last.reason else ''}"
    limit = view.config.get("time_s")
    left = 0.0 if limit is None else limit - view.active_seconds
    return [f"{said}; {left:.0f} of {limit:.0f} s were not used" if left >= 1 else said]


def cut_trainings(done: Iterable[EvaluationFinished]) -> list[EvaluationFinished]:
    """Those that ended at the time limit of a training, with their best epoch until then."""
    return [one for one in done if PLANNED in one.details]


def ended_words(cut: int, count: int) -> str:
    """``2 of 3 trainings ended by the time limit``; nothing where none was."""
    return f"{cut} of {plural(count, 'training')} ended by the time limit" if cut else ""


def of_winner(view: JournalView) -> dict[str, int]:
    """``trainings`` of the winner's confirmation, and how many of them the time limit ``cut``."""
    done = view.evaluations(view.winner.trial, CONFIRM) if view.winner else []
    return {"trainings": len(done), "cut": len(cut_trainings(done))}


def cut_anywhere(view: JournalView) -> str:
    """A sentence on how many trainings of a run ended at their time limit, with a space before it; nothing where none did."""
    count = len(cut_trainings(one for trial in view.proposals for one in view.evaluations(trial)))
    return f" {plural(count, 'evaluation')} ended at the time limit of one, with the best epoch until then." if count else ""


def cut_short(view: JournalView) -> list[str]:
    """One line where the time limit of a training ended trainings of the winner; nothing where it did not."""
    trial = view.winner.trial if view.winner else ""
    kept = [done for done in view.evaluations(trial, CONFIRM) if done.epochs] if trial else []
    cut = cut_trainings(kept)
    if not cut:
        return []
    epochs = sorted({done.epochs or 0 for done in cut})
    reached = f"{epochs[0]}" if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]}"
    ended = f"{len(cut)} of its {plural(len(kept), 'training')} ended at the time limit of one"
    return [f"{ended}, after {reached} of {cut[0].details[PLANNED]} epochs; a longer --trial-time may make it better"]


def ran_over(view: JournalView) -> list[str]:
    """One line where a run ended later than its time allowed, by a second or more."""
    limit, ended = view.config.get("time_s"), view.finished
    if limit is None or ended is None or ended.t < limit + 1:
        return []
    return [f"the run took {ended.t - limit:.0f} s more than its time of {format_duration(limit)}: what had begun was finished"]


def time_lines(view: JournalView) -> list[str]:
    """What the time of a run and of its trainings did to the result."""
    return [*cut_short(view), *ran_over(view)]


def chance(pair: Mapping[str, Any]) -> str:
    """``, p = 0.012``; nothing for a difference of an older run, which has none, nor for two seeds, which decide nothing."""
    if "p" not in pair or is_few(pair):
        return ""
    return f", p = {pair['p']:.3f}" if pair["p"] >= 0.001 else ", p < 0.001"


def role_of(proposal: Proposal) -> str:
    """What an anchor is in a table of scores."""
    role = "your start" if proposal.anchor == "start" else f"best {proposal.anchor} anchor"
    return f"{role}, outside the space" if proposal.reference else role


def change_text(proposal: Proposal) -> str:
    """What makes a proposal what it is: the factor and its change, the anchor's name, or nothing but chance."""
    if proposal.factor and proposal.change and proposal.factor not in proposal.change:
        return f"{proposal.factor}: {proposal.change}"
    return proposal.change or proposal.name or "fresh sample"


def anchor_rows(view: JournalView) -> list[list[str]]:
    """Trial, role, what it is, validation and test of each design on which the test was opened; none while it is sealed."""
    rows = []
    for trial, scores in view.test.scores.items() if view.test else ():
        proposal = view.proposals[trial]
        role = "winner" if view.winner and trial == view.winner.trial else role_of(proposal)
        confirmed = [e.val for e in view.evaluations(trial, CONFIRM)] or [e.val for e in view.evaluations(trial)]
        shown = (view.scale.spread(*mean_and_sd(part)) for part in (confirmed, list(scores.values())))
        rows.append([trial, role, change_text(proposal), *shown])
    return rows
