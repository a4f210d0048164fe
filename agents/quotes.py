"""Scores and gains that a text quotes, held against those that the run measured.

A decimal number near the scores of the trials that a text is about is read as a score; numbers with a unit and numbers far from every score
(a learning rate, a dropout) are not. What the task card and the evidence say may be quoted. A signed decimal number is read as a gain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentnas.agents.situation import Record, Situation
from agentnas.agents.statistics import paired_gain

# Not those of other runs: <run>/t0003.
TRIAL = re.compile(r"(?<![\w/])t\d{4,}\b")
# A decimal number this near to a score, as a share of it, is read as a score.
NEAR = 0.25
MOST_NAMED = 4

_DECIMAL = r"\d{1,3}\.\d+(?![\d.]|\s*(?:k|M|s|ms|min|h|x|MB|MiB|epochs?|seconds?)\b)"
_NUMBER = rf"(?<![\w.+\-−±])({_DECIMAL})"
_SCORE = re.compile(_NUMBER)
_GAIN = re.compile(rf"(?<![\w.])[+\-−]{_DECIMAL}")
_LINK = r"(?:'s)?\s*(?:[(:=]|at|scores?|scored|score of|reach(?:es|ed)|got|gets|has|had|achieve[sd])?\s*"
# "t0001 and t0002 scored 80.1 and 82.3" does not say that t0002 scored 80.1.
_LISTED = re.compile(r"t\d{4,},?\s*(?:,|and|or|&|/|vs\.?)\s*$")
# "a tie with t0001: 82.3 against 80.1" does not say which of them t0001 scored.
_BOTH = r"(?!\s*(?:against|vs\.?|versus|and|to|->)\s*\d)"
_OF_TRIAL = re.compile(rf"(?<![\w/])(t\d{{4,}}){_LINK}{_NUMBER}{_BOTH}")


def wrong_scores(text: str, situation: Situation, about: Sequence[Record], known: Sequence[float]) -> list[str]:
    """What is wrong with the scores in a text about these trials, one line each. ``known`` are further numbers that it may quote."""
    values = {record.trial: _values(situation, record) for record in about}
    problems = [
        f"the text gives {trial} the score {number}, measured was {_told(situation, record)}"
        for trial, number in _attributed(text)
        for record in about
        if record.trial == trial and _near(number, values[trial]) and not _among(number, values[trial])
    ]
    if problems:
        return problems
    everything = [value for held in values.values() for value in held]
    gaps = [abs(gap) for gap in _differences(situation, [*about, *situation.ranked()[:1]])]
    allowed = [*everything, *known, *gaps, *_means(situation, about), *_extremes(situation), *_shown(situation)]
    wrong = [number for number in _SCORE.findall(text) if _near(number, everything) and not _among(number, allowed)]
    told = ", ".join(f"{record.trial} {_told(situation, record)}" for record in about[:MOST_NAMED])
    return [f"the text quotes {number}, which is no score of the trials that it cites: {told}" for number in dict.fromkeys(wrong)]


def wrong_gains(text: str, situation: Situation, about: Sequence[Record], known: Sequence[float]) -> list[str]:
    """The signed numbers in a text that no measurement gave. ``known`` are effects; what two of the trials differ by may be quoted too."""
    allowed = [*known, *_differences(situation, about), *_promises(situation, about)]
    quoted = dict.fromkeys(number.replace("−", "-") for number in _GAIN.findall(text))
    return [f"the text quotes the gain {number}, which nothing measured" for number in quoted if not _among(number, allowed)]


def _attributed(text: str) -> list[tuple[str, str]]:
    found = _OF_TRIAL.finditer(text)
    return [(match[1], match[2]) for match in found if not _LISTED.search(text[: match.start()])]


def _differences(situation: Situation, about: Sequence[Record]) -> list[float]:
    known = situation.by_trial()
    gains = [paired_gain(r, known[r.proposal.parent], situation.rungs) for r in about if r.proposal.parent in known]
    scores = [score for record in about if (score := situation.score(record)) is not None]
    return [gain for gain in gains if gain is not None] + [a - b for a in scores for b in scores]


def _promises(situation: Situation, about: Sequence[Record]) -> list[float]:
    return [record.proposal.expected_gain for record in about if record.proposal.expected_gain is not None]


def _values(situation: Situation, record: Record) -> list[float]:
    """Every score of the trial that a text may quote: by seed, rung, at full fidelity, on its training nodes, along its curves."""
    means = [record.at(rung) for rung in record.scores] + [situation.score(record)]
    seeds = [score for scores in record.scores.values() for score in scores.values()]
    return [value for value in means if value is not None] + seeds + [v for e in record.trainings for v in _of_training(e.details)]


def _of_training(details: dict[str, object]) -> list[float]:
    train, curve = details.get("train_score"), details.get("curve")
    along = [point[2] for point in curve if len(point) > 2] if isinstance(curve, list) else []
    return [float(value) for value in (train, *([max(along), along[-1]] if along else [])) if isinstance(value, int | float)]


def _means(situation: Situation, about: Sequence[Record]) -> list[float]:
    scores = [score for record in about if (score := situation.score(record)) is not None]
    return [sum(scores) / len(scores)] if scores else []


def _extremes(situation: Situation) -> list[float]:
    """The best and the worst score of the run, which any finding may mention."""
    ranked = situation.ranked()
    return [score for record in (*ranked[:1], *ranked[-1:]) if (score := situation.score(record)) is not None]


def _shown(situation: Situation) -> list[float]:
    """Numbers that others measured: probes in the task card, scores in papers and other runs."""
    texts = [situation.card_text, *(f"{item.text} {item.why}" for item in situation.evidence)]
    return [float(number) for text in texts for number in _SCORE.findall(text)]


def _told(situation: Situation, record: Record) -> str:
    score = situation.score(record)
    if score is not None:
        return f"{score:.2f}"
    rungs = [f"{record.at(rung):.2f} on {rung}" for rung in record.scores if record.scores[rung]]
    return ", ".join(rungs) or "no score"


def _near(number: str, values: Sequence[float]) -> bool:
    return any(abs(float(number) - value) <= NEAR * abs(value) for value in values)


def _among(number: str, values: Sequence[float]) -> bool:
    """Whether a number, as rounded (or cut) as it is written, is one of the values."""
    digits = len(number.partition(".")[2])
    return any(abs(float(number) - value) <= 10.0**-digits + 1e-9 for value in values)
