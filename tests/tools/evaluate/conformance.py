"""What every maker of Evaluator must do. Subclass it, give it the fixtures, and pytest runs all of it.

class TestMine(EvaluatorConformance):
    @pytest.fixture
    def evaluator(self) -> Evaluator: ...

    specs: three specs that it can evaluate, the second with more parameters than the first; hopeless: one that it cannot
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import pytest
from pydantic_core import to_json

from agentnas.tools.evaluate.base import CONFIRM, CONFIRM_SEED, Evaluator, Outcome, Request
from agentnas.tools.spec.model import ArchitectureSpec


def never() -> bool:
    return False


class EvaluatorConformance:
    """The contract of ``agentnas.tools.evaluate.base.Evaluator``."""

    epochs: int | None = 2

    @pytest.fixture
    def evaluator(self) -> Evaluator:
        raise NotImplementedError("a conformance test gives its own evaluator")

    @pytest.fixture
    def specs(self) -> tuple[ArchitectureSpec, ...]:
        raise NotImplementedError("a conformance test gives its own specs")

    @pytest.fixture
    def hopeless(self) -> ArchitectureSpec:
        raise NotImplementedError("a conformance test gives a spec that fails")

    def request_for(self, spec: ArchitectureSpec, evaluator: Evaluator, trial: str = "t1", seed: int = 0) -> Request:
        return Request(trial, spec, evaluator.rungs[0].name, seed, seed % evaluator.num_splits, self.epochs)

    def evaluated(self, evaluator: Evaluator, *requests: Request) -> dict[str, Outcome]:
        return {outcome.request.trial: outcome for outcome in evaluator.evaluate(requests, never)}

    def test_its_ladder_can_be_climbed(self, evaluator: Evaluator) -> None:
        assert evaluator.rungs
        assert evaluator.rungs[-1].epochs == 1.0, "a choice needs scores at full fidelity"
        assert len({rung.name for rung in evaluator.rungs} | {CONFIRM}) == len(evaluator.rungs) + 1
        assert evaluator.num_splits >= 1
        assert evaluator.confirm_seeds >= 0

    def test_each_request_has_one_outcome_with_a_score_in_percent(self, evaluator: Evaluator, specs: Sequence[ArchitectureSpec]) -> None:
        requests = [self.request_for(spec, evaluator, f"t{i}") for i, spec in enumerate(specs)]
        outcomes = list(evaluator.evaluate(requests, never))
        assert sorted(o.request.trial for o in outcomes) == ["t0", "t1", "t2"]
        assert all(o.request in requests for o in outcomes)
        for outcome in outcomes:
            assert (outcome.failure, outcome.reason) == (None, "")
            assert outcome.val is not None
            assert 0 <= outcome.val <= 100
            assert outcome.seconds >= 0
            assert to_json(asdict(outcome)["details"]), "details go into the journal"

    def test_the_same_request_has_the_same_score(self, evaluator: Evaluator, specs: Sequence[ArchitectureSpec]) -> None:
        requests = [self.request_for(specs[0], evaluator, f"t{i}", seed=1) for i in range(2)]
        first, second = self.evaluated(evaluator, *requests).values()
        assert first.val == second.val

    def test_a_hopeless_candidate_is_an_outcome_and_the_others_go_on(
        self, evaluator: Evaluator, specs: Sequence[ArchitectureSpec], hopeless: ArchitectureSpec
    ) -> None:
        made = self.evaluated(evaluator, self.request_for(hopeless, evaluator, "bad"), self.request_for(specs[0], evaluator, "good"))
        assert made["good"].val is not None
        assert made["bad"].val is None
        assert made["bad"].failure is not None
        assert made["bad"].reason
        assert "\n" not in made["bad"].reason

    def test_nothing_begins_once_it_is_stopped(self, evaluator: Evaluator, specs: Sequence[ArchitectureSpec]) -> None:
        requests = [self.request_for(spec, evaluator) for spec in specs]
        assert list(evaluator.evaluate(requests, lambda: True)) == []
        stop, finished = threading.Event(), 0
        for _ in evaluator.evaluate([*requests, *requests], stop.is_set):
            stop.set()
            finished += 1
        assert 1 <= finished < 6

    def test_what_follows_from_a_score_is_asked_for_after_it(self, evaluator: Evaluator, specs: Sequence[ArchitectureSpec]) -> None:
        known: dict[str, Outcome] = {}

        def requests() -> Iterator[Request | None]:
            yield self.request_for(specs[0], evaluator, "t1")
            while not known:
                yield None
            yield self.request_for(specs[1], evaluator, "t2")

        for outcome in evaluator.evaluate(requests(), never):
            known[outcome.request.trial] = outcome
        assert list(known) == ["t1", "t2"]

    def test_no_requests_no_outcomes(self, evaluator: Evaluator) -> None:
        assert list(evaluator.evaluate([], never)) == []
        assert evaluator.measure([]) == []
        assert evaluator.open_test([]) == {}

    def test_a_price_is_static_and_grows_with_the_network(self, evaluator: Evaluator, specs: Sequence[ArchitectureSpec]) -> None:
        first, second = evaluator.price(specs[0]), evaluator.price(specs[1])
        assert 0 < first["parameters"] < second["parameters"]
        assert evaluator.price(specs[0]) == first

    def test_measuring_adds_latency_in_the_order_asked(self, evaluator: Evaluator, specs: Sequence[ArchitectureSpec]) -> None:
        measured = evaluator.measure(specs)
        assert [m["parameters"] for m in measured] == [evaluator.price(spec)["parameters"] for spec in specs]
        assert all(m["latency_ms_p50"] > 0 for m in measured)

    def test_the_test_is_opened_for_what_was_trained(self, evaluator: Evaluator, specs: Sequence[ArchitectureSpec]) -> None:
        rung, seed = (CONFIRM, CONFIRM_SEED) if evaluator.confirm_seeds else (evaluator.rungs[0].name, 0)
        asked = [
            Request(f"t{i}", spec, rung, seed, seed % evaluator.num_splits, self.epochs, f"weights/t{i}-{seed}.pt")
            for i, spec in enumerate(specs[:2])
        ]
        assert all(outcome.val is not None for outcome in evaluator.evaluate(asked, never))
        scores = evaluator.open_test(asked)
        assert set(scores) == {("t0", seed), ("t1", seed)}
        assert all(0 <= score <= 100 for score in scores.values())

    def test_closing_twice_is_fine(self, evaluator: Evaluator) -> None:
        evaluator.close()
        evaluator.close()
