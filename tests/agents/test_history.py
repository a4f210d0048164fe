"""Records that follow the journal say what records say that are built and sorted anew, at a cost that does not grow."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from agentnas.agents import surrogate
from agentnas.agents.history import History, Ledger
from agentnas.agents.situation import MANY, Situation
from agentnas.agents.statistics import effects
from agentnas.agents.telling import EVERY, known_until, taught, telling
from agentnas.memory import events as ev
from agentnas.memory.view import JournalView
from agentnas.tools.evaluate.base import Limits
from agentnas.tools.evaluate.ladder import ONE_SPLIT, TABLE
from agentnas.tools.spec.canonical import hash_of, spec_hash
from agentnas.tools.spec.cells import SETTINGS, located
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.tasks import load_task
from tests.agents.searching import many, searched
from tests.benchmarks import growth_trials
from tests.long_runs import TASK, past_events

STARTED = ev.RunStarted(task=TASK, protocol="table", config={}, environment={}, rungs=("table", "confirm"), full=("table",))


def situation_of(records: tuple[object, ...], rungs: tuple[object, ...] = TABLE) -> Situation:
    last = max((record.round for record in records), default=0)  # type: ignore[attr-defined]
    return Situation(last, 0, "", records, rungs, SearchSpace.nasbench("cora"), Limits())  # type: ignore[arg-type]


def live_events(rng: random.Random) -> Iterator[ev.AnyEvent]:
    """Rounds of trials that climb, fail, are rejected and are confirmed, in any order; each score may come twice."""
    specs = [SearchSpace.nasbench("cora").sample(rng) for _ in range(24)]
    for round_ in range(6):
        trials = [f"t{4 * round_ + i + 1:04d}" for i in range(4)]
        yield ev.ProposalsDrafted(round=round_, proposals=tuple(
            ev.Proposal(trial=trial, spec=spec.model_dump(mode="json", exclude_defaults=True), spec_hash=spec_hash(spec), text="",
                        author="a", anchor=rng.choice((None, "plain", "strong")))
            for trial, spec in zip(trials, specs[4 * round_ :], strict=False)
        ))  # fmt: skip
        for _ in range(16):
            trial, rung = rng.choice(trials), rng.choice([rung.name for rung in ONE_SPLIT] + ["confirm"])
            if rng.random() < 0.1:
                yield ev.EvaluationFailed(trial=trial, rung=rung, seed=0, split=0, kind="error", reason="no luck", seconds=1.0)
            else:
                # Coarse scores tie often.
                yield ev.EvaluationFinished(trial=trial, rung=rung, seed=rng.randrange(3), split=0, val=rng.randrange(70, 76), seconds=1.0)
        yield ev.TrialPriced(trial=rng.choice(trials), profile={"parameters": rng.randrange(1000)})


@pytest.mark.parametrize("seed", range(8))
def test_the_ledger_says_what_its_records_say(seed: int) -> None:
    """After every event: order, most trusted trials, anchors, rounds, failures, repeated trainings."""
    view = JournalView()
    ledger = Ledger(view, ONE_SPLIT)
    for event in live_events(random.Random(seed)):
        view.apply(event)
        kept = situation_of(ledger.history(), ONE_SPLIT)
        plain = situation_of(tuple(ledger.history()), ONE_SPLIT)
        assert isinstance(kept.records, History)
        assert plain.kept is None
        assert [r.trial for r in kept.records] == sorted(view.proposals)
        assert kept.ranked() == plain.ranked()
        assert kept.best(3) == plain.best(3)
        assert kept.ranked(9) == plain.ranked(9)
        for count in (1, 4, 100):
            assert kept.trusted(count) == plain.trusted(count)
        assert [kept.anchors(kind) for kind in ("plain", "strong")] == [plain.anchors(kind) for kind in ("plain", "strong")]
        assert kept.best_by_round() == plain.best_by_round()
        assert list(kept.failed()) == list(plain.failed())
        assert list(kept.repeated()) == list(plain.repeated())
        assert kept.hashes() == plain.hashes()
        assert [kept.find(t) for t in ("t0001", "t0009", "t9999", None)] == [plain.find(t) for t in ("t0001", "t0009", "t9999", None)]


@pytest.fixture(scope="module")
def long_view() -> JournalView:
    return JournalView([STARTED, *past_events(load_task(TASK), 1000)])


def test_a_snapshot_stays_as_it_was() -> None:
    view = JournalView([STARTED])
    ledger = Ledger(view, TABLE)
    events = iter(past_events(load_task(TASK), 20))
    while view.num_evaluations < 10:
        view.apply(next(events))
    before = situation_of(ledger.history())
    for event in events:
        view.apply(event)
    after = situation_of(ledger.history())
    assert (len(before.ranked()), len(after.ranked())) == (10, 20)
    assert before.find("t0015") is None
    assert len(before.hashes()) == 10


def test_a_round_builds_its_own_records_alone(long_view: JournalView, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many trials came before: each event about a trial builds that trial's record at most once."""
    ledger, built = Ledger(long_view, TABLE), []
    ledger.history()
    build = Ledger._build
    monkeypatch.setattr(Ledger, "_build", lambda self, trial: built.append(trial) or build(self, trial))  # type: ignore[func-returns-value]
    assert ledger.history() is ledger.history()
    assert not built
    newest = list(long_view.proposals)[-5:]
    for trial in newest:
        long_view.apply(ev.TrialPriced(trial=trial, profile={"parameters": 7}))
        ledger.history()
        ledger.history()
    assert built == newest


