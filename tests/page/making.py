"""Journals that no search has to run for: a long one, a hostile one, those that broke off, designs of many nodes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agentnas.agents.situation import Record, Situation
from agentnas.config import Config
from agentnas.memory import events as ev
from agentnas.memory.rundir import RunDirectory
from agentnas.run import Run
from agentnas.tools.spec.canonical import canonical, spec_hash
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.spec.render import one_line
from tests.agents.searching import CARD, searched

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'--><svg/onload=alert(3)>]]>\u2028\u2029{{7*7}}&amp;"
    "javascript:alert(4)"
)
SEEDS = 5
WORDS = "because neighbours of few classes agree and what they say is averaged "


def journal(tmp_path: Path, events: Sequence[ev.Event], task: str = "digits") -> Run:
    directory = RunDirectory.create(tmp_path / "runs", task)
    with directory.journal() as written:
        for event in events:
            written.append(event)
    return Run(directory)


def poisoned(event: ev.AnyEvent) -> ev.AnyEvent:
    """The event with the hostile text in every place where people, models or papers write."""
    match event:
        case ev.RunStarted():
            return event.model_copy(update={"task": HOSTILE, "protocol": HOSTILE, "metric": HOSTILE, "environment": {HOSTILE: HOSTILE}})
        case ev.ProposalsDrafted():
            changed = {"text": HOSTILE, "author": HOSTILE, "hypothesis": HOSTILE, "name": HOSTILE, "factor": HOSTILE, "change": HOSTILE}
            made = [p.model_copy(update={**changed, "evidence": ("card:gcn", f"card:{HOSTILE}")}) for p in event.proposals]
            return event.model_copy(update={"proposals": tuple(made)})
        case ev.PlanMade():
            direction = {"name": HOSTILE, "hypothesis": HOSTILE, "share": 1.0, "evidence": [f"card:{HOSTILE}"]}
            return event.model_copy(update={"author": HOSTILE, "reason": HOSTILE, "directions": (direction,)})
        case ev.EvidenceRecalled():
            card = {"id": f"card:{HOSTILE}", "kind": "card", "similarity": 1.0, "text": HOSTILE, "why": HOSTILE}
            return event.model_copy(update={"question": HOSTILE, "evidence": (card,)})
        case ev.FindingsMade():
            finding = {"text": HOSTILE, "trials": [HOSTILE, "t0001"]}
            return event.model_copy(update={"author": HOSTILE, "findings": (finding,), "reason": HOSTILE, "falsify": HOSTILE})
        case ev.WinnerChosen():
            return event.model_copy(update={"reason": HOSTILE})
        case ev.RunFinished():
            return event.model_copy(update={"message": HOSTILE})
    return event


def hostile_run(tmp_path: Path, events: Sequence[ev.AnyEvent]) -> Run:
    """The run of these events as an enemy would have written it, its model's answers included."""
    more = [
        ev.Told(round=0, text=HOSTILE),
        ev.Noted(level="warning", message=HOSTILE),
        ev.TrialRejected(trial="t0007", reason=HOSTILE),
        *_call(1, 0, "planner", HOSTILE, model=HOSTILE),
        ev.LLMJudged(call="c0001", items=1, taken=0, problems=(HOSTILE,)),
    ]
    return journal(tmp_path, [*map(poisoned, events), *more], task=HOSTILE)


def _call(number: int, round_: int, role: str, text: str, model: str = "openai:big") -> list[ev.Event]:
    asked = ev.LLMAsked(
        call=f"c{number:04}", role=role, round=round_, step=0, attempt=0, model=model, prompt_hash="", messages=(), input_tokens=4000,
        max_tokens=2000, worst_cost=None,
    )  # fmt: skip
    return [asked, ev.LLMAnswered(call=asked.call, outcome="answered", text=text, input_tokens=3900, output_tokens=800, cost=0.01)]


def long_run(tmp_path: Path, trials: int = 200, higher_is_better: bool = True) -> Run:
    """A finished search by language models that talk much: plans, findings, failures, and a test on five seeds."""
    situation = searched(trials)
    return journal(tmp_path, _finished(situation, [*_search(situation, higher_is_better)]), task="cora")


