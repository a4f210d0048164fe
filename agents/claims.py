"""A model's findings, held against the numbers: the trials it cites, the effect or comparison it claims, the scores it quotes.

What a finding claims stands in fields of its own, so that code can check it. The journal holds measured numbers only: those of a finding
that passed are put in from the run, not from the model's answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agentnas.agents.facts_cells import cell_lines
from agentnas.agents.quotes import TRIAL, wrong_gains, wrong_scores
from agentnas.agents.roles import Finding
from agentnas.agents.situation import Record, Situation
from agentnas.agents.statistics import (
    TIE,
    Effect,
    beyond_noise,
    early_effects,
    effects,
    is_decided,
    noise_floor,
    paired_gain,
    standard_error_of_gap,
)
from agentnas.memory.memory import one_line
from agentnas.tools.errors import suggest
from agentnas.tools.spec.edits import CELL_ALIASES

# A claimed number may differ from the measured one by this many points: it was shown rounded.
ROUNDING = 0.1
LONGEST_TEXT, LONGEST_NAME = 400, 60
MOST_TRIALS = 20
DECIMAL = re.compile(r"\d+\.\d+")


class FindingAnswer(BaseModel):
    """One thing that the run has taught."""

    model_config = ConfigDict(allow_inf_nan=False)

    text: str = Field(description="what was learnt, in one to three sentences; numbers only as they were shown")
    claim: Literal["effect", "comparison", "observation"] = Field(
        description="effect: what changing one factor does; comparison: one trial is better than another; observation: anything else"
    )
    trials: list[str] = Field(description="ids of the trials that it rests on, such as t0003; at least one")
    factor: str = Field(description="effect: the factor, as in the table of effects; else empty")
    better: str = Field(description="comparison: id of the better trial; else empty")
    worse: str = Field(description="comparison: id of the worse trial; else empty")
    gain: float = Field(
        description="effect: its gain as the table of effects has it; comparison: score of better minus score of worse; else 0"
    )
    se: float = Field(description="effect: standard error of its mean gain, 0 if unknown; else 0")
    decided: bool = Field(description="effect, comparison: true only if it is beyond the noise; false if it is undecided")


@dataclass(frozen=True)
class Measured:
    """What the run says of a claim: the numbers in words, whether they are beyond the noise, and the trials behind them."""

    words: str
    gain: float
    se: float | None
    decided: bool
    trials: tuple[str, ...]
    over_parents: float | None = None
    """Of an effect: the gain that is not held against the usual change; either may be claimed."""


class Claims:
    """The numbers of one situation, against which findings are checked."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.records = situation.by_trial()
        self.effects = {effect.factor: effect for effect in effects(situation)}
        self.early = {effect.factor: effect for effect in early_effects(situation)}
        self.noise = noise_floor(situation)
        # What the lines on cells say may be quoted.
        self.common = [sign * float(number) for line in cell_lines(situation) for number in DECIMAL.findall(line) for sign in (1, -1)]

    def check(self, given: FindingAnswer) -> tuple[Finding | None, list[str]]:
        """The finding with its measured numbers, or None and how the numbers contradict it. Its text is one line, cut where it is long."""
        given = given.model_copy(update={"text": one_line(given.text, LONGEST_TEXT)})
        cited, problems = self._cited(given)
        measured: Measured | None = None
        if given.claim == "effect":
            measured, wrong = self._effect(given)
            problems += wrong
        elif given.claim == "comparison":
            measured, wrong = self._comparison(given)
            problems += wrong
        problems += self._quoted(given.text, cited, measured)
        return (None if problems else _finding(given, cited, measured)), problems

    def _cited(self, given: FindingAnswer) -> tuple[tuple[str, ...], list[str]]:
        cited = tuple(dict.fromkeys(filter(None, map(_bare, given.trials))))[:MOST_TRIALS]
        problems = [] if given.text else ["it has no text"]
        if not cited:
            problems.append("it cites no trial; name those that it rests on, such as t0003")
        for trial in dict.fromkeys((*cited, *TRIAL.findall(given.text))):
            record = self.records.get(trial)
            if record is None:
                problems.append(f"there is no trial {one_line(trial, LONGEST_NAME)!r}")
            elif not _has_outcome(record):
                problems.append(f"{trial} was not evaluated, so nothing can rest on it")
        return cited, problems

    def _effect(self, given: FindingAnswer) -> tuple[Measured | None, list[str]]:
        effect = self.effects.get(_factor(given.factor))
        if effect is None:
            name = one_line(given.factor, LONGEST_NAME)
            if (early := self.early.get(_factor(given.factor))) is not None:
                return None, [
                    f"{name} was compared before full training alone ({early.raw:+.2f}), which decides nothing; make it an observation"
                ]
            known = suggest(name, self.effects) if self.effects else "no factor was changed alone yet"
            return None, [f"no effect of {name!r} was measured; {known}"]
        measured = self._measured_effect(effect)
        problems = _contradictions(given, measured)
        if abs(given.se - (effect.se or 0.0)) > ROUNDING:
            problems.append(f"se is {given.se:g}, but the numbers say {measured.words}")
        return measured, problems

    def _measured_effect(self, effect: Effect) -> Measured:
        against = f", {effect.mean:+.2f} against the usual change" if len(self.effects) > 1 else ""
        spread = "?" if effect.se is None else f"{effect.se:.2f}"
        decided = effect.se is not None and beyond_noise(effect.mean, effect.se, effect.count)
        pairs = "pair" if effect.count == 1 else "pairs"
        held = one_pair(effect, self.situation, self.noise) if effect.count == 1 else _held(decided)
        words = f"{effect.factor} {effect.raw:+.2f} ± {spread} over {effect.count} {pairs}{against}, {held}"
        return Measured(words, effect.mean, effect.se, decided, effect.trials, effect.raw)

    def _comparison(self, given: FindingAnswer) -> tuple[Measured | None, list[str]]:
        names = (_bare(given.better), _bare(given.worse))
        found = [record for name in names if (record := self.records.get(name)) is not None]
        if len(found) < 2 or names[0] == names[1]:
            return None, [f"it compares {names[0]!r} with {names[1]!r}; allowed: two different trials in better and worse"]
        measured = self._measured_difference(*found)
        if measured is None:
            return None, [f"{names[0]} and {names[1]} have no scores that can be compared"]
        problems = [f"{names[1]} is the better one: {measured.words}"] if measured.gain < 0 else _contradictions(given, measured)
        return measured, problems

    def _measured_difference(self, better: Record, worse: Record) -> Measured | None:
        ours, theirs = self.situation.score(better), self.situation.score(worse)
        if ours is None or theirs is None:
            return self._on_a_lower_rung(better, worse)
        difference, se = ours - theirs, standard_error_of_gap(self.situation, self.noise, better, worse)
        decided = is_decided(difference, se)
        spread = f"?, where gaps up to {TIE:g} are read as ties" if se is None else f"{se:.2f}"
        words = f"{better.trial} {ours:.2f}, {worse.trial} {theirs:.2f}, difference {difference:+.2f} ± {spread}, {_held(decided)}"
        return Measured(words, difference, se, decided, (better.trial, worse.trial))

    def _on_a_lower_rung(self, better: Record, worse: Record) -> Measured | None:
        """The highest rung that both reached; what trained less than fully decides nothing. None where they share none."""
        gain = paired_gain(better, worse, self.situation.rungs)
        if gain is None:
            return None
        words = f"{better.trial} to {worse.trial}: difference {gain:+.2f} before both were trained fully, {_held(False)}"
        return Measured(words, gain, None, False, (better.trial, worse.trial))

    def _quoted(self, text: str, cited: Sequence[str], measured: Measured | None) -> list[str]:
        about = [self.records[t] for t in dict.fromkeys((*cited, *TRIAL.findall(text))) if t in self.records]
        noise = [self.noise, 2 * self.noise] if self.noise is not None else []
        known = [abs(measured.gain), measured.se or 0.0] if measured else []
        problems = wrong_scores(text, self.situation, about, [*noise, *known, *self.common])
        if measured is None and not any(factor in text for factor in self.effects):
            return problems
        told_of = (*self.effects.values(), *self.early.values())
        gains = [*self.common, *(gain for effect in told_of for gain in (effect.mean, effect.raw))]
        told = f": {measured.words}" if measured else "; claim an effect with its factor and gain"
        wrong = wrong_gains(text, self.situation, about, [*gains, *([measured.gain, -measured.gain] if measured else [])])
        return problems + [f"{problem}{told}" for problem in wrong]


