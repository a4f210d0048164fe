"""What methods without a neural network reach on public tasks: ``python -m tests.benchmarks.baselines [TASK...]``, all splits of each.

Prints a table in Markdown: test score ± standard deviation over splits, and the seconds that a split takes.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence

from agentnas.tools.baselines import Baseline, Measured, baselines_for, measure
from agentnas.tools.scale import Scale
from agentnas.tools.tasks import Task, load_task
from agentnas.words import markdown_table

TASKS = (
    "cora", "texas", "actor", "minesweeper", "mutag", "proteins", "enzymes", "imdb-binary", "usair", "ns", "cora-links", "citeseer-links",
)  # fmt: skip
HEAD = ("task", "baseline", "validation", "test", "seconds a split")


def rows_of(task: Task) -> list[list[str]]:
    """A row for each baseline, the best by validation first."""
    found = {baseline: [measure(task, baseline, split) for split in range(task.num_splits)] for baseline in baselines_for(task)}
    ranked = sorted(found.items(), key=lambda item: -statistics.fmean(m.val for m in item[1]))
    return [_row(task, baseline, measured) for baseline, measured in ranked]


def _row(task: Task, baseline: Baseline, measured: Sequence[Measured]) -> list[str]:
    scale = task.metric.scale
    seconds = statistics.fmean(m.seconds for m in measured)
    return [
        task.name, baseline.told, _spread(scale, [m.val for m in measured]), _spread(scale, [m.test for m in measured]), f"{seconds:.2f}",
    ]  # fmt: skip


def _spread(scale: Scale, scores: Sequence[float]) -> str:
    mean = statistics.fmean(scores)
    return scale.told(mean, statistics.stdev(scores)) if len(scores) > 1 else scale.told(mean)


def main(names: Sequence[str]) -> str:
    """The table of these tasks."""
    return markdown_table(HEAD, [row for name in names for row in rows_of(load_task(name))])


if __name__ == "__main__":
    print(main(sys.argv[1:] or TASKS))
