"""The ladder without barriers promotes what a barrier would, whatever the order in which results come in."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.tools.evaluate.base import Request, Rung
from agentnas.tools.evaluate.ladder import MANY_SPLITS, ONE_SPLIT, TABLE, Before, Ladder, promoted
from agentnas.tools.evaluate.race import Climber
from tests.agents.making import spec_of_width

HEAD = 6
SPEC = spec_of_width(8)
Score = Callable[[Request], float | None]
Key = tuple[str, str, int]


@dataclass
class Round:
    """A round of trials whose results are made up: ``score`` of a request, None for a failure."""

    climbers: Sequence[Climber]
    rungs: Sequence[Rung]
    score: Score
    before: Before = field(default_factory=Before)

    def ladder(self, *, doubling: bool = False) -> Ladder:
        return Ladder(self.climbers, self.before, self.rungs, 1 if self.rungs is ONE_SPLIT else 10, HEAD, doubling=doubling)

    def climbed(self, workers: int, rng: random.Random, *, resumed_after: int = -1, in_turn: bool = False) -> tuple[set[Key], int]:
        """What was trained when ``workers`` do it and end in any order, and how often one of them had nothing to do while others worked."""
        ladder, idle = self.ladder(), 0
        running: list[Request] = []
        done: dict[Key, float | None] = {}
        while not ladder.over or running:
            while len(running) < workers and (due := ladder.next()) is not None:
                running.append(due)
            idle += len(running) < workers and not ladder.over
            request = running.pop(0 if in_turn else rng.randrange(len(running)))
            key = (request.trial, request.rung, request.seed)
            assert key not in done, "nothing is trained twice"
            done[key] = self.score(request)
            ladder.tell(*key, done[key])
            if len(done) == resumed_after:  # killed: what runs is lost, a new process reads the journal in any order
                ladder = self.ladder()
                running.clear()
                for known in rng.sample(sorted(done), len(done)):
                    ladder.tell(*known, done[known])
        return set(done), idle

    def with_barriers(self) -> set[Key]:
        """The same by the rule as it is written down: each rung is decided once the one below has all its results."""
        done: dict[Key, float | None] = {}
        climbing = [climber.trial for climber in self.climbers]
        kinds = {climber.trial: climber.anchor for climber in self.climbers}
        first = next(rung.seeds for rung in self.rungs if rung.epochs >= 1.0)
        for level, rung in enumerate(self.rungs):
            seeds = range(first, rung.seeds) if rung.seeds > first else range(rung.seeds)
            for trial in climbing:
                done |= {(trial, rung.name, s): self.score(Request(trial, SPEC, rung.name, s, s)) for s in seeds}
            if level + 1 == len(self.rungs):
                break
            results = {trial: [val for (t, name, _), val in done.items() if (t, name) == (trial, rung.name)] for trial in climbing}
            scores = {t: sum(v for v in vals if v is not None) / len(vals) for t, vals in results.items() if None not in vals}
            if rung.epochs < 1.0:
                up = set(promoted(scores, self.rungs[level + 1].promoted)) | {t for t in scores if kinds[t]}
            else:
                ranked = promoted({**self.before.scores, **scores}, 1.0)
                anchors = {**self.before.anchors, **{t: kinds[t] for t in scores}}
                up = set(ranked[:HEAD]) | {next((t for t in ranked if anchors.get(t) == kind), "") for kind in ("plain", "strong")}
            climbing = [trial for trial in scores if trial in up]
        return set(done)


@st.composite
def rounds(draw: st.DrawFn) -> Round:
    anchors = draw(st.lists(st.sampled_from([None, None, "plain", "strong"]), min_size=1, max_size=10))
    climbers = [Climber(f"t{number:04d}", SPEC, anchor) for number, anchor in enumerate(anchors, start=100)]
    luck = draw(st.integers(0, 10_000))
    failing = draw(st.sampled_from([0.0, 0.2]))

    def score(request: Request) -> float | None:
        rng = random.Random(f"{luck} {request.trial} {request.rung} {request.seed}")
        return None if rng.random() < failing else round(rng.gauss(80, 2), 1)

    earlier = {f"t{number:04d}": float(draw(st.integers(76, 84))) for number in range(draw(st.integers(0, HEAD)))}
    kinds = dict(zip(earlier, ("plain", "strong"), strict=False))
    return Round(climbers, draw(st.sampled_from([ONE_SPLIT, MANY_SPLITS, TABLE])), score, Before(earlier, kinds))


@given(rounds(), st.integers(1, 12), st.integers(0, 99), st.integers(0, 30))
def test_what_climbs_is_what_a_barrier_would_let_climb(made: Round, workers: int, luck: int, killed: int) -> None:
    assert made.climbed(workers, random.Random(luck), resumed_after=killed)[0] == made.with_barriers()


def worth_of(quality: dict[str, float]) -> Score:
    return lambda request: quality[request.trial]


def test_up_to_as_many_workers_as_a_rung_has_places_are_never_idle_before_the_last_trainings() -> None:
    for luck in range(50):
        rng = random.Random(luck)
        quality = {f"t{number:04d}": rng.gauss(80, 2) for number in range(8)}
        made = Round([Climber(trial, SPEC) for trial in quality], ONE_SPLIT[:2], worth_of(quality))
        for workers in (2, 3, 4):
            assert made.climbed(workers, rng, in_turn=True)[1] <= workers - 1


def test_what_cannot_win_trains_last_on_each_rung() -> None:
    climbers = [Climber(f"t{number}", SPEC, "plain", reference=number < 2) for number in range(4)]
    ladder = Round(climbers, ONE_SPLIT[:2], lambda request: 80.0).ladder()
    order = []
    while (request := ladder.next()) is not None:
        order.append((request.rung, request.trial))
        ladder.tell(request.trial, request.rung, request.seed, 80.0)
    assert order == [(rung, trial) for rung in ("short", "full") for trial in ("t2", "t3", "t0", "t1")]


def test_an_eager_ladder_promotes_what_leads_where_nothing_else_is_due() -> None:
    made = Round([Climber(f"t{number:04d}", SPEC) for number in range(4)], ONE_SPLIT, lambda request: 80.0).ladder()
    asked = [made.next() for _ in range(4)]
    for request, score in zip(asked[:2], (70.0, 80.0), strict=False):
        assert request is not None
        made.tell(request.trial, request.rung, request.seed, score)
    assert made.next() is None, "either of the two that run may still push it out"
    request = made.next(eager=True)
    assert request is not None
    assert (request.trial, request.rung) == ("t0001", "full")
    assert made.next(eager=True) is None


RIVAL = {0: 84.0, 1: 84.2, 2: 83.8}


@pytest.mark.parametrize(
    ("scores", "trained", "told"),
    [
        ({0: 83.9, 1: 84.1, 2: 84.0}, 3, None),
        ({0: 83.0, 1: 82.0, 2: 99.0}, 2, "behind t0001 by 1.60 ± 0.60 over 2 shared seeds"),
        ({0: 80.0, 1: 99.0, 2: 99.0}, 1, "behind t0001 by 4.00 ± 0.42 over the first seed"),
        ({0: 82.9, 1: 84.0, 2: 84.0}, 3, None),
    ],
)
def test_a_newcomer_gets_seeds_only_while_it_is_not_behind_the_best(scores: dict[int, float], trained: int, told: str | None) -> None:
    before = Before({"t0001": 84.0}, {}, "t0001", RIVAL, noise=0.3)
    made = Round([Climber("t0100", SPEC)], ONE_SPLIT, lambda request: scores[request.seed], before)
    ladder = made.ladder(doubling=True)
    seeds = set()
    while (request := ladder.next()) is not None:
        ladder.tell(request.trial, request.rung, request.seed, scores[request.seed])
        seeds |= {request.seed} if request.rung != "short" else set()
    assert ladder.over
    assert len(seeds) == trained
    assert [stopped.reason for stopped in ladder.stopped.values()] == ([told] if told else [])


def test_where_agents_wait_for_whole_rounds_the_race_has_one_look_so_that_no_worker_waits() -> None:
    before = Before({"t0001": 84.0}, {}, "t0001", RIVAL, noise=0.3)
    for first, seeds in ((80.0, []), (83.0, [1, 2])):
        ladder = Round([Climber("t0100", SPEC)], ONE_SPLIT, lambda request: 0.0, before).ladder()
        ladder.tell("t0100", "short", 0, 70.0)
        ladder.tell("t0100", "full", 0, first)
        due = [ladder.next(), ladder.next()]
        assert [request.seed for request in due if request] == seeds


def test_without_a_noise_estimate_or_for_an_anchor_there_is_no_race() -> None:
    for climber, noise in ((Climber("t0100", SPEC), None), (Climber("t0100", SPEC, "plain"), 0.3)):
        made = Round([climber], ONE_SPLIT, lambda request: 70.0, Before({"t0001": 84.0}, {}, "t0001", RIVAL, noise))
        assert {seed for _, rung, seed in made.climbed(1, random.Random(0))[0] if rung != "short"} == {0, 1, 2}
