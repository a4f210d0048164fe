"""The analyst: gains beyond the noise are called gains, the others are not."""

from __future__ import annotations

import dataclasses

from agentnas.agents.analyst import PATIENCE_DIRECTION, PATIENCE_STOP, RuleAnalyst
from agentnas.agents.roles import Analysis
from agentnas.agents.situation import Record
from tests.agents.making import record, situation


def analysed(*records: Record, round_: int = 1) -> Analysis:
    return RuleAnalyst().analyse(situation(*records, round_=round_))


def children_of_one(*gains: float) -> list[Record]:
    """A parent at 80, and children that changed one factor and gained this much."""
    parent = record(1, {"full": {0: 80.0}})
    return [parent, *(record(i, {"full": {0: 80.0 + gain}}, parent="t0001", factor="body.op") for i, gain in enumerate(gains, start=2))]


def about_factor(analysis: Analysis) -> list[str]:
    return [finding.text for finding in analysis.findings if finding.factor == "body.op"]


def test_a_gain_beyond_the_noise_is_a_gain_with_its_trials() -> None:
    analysis = analysed(*children_of_one(2.0, 2.2, 1.8))
    assert about_factor(analysis) == ["against no change, changing body.op does better: +2.00 ± 0.12 over 3 parent-child pairs"]
    (finding,) = [finding for finding in analysis.findings if finding.factor]
    assert finding.trials == ("t0002", "t0003", "t0004")
    assert finding.gain == 80.0 + 2.0 - 80.0


def test_a_loss_is_a_loss() -> None:
    assert about_factor(analysed(*children_of_one(-2.0, -2.2, -1.8))) == [
        "against no change, changing body.op does worse: -2.00 ± 0.12 over 3 parent-child pairs"
    ]


def test_a_gain_inside_the_noise_is_undecided() -> None:
    assert about_factor(analysed(*children_of_one(3.0, -2.0, 1.0))) == [
        "against no change, changing body.op is undecided: +0.67 ± 1.45 over 3 parent-child pairs"
    ]


def test_two_pairs_are_too_few_to_speak_of() -> None:
    assert about_factor(analysed(*children_of_one(5.0, 5.0))) == []


def test_those_within_the_noise_of_the_leader_are_named() -> None:
    leader = record(1, {"full": {0: 83.0, 1: 85.0}})
    near, far = record(2, {"full": {0: 82.0, 1: 83.0}}), record(3, {"full": {0: 70.0, 1: 71.0}})
    findings = analysed(leader, near, far).findings
    assert findings[0].text.startswith("t0001 leads with 84.00 on validation (noise floor 1.00)")
    assert "1 other trial is within twice the noise floor (2.00)" in findings[1].text
    assert findings[1].trials == ("t0002",)


def test_a_leader_over_splits_is_told_with_what_its_splits_make_easier_taken_out() -> None:
    leader = record(1, {"full": {0: 80.0}, "seeds": {1: 90.0, 2: 94.0}})
    few = record(2, {"full": {0: 79.0}})
    found = RuleAnalyst().analyse(dataclasses.replace(situation(leader, few), num_splits=10)).findings
    assert found[0].text == "t0001 leads with 88.00 on validation, splits made comparable (noise floor ?): gcn"


def test_failures_are_counted_by_kind() -> None:
    broken = [record(i, {}, failures={("short", 0): "diverged: loss is nan", ("short", 1): "diverged: loss is nan"}) for i in (1, 2)]
    hung = record(3, {}, failures={("short", 0): "timeout: 180 s"})
    texts = [(finding.text, finding.trials) for finding in analysed(*broken, hung).findings]
    assert texts == [("2 trials failed (diverged)", ("t0001", "t0002")), ("1 trial failed (timeout)", ("t0003",))]


def test_findings_are_numbered_within_their_round() -> None:
    analysis = analysed(*children_of_one(2.0, 2.2, 1.8), round_=7)
    assert [finding.id for finding in analysis.findings] == [f"r7-{i}" for i in range(1, len(analysis.findings) + 1)]


def verdict_after(flat_rounds: int) -> str:
    return analysed(*(record(i + 1, {"full": {0: 80.0}}, round_=i) for i in range(flat_rounds + 1))).verdict


def test_the_verdict_follows_the_rounds_without_progress() -> None:
    verdicts = [verdict_after(flat) for flat in range(PATIENCE_STOP + 1)]
    assert verdicts[:PATIENCE_DIRECTION] == ["go_on"] * PATIENCE_DIRECTION
    assert set(verdicts[PATIENCE_DIRECTION:PATIENCE_STOP]) == {"change_direction"}
    assert verdicts[PATIENCE_STOP] == "stop"
    flat = analysed(*(record(i + 1, {"full": {0: 80.0}}, round_=i) for i in range(PATIENCE_STOP + 1)))
    assert flat.reason == f"no gain beyond the noise for {PATIENCE_STOP} rounds"


def test_nothing_known_is_nothing_found() -> None:
    assert analysed() == Analysis("analyst/rules", (), "go_on")
