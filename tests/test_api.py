"""``agentnas.design`` and the run that it returns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import agentnas
from agentnas.agents.statistics import mean_and_sd
from agentnas.memory import events as ev
from agentnas.memory.runs import list_runs
from agentnas.run import Run
from agentnas.tools.errors import AgentNASError, ConfigError, RunError, UsageError
from agentnas.tools.evaluate.base import CONFIRM, CONFIRM_SEED
from tests import quick


def test_a_live_run_has_a_winner_confirmed_and_tested_on_fresh_seeds(live_run: Run) -> None:
    view = live_run.view
    assert (live_run.exit_code, view.num_tried) == (0, quick.LIVE["trials"])
    assert view.winner is not None
    fresh = [CONFIRM_SEED + i for i in range(quick.LIVE["confirm_seeds"])]
    confirmed = view.evaluations(view.winner.trial, CONFIRM)
    assert [(e.seed, e.split) for e in confirmed] == [(seed, seed - CONFIRM_SEED) for seed in fresh]
    assert view.winner.val_mean == pytest.approx(mean_and_sd([e.val for e in confirmed])[0])
    assert len(live_run.test_scores[view.winner.trial]) == len(fresh)
    assert not {e.seed for t in view.proposals for e in view.evaluations(t) if e.rung != CONFIRM} & set(fresh)


def test_the_winner_is_the_best_confirmed_trial_by_validation(live_run: Run) -> None:
    view = live_run.view
    means = {t: mean_and_sd([e.val for e in view.evaluations(t, CONFIRM)])[0] for t in view.proposals if view.evaluations(t, CONFIRM)}
    assert len(means) >= 3
    assert live_run.winner is not None
    assert view.winner is not None
    if means[live_run.winner] < max(means.values()):  # one that leads by no more than the noise gives way to an anchor
        assert view.proposals[live_run.winner].anchor is not None
        assert view.winner.reason.endswith("too few to tell, which is no gain")


def test_the_winner_is_compared_with_the_best_anchors_seed_by_seed(live_run: Run) -> None:
    view = live_run.view
    assert view.test is not None
    assert live_run.winner is not None
    assert set(view.test.comparison) == {"plain", "strong"}
    for kind, pair in view.test.comparison.items():
        assert view.proposals[pair["anchor"]].anchor == kind
        if not pair["is_winner"]:
            ours, theirs = view.test.scores[live_run.winner], view.test.scores[pair["anchor"]]
            assert ours.keys() == theirs.keys()
            assert pair["difference"] == pytest.approx(sum(ours[s] - theirs[s] for s in ours) / len(ours))


def test_the_test_is_sealed_until_the_choice_is_written(live_run: Run) -> None:
    order = [event.type for event in live_run.events]
    assert order.index("finalists_chosen") < order.index("winner_chosen") < order.index("test_opened") < order.index("exported")
    before = live_run.events[: order.index("winner_chosen")]
    assert not any("test" in event.details for event in before if isinstance(event, ev.EvaluationFinished))


def test_best_is_the_winners_spec(live_run: Run) -> None:
    from agentnas.tools.spec.canonical import spec_hash

    assert spec_hash(live_run.best) == live_run.view.proposals[str(live_run.winner)].spec_hash


def test_a_run_before_its_first_score_has_no_best(tmp_path: Path) -> None:
    with pytest.raises(AgentNASError):
        agentnas.design("nasbench:cora", time="0.001s", runs_dir=tmp_path)
    (listed,) = list_runs(tmp_path)
    from agentnas.memory.rundir import RunDirectory

    run = Run(RunDirectory.open(listed.path))
    assert run.winner is None
    assert run.test_scores == {}
    with pytest.raises(RunError, match="has no finished trial yet"):
        run.best  # noqa: B018


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"task": "coar"}, UsageError, "did you mean cora"),
        ({"task": "nasbench:cora", "without_anchor": ("gta",)}, UsageError, "--without-anchor gta: no such anchor; did you mean gat"),
        ({"task": "nasbench:cora", "max_memory_mb": 5.0}, UsageError, "--max-memory-mb: nasbench:cora is a table"),
        ({"task": "digits", "device": "cuda:99"}, ConfigError, "cuda:99"),
        ({"task": "digits", "trails": 5}, UsageError, "--trails"),
        ({"task": "digits", "trials": 0}, UsageError, "--trials is 0"),
        ({"task": "digits", "split": "publik"}, UsageError, "publik"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(
    tmp_path: Path, settings: dict[str, Any], error: type[AgentNASError], words: str
) -> None:
    with pytest.raises(error) as caught:
        agentnas.design(**settings, runs_dir=tmp_path / "runs")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"task": "citeseer"}, "--task is 'citeseer'"),
        ({"seed": 9}, "--seed is 9"),
        ({"max_params": 5}, "--max-params is 5"),
        ({"without_anchor": ("gat",)}, "--without-anchor is ('gat',)"),
        ({"confirm_seeds": 4}, "--confirm-seeds is 4"),
    ],
)
def test_a_resumed_run_keeps_what_decides_its_trials(table_run: Run, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        agentnas.design(resume=table_run.name, runs_dir=table_run.path.parent, **changed)
    assert str(caught.value).startswith(words)
    assert str(caught.value).endswith("leave it out, or start a new run")


def test_a_resumed_run_may_repeat_its_own_settings(table_run: Run) -> None:
    again = agentnas.design("nasbench:cora", resume=table_run.name, runs_dir=table_run.path.parent, seed=2, workers=3)
    assert again.winner == table_run.winner


def test_other_data_of_the_same_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AgentNASError):
        agentnas.design("nasbench:cora", time="0.001s", runs_dir=tmp_path)
    (run,) = list_runs(tmp_path)
    config = run.path / "config.json"
    stored = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps({**stored, "data_fingerprint": "0" * 64}), encoding="utf-8")
    with pytest.raises(RunError, match=r"was made on other data: data is [0-9a-f]{12}, was 0{12}; start a new run"):
        agentnas.design(resume="latest", runs_dir=tmp_path)


def test_a_setting_that_does_not_exist_is_named_with_what_was_meant(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tusk=\.\.\. \(--tusk\) is no setting of a design; did you mean task\?"):
        agentnas.design(tusk="cora", runs_dir=tmp_path / "runs")


@pytest.mark.parametrize("content", ['{"schema_version": 1}', '{"schema_version": 1, "data_fingerprint": "0", "trials": "many"}'])
def test_settings_that_are_lost_are_one_line(tmp_path: Path, content: str) -> None:
    with pytest.raises(AgentNASError):
        agentnas.design("nasbench:cora", time="0.001s", runs_dir=tmp_path)
    (run,) = list_runs(tmp_path)
    (run.path / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(RunError, match=r"config\.json .*start a new run"):
        agentnas.design(resume="latest", runs_dir=tmp_path)
