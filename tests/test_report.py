"""The report: the answer first, then why, all of it from the journal."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from pydantic_core import to_json

from agentnas.agents.statistics import mean_and_sd
from agentnas.config import Config
from agentnas.memory import events as ev
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.view import JournalView
from agentnas.report import ancestry, command_of
from agentnas.report_verdicts import cut_short, verdict
from agentnas.run import Run
from agentnas.shipping.card import _metrics
from agentnas.tools.evaluate.base import CONFIRM, PLANNED
from agentnas.words import spread


def sections(run: Run) -> dict[str, str]:
    """The report by its headings; the answer stands under the run's name."""
    parts = re.split(r"^##? (.+)$", run.report(), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))


def test_the_written_report_is_the_runs(live_run: Run) -> None:
    assert (live_run.path / "report.md").read_text(encoding="utf-8") == live_run.report()


def test_the_answer_comes_first_with_scores_noise_and_protocol(live_run: Run) -> None:
    parts = sections(live_run)
    view, answer = live_run.view, parts[live_run.name]
    assert next(iter(parts)) == live_run.name
    assert view.winner is not None
    proposal = view.proposals[view.winner.trial]
    assert answer.startswith(f"**{proposal.text}**")
    mean, sd = mean_and_sd(live_run.test_scores[view.winner.trial])
    assert f"test: **{spread(mean, sd)}** % over 2 splits" in answer
    assert f"validation: {spread(view.winner.val_mean, view.winner.val_sd)} % over 2 splits" in answer
    assert "10 random splits, 20/30/rest per class" in answer
    assert f"{view.profiles[proposal.trial]['parameters']:,} parameters" in answer
    assert answer.count("against the best") + answer.count("the search returned its own") == 2


def test_anchors_stand_beside_the_winner(live_run: Run) -> None:
    table = sections(live_run)["Against the anchors"]
    assert f"| {live_run.winner} | winner |" in table
    others = [trial for trial in live_run.test_scores if trial != live_run.winner]
    assert all(f"| {trial} | best {live_run.view.proposals[trial].anchor} anchor |" in table for trial in others)
    assert len(table.splitlines()) == 2 + len(live_run.test_scores)


def test_why_tells_each_step_of_the_ancestry_and_quotes_its_evidence(live_run: Run) -> None:
    why, view = sections(live_run)["Why this one"], live_run.view
    chain = ancestry(view, str(live_run.winner))
    steps = [line for line in why.splitlines() if line.startswith("1. ")]
    assert [step.split()[1] for step in steps] == [proposal.trial for proposal in reversed(chain)]
    for proposal in chain:
        for name in proposal.evidence:
            assert re.search(rf"^- `{re.escape(name)}`: \S", why, re.MULTILINE), f"{name} is cited and not quoted"


def test_the_search_its_factors_rungs_and_front_are_told(live_run: Run) -> None:
    parts, view = sections(live_run), live_run.view
    assert parts["The search"].startswith(f"7 trials, {view.num_evaluations} evaluations, {len(view.rounds)} rounds.")
    assert all(trial in parts["The search"] for trial in view.proposals)
    assert "| short | full |" in parts["Can the cheap rungs be trusted?"]
    last = max(view.findings)
    assert parts["What the analyst found"].startswith(f"After round {last}:\n\n- `finding:r{last}-1`")
    assert str(live_run.winner) in parts["What the analyst found"] + parts["Pareto front: validation against size"]
    assert "no language model was called ($0.00)" in parts["Cost"]


def test_mermaid_draws_the_winners_body(live_run: Run) -> None:
    drawn = sections(live_run)["Architecture and recipe"].split("```mermaid")[1]
    for node in live_run.best.body.nodes:
        assert f'{node.id}["{node.op}' in drawn
        assert all(f"{source} --> {node.id}" in drawn for source in node.inputs)


def test_reproduce_gives_the_command_versions_and_files(live_run: Run) -> None:
    text = sections(live_run)["Reproduce"]
    assert "`agentnas design --task digits --trials 7 --seed 3 --confirm-seeds 2 --workers 1 --without-baselines --memory-dir none`" in text
    assert "torch 2" in text
    assert "winner/model.py" in text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "--seed 0 --trial-time 3m"),
        ({"trial_time_s": 60.0}, "--seed 0"),
        ({"trials": 5, "time_s": None}, "--trials 5 --seed 0"),
        ({"trials": 5, "time_s": 600.0, "trial_time_s": 60.0}, "--trials 5 --time 10m --seed 0"),
        ({"time_s": None}, "--time none --seed 0"),
        ({"task": "cora", "seed": 3, "max_params": 9, "trial_time_s": 60.0}, "--task cora --seed 3 --max-params 9"),
        ({"trial_time_s": 45.0, "max_latency_ms": 1.5}, "--seed 0 --max-latency-ms 1.5 --trial-time 45s"),
        ({"without_anchor": ("gat", "mlp"), "trial_time_s": 60.0}, "--seed 0 --without-anchor gat --without-anchor mlp"),
    ],
)
def test_the_command_says_what_differs_from_the_defaults(settings: dict[str, object], words: str) -> None:
    assert command_of(Config.model_validate(settings).model_dump(mode="json")) == f"agentnas design {words}"


