"""What a benchmark says, in Markdown and in CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agentnas.agents.statistics import mean_and_sd
from agentnas.bench.account import Account
from agentnas.bench.measure import Kind, Score
from agentnas.bench.summary import Difference, Mean, by_target, differences, means, published
from agentnas.words import markdown_table

KINDS: tuple[Kind, ...] = ("oracle", "honest")


@dataclass(frozen=True)
class Outcome:
    """All scores of one benchmark. ``averaged`` are the data sets of the means, ``apart`` those that are shown by themselves; differences
    are those of ``ours``, none where it is None; ``cited``: the published rows belong beside these; ``llm``: what models took."""

    scores: tuple[Score, ...]
    averaged: tuple[str, ...]
    apart: tuple[str, ...]
    ours: str | None
    cited: bool = False
    llm: Account | None = None

    def means(self) -> list[Mean]:
        return means(self.scores, self.averaged)

    def differences(self) -> list[Difference]:
        return differences(self.scores, self.averaged, self.ours) if self.ours else []

    def searchers(self) -> list[str]:
        return list(dict.fromkeys(score.searcher for score in self.scores))

    def checkpoints(self) -> list[int]:
        return sorted({score.evaluations for score in self.scores})


def markdown(outcome: Outcome) -> str:
    """Means, paired differences, and each data set at the checkpoint nearest to 30 evaluations."""
    parts = [f"Means over {len(outcome.averaged)} data sets, oracle / honest", _means(outcome)]
    if outcome.ours and outcome.differences():
        for kind in KINDS:
            parts += [f"{outcome.ours} minus the others, {kind} (± standard error over data sets)", _differences(outcome, kind)]
    at = min(outcome.checkpoints(), key=lambda count: abs(count - 30))
    parts += [f"Each data set after {at} evaluations, oracle / honest", _data_sets(outcome, at)]
    return "\n\n".join([*parts, *_notes(outcome)])


def _means(outcome: Outcome) -> str:
    known = {(mean.searcher, mean.evaluations, mean.kind): mean for mean in outcome.means()}
    counts = outcome.checkpoints()
    rows = [
        [name, *(" / ".join(_spread(known.get((name, count, kind))) for kind in KINDS) for count in counts)] for name in outcome.searchers()
    ]
    if outcome.cited:
        rows += [
            [f"{method['method']} (published)", *(_figure(method["oracle"].get(str(count))) for count in counts)]
            for method in published()["methods"]
        ]
    return markdown_table(["searcher", *(f"@{count}" for count in counts)], rows)


def _differences(outcome: Outcome, kind: Kind) -> str:
    known = {(gap.against, gap.evaluations): gap for gap in outcome.differences() if gap.kind == kind}
    rows = [
        [name, *(_gap(known.get((name, count))) for count in outcome.checkpoints())] for name in outcome.searchers() if name != outcome.ours
    ]
    return markdown_table(["against", *(f"@{count}" for count in outcome.checkpoints())], rows)


def _data_sets(outcome: Outcome, at: int) -> str:
    table, names = by_target(outcome.scores), [*outcome.averaged, *outcome.apart]
    rows = [
        [searcher, *(" / ".join(_mean_of(table.get((searcher, kind, at), {}).get(name)) for kind in KINDS) for name in names)]
        for searcher in outcome.searchers()
    ]
    if outcome.cited and at == 30:
        rows += [
            [f"{method['method']} (published)", *(_figure(method["oracle@30"].get(name)) for name in names)]
            for method in published()["methods"]
        ]
    return markdown_table(["searcher", *names], rows)


def _notes(outcome: Outcome) -> list[str]:
    lines = [
        "oracle: the test score is the reward and its highest counts. honest: searched and chosen by validation, the test score of the "
        "choice counts. ± is the standard error over search seeds; searchers without one draw nothing, or were searched once."
    ]
    if outcome.llm:
        lines.append(outcome.llm.words())
    if outcome.cited:
        lines.append(f"published: {published()['source']}; {published()['note']}.")
    return lines


def _spread(mean: Mean | None) -> str:
    if mean is None:
        return "-"
    return f"{mean.value:.2f}" if mean.se is None else f"{mean.value:.2f} ± {mean.se:.2f}"


def _gap(gap: Difference | None) -> str:
    if gap is None:
        return "-"
    return f"{gap.value:+.2f} ± {'?' if gap.se is None else f'{gap.se:.2f}'}"


def _mean_of(values: Sequence[float] | None) -> str:
    return f"{mean_and_sd(values)[0]:.2f}" if values else "-"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def as_csv(scores: Iterable[Score]) -> str:
    """A line a score: searcher, data_set, reward, seed, evaluations, test."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["searcher", "data_set", "reward", "seed", "evaluations", "test"])
    writer.writerows([s.searcher, s.target, s.kind, s.seed, s.evaluations, f"{s.value:.4f}"] for s in scores)
    return text.getvalue()


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """Means and differences as plain data."""
    from dataclasses import asdict

    return {
        "data_sets": list(outcome.averaged),
        "apart": list(outcome.apart),
        "means": [asdict(mean) for mean in outcome.means()],
        "differences": [asdict(gap) for gap in outcome.differences()],
        "published": published() if outcome.cited else None,
        "llm": asdict(outcome.llm) if outcome.llm else None,
    }
