"""A small run whose agents asked language models, as its journal would tell it: whole outputs can be compared with it."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentnas.config import Config
from agentnas.memory import events as ev
from agentnas.memory.rundir import RunDirectory
from tests.agents.making import spec_of_width

PLANNER, CODER = "openai:big", "openai:small"
SPEC = spec_of_width(64).model_dump(mode="json")
DIRECTIONS = (
    {"name": "attention", "factors": ["n1.op"], "share": 0.6, "hypothesis": "neighbours differ in usefulness", "expected_gain": 0.8,
     "evidence": ["card:gat"], "mode": "exploit"},
    {"name": "explore", "factors": [], "share": 0.4, "hypothesis": "the unknown", "expected_gain": None, "evidence": [], "mode": "explore"},
)  # fmt: skip


def proposal(trial: str, text: str, **fields: Any) -> ev.Proposal:
    return ev.Proposal.model_validate(
        {"trial": trial, "spec": SPEC, "spec_hash": trial, "text": text, "author": f"coder/{CODER}", **fields}
    )


def finished(trial: str, val: float, seed: int = 0) -> ev.EvaluationFinished:
    return ev.EvaluationFinished(trial=trial, rung="full", seed=seed, split=0, val=val, seconds=1.0)


def asked(call: str, role: str, step: int = 0, attempt: int = 0, worst: float | None = 0.02) -> ev.LLMAsked:
    return ev.LLMAsked(
        call=call, role=role, round=1, step=step, attempt=attempt, model=PLANNER if role == "planner" else CODER,
        prompt_hash=f"{call}0123456789ab", messages=({"role": "user", "content": "go"},), input_tokens=2000, max_tokens=1000,
        worst_cost=worst,
    )  # fmt: skip


def answered(call: str, cost: float | None = 0.01, **fields: Any) -> ev.LLMAnswered:
    data = {"outcome": "answered", "input_tokens": 1500, "output_tokens": 300, "cached_tokens": 100, "seconds": 2.5, **fields}
    return ev.LLMAnswered.model_validate({"call": call, "cost": cost, **data})


def round_of_anchors() -> list[ev.Event]:
    anchor = proposal("t0001", "gcn64 > gcn64", author="coder/anchors", anchor="plain", name="gcn", evidence=("card:gcn",))
    plan = ev.PlanMade(round=0, author="planner/rules", directions=DIRECTIONS[1:], reason="nothing is known yet")
    return [plan, ev.ProposalsDrafted(round=0, proposals=(anchor,)), finished("t0001", 80.0), finished("t0001", 81.0, seed=1),
            ev.FindingsMade(round=0, author="analyst/rules", findings=(), verdict="go_on")]  # fmt: skip


def calls(priced: bool = True) -> list[ev.Event]:
    """A planner's call, its failure before, and a coder's with a repair; one call never came back."""
    cost = 0.01 if priced else None
    return [
        asked("c0001", "planner"), answered("c0001", 0.0, outcome="rate_limited", error="too many requests", input_tokens=None,
                                            output_tokens=None, cached_tokens=None),
        asked("c0002", "planner", attempt=1), answered("c0002", cost), ev.LLMJudged(call="c0002", items=2, taken=2),
        asked("c0003", "coder", worst=0.02 if priced else None),
        asked("c0004", "coder", attempt=1), answered("c0004", cost),
        ev.LLMJudged(call="c0004", items=3, taken=2, problems=("proposal 2 repeats t0001, which scored 80.50",)),
        asked("c0005", "coder", step=1), answered("c0005", cost), ev.LLMJudged(call="c0005", items=1, taken=1),
    ]  # fmt: skip


def round_of_models() -> list[ev.Event]:
    child = proposal("t0002", "gat64 > gcn64", parent="t0001", factor="n1.op", change="gcn -> gat", hypothesis="neighbours differ",
                     expected_gain=0.8, evidence=("trial:t0001", "trial:t0099"))  # fmt: skip
    grandchild = proposal("t0003", "gat128 > gcn64", parent="t0002", factor="n1.width", change="64 -> 128", hypothesis="more room")
    plan = ev.PlanMade(round=1, author=f"planner/{PLANNER}", directions=DIRECTIONS, reason="attention was not tried")
    finding = {"text": "gat gains over gcn", "trials": ["t0001", "t0002"], "author": f"analyst/{CODER}"}
    return [
        plan, ev.ProposalsDrafted(round=1, proposals=(child, grandchild)), ev.TrialRejected(trial="t0003", reason="parameters 9 > 8"),
        finished("t0002", 82.0), finished("t0002", 81.5, seed=1),
        ev.FindingsMade(round=1, author=f"analyst/{CODER}", findings=(finding,), verdict="go_on", falsify="train gat with one head"),
    ]  # fmt: skip


def make_agent_run(runs_dir: Path, *, priced: bool = True) -> RunDirectory:
    """Two rounds: an anchor, then two proposals of a model; the winner is t0002."""
    run = RunDirectory.create(runs_dir, "cora", now=datetime(2026, 1, 31, 9, 30, tzinfo=UTC), rng=random.Random(1))
    told = ev.Told(round=1, text="try attention")
    with run.journal() as journal:
        config = Config(task="cora").model_dump(mode="json")
        journal.append(ev.RunStarted(task="cora", protocol="public", config=config, environment={}, metric="accuracy", rungs=("full",),
                                     full=("full",)))  # fmt: skip
        for event in (*round_of_anchors(), told, *calls(priced), *round_of_models()):
            journal.append(event)
        journal.append(ev.Noted(level="warning", message="80% of --max-cost is used"))
        journal.append(ev.WinnerChosen(trial="t0002", val_mean=81.75, val_sd=0.35, seeds=2, reason="best"))
        journal.append(ev.TestOpened(scores={"t0002": {"0": 81.0, "1": 82.0}}, comparison={}))
        journal.append(ev.RunFinished(outcome="designed", exit_code=0))
    return run
