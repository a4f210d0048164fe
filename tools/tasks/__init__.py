"""Tasks: data, splits and metric under one name, the card of computed facts about them, and what is wrong with them.

Names load when they are first used, so that asking for ``task_names()`` imports neither numpy nor scipy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from agentnas.tools.tasks.catalog import task_names

if TYPE_CHECKING:
    from agentnas.tools.tasks.base import GraphData, Split, Task
    from agentnas.tools.tasks.card import TaskCard, make_card
    from agentnas.tools.tasks.check import check_task
    from agentnas.tools.tasks.checks.findings import Problem
    from agentnas.tools.tasks.load import load_task
    from agentnas.tools.tasks.locate import find_data
    from agentnas.tools.tasks.nasbench import NasBenchTable

__all__ = [
    "GraphData",
    "NasBenchTable",
    "Problem",
    "Split",
    "Task",
    "TaskCard",
    "check_task",
    "find_data",
    "load_task",
    "make_card",
    "task_names",
]

_HOMES = {
    "NasBenchTable": "nasbench",
    "GraphData": "base",
    "Problem": "checks.findings",
    "Split": "base",
    "Task": "base",
    "TaskCard": "card",
    "check_task": "check",
    "find_data": "locate",
    "load_task": "load",
    "make_card": "card",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
