"""What a run leaves behind: its trials, the analyst's findings and the edits that gained or lost, as records for the store.

All of it is derived from the journal, so that it can be written again, by any process, at any time, and is the same.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from agentnas.memory.codec import TaskRecord
from agentnas.memory.kin import design_key, graph_of
from agentnas.memory.memory import finding_records, global_id, was_cut
from agentnas.memory.records import FindingRecord, TrialRecord
from agentnas.memory.view import JournalView
from agentnas.tools.evaluate.base import PLANNED
from agentnas.tools.scale import EQUAL
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.spec.vectors import vector, vector_names
from agentnas.tools.tasks.card import NODES, TaskCard

RULES = "/rules"  # how the names of rule-based agents end: their findings repeat, and the last round's hold for all
MOST_EDITS = 40
PROFILE = ("parameters", "flops", "latency_ms_p50", "memory_mb", "train_memory_mb")


class Experience(NamedTuple):
    """A run's records."""

    task: TaskRecord
    trials: list[TrialRecord]
    findings: list[FindingRecord]


def experience(view: JournalView, run: str) -> Experience | None:
    """The records of a run as far as it went; None before its task was carded."""
    if view.started is None or view.card is None:
        return None
    card = TaskCard.model_validate(view.card)
    about = {
        "task": view.started.task, "protocol": view.started.protocol, "task_vector": tuple(card.vector()), "graph": graph_of(card),
        "aim": "" if card.aim == NODES else card.aim,
    }  # fmt: skip
    task = TaskRecord(id="task", text=card.text(), **about)
    task = task.model_copy(update={"id": task.key})
    return Experience(task, list(_trials(view, run, about)), [*_findings(view, run, about), *_edits(view, run, about)])


def _trials(view: JournalView, run: str, about: dict[str, Any]) -> Iterator[TrialRecord]:
    names = vector_names()
    tests = view.test.scores.get(view.winner.trial, {}) if view.test and view.winner else {}
    for standing in view.leaderboard():
        proposal = view.proposals.get(standing.trial)
        if proposal is None or not math.isfinite(standing.val_mean):
            continue
        spec = parse_spec(proposal.spec)
        structure = dict(zip(names, vector(spec), strict=True))
        scores = list(tests.values()) if view.winner and standing.trial == view.winner.trial else []
        profile = view.profiles.get(standing.trial, {})
        yield TrialRecord(
            **about, id=global_id(run, standing.trial), text=proposal.text, spec_hash=proposal.spec_hash, spec=proposal.spec,
            design=design_key(spec),
            structure={name: round(value, 6) for name, value in structure.items() if value},
            val=standing.val_mean, val_sd=standing.val_sd, seeds=standing.seeds, rung=standing.rung,
            cut=was_cut(view, standing), rank=view.rank(standing.trial), ranked=view.num_ranked,
            metric=view.started.metric if view.started else "", higher_is_better=view.higher_is_better,
            profile={name: profile[name] for name in PROFILE if profile.get(name) is not None},
            test=statistics.fmean(scores) if scores else None, test_sd=statistics.stdev(scores) if len(scores) > 1 else None,
        )  # fmt: skip


def _findings(view: JournalView, run: str, about: dict[str, Any]) -> Iterator[FindingRecord]:
    """What models concluded in any round, and what the rules concluded in the last."""
    last = max(view.findings, default=0)
    for round_, made in sorted(view.findings.items()):
        is_last = round_ == last
        told = {record.id: record for record in finding_records(view, round_, run=run)}
        for record, finding in zip(told.values(), made.findings, strict=True):
            if is_last or not str(finding.get("author") or made.author).endswith(RULES):
                measured = {name: finding[name] for name in ("factor", "gain", "se") if finding.get(name) is not None}
                yield FindingRecord(**about, id=record.id, text=record.text, trials=record.trials, **measured)


class _Edit(NamedTuple):
    parent: str
    child: str
    gain: float


def _edits(view: JournalView, run: str, about: dict[str, Any]) -> Iterator[FindingRecord]:
    """Changes of one factor, with what they gained from parent to child, the largest first."""
    grouped: dict[tuple[str, str], list[_Edit]] = {}
    for trial, proposal in view.proposals.items():
        gain = _gain(view, proposal.parent, trial)
        if gain is not None and proposal.factor and proposal.change and proposal.parent:
            grouped.setdefault((proposal.factor, proposal.change), []).append(_Edit(proposal.parent, trial, gain))
    largest = sorted(grouped.items(), key=lambda item: (-abs(_mean(item[1])), item[0]))[:MOST_EDITS]
    for (factor, change), edits in largest:
        gain, se = _mean(edits), _se(view, edits)
        spread = "?" if se is None else f"{se:.2f}"
        word = "gained" if gain >= 0 else "lost"
        pairs = f"{len(edits)} pair{'s' * (len(edits) > 1)}"
        text = f"on {about['task']}, changing {factor} ({change}) {word} {abs(gain):.2f} ± {spread} points over {pairs}"
        yield FindingRecord(
            **about, id=global_id(run, f"edit-{edits[0].child}"), text=text, factor=factor, change=change, gain=gain, se=se,
            trials=tuple(dict.fromkeys(global_id(run, trial) for edit in edits for trial in (edit.parent, edit.child))),
        )  # fmt: skip


def _gain(view: JournalView, parent: str | None, child: str) -> float | None:
    """How much better the child did, where both were measured alike."""
    before, after = view.standing(parent or ""), view.standing(child)
    if before is None or after is None or not math.isfinite(after.val_mean - before.val_mean):
        return None
    was, now = (_ended(view, standing.trial) for standing in (before, after))
    alike = [rung for rung in was.keys() & now.keys() if was[rung] == now[rung]]
    if not alike:
        return None
    rung = max(alike, key=view.rungs.index)
    gain = view.scores(rung)[after.trial] - view.scores(rung)[before.trial]
    return gain if view.higher_is_better else -gain


def _ended(view: JournalView, trial: str) -> dict[str, bool]:
    """The rungs on which a trial was trained, and whether the time limit ended any of its trainings there."""
    done = view.evaluations(trial)
    return {e.rung: any(PLANNED in other.details for other in done if other.rung == e.rung) for e in done}


def _mean(edits: Sequence[_Edit]) -> float:
    return statistics.fmean(edit.gain for edit in edits)


def _se(view: JournalView, edits: Sequence[_Edit]) -> float | None:
    """Standard error of the mean gain: from the pairs, or for one pair from the seeds of its two trials. Gains that are equal show none."""
    if len(edits) > 1:
        spread = statistics.stdev(edit.gain for edit in edits)
        return spread / math.sqrt(len(edits)) if spread > EQUAL else None
    found = [view.standing(trial) for trial in (edits[0].parent, edits[0].child)]
    if any(standing is None or standing.val_sd is None for standing in found):
        return None
    return math.sqrt(sum((s.val_sd or 0.0) ** 2 / s.seeds for s in found if s is not None))
