"""What methods without a neural network reach beside the winner, and whether the network is worth its while, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from agentnas.agents.statistics import held, is_few, mean_and_sd, paired_difference
from agentnas.memory.events import BaselineMeasured
from agentnas.memory.view import JournalView
from agentnas.scores import gap_text, repeat_of
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.scale import Scale
from agentnas.words import markdown_table, plural

HEAD = ("baseline", "validation", "test")


class Compared(NamedTuple):
    """A baseline beside the winner: ``gap`` as ``paired_difference`` gives it, the winner's seeds against the splits they were trained on;
    None where no split is shared."""

    measured: BaselineMeasured
    gap: Mapping[str, Any] | None

    @property
    def needless(self) -> bool:
        """Whether the network does no better than this."""
        if self.gap is None:
            return False
        return (self.gap["inside_noise"] is True and not is_few(self.gap)) or self.gap["difference"] <= 0


def compared(view: JournalView) -> list[Compared]:
    """The baselines that have a score, the best by validation first."""
    scored = [measured for measured in view.baselines.values() if measured.val]
    return [Compared(measured, _gap(view, measured)) for measured in sorted(scored, key=lambda m: -mean_and_sd(list(m.val.values()))[0])]


def baseline_lines(view: JournalView) -> list[str]:
    """The best baseline by validation in one sentence, and whether a network is needed; nothing where none was measured."""
    return [sentence(view, best) for best in compared(view)[:1]]


def told(event: BaselineMeasured, view: JournalView) -> str:
    """One line for the screen when a baseline was measured, or left out."""
    if not event.val:
        return f"baseline: {event.told} was left out: {event.reason}"
    return f"baseline: {event.told} {_score(event.test, view.scale)}{_gain(Compared(event, _gap(view, event)), view)}{_partly(event)}"


def sentence(view: JournalView, best: Compared) -> str:
    """``gradient boosting on features and degrees 87.10 ± 0.60: the network gains +1.20 ± 0.50``, or that it may not be needed."""
    said = f"without a network, {best.measured.told} reaches {_score(best.measured.test, view.scale)}{_gain(best, view)}"
    return f"{said}: a graph neural network may not be needed here" if best.needless else said


def baseline_rows(view: JournalView) -> list[list[str]]:
    """A row under ``baseline_head`` for each baseline, the best by validation first, those that were left out last."""
    rows = [
        [c.measured.told, _cell(c.measured.val, view.scale), _cell(c.measured.test, view.scale), _gap_cell(c, view) + _partly(c.measured)]
        for c in compared(view)
    ]
    return rows + [[m.told, "left out", "", m.reason] for m in view.baselines.values() if not m.val]


def baseline_head(view: JournalView) -> tuple[str, ...]:
    """The heading: what the network gains over each, or of errors, where less is better, the network's minus that of each."""
    return (*HEAD, f"{view.scale.name} of the network minus it" if view.scale.is_error else "the network's gain")


def baselines_section(view: JournalView) -> str:
    """The table of the report; empty where none was measured."""
    rows = baseline_rows(view)
    return "## Without a neural network\n\n" + markdown_table(baseline_head(view), rows) if rows else ""


def baselines_summary(view: JournalView) -> list[dict[str, Any]]:
    """The baselines as plain data, for ``--json``."""
    done = {
        c.measured.name: {
            "name": c.measured.name, "told": c.measured.told, "setting": c.measured.setting, "validation": c.measured.val,
            "test": c.measured.test, "seconds": c.measured.seconds, "winner_gains": c.gap, "network_needless": c.needless,
        }
        for c in compared(view)
    }  # fmt: skip
    return [*done.values(), *({"name": m.name, "told": m.told, "left_out": m.reason} for m in view.baselines.values() if not m.val)]


def _gap(view: JournalView, measured: BaselineMeasured) -> Mapping[str, Any] | None:
    if view.test is None or view.winner is None:
        return None
    scores = view.test.scores.get(view.winner.trial, {})
    split_of = {str(e.seed): str(e.split) for e in view.evaluations(view.winner.trial, CONFIRM)}
    seeds = [seed for seed in scores if split_of.get(seed) in measured.test]
    ours = {int(seed): scores[seed] for seed in seeds}
    theirs = {int(seed): measured.test[split_of[seed]] for seed in seeds}
    overlap = view.started.test_to_train if view.started else 0.0
    return paired_difference(ours, theirs, overlap) if seeds else None


def _score(scores: Mapping[str, float], scale: Scale) -> str:
    mean, sd = mean_and_sd(list(scores.values()))
    return scale.told(mean) if sd is None else scale.told(mean, sd)


def _cell(scores: Mapping[str, float], scale: Scale) -> str:
    """A score in a table, whose heading says of what; on one split a baseline has one score, and no noise to speak of."""
    mean, sd = mean_and_sd(list(scores.values()))
    return scale.number(mean) if sd is None else scale.spread(mean, sd)


def _gap_cell(c: Compared, view: JournalView) -> str:
    """The difference in a table, and whether it is inside the noise."""
    if c.gap is None:
        return "?"
    noise = "" if c.gap["se"] is None else f" ± {view.scale.noise(c.gap['se'])}"
    return f"{view.scale.gap(c.gap['difference'])}{noise}" + (f", {held(c.gap)}" if c.gap["inside_noise"] is True else "")


def _gain(c: Compared, view: JournalView) -> str:
    """What the network gains, after a colon; of an error by how much it is better."""
    if c.gap is None:
        return ""
    difference = gap_text(c.gap, view.scale)
    if c.gap["inside_noise"] is True:
        return f": the network's difference of {difference} is {_noise(c.gap, view)}"
    if c.gap["difference"] == 0:
        return ": the network reaches the same"
    better = c.gap["difference"] > 0
    if view.scale.is_error:
        return f": the network is {'better' if better else 'worse'}, {difference}"
    return f": the network {'gains' if better else 'loses'} {difference.lstrip('-')}"


def _noise(gap: Mapping[str, Any], view: JournalView) -> str:
    paired = plural(gap["seeds"], f"paired {repeat_of(view, gap['seeds'])}")
    return f"of {paired}, too few to tell" if is_few(gap) else f"inside the noise ({paired})"


def _partly(measured: BaselineMeasured) -> str:
    return f" ({measured.reason})" if measured.reason else ""
