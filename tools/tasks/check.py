"""What would make scores on a task wrong, weak or surprising: found before time is spent on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agentnas.tools.tasks.base import Task
from agentnas.tools.tasks.catalog import FINGERPRINTS
from agentnas.tools.tasks.checks.edges import edge_errors, edges
from agentnas.tools.tasks.checks.features import features
from agentnas.tools.tasks.checks.findings import SEVERITIES, Problem, problem
from agentnas.tools.tasks.checks.giveaway import giveaway
from agentnas.tools.tasks.checks.graphs import components, graph_errors, graphs
from agentnas.tools.tasks.checks.labels import label_errors, labels
from agentnas.tools.tasks.checks.links import links
from agentnas.tools.tasks.checks.sameness import sameness
from agentnas.tools.tasks.checks.splits import splits

Check = Callable[[Task], Iterator[Problem]]
SOUND: tuple[Check, ...] = (edge_errors, graph_errors, label_errors)  # what these find, the others would stumble over
FIRST: tuple[Check, ...] = (edges, features, labels, splits, graphs)
DEEPER: tuple[Check, ...] = (links, components, sameness, giveaway)  # these need sound values and parts


def check_task(task: Task) -> list[Problem]:
    """All problems of a task, the gravest first; a table task has no data to check."""
    if task.data is None:
        return []
    found = _found(task, SOUND)
    if not found:
        found = _found(task, FIRST)
        if not any(problem.code in _STOP for problem in found):
            found += _found(task, DEEPER)
    found += _identity(task)
    return sorted(found, key=lambda problem: SEVERITIES.index(problem.severity))


def _found(task: Task, checks: tuple[Check, ...]) -> list[Problem]:
    return [problem for check in checks for problem in check(task)]


def _identity(task: Task) -> Iterator[Problem]:
    known = FINGERPRINTS.get(task.name)
    if known is not None and not task.fingerprint.startswith(known):
        text = f"the data ({task.fingerprint[:16]}) is not the copy of {task.name} that is known ({known})"
        yield problem("warning", "fingerprint", text)


_STOP = {"features-not-finite", "split-range", "empty-part", "unlabelled-in-split"}  # of the first checks, what the deeper ones cannot take
