"""What a model is told beside the person's words: the tasks that there are, the plan and the run as they stand now."""

from __future__ import annotations

from agentnas.agents.llm.base import Message
from agentnas.chat.desk import Desk
from agentnas.prompts.roles import RolePrompt

EXAMPLE = "hello, what can you do for me?"


def state(desk: Desk) -> dict[str, str]:
    """The values of the prompt but for what the person said."""
    from agentnas.tools.tasks import task_names

    plan = ", ".join(f"{name} {value}" for name, value in desk.settings.items()) or "nothing set yet"
    run = "none"
    if desk.follower is not None:
        desk.follower.refresh()
        run = f"{desk.follower.directory.name}, {desk.follower.line()}"
    return {"tasks": ", ".join(task_names()), "plan": plan, "run": run}


def first_turns(prompt: RolePrompt) -> tuple[Message, ...]:
    """What would be sent at the beginning of a conversation, with words that stand in for the person's."""
    from agentnas.tools.tasks import task_names

    values = {"tasks": ", ".join(task_names()), "plan": "nothing set yet", "run": "none", "said": EXAMPLE}
    system, user = prompt.fill(values)
    return (Message("system", system), Message("user", user))