def test_the_command_makes_the_same_configuration_again() -> None:
    from agentnas import api
    from agentnas.config import resolve

    config = Config(task="digits", trials=5, time_s=600.0, seed=7, workers=2, worker_memory_mb=2000.0, without_anchor=("gat",))
    words = command_of(config.model_dump(mode="json")).split()[2:]
    flags: dict[str, object] = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        flags[name.removeprefix("--").replace("-", "_")] = value
    resolved = resolve(flags, environment={})
    assert api.bounded(resolved.config, resolved) == config


def test_the_summary_is_plain_data_with_unknowns_as_none(live_run: Run, table_run: Run) -> None:
    live, table = live_run.summary(), table_run.summary()
    assert to_json(live)
    assert (live["run"], live["task"], live["outcome"], live["trials"], live["cost_usd"]) == (live_run.name, "digits", "designed", 7, 0.0)
    assert live["winner"]["trial"] == live_run.winner
    assert live["test"]["scores"] == live_run.test_scores[str(live_run.winner)]
    assert live["validation"]["seeds"] == live["test"]["seeds"] == 2
    assert (table["test"]["seeds"], table["test"]["sd"], table["validation"]["sd"]) == (1, None, None)


def test_noise_that_is_unknown_is_shown_as_unknown(table_run: Run) -> None:
    answer = sections(table_run)[table_run.name]
    assert "± ?" in answer
    assert "noise unknown" in answer or "the search returned its own" in answer


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        ({}, []),
        ({0: 58}, ["1 of its 3 trainings ended at the time limit of one, after 58 of 400 epochs"]),
        ({0: 58, 2: 71}, ["2 of its 3 trainings ended at the time limit of one, after 58 to 71 of 400 epochs"]),
    ],
)
def test_a_winner_whose_trainings_were_cut_short_says_so(cut: dict[int, int], words: list[str]) -> None:
    ended = [
        ev.EvaluationFinished(
            trial="t0001", rung=CONFIRM, seed=seed, split=0, val=80.0, seconds=60.0, epochs=cut.get(seed, 400),
            details={PLANNED: 400} if seed in cut else {},
        )
        for seed in range(3)
    ]  # fmt: skip
    chosen = ev.WinnerChosen(trial="t0001", val_mean=80.0, val_sd=0.0, seeds=3, reason="the best")
    view = JournalView([*with_anchor(), *ended, chosen])
    assert cut_short(view) == [f"{line}; a longer --trial-time may make it better" for line in words]


def test_every_view_of_a_run_tells_what_the_time_limit_ended(live_run: Run, tmp_path: Path) -> None:
    path = tmp_path / live_run.name
    shutil.copytree(live_run.path, path)
    events = [json.loads(line) for line in (path / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    late = next(e for e in events if e["type"] == "evaluation_finished" and (e["trial"], e["rung"]) == (live_run.winner, CONFIRM))
    late["details"][PLANNED] = late["epochs"] + 100
    (path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    cut = Run(RunDirectory.open(path))
    (line,) = cut_short(cut.view)
    assert line.startswith(f"1 of its 2 trainings ended at the time limit of one, after {late['epochs']} of {late['epochs'] + 100} epochs")
    report = cut.report()
    assert f"- time: {line}" in report
    assert "1 evaluation ended at the time limit of one, with the best epoch until then." in report
    assert all(line in text for text in (cut.page(), cut._repr_html_(), _metrics(cut)))
    assert (cut.summary()["winner"]["cut"], live_run.summary()["winner"]["cut"]) == (1, 0)
    assert "time limit" not in live_run.report()


def with_anchor() -> list[ev.AnyEvent]:
    anchor = ev.Proposal(trial="t0001", spec={}, spec_hash="a", text="gcn", author="test", anchor="plain", name="gcn")
    return [ev.ProposalsDrafted(round=0, proposals=(anchor,))]


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ({"difference": 1.0, "se": 0.2, "seeds": 10, "inside_noise": False}, "+1.00 ± 0.20 (standard error, 10 paired seeds): a gain"),
        ({"difference": -1.0, "se": 0.2, "seeds": 10, "inside_noise": False}, "-1.00 ± 0.20 (standard error, 10 paired seeds): a loss"),
        ({"difference": 0.3, "se": 0.2, "seeds": 10, "inside_noise": True}, "inside the noise, no gain"),
        ({"difference": 0.3, "se": 0.0, "seeds": 2, "inside_noise": False, "p": 0.0}, "2 pairs are too few to tell, no gain"),
        ({"difference": 0.3, "se": None, "seeds": 1, "inside_noise": None}, "+0.30 on one score each, noise unknown"),
        ({"is_winner": True}, "the search returned its own best plain anchor, gcn"),
    ],
)
def test_a_verdict_calls_a_gain_what_is_one(pair: dict[str, object], words: str) -> None:
    assert words in verdict("plain", {"anchor": "t0001", "is_winner": False, **pair}, JournalView(with_anchor()))
