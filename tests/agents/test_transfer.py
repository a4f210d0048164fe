"""The transfer: what other tasks taught orders the first proposals, and this task's own trials correct it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agentnas.agents.briefing_quote import evidence_line
from agentnas.agents.coder import RuleCoder
from agentnas.agents.planner import RulePlanner
from agentnas.agents.selection import choose_smoothed
from agentnas.agents.situation import Situation
from agentnas.agents.transfer import Belief, Options, Past, PastTask
from agentnas.agents.transfer_drafts import AUTHOR, Transfer
from agentnas.agents.transfer_posterior import Posterior
from agentnas.agents.transfer_smoothing import normal_scores, smoothed
from agentnas.tools.anchors import Anchor, plain_anchors, scaled, strong_anchors
from agentnas.tools.evaluate.base import Limits
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.render import one_line
from agentnas.tools.spec.space import SearchSpace
from tests.agents.making import record, situation, spec_of_width

RNG = np.random.default_rng(0)
GRID = RNG.normal(size=(400, 4)).astype(np.float32)


def no_spec(design: int) -> Any:
    raise AssertionError(f"design {design} is looked at and never built here")


def past(*scores: Any, cards: tuple[tuple[float, ...], ...] | None = None, vectors: Any = GRID) -> Past:
    """Tasks with these scores of the same designs."""
    known = cards or ((),) * len(scores)
    tasks = tuple(PastTask(f"task{i}", card, np.asarray(s)) for i, (s, card) in enumerate(zip(scores, known, strict=True)))
    return Past(vectors, no_spec, tasks, lambda design: ())


def liking(weights: tuple[float, float, float, float], noise: float = 0.5, seed: int = 1) -> Any:
    return 80 + GRID @ np.array(weights) + np.random.default_rng(seed).normal(0, noise, len(GRID))


def test_normal_scores_are_quantiles_of_the_ranks_and_know_what_was_not_tried() -> None:
    found = normal_scores(np.array([3.0, np.nan, 1.0, 2.0]))
    assert found[[2, 3, 0]] == pytest.approx([-0.9674, 0.0, 0.9674], abs=1e-4)
    assert np.isnan(found[1])


def test_smoothing_comes_nearer_to_the_truth_and_fills_in_what_was_not_tried() -> None:
    truth = normal_scores(liking((1, 0, 0, 0), noise=0.0))
    noisy = normal_scores(liking((1, 0, 0, 0), noise=1.0))
    told, _ = smoothed(GRID, noisy, 0.5)
    assert np.mean((told - truth) ** 2) < 0.75 * np.mean((noisy - truth) ** 2)
    half = np.where(np.arange(400) % 2, np.nan, noisy)
    unseen = np.isnan(half)
    assert np.corrcoef(smoothed(GRID, half, 0.5)[0][unseen], truth[unseen])[0, 1] > 0.7


def test_no_trial_smooths_itself() -> None:
    scores = normal_scores(liking((1, 0, 0, 0)))
    lucky = scores.copy()
    lucky[7] += 2.0
    assert smoothed(GRID, lucky, 0.5)[0][7] - smoothed(GRID, scores, 0.5)[0][7] == pytest.approx(1.0)


def test_few_trials_are_left_as_they_are() -> None:
    few = np.full(400, np.nan)
    few[:5] = [1.0, 2.0, 3.0, 4.0, 5.0]
    told, _ = smoothed(GRID, few, 0.5)
    assert told[:5].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert not told[5:].any()


def test_tasks_count_by_their_cards_unless_similarity_is_off() -> None:
    told = past(liking((1, 0, 0, 0)), liking((0, 1, 0, 0)), cards=((0.5, 0.5), (0.9, 0.1)))
    near, far = Belief(told, (0.5, 0.5)).weights
    assert near > 0.6
    assert near + far == pytest.approx(1.0)
    assert Belief(told, (0.5, 0.5), Options(similarity=False)).weights.tolist() == [0.5, 0.5]


def test_the_first_choice_is_what_other_tasks_liked() -> None:
    belief = Belief(past(liking((1, 1, 0, 0)), liking((1, 0.8, 0.2, 0), seed=2)))
    points = belief.designs
    first = Posterior(belief, points.at([]), np.zeros(0)).best(points, 5, 0.0)
    assert liking((1, 1, 0, 0), noise=0.0)[first].min() > np.quantile(liking((1, 1, 0, 0), noise=0.0), 0.9)


def test_a_task_that_ranks_these_trials_as_they_came_out_gains() -> None:
    """Two tasks disagree; this one is like the second. After 15 of its trials the belief is nearer to the second."""
    truth = liking((0, 1, 0, 0), noise=0.3, seed=3)
    belief = Belief(past(liking((1, 0, 0, 0)), liking((0, 1, 0, 0), seed=2)))
    still = Belief(belief.past, (), Options(similarity=False))
    tried = list(range(15))
    rest = list(range(15, 400))
    adapted, fixed = (Posterior(b, b.designs.at(tried), truth[tried]).predict(b.designs.at(rest))[0] for b in (belief, still))
    before = belief.prior(belief.designs.at(rest))
    after = np.corrcoef(adapted, truth[rest])[0, 1]
    assert after > np.corrcoef(before, truth[rest])[0, 1] + 0.1
    assert after > np.corrcoef(fixed, truth[rest])[0, 1]


def test_what_was_tried_is_surer_and_nearer_to_the_scores() -> None:
    truth = liking((1, 0, 0, 0), noise=0.3, seed=3)
    belief = Belief(past(liking((0, 0, 1, 0)), liking((0, 0, 0, 1), seed=2)))
    posterior = Posterior(belief, belief.designs.at(range(30)), truth[:30])
    mean, sd = posterior.predict(belief.designs)
    assert sd[:30].max() < sd[30:].min() + 0.2
    assert np.abs(posterior.smoothed - truth[:30]).mean() < np.abs(mean[:30] - truth[:30]).mean()
    assert np.corrcoef(mean[30:], truth[30:])[0, 1] > 0.3


def test_a_batch_spreads_and_repeats_nothing() -> None:
    belief = Belief(past(liking((1, 0, 0, 0))))
    posterior = Posterior(belief, belief.designs.at([0, 1]), np.array([80.0, 81.0]))
    batch = posterior.best(belief.designs, 10, 0.5, without=[0, 1])
    assert len(set(batch) - {0, 1}) == 10
    assert len(posterior.best(belief.designs, 1000, 0.5, without=[0, 1])) == 398


def test_one_disaster_does_not_move_the_others() -> None:
    truth = liking((1, 0, 0, 0), noise=0.3, seed=3)
    belief = Belief(past(liking((1, 0, 0, 0))))
    sound, broken = truth[:20].copy(), truth[:20].copy()
    broken[4] = 0.0
    rest = belief.designs.at(range(100, 400))
    moved = [Posterior(belief, belief.designs.at(range(20)), scores).predict(rest)[0] for scores in (sound, broken)]
    assert np.abs(moved[1] - moved[0]).max() < 3.0


WIDTHS = (8, 16, 24, 32, 48, 64, 96, 128)
SPECS = tuple(spec_of_width(width) for width in WIDTHS)


def cited(design: int) -> tuple[str, ...]:
    return (f"trial:run/t{design:04d}",)


class Store:
    """Past trials of eight one-layer networks: the wider, the better."""

    def past(self, space: SearchSpace) -> Past | None:
        vectors = np.array([space.vector(spec) for spec in SPECS], dtype=np.float32)
        return Past(vectors, SPECS.__getitem__, (PastTask("citeseer", (), np.arange(70.0, 78.0)),), cited)


class Nothing:
    def past(self, space: SearchSpace) -> Past | None:
        return None


def coder(store: Any, **fields: Any) -> RuleCoder:
    return RuleCoder(plain_anchors(), lambda spec: {"parameters": 0}, transfer=Transfer(store, tuple), **fields)


def first_round(limits: Limits | None = None) -> Situation:
    return situation(round_=0, limits=limits)


def test_the_first_proposals_are_what_was_best_elsewhere_and_say_so() -> None:
    told = first_round()
    drafts = coder(Store()).draft(told, RulePlanner().plan(told), 3)
    best = drafts[0]
    assert spec_hash(best.spec) == spec_hash(SPECS[-1])
    assert (best.author, best.evidence) == (AUTHOR, ("trial:run/t0007",))
    assert best.hypothesis == "against the average design, in standard deviations, on the tasks most like this one: +1.5 on citeseer"


def test_a_share_of_every_round_goes_to_anchors_and_the_first_has_the_best_of_either_kind() -> None:
    told, made = (
        first_round(),
        RuleCoder(scaled((*plain_anchors(), *strong_anchors()), "none"), lambda spec: {}, transfer=Transfer(Store(), tuple)),
    )
    drafts = made.draft(told, RulePlanner().plan(told), 8)
    assert [draft.anchor for draft in drafts[-4:-2]] == ["plain", "strong"]
    assert drafts[0].author == AUTHOR, "what is remembered comes first"
    tried = [record(512 + 8 * i, {"full": {0: 75.0}}) for i in range(4)]
    later = situation(*tried)
    assert sum(draft.anchor is not None for draft in made.draft(later, RulePlanner().plan(later), 8)) >= 2


def test_a_remembered_design_that_is_an_anchor_here_is_called_one() -> None:
    anchor = Anchor("wide", "plain", "gcn", SPECS[-1])
    drafts = RuleCoder((anchor,), lambda spec: {}, transfer=Transfer(Store(), tuple)).draft(
        first_round(), RulePlanner().plan(first_round()), 4
    )
    assert [(draft.anchor, draft.name) for draft in drafts if spec_hash(draft.spec) == spec_hash(SPECS[-1])] == [("plain", "wide")]


def test_one_design_in_many_settings_does_not_fill_a_round() -> None:
    """All eight that are remembered have one layer of one operator."""
    drafts = RuleCoder((), lambda spec: {}, transfer=Transfer(Store(), tuple)).draft(first_round(), RulePlanner().plan(first_round()), 8)
    assert sum(draft.author == AUTHOR for draft in drafts) == 2
    assert len(drafts) == 8


def test_what_promises_most_is_suggested_as_evidence_with_what_is_expected_and_a_private_task_stays_unnamed() -> None:
    class Private(Store):
        def past(self, space: SearchSpace) -> Past | None:
            found = super().past(space)
            return found and replace(found, tasks=(replace(found.tasks[0], name="anna's patients"),))

    transfer = Transfer(Private(), tuple)
    first, second = transfer.suggestions(first_round(), 4)
    assert (first.id, first.text) == ("trial:run/t0007", one_line(SPECS[-1]))
    assert first.why.startswith(
        "promising by what earlier tasks and this run's scores say: +1.5 standard deviations from the average design"
    )
    assert "expected here" not in first.why
    assert "anna" in first.why
    assert "anna" not in evidence_line(first)
    scored = situation(record(128, {"full": {0: 75.0}}), record(96, {"full": {0: 74.0}}))
    later = transfer.suggestions(scored, 4)
    assert [item.id for item in later] == ["trial:run/t0005", "trial:run/t0004"], "what was tried is not suggested again"
    assert "expected here 7" in later[0].why
    assert second.id == "trial:run/t0006"


def test_children_are_weighed_beside_what_is_remembered_and_say_what_is_known_of_their_factor() -> None:
    scored = [record(width, {"full": {0: 70.0 + i}}) for i, width in enumerate((*WIDTHS, 160, 192, 224))]
    told = situation(*scored)
    drafts = RuleCoder((), lambda spec: {}, transfer=Transfer(Store(), tuple)).draft(told, RulePlanner().plan(told), 6)
    assert len(drafts) == 6, "all that is remembered was tried"
    assert all(draft.author == "coder/evolution" for draft in drafts)
    assert any("was not varied yet" in draft.hypothesis for draft in drafts if draft.factor)


def test_nothing_is_proposed_twice_and_limits_hold() -> None:
    scored = [record(width, {"full": {0: 75.0}}) for width in (128, 96)]
    told = situation(*scored, limits=Limits(max_params=100))
    wide = {spec_hash(spec) for spec in SPECS[4:]}
    made = RuleCoder((), lambda spec: {"parameters": 1000 if spec_hash(spec) in wide else 10}, transfer=Transfer(Store(), tuple))
    drafts = made.draft(told, RulePlanner().plan(told), 4)
    hashes = [spec_hash(draft.spec) for draft in drafts]
    assert len(set(hashes)) == 4
    assert not set(hashes) & (wide | told.hashes())


def test_a_store_that_knows_nothing_changes_nothing() -> None:
    told = first_round()
    plan = RulePlanner().plan(told)
    cold = RuleCoder(plain_anchors(), lambda spec: {"parameters": 0}).draft(told, plan, 8)
    assert coder(Nothing()).draft(told, plan, 8) == cold


def test_the_choice_trusts_a_lead_inside_the_noise_less_than_other_tasks_do() -> None:
    told = situation(record(128, {"full": {0: 80.0}}), record(8, {"full": {0: 80.3}}), record(16, {"full": {0: 79.0}}))
    assert choose_smoothed(told).trial == "t0008"
    choice = choose_smoothed(told, Transfer(Store(), tuple))
    assert choice.trial == "t0128"
    assert choice.reason == "best estimate from validation, structure and earlier tasks; the raw leader was t0008"


def test_a_lead_beyond_the_noise_is_believed() -> None:
    told = situation(record(128, {"full": {0: 70.0}}), record(8, {"full": {0: 90.0}}), record(16, {"full": {0: 70.0}}))
    assert choose_smoothed(told, Transfer(Store(), tuple)).trial == "t0008"


def test_the_same_situation_has_the_same_drafts() -> None:
    told = situation(*(record(width, {"full": {0: 75.0 + random.Random(width).random()}}) for width in (8, 16, 24)))
    plan = RulePlanner().plan(told)
    assert coder(Store()).draft(told, plan, 4) == coder(Store()).draft(told, plan, 4)
