"""The messages that planner, coder and analyst are asked with: facts from a Situation, which is the journal, in the words of the templates.

Nothing is remembered between calls, and nothing that a model said reaches another but through the journal, quoted. Prompts stay below a
bound that does not depend on the number of trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from agentnas.agents import briefing_designs as made
from agentnas.agents import briefing_history as history
from agentnas.agents import facts
from agentnas.agents.briefing_quote import aim_of, card_text
from agentnas.agents.facts_cells import cell_lines
from agentnas.agents.facts_curves import curve_lines
from agentnas.agents.facts_round import round_lines
from agentnas.agents.llm.base import Message
from agentnas.agents.llm_planner import may_bound
from agentnas.agents.roles import Plan
from agentnas.agents.situation import Situation
from agentnas.prompts import Prompts
from agentnas.tools.evaluate.ladder import TABLE
from agentnas.tools.spec.narrowing import in_words

Form = Literal["diff", "full"]
# Pieces of evidence that the coder reads: what the plan cites, then what was recalled.
CODER_EVIDENCE = 7
# Words of a task's aim, and the piece that says what is special about it.
ABOUT = {"graph": "graphs", "link": "pairs", "regression": "values", "labels": "labels"}


class Briefing:
    """Writes the prompts. The same situation gives the same messages, word for word."""

    def __init__(self, prompts: Prompts) -> None:
        self.prompts = prompts

    def planner(self, situation: Situation) -> tuple[Message, ...]:
        """What the planner of a round is asked."""
        return self._messages("planner", situation, {
            "factors": _lines(made.factor_lines(situation.space)),
            "evidence": _lines(history.evidence_lines(situation.evidence, situation.space)),
            "forecasts": _lines(round_lines(situation, situation.round - 1)),
            "left": history.left_line(situation.left, situation.batch),
            "earlier": _lines(history.earlier_lines(situation)),
            "told": "\n".join([*history.told_lines(situation), *self._bounds(situation)]),
        })  # fmt: skip

    def coder(self, situation: Situation, plan: Plan, count: int, form: Form) -> tuple[Message, ...]:
        """What the coder is asked: ``count`` proposals along the plan, as changes to parents or as whole designs."""
        cited = list(dict.fromkeys(name for direction in plan.directions for name in direction.evidence))
        shown = [*cited, *(f"trial:{trial}" for direction in plan.directions for trial in direction.parents)]
        told = history.cited_lines(cited, situation)[:CODER_EVIDENCE] or ["The plan cites no card and no finding."]
        told += history.uncited_lines(cited, situation, CODER_EVIDENCE - len(told))
        return self._messages("coder", situation, {
            "form": self._form(situation, form),
            "plan": _lines(history.plan_lines(plan, count)),
            "count": str(count),
            "evidence": _lines(told),
            "designs": "\n".join(made.design_lines(situation, shown)),
            "tried": _lines(made.tried_lines(situation, shown)),
        })  # fmt: skip

    def analyst(self, situation: Situation) -> tuple[Message, ...]:
        """What the analyst is asked once the round of the situation is done."""
        return self._messages("analyst", situation, {
            "curves": _lines(curve_lines(situation)),
            "tradeoffs": _lines(facts.tradeoff_lines(situation)),
            "plan": _lines(history.round_plan_lines(situation)),
            "forecasts": _lines(round_lines(situation, situation.round)),
            "left": history.ending_line(situation.left),
            "language": self._language(situation, reading=True),
            "earlier": _lines(history.earlier_lines(situation)),
        })  # fmt: skip

    def _language(self, situation: Situation, *, reading: bool = False) -> str:
        """How designs are written, and what is different where no classes of nodes are predicted."""
        about = [self.prompts.piece(name).text for word, name in ABOUT.items() if word in aim_of(situation)]
        return "\n\n".join(text.strip() for text in (made.language(situation.space, self.prompts, reading=reading), *about))

    def _bounds(self, situation: Situation) -> list[str]:
        """How a person's words become bounds on the space, and which are in force; nothing where nobody said anything."""
        if not may_bound(situation):
            return []
        held = [f"Bounds in force: {in_words(situation.bounds)}."] if situation.bounds else []
        return [*held, self.prompts.piece("bounds").fill().strip()]

    def _form(self, situation: Situation, form: Form) -> str:
        from agentnas.tools.spec.vocabulary import edits_help, values_help

        values = {"edits": edits_help(situation.space)} if form == "diff" else {"values": values_help(situation.space)}
        piece = self.prompts.piece(form)
        told = piece.fill(**{name: text.strip() for name, text in values.items() if name in piece.placeholders}).strip()
        return f"{told}\n{self.prompts.piece('batching').fill().strip()}" if made.is_batched_by_code(situation) else told

    def _messages(self, role: str, situation: Situation, own: Mapping[str, str]) -> tuple[Message, ...]:
        shared = {
            "language": self._language(situation),
            "task": card_text(situation).strip(),
            "metric": situation.metric.replace("_", " ") or "as the card says",
            "limits": history.limit_line(situation.limits),
            "left": history.left_line(situation.left),
            "numbers": self.prompts.piece("lookups" if situation.rungs == TABLE else "seeds").fill().strip(),
            "noise": _lines(facts.noise_lines(situation)),
            "results": _lines(made.result_lines(situation)),
            "effects": _lines([*facts.effect_lines(situation), *cell_lines(situation), *facts.unvaried_lines(situation)]),
            "trouble": _lines(facts.trouble_lines(situation)),
            "round": str(situation.round),
        }
        system, user = self.prompts.roles[role].fill({**shared, **own})
        return Message("system", system), Message("user", user)


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
