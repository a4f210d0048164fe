"""Methods without a neural network, measured on the splits of the winner's confirmation, after the choice and once the test is open.

They are no trials: nothing is proposed or chosen by them. They say what the search was worth.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentnas.memory import events as ev
from agentnas.tools.errors import AgentNASError
from agentnas.tools.evaluate.base import CONFIRM

if TYPE_CHECKING:
    from agentnas.agents.house import House
    from agentnas.tools.baselines import Baseline, Measured

# Most seconds for all of them, and at most this share of a run's time.
MOST_S, SHARE = 60.0, 0.05
# What fits and scores meet on odd data: a label that never varies, values that are not finite, a spectrum that does not converge.
FAULTS = (AgentNASError, ValueError, ArithmeticError, RuntimeError, MemoryError)


@dataclass(frozen=True)
class Baselines:
    """The methods of a task, made when they are first asked for, and what measures one of them on a split."""

    methods: Callable[[], Sequence[Baseline]]
    measure: Callable[[Baseline, int], Measured]


def seconds_for(budget: float | None) -> float:
    """Seconds that baselines may take in a run of so many."""
    return MOST_S if budget is None else min(MOST_S, SHARE * budget)


def measure_baselines(house: House) -> None:
    """Journal each baseline that is not in the journal yet; what takes too long is left out, with the reason."""
    view, source = house.view, house.baselines
    if source is None or view.winner is None:
        return
    splits = list(dict.fromkeys(e.split for e in view.evaluations(view.winner.trial, CONFIRM)))
    deadline = time.monotonic() + seconds_for(house.budget.seconds)
    left = [baseline for baseline in source.methods() if baseline.name not in view.baselines]
    for number, baseline in enumerate(left):
        if house.stop_requested.is_set():
            return
        allowed = (deadline - time.monotonic()) / (len(left) - number)
        house.journal.append(_measured(source, baseline, splits, allowed))


def _measured(source: Baselines, baseline: Baseline, splits: Sequence[int], allowed: float) -> ev.BaselineMeasured:
    """On as many of the splits as there are seconds for, at least on the first where that is expected to fit."""
    found: dict[str, Measured] = {}
    begin, reason = time.monotonic(), ""
    if baseline.work > allowed:
        reason = f"one fit takes about {baseline.work:.0f} s, more than the {max(0.0, allowed):.0f} s that it may take"
    try:
        for split in splits if not reason else ():
            spent = time.monotonic() - begin
            if found and spent + spent / len(found) > allowed:
                reason = f"{len(found)} of {len(splits)} splits: one more would have taken it beyond the {allowed:.3g} s that it may take"
                break
            found[str(split)] = source.measure(baseline, split)
    except FAULTS as error:
        reason = f"{type(error).__name__}: {error}"[:200]
    return ev.BaselineMeasured(
        name=baseline.name, told=baseline.told, val={split: scores.val for split, scores in found.items()},
        test={split: scores.test for split, scores in found.items()}, reason=reason, seconds=time.monotonic() - begin,
        setting=next((scores.setting for scores in found.values()), ""),
    )  # fmt: skip
