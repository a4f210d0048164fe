"""What ``agentnas design`` would do with these settings, found out without doing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def dry_run(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Task, protocol, budget, limits, space, anchors and the first plan; nothing is written or trained."""
    from agentnas import api
    from agentnas.agents.planner import groups_of
    from agentnas.config import format_duration, resolve
    from agentnas.report import command_of
    from agentnas.tools.tasks import make_card
    from agentnas.tools.tasks.locate import where

    resolved = resolve(settings)
    task = api.choose_task(resolved)
    config = api.bounded(resolved.config.model_copy(update={"task": task.name}), resolved)
    api.check(config, task)
    space, anchors, batch = api.space_and_anchors(config, task)
    note = api.fallback(resolved, task)
    return {
        **({"note": note} if note else {}),
        "command": command_of(config.model_dump(mode="json")),
        "task": f"{task.name} ({task.kind}), {task.protocol}, metric {task.metric.name}",
        "data": where(task.name, config.data_dir, config.split),
        "card": make_card(task).text(),
        "time": "no limit" if config.time_s is None else format_duration(config.time_s),
        "trials": "no limit" if config.trials is None else config.trials,
        "limits": api.limits_of(config).as_text(),
        "workers": api.workers_of(config),
        "device": "none: a table is read" if task.table else api.device_of(config),
        "anchors": [anchor.name for anchor in anchors],
        "round": _counted(batch if config.trials is None else min(batch, config.trials), "trial"),
        "confirm": "none: a table is exact" if task.table else f"finalists, best anchors: {_counted(config.confirm_seeds, 'fresh seed')}",
        "factors": [f"{group} ({len(factors)})" for group, factors in groups_of(space.factors()).items()],
        "cost": "$0: no language model is called",
    }


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
