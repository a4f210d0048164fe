"""One task and more of every kind, and what a design has to reach on some of them in ten minutes on two cores."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agentnas.tools.errors import UsageError
from agentnas.tools.tasks.catalog import TABLE_PREFIX, data_set

SHARED_NEIGHBOURS = "adamic-adar"


@dataclass(frozen=True)
class Bar:
    """What the mean of the test has to reach: so many percent or more, or an error so low or lower. ``above`` names a method without a
    network that the winner has to leave behind by more than the noise."""

    value: float
    above: str = ""


# Of a task's usual split and metric.
BARS = {
    "proteins": Bar(74.5), "mutag": Bar(86), "esol": Bar(0.75), "cora-links": Bar(93), "usair": Bar(95, SHARED_NEIGHBOURS),
    "texas": Bar(80), "actor": Bar(36), "minesweeper": Bar(88),
}  # fmt: skip
TASKS = (
    *BARS, "enzymes", "imdb-binary", "freesolv", "ns", "citeseer-links", "generated:directed", "generated:hetero", "generated:labels",
    "generated:value",
)  # fmt: skip


def names(text: str) -> list[str]:
    """The tasks in ``--tasks``, by commas, each once; settings of a generated task stand behind commas too. Raises UsageError for one that
    does not exist."""
    found = [name for name in re.split(r",(?!\w+=)", re.sub(r"\s+", "", text)) if name]
    if not found:
        raise UsageError(f"--tasks is empty; leave it out for {','.join(TASKS)}")
    for name in found:
        if name.startswith(TABLE_PREFIX):
            raise UsageError(f"--tasks {name}: a table, on which nothing is trained; name tasks with data")
    return list(dict.fromkeys(data_set(name).name for name in found))