def one_pair(effect: Effect, situation: Situation, noise: float | None) -> str:
    """What a single pair decides: whether these two designs differ, and nothing about the factor elsewhere."""
    known = situation.by_trial()
    child = known[effect.trials[0]]
    parent = known[child.proposal.parent or ""]
    if not is_decided(effect.raw, standard_error_of_gap(situation, noise, child, parent)):
        return "undecided"
    return f"beyond the noise between {child.trial} and {parent.trial}; for the factor one pair is undecided"


def _held(decided: bool) -> str:
    return "beyond the noise" if decided else "undecided"


def _contradictions(given: FindingAnswer, measured: Measured) -> list[str]:
    problems = []
    allowed = [gain for gain in (measured.gain, measured.over_parents) if gain is not None]
    nearest = min(allowed, key=lambda gain: abs(given.gain - gain))
    opposite = given.decided and given.gain * nearest < 0
    if abs(given.gain - nearest) > ROUNDING or opposite:
        problems.append(f"gain is {given.gain:+g}, but the numbers say {measured.words}")
    if given.decided and not measured.decided:
        problems.append(f"decided is true, but the numbers say {measured.words}; call it undecided or leave it out")
    return problems


def _finding(given: FindingAnswer, cited: tuple[str, ...], measured: Measured | None) -> Finding:
    if measured is None:
        return Finding("", given.text, cited)
    trials = cited if set(cited) & set(measured.trials) else tuple(dict.fromkeys((*cited, *measured.trials)))[:MOST_TRIALS]
    factor = _factor(given.factor) if given.claim == "effect" else None
    return Finding("", f"{given.text} [measured: {measured.words}]", trials, factor, measured.gain, measured.se)


def _has_outcome(record: Record) -> bool:
    return bool(record.scores or record.failures or record.rejected)


def _factor(name: str) -> str:
    """The factor as effects are called; the operators of a cell by either of their names."""
    bare = name.strip()
    return CELL_ALIASES.get(bare, bare)


def _bare(trial: str) -> str:
    return trial.strip(" []()`'\"").removeprefix("trial:")
