"""All prompts that a situation can give, and their words."""

from __future__ import annotations

from collections.abc import Mapping

from agentnas.agents.briefing import Briefing
from agentnas.agents.llm.base import Message
from agentnas.agents.planner import RulePlanner
from agentnas.agents.roles import Plan
from agentnas.agents.situation import Situation
from agentnas.prompts import Prompts

BRIEFING = Briefing(Prompts())


def prompts_of(situation: Situation, plan: Plan | None = None) -> dict[str, tuple[Message, ...]]:
    """All prompts that a situation can give."""
    plan = plan or RulePlanner().plan(situation)
    return {
        "planner": BRIEFING.planner(situation),
        "coder": BRIEFING.coder(situation, plan, 10, "diff"),
        "coder, whole designs": BRIEFING.coder(situation, plan, 10, "full"),
        "analyst": BRIEFING.analyst(situation),
    }


def texts(prompts: Mapping[str, tuple[Message, ...]]) -> dict[str, str]:
    return {name: "\n".join(message.content for message in messages) for name, messages in prompts.items()}
