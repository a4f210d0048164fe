"""The planner: where trials go follows what paid, and nothing is forgotten."""

from __future__ import annotations

import dataclasses

import pytest

from agentnas.agents.planner import GROUPS, PLATEAU_ROUNDS, RulePlanner, group_of, groups_of
from agentnas.agents.roles import Direction, Plan
from agentnas.memory.memory import Evidence
from agentnas.tools.spec.space import SearchSpace
from tests.agents.making import record, situation

CARD = Evidence(
    id="card:gcnii", kind="card", similarity=0.5, text="Do: residual layers, drop-edge 0.2, propagation over 10 hops", why="asked"
)
UNRELATED = Evidence(id="card:asha", kind="card", similarity=0.9, text="Do: promote the best half of the trials", why="asked")
FINDING = Evidence(id="finding:r0-1", kind="finding", similarity=1.0, text="leads", why="asked")


def exploited(plan: Plan) -> list[Direction]:
    return [direction for direction in plan.directions if direction.mode == "exploit"]


@pytest.mark.parametrize("space", [SearchSpace.default(), SearchSpace.small(), SearchSpace.nasbench("cora")], ids=lambda space: space.name)
def test_every_factor_of_a_space_belongs_to_one_group(space: SearchSpace) -> None:
    grouped = groups_of(space.factors())
    assert sorted(factor for factors in grouped.values() for factor in factors) == sorted(space.factors())
    assert set(grouped) <= {*GROUPS, "structure"}


@pytest.mark.parametrize(
    ("factor", "group"),
    [
        ("recipe.weight_decay", "regularisation"),
        ("recipe.drop_edge", "augmentation"),
        ("recipe.learning_rate", "optimisation"),
        ("body.width", "capacity"),
        ("body.op", "structure"),
        ("cell.links", "structure"),
    ],
)
def test_groups_mean_what_they_say(factor: str, group: str) -> None:
    assert group_of(factor) == group


@pytest.mark.parametrize("remembered", [False, True])
def test_the_first_plan_says_what_the_first_round_does(remembered: bool) -> None:
    """Drafted are the anchors alone, and with a memory what did well elsewhere: no direction that nobody follows."""
    past = Evidence(id="trial:20260101-000000-cora-red-owl/t0003", kind="trial", similarity=0.8, text="gcn64", why="best there")
    plan = RulePlanner().plan(dataclasses.replace(situation(), evidence=(CARD, past) if remembered else (CARD,)))
    (direction,) = plan.directions
    assert (direction.name, direction.factors, direction.share, direction.evidence) == ("anchors", (), 1.0, ())
    assert ("other tasks" in plan.reason, "other tasks" in direction.hypothesis) == (remembered, remembered)


@pytest.mark.parametrize("scores", [[80.0], [80.0, 80.1, 80.1, 80.0, 79.9]])
def test_the_shares_sum_to_one_on_and_off_a_plateau(scores: list[float]) -> None:
    plan = RulePlanner().plan(situation(*(record(i + 1, {"full": {0: score}}, round_=i) for i, score in enumerate(scores))))
    assert sum(direction.share for direction in plan.directions) == pytest.approx(1.0)
    assert all(direction.share > 0 for direction in plan.directions)
    assert {direction.mode for direction in plan.directions} == {"exploit", "recombine", "explore"}


def test_groups_that_were_never_varied_come_first() -> None:
    parent = record(1, {"full": {0: 80.0}})
    paid = record(2, {"full": {0: 90.0}}, parent="t0001", factor="input.dropout")
    names = [direction.name for direction in exploited(RulePlanner().plan(situation(parent, paid)))]
    assert group_of("input.dropout") not in names


def one_child_for_each_group(best: str) -> list[object]:
    """Children that lost in every group but one."""
    grouped = groups_of(SearchSpace.default().factors())
    children: list[object] = [record(1, {"full": {0: 80.0}})]
    for number, (group, factors) in enumerate(grouped.items(), start=2):
        score = 85.0 if group == best else 70.0
        children.append(record(number, {"full": {0: score}}, parent="t0001", factor=factors[0]))
    return children


@pytest.mark.parametrize("best", ["augmentation", "propagation", "structure"])
def test_what_paid_gets_the_largest_share_and_cites_the_trials_that_show_it(best: str) -> None:
    told = dataclasses.replace(situation(*one_child_for_each_group(best)), evidence=(UNRELATED, FINDING, CARD))  # type: ignore[arg-type]
    first = exploited(RulePlanner().plan(told))[0]
    assert first.name == best
    assert first.expected_gain == 5.0
    assert "+5.00" in first.hypothesis
    cited = [name.partition(":")[0] for name in first.evidence]
    assert cited == ["trial", "card"]
    assert first.evidence[1] == CARD.id, "the card whose advice is about these factors, not the nearest one"
    assert told.score(told.by_trial()[first.evidence[0].removeprefix("trial:")]) == 85.0


def test_a_plateau_moves_trials_to_fresh_samples() -> None:
    def fresh(rounds: int) -> float:
        flat = [record(i + 1, {"full": {0: 80.0}}, round_=i) for i in range(rounds)]
        (explore,) = [d for d in RulePlanner().plan(situation(*flat)).directions if d.mode == "explore"]
        return explore.share

    assert fresh(PLATEAU_ROUNDS + 1) > 2 * fresh(PLATEAU_ROUNDS)


def test_the_same_situation_has_the_same_plan_and_survives_the_journal() -> None:
    seen = situation(record(1, {"full": {0: 80.0}}), record(2, {"full": {0: 82.0}}, parent="t0001", factor="body.op"))
    plan = RulePlanner().plan(seen)
    assert RulePlanner().plan(seen) == plan
    assert tuple(Direction.from_dict(direction.as_dict()) for direction in plan.directions) == plan.directions