def test_models_of_long_runs_know_a_fixed_number_of_trials(long_view: JournalView) -> None:
    state = situation_of(Ledger(long_view, TABLE).history())
    ranked, told = state.ranked(), telling(state)
    assert len(ranked) == 1000
    assert MANY * 0.9 < len(told) <= MANY
    assert told[:100] == ranked[:100]
    assert {r.trial for r in state.records[-50:]} <= {r.trial for r in told}
    assert told[-1] in ranked[-10:], "bad designs are told too"
    assert len(taught(state)) <= MANY
    vectors: dict[str, list[float]] = {}
    fitted = surrogate.fit(state, vectors)
    assert fitted is not None
    assert len(vectors) <= MANY
    assert sum(effect.count for effect in effects(state)) <= MANY


def test_models_of_usual_runs_know_every_trial(long_view: JournalView) -> None:
    state = situation_of(tuple(Ledger(long_view, TABLE).history())[:MANY])
    assert telling(state) == state.ranked()
    assert list(taught(state)) == list(state.records)


def test_what_a_model_was_fitted_on_follows_from_the_records(long_view: JournalView) -> None:
    """Between two fits the trials that a model knows stay the same, so that a resumed run has the model of one that went on."""
    records = tuple(Ledger(long_view, TABLE).history())
    at = [situation_of(records[: MANY + count]) for count in (EVERY, EVERY + 5, 2 * EVERY - 5, 2 * EVERY)]
    assert [known_until(state) for state in at] == [MANY + EVERY] * 3 + [MANY + 2 * EVERY]
    first, *_, last = [[record.trial for record in taught(state)] for state in at]
    assert [record.trial for record in taught(at[1])] == [record.trial for record in taught(at[2])] == first != last


def test_prompts_of_long_runs_are_no_longer(long_view: JournalView) -> None:
    """From 500 trials on, none of the three prompts grows by more than a fifth, which is the digits of larger numbers."""
    short = JournalView([STARTED, *past_events(load_task(TASK), 500)])
    for view in (short, long_view):
        view.card = searched_card()
    few, more = growth_trials.prompts(short), growth_trials.prompts(long_view)
    assert all(b < 1.2 * a for a, b in zip(few, more, strict=True)), (few, more)


def searched_card() -> dict[str, object]:
    from tests.agents.searching import CARD

    return CARD.model_dump(mode="json")


def test_a_wide_space_is_bounded_too() -> None:
    state = many(searched(60), 700)
    assert len(telling(state)) <= MANY
    assert len(taught(state)) <= MANY
    rows, targets = surrogate._training_set(state, {})
    assert len(rows) == len(targets) <= 2 * MANY


@pytest.mark.parametrize("dataset", SETTINGS)
def test_a_cell_that_was_made_is_known_as_it_is_read(dataset: str) -> None:
    space, rng = SearchSpace.nasbench(dataset), random.Random(1)
    for _ in range(20):
        made = space.sample(rng)
        read = parse_spec(made.model_dump(mode="json"))
        assert located(made) == located(read)
        assert spec_hash(made) == spec_hash(read) == hash_of(made)


@pytest.mark.prove
def test_a_trial_costs_the_same_after_ten_thousand() -> None:
    assert growth_trials.main(["--quick"]) == 0
