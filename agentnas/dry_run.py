"""What ``agentnas design`` would do with these settings, found out without doing it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agentnas.tools.executors import LOCAL

if TYPE_CHECKING:
    from agentnas.config import Config, Resolved
    from agentnas.tools.anchors import Anchor
    from agentnas.tools.tasks import Task


def dry_run(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Task, protocol, budget, limits, space, anchors and the first plan; nothing is written or trained."""
    from agentnas import api, searched
    from agentnas.agents.planner import groups_of
    from agentnas.config import format_duration, resolve
    from agentnas.report import command_of
    from agentnas.tools.spec.bounded import BoundedSpace
    from agentnas.tools.tasks import make_card
    from agentnas.tools.tasks.locate import where
    from agentnas.wiring import limits_of

    resolved = resolve(settings)
    task = api.choose_task(resolved)
    asked = api.bounded(resolved.config.model_copy(update={"task": task.reference}), resolved)
    config = searched.settled(asked)
    api.check(config, task)
    space, anchors, batch = api.space_and_anchors(config, task)
    note = api.fallback(resolved, task)
    return {
        **({"note": note} if note else {}),
        "command": command_of(_as_asked(asked)),
        "task": f"{task.name} ({task.kind}), {task.protocol}, metric {task.metric.name}",
        "data": where(task.reference, config.data_dir, config.split),
        "card": make_card(task).text(),
        "time": "no limit" if config.time_s is None else format_duration(config.time_s),
        "trials": "no limit" if config.trials is None else config.trials,
        "limits": limits_of(config).as_text(),
        **_places(config, task),
        "anchors": [anchor.name for anchor in anchors if not anchor.reference],
        **({"compared": outside} if (outside := _outside(anchors)) else {}),
        "round": _counted(batch if config.trials is None else min(batch, config.trials), "trial"),
        "confirm": "none: a table is exact" if task.table else f"finalists, best anchors: {_counted(config.confirm_seeds, 'fresh seed')}",
        "factors": [f"{group} ({len(factors)})" for group, factors in groups_of(space.factors()).items()],
        "space": f"{space.as_dict()['name']}: {power_of_ten(space.log10_size())} designs at most",
        **({"locked": str(space.locks)} if isinstance(space, BoundedSpace) and space.locks else {}),
        **_models(config, task, resolved, batch),
    }


def _as_asked(config: Config) -> dict[str, Any]:
    """The settings with files by their names and bounds as JSON: a run writes files that hold them, a dry run none."""
    told = config.model_dump(mode="json")
    space = told["space"]
    starts = [start for start in told["start"] if isinstance(start, str)]  # what a settings file holds whole is found there again
    return {**told, "space": space if isinstance(space, str) else json.dumps(space), "start": starts}


def _outside(anchors: Sequence[Anchor]) -> str:
    names = [anchor.name for anchor in anchors if anchor.reference]
    return f"{', '.join(names)}: outside of the space, evaluated to compare with" if names else ""


def _places(config: Config, task: Task) -> dict[str, Any]:
    """Where trials would run; a cluster is asked for what it has when the run begins."""
    from agentnas import executing

    if task.table is not None:
        return {"workers": executing.workers_of(config), "device": "none: a table is read"}
    if config.executor == LOCAL:
        return {"workers": executing.workers_of(config), "device": executing.device_of(config)}
    return {"executor": config.executor, "workers": config.workers or "as many as the cluster has room for", "device": config.device}


def power_of_ten(exponent: float) -> str:
    return f"{round(10**exponent):,}" if exponent < 6 else f"10^{exponent:.0f}"


def _models(config: Config, task: Task, resolved: Resolved, batch: int) -> dict[str, Any]:
    """Models by role, the first prompt that one of them would get, and what a run is likely to take; nothing is called."""
    from agentnas import thinking

    names = thinking.named(config)
    if not names:
        return {"llm": "none: all agents think by rules", "cost": "$0: no language model is called"}
    from agentnas.estimate import estimate
    from agentnas.first_prompt import first_prompt

    role = next(role for role in ("planner", "coder", "analyst") if role in names)
    prompt = "\n\n".join(f"[{message.role}]\n{message.content}" for message in first_prompt(role, config, task))
    return {
        "llm": [f"{role} {name}" for role, name in names.items()],
        **estimate(names, config, len(prompt), thinking.BATCH if "coder" in names else batch),
        "prompt": f"the {role}'s first, once the anchors are evaluated:\n{prompt}",
    }


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