def _search(situation: Situation, higher_is_better: bool) -> Iterator[ev.Event]:
    rungs = tuple(rung.name for rung in situation.rungs)
    full = tuple(rung.name for rung in situation.rungs if rung.epochs >= 1.0)
    config = Config(task="cora", trials=len(situation.records), max_params=200_000).model_dump(mode="json")
    facts = {"python": "3.11", "processor": "one of many", "cpus": 2, "packages": {"torch": "2.6", "agentnas": "0.2.0"}}
    yield ev.RunStarted(
        task="cora", protocol=CARD.protocol, config=config, environment=facts, metric="accuracy", higher_is_better=higher_is_better,
        rungs=(*rungs, "confirm"), full=full,
    )  # fmt: skip
    yield ev.TaskCarded(card=CARD.model_dump(mode="json"))
    clock = 0.0
    for round_ in range(situation.round + 1):
        own = [record for record in situation.records if record.round == round_]
        yield from _round(situation, round_, own)
        for event in (event for record in own for event in _trial(record)):
            clock += 1.5
            yield event.model_copy(update={"t": clock})
        if (found := situation.findings.get(round_)) is not None:
            yield found
    yield from situation.correlations


def _round(situation: Situation, round_: int, own: Sequence[Record]) -> Iterator[ev.Event]:
    for number, role in enumerate(("planner", "coder", "analyst")):
        yield from _call(3 * round_ + number, round_, role, '{"because": "' + WORDS * 25 + '"}')
    yield situation.plans[round_]
    talked = (record.proposal.model_copy(update={"hypothesis": f"{record.proposal.hypothesis}, {WORDS * 4}"}) for record in own)
    yield ev.ProposalsDrafted(round=round_, proposals=tuple(talked))


def _trial(record: Record) -> Iterator[ev.Event]:
    trial = record.trial
    yield ev.TrialPriced(trial=trial, profile=dict(record.profile))
    if record.rejected:
        yield ev.TrialRejected(trial=trial, reason=record.rejected)
    for (rung, seed), reason in record.failures.items():
        yield ev.EvaluationFailed(trial=trial, rung=rung, seed=seed, split=0, kind="diverged", reason=reason, seconds=1.0)
    yield from record.trainings


def _finished(situation: Situation, events: Sequence[ev.Event]) -> list[ev.Event]:
    best, anchor = situation.ranked()[0], next(record for record in situation.records if record.proposal.anchor == "plain")
    scores = {r.trial: {str(seed): gain + seed / 5 for seed in range(SEEDS)} for r, gain in ((best, 83.0), (anchor, 81.0))}
    compared = {"difference": 2.0, "se": 0.1, "seeds": SEEDS, "inside_noise": False, "anchor": anchor.trial, "is_winner": False}
    score = situation.score(best) or 0.0
    chosen = ev.WinnerChosen(trial=best.trial, val_mean=score, val_sd=0.3, seeds=SEEDS, reason="best mean validation")
    end = ev.RunFinished(outcome="designed", exit_code=0)
    return [*events, chosen, ev.TestOpened(scores=scores, comparison={"plain": compared}), end]


def body(nodes: Sequence[tuple[str, Sequence[str]]], outputs: Sequence[str]) -> dict[str, Any]:
    """A spec of these nodes: name and inputs."""
    made = [{"id": name, "op": "gcn", "width": 16, "inputs": list(inputs), "merge": "sum"} for name, inputs in nodes]
    return {"body": {"nodes": made, "outputs": list(outputs), "jump": "concat"}}


def wide() -> dict[str, Any]:
    """Sixty nodes side by side."""
    names = [f"n{i}" for i in range(60)]
    return body([(name, ["input"]) for name in names], names)


def deep() -> dict[str, Any]:
    """Sixty nodes in a row."""
    names = ["input", *(f"n{i}" for i in range(60))]
    return body([(name, [before]) for before, name in itertools.pairwise(names)], names[-1:])


def run_of_spec(tmp_path: Path, spec: dict[str, Any], started: ev.RunStarted) -> Run:
    """A run whose one trial is this design."""
    parsed = canonical(parse_spec(spec))
    made = ev.Proposal(
        trial="t0001", spec=parsed.model_dump(mode="json", exclude_defaults=True), spec_hash=spec_hash(parsed), text=one_line(parsed),
        author="a person",
    )  # fmt: skip
    done = ev.EvaluationFinished(trial="t0001", rung=started.full[0], seed=0, split=0, val=80.0, seconds=1.0)
    return journal(tmp_path, [started, ev.ProposalsDrafted(round=0, proposals=(made,)), done])
