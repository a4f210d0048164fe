"""The coder: anchors first, then new designs inside space and limits, each with its reason."""

from __future__ import annotations

import dataclasses
import random
import re
from typing import Any

import pytest

from agentnas.agents.coder import AUTHOR, RuleCoder
from agentnas.agents.planner import RulePlanner
from agentnas.agents.roles import Direction, Draft, Plan
from agentnas.agents.situation import Record, Situation
from agentnas.memory.events import Proposal
from agentnas.memory.memory import Evidence
from agentnas.tools.anchors import plain_anchors
from agentnas.tools.evaluate.base import Limits
from agentnas.tools.operators.base import operator
from agentnas.tools.profiling import price
from agentnas.tools.sizes import Sizes
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.tasks import load_task
from tests.agents.making import situation

SPACE = SearchSpace.default()
CARD = Evidence(id="card:gcnii", kind="card", similarity=0.5, text="deep", why="asked")


@pytest.fixture(scope="module")
def sizes() -> Sizes:
    return Sizes.of(load_task("digits"))


def tried(number: int, spec: ArchitectureSpec, score: float) -> Record:
    proposal = Proposal(trial=f"t{number:04d}", spec={}, spec_hash=spec_hash(spec), text="", author="test")
    return Record(proposal, spec, {"full": {0: score}})


def after_anchors(count: int = 5, **fields: Any) -> Situation:
    """A round after the plain anchors and some samples, of which later ones are better."""
    rng = random.Random(0)
    specs = [anchor.spec for anchor in plain_anchors()] + [SPACE.sample(rng) for _ in range(count - 5)]
    told = situation(*(tried(i, spec, 70.0 + i) for i, spec in enumerate(specs, start=1)))
    return dataclasses.replace(told, evidence=(CARD,), **fields)


def coder(sizes: Sizes) -> RuleCoder:
    return RuleCoder(plain_anchors(), lambda spec: price(spec, sizes))


def drafts(told: Situation, sizes: Sizes, count: int = 8) -> list[Draft]:
    return coder(sizes).draft(told, RulePlanner().plan(told), count)


def only(mode: str, *factors: str) -> Plan:
    return Plan("test", (Direction("one", factors, 1.0, "why not", None, (CARD.id,), mode),), "")


def test_anchors_come_first_as_many_as_may_be_tried(sizes: Sizes) -> None:
    first = drafts(situation(round_=0), sizes, 9)
    assert [draft.name for draft in first] == ["mlp", "gcn", "gat", "sage", "appnp"]
    assert all(draft.evidence[0].startswith("card:") for draft in first)
    assert [draft.name for draft in drafts(situation(round_=0), sizes, 2)] == ["mlp", "gcn"]


def test_an_anchor_that_was_tried_is_not_drafted_again(sizes: Sizes) -> None:
    told = situation(tried(1, plain_anchors()[1].spec, 80.0))
    assert "gcn" not in [draft.name for draft in drafts(told, sizes)]


@pytest.mark.parametrize("count", [1, 6])
def test_a_round_has_as_many_new_designs_as_asked(sizes: Sizes, count: int) -> None:
    told = after_anchors()
    made = drafts(told, sizes, count)
    hashes = [spec_hash(draft.spec) for draft in made]
    assert len(made) == len(set(hashes)) == count
    assert not set(hashes) & told.hashes()
    assert all(draft.author == AUTHOR and draft.hypothesis and draft.evidence for draft in made)


@pytest.mark.parametrize("trials", [5, 20])
def test_with_and_without_a_surrogate_the_same_situation_has_the_same_drafts(sizes: Sizes, trials: int) -> None:
    once = drafts(after_anchors(trials), sizes, 3)
    assert drafts(after_anchors(trials), sizes, 3) == once
    assert drafts(after_anchors(trials, seed=1), sizes, 3) != once


def test_a_mutation_varies_the_factor_that_was_planned_and_cites_its_parent(sizes: Sizes) -> None:
    told = after_anchors()
    for draft in coder(sizes).draft(told, only("exploit", "recipe.learning_rate"), 3):
        parent = told.by_trial()[str(draft.parent)]
        assert draft.factor == "recipe.learning_rate"
        assert draft.evidence == (f"trial:{draft.parent}", CARD.id)
        assert draft.spec.recipe.learning_rate != parent.spec.recipe.learning_rate
        assert draft.spec.recipe.model_copy(update={"learning_rate": parent.spec.recipe.learning_rate}) == parent.spec.recipe


