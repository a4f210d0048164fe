"""Spaces that refuse something, as agents meet them: nothing outside is drafted, accepted or chosen, whichever way it came."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentnas.agents.briefing import Briefing
from agentnas.agents.checking import accept, outside
from agentnas.agents.coder import RuleCoder
from agentnas.agents.llm_planner import LLMPlanner, may_bound
from agentnas.agents.planner import RulePlanner
from agentnas.agents.roles import Direction, Draft, Plan
from agentnas.agents.selection import choose, comparison, eligible, finalists
from agentnas.agents.situation import Record, Situation
from agentnas.memory.events import Proposal
from agentnas.memory.journal import Journal
from agentnas.memory.memory import InMemory, TrialRecord
from agentnas.prompts import Prompts
from agentnas.tools.anchors import Anchor, plain_anchors
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.spec.named import space_of
from agentnas.tools.spec.space import SearchSpace
from tests.agents.making import situation
from tests.agents.minds import Brief, Mind, consulting, new_journal

GAT = {"id": "enc", "op": "gat", "width": 32, "params": {"heads": 4}, "activation": "elu", "dropout": 0.3}
START = parse_spec({"body": {"nodes": [GAT], "outputs": ["enc"]}})
LOCKED = space_of("default", locks=["body.enc", "recipe.optimiser"], start=START)
ATTENTION = space_of("attention")
MODES = ("exploit", "explore", "recombine")


def anchors(space: SearchSpace) -> tuple[Anchor, ...]:
    made = (Anchor("start", "start", "", START), *plain_anchors())
    return tuple(dataclasses.replace(anchor, reference=space.refuses(anchor.spec) is not None) for anchor in made)


def tried(number: int, spec: ArchitectureSpec, score: float, **fields: Any) -> Record:
    proposal = Proposal(trial=f"t{number:04d}", spec={}, spec_hash=spec_hash(spec), text="", author="test", **fields)
    return Record(proposal, spec, {"full": {0: score}, "confirm": dict.fromkeys((100, 101), score)})


def after(space: SearchSpace, count: int = 3, **fields: Any) -> Situation:
    """A round after the anchors, which did best outside of the space, and some samples of it."""
    rng = random.Random(0)
    told = [tried(i, a.spec, 80.0, anchor=a.kind, name=a.name, reference=a.reference) for i, a in enumerate(anchors(space), start=1)]
    told += [tried(len(told) + i, space.sample(rng), 70.0 + i) for i in range(1, count + 1)]
    return dataclasses.replace(situation(*told), space=space, **fields)


def coder(space: SearchSpace) -> RuleCoder:
    return RuleCoder(anchors(space), lambda spec: {})


def plan(mode: str) -> Plan:
    return Plan("test", (Direction("one", (), 1.0, "why not", None, (), mode),), "")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("space", [LOCKED, ATTENTION], ids=["locked", "attention"])
def test_every_draft_lies_inside_whatever_did_best(space: SearchSpace, mode: str) -> None:
    drafts = coder(space).draft(after(space), plan(mode), 8)
    assert len(drafts) == 8
    assert [space.refuses(draft.spec) for draft in drafts] == [None] * 8


def test_the_first_round_begins_with_what_the_owner_starts_from() -> None:
    told = dataclasses.replace(situation(round_=0), space=LOCKED)
    first, *others = coder(LOCKED).draft(told, plan("explore"), 8)
    assert (first.anchor, first.name, first.author, first.reference) == ("start", "start", "person", False)
    assert {draft.name for draft in others} == {anchor.name for anchor in plain_anchors()}
    assert all(draft.reference for draft in others)
    assert "to compare with alone" in others[0].hypothesis


def test_where_no_anchor_lies_inside_the_first_round_is_not_theirs_alone() -> None:
    space = space_of("default", locks=["body.enc"], start=START)
    only = RuleCoder(tuple(anchor for anchor in anchors(space) if anchor.reference), lambda spec: {})
    drafts = only.draft(dataclasses.replace(situation(round_=0), space=space), plan("explore"), 8)
    assert sum(draft.reference for draft in drafts) == 4
    assert sum(space.refuses(draft.spec) is None for draft in drafts) == 4


def test_a_reference_that_can_keep_the_locks_is_tried_with_them() -> None:
    space = space_of("default", locks=["recipe.learning_rate=0.05"])
    drafts = RuleCoder((), lambda spec: {}).draft(after(space), plan("exploit"), 30)
    made = [draft for draft in drafts if draft.parent == "t0003"]  # the GCN anchor, whose rate is another
    assert made
    assert made[0].change == "recipe.learning_rate 0.01 -> 0.05"


def test_what_is_refused_is_dropped_whoever_made_it() -> None:
    gcn = plain_anchors()[1].spec
    drafts = [Draft(gcn, "coder/x", "", ()), Draft(gcn, "coder/anchors", "", (), anchor="plain", name="gcn", reference=True)]
    proposals, problems = accept(drafts, {}, 1, InMemory(), None, ATTENTION)
    assert [(proposal.author, proposal.reference) for proposal in proposals] == [("coder/anchors", True)]
    assert problems[0].startswith("coder/x proposed a design outside of what is searched, skipped: space attention: body.op is 'gcn'")


def test_a_parent_outside_excuses_nothing() -> None:
    gcn = plain_anchors()[1].spec
    assert outside(gcn, gcn, SearchSpace.default()) is None
    assert "body.op is 'gcn'" in str(outside(gcn, gcn, ATTENTION))
    assert "body.enc (gat) is locked" in str(outside(gcn, gcn, LOCKED))


def test_references_are_compared_with_and_never_chosen() -> None:
    told = after(LOCKED)
    picked = finalists(told)
    assert picked.start == "t0001"
    assert picked.plain_anchor == "t0002"
    assert all(told.by_trial()[trial].proposal.reference is False for trial in picked.finalists)
    assert choose(told, picked.all()).trial == "t0001"
    assert [record.trial for record in eligible(told)] == ["t0001", "t0009", "t0008", "t0007"]
    scores = {trial: {0: 80.0, 1: 81.0} for trial in ("t0001", "t0002", "t0009")}
    assert list(comparison("t0009", picked, scores)) == ["start", "plain"]


# --- what a planner's model makes of words ---


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with new_journal(tmp_path) as made:
        yield made


def answered(*bounds: tuple[str, str]) -> dict[str, Any]:
    ways = [
        {"name": f"way {i}", "mode": "explore", "factors": [], "share": 0.5, "hypothesis": "why not", "expected_gain": 0.1,
         "evidence": ["trial:t0001"]} for i in (1, 2)
    ]  # fmt: skip
    return {"reason": "as asked", "directions": ways, "bounds": [{"path": path, "value": value} for path, value in bounds]}


def planned(journal: Journal, told: Situation, *answers: dict[str, Any]) -> Plan:
    memory = InMemory(journal.view)
    memory.add_trials([TrialRecord(id="t0001", task="a task", text="gat")])
    return LLMPlanner(consulting(journal, Mind(*answers)), Brief(), RulePlanner(), memory).plan(told)


DEFAULT = after(SearchSpace.default(), goal="search only attention")


def test_words_become_bounds(journal: Journal) -> None:
    made = planned(journal, DEFAULT, answered(("operators", "gat, gatv2"), ("max_depth", "3")))
    assert made.bounds == {"operators": ["gat", "gatv2"], "max_depth": 3}


def test_bounds_that_cannot_be_followed_are_told_and_mended(journal: Journal) -> None:
    made = planned(journal, DEFAULT, answered(("operators", "gatt")), answered(("operators", "gat")))
    assert made.bounds == {"operators": ["gat"]}
    told = next(iter(journal.view.calls.of("planner"))).judged
    assert told is not None
    assert "bounds: operators: unknown operator 'gatt'; did you mean gat" in told.problems[0]


def test_bounds_stay_until_others_come_or_they_are_lifted(journal: Journal) -> None:
    held = dataclasses.replace(DEFAULT, bounds={"operators": ["gat"]})
    assert planned(journal, held, answered()).bounds == {"operators": ["gat"]}
    assert RulePlanner().plan(held).bounds == {"operators": ["gat"]}


def test_bounds_are_lifted(journal: Journal) -> None:
    held = dataclasses.replace(DEFAULT, bounds={"operators": ["gat"]})
    assert planned(journal, held, answered(("all", ""))).bounds == {}


def test_without_a_persons_words_nothing_is_asked_about_bounds() -> None:
    assert may_bound(DEFAULT)
    assert may_bound(dataclasses.replace(DEFAULT, goal="", told=("only attention",)))
    assert not may_bound(dataclasses.replace(DEFAULT, goal=""))
    asked = Briefing(Prompts()).planner(dataclasses.replace(DEFAULT, goal=""))[1].content
    assert "bounds" not in asked.split("## The owner of this run")[1]


def test_prompts_tell_words_bounds_and_locks() -> None:
    briefing = Briefing(Prompts())
    asked = briefing.planner(dataclasses.replace(DEFAULT, bounds={"operators": ["gat"]}))[1].content
    assert "- for the whole run: search only attention" in asked
    assert "Bounds in force: operators gat." in asked
    system = briefing.coder(after(LOCKED), plan("exploit"), 3, "diff")[0].content
    assert "Locked by the owner of this run" in system
    assert "enc = gat(heads 4, attention_dropout 0, join concat) 32 <- input; dropout 0.3, elu; recipe.optimiser adam" in system