@pytest.mark.parametrize("mode", ["exploit", "recombine"])
def test_a_direction_that_names_parents_varies_those_and_is_named_by_its_children(sizes: Sizes, mode: str) -> None:
    told = after_anchors()
    (way,) = only(mode).directions
    plan = Plan("test", (dataclasses.replace(way, parents=("t0001", "t0002")),), "")
    made = coder(sizes).draft(told, plan, 4)
    assert {draft.parent for draft in made} <= {"t0001", "t0002"}
    assert {draft.direction for draft in made} == {"one"}
    assert "rank" in made[0].hypothesis
    assert re.search(r"t0002 (?:and t0001 )?ranks? 4\b", " ".join(draft.hypothesis for draft in made)), "the rank among all trials"


def test_what_is_known_of_a_factor_is_said_of_cut_trials_too(sizes: Sizes) -> None:
    told = after_anchors()
    child = told.records[-1].proposal.model_copy(
        update={"trial": "t0006", "spec_hash": "x", "parent": "t0005", "factor": "recipe.learning_rate"}
    )
    cut = Record(child, told.records[-1].spec, {"short": {0: 60.0}})
    rival = dataclasses.replace(told.records[-1], scores={"short": {0: 65.0}, "full": {0: 75.0}})
    seen = dataclasses.replace(told, records=(*told.records[:-1], rival, cut))
    (draft,) = coder(sizes).draft(seen, only("exploit", "recipe.learning_rate"), 1)
    assert draft.hypothesis.endswith("; changing recipe.learning_rate gave -5.00 over 1 pair before full training")


def test_a_crossover_names_both_parents(sizes: Sizes) -> None:
    told = after_anchors(12)
    made = coder(sizes).draft(told, only("recombine"), 3)
    for draft in made:
        better, other = (told.by_trial()[name.removeprefix("trial:")] for name in draft.evidence)
        assert (draft.parent, draft.factor, draft.change) == (better.trial, None, f"crossover with {other.trial}")
        assert (told.score(better) or 0) > (told.score(other) or 0)


def test_fresh_samples_have_no_parent_and_lie_in_the_space(sizes: Sizes) -> None:
    for draft in coder(sizes).draft(after_anchors(), only("explore"), 4):
        assert draft.parent is None
        assert SPACE.contains(draft.spec) is None


def test_designs_over_the_limit_are_never_drafted(sizes: Sizes) -> None:
    limit = 6_000
    made = drafts(after_anchors(limits=Limits(max_params=limit)), sizes, 4)
    assert made
    assert all(price(draft.spec, sizes)["parameters"] <= limit for draft in made)


def test_a_limit_that_nothing_meets_ends_in_no_drafts(sizes: Sizes) -> None:
    assert drafts(after_anchors(limits=Limits(max_params=1)), sizes, 3) == []


def test_a_direction_that_holds_nothing_is_filled_from_the_whole_space(sizes: Sizes) -> None:
    told = dataclasses.replace(after_anchors(), space=SearchSpace.default())
    unvaried = only("exploit", "recipe.momentum")  # no anchor uses momentum, so that there is nothing to vary
    made = coder(sizes).draft(told, unvaried, 3)
    assert len(made) == 3
    assert {draft.parent for draft in made} == {None}
    for draft in made:
        cards = {operator(node.op).card for node in draft.spec.body.nodes} - {""}
        assert set(draft.evidence) == {f"card:{card}" for card in cards}, "a fresh sample rests on the papers of its operators"


def test_the_surrogate_prefers_what_resembles_the_good(sizes: Sizes) -> None:
    """All good trials have a low learning rate; of many fresh samples, those are drafted."""
    rng = random.Random(1)
    specs = [SPACE.sample(rng) for _ in range(60)]
    low = [spec.recipe.learning_rate <= 0.005 for spec in specs]
    told = situation(*(tried(i, spec, 85.0 if good else 60.0) for i, (spec, good) in enumerate(zip(specs, low, strict=True), start=1)))
    made = RuleCoder((), lambda spec: price(spec, sizes)).draft(told, only("explore"), 8)
    share = sum(draft.spec.recipe.learning_rate <= 0.005 for draft in made) / len(made)
    assert share > max(0.75, sum(low) / len(low))


def test_expected_gain_is_told_against_the_parent(sizes: Sizes) -> None:
    told = after_anchors(20)
    gains = {draft.parent: draft.expected_gain for draft in coder(sizes).draft(told, only("exploit"), 6)}
    assert all(gain is not None and abs(gain) < 30 for gain in gains.values())
