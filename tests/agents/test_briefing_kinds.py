"""Prompts speak of what is predicted: whole graphs, pairs, values, several labels; and never by the name of a private task."""

from __future__ import annotations

import pytest

from agentnas.agents.briefing import Briefing
from agentnas.agents.briefing_quote import PRIVATE_TASK, aim_of, card_text
from agentnas.prompts import Prompts
from agentnas.tools.tasks import TaskCard
from agentnas.tools.tasks.card import AIMS
from tests.agents.searching import CARD, searched

PIECES = ("## Whole graphs", "## Pairs of nodes", "## A number is predicted", "## Several labels an item")
EXPECTED = {
    "node classification": (), "node classification with several labels": PIECES[3:], "node regression": PIECES[2:3],
    "graph classification": PIECES[:1], "graph classification with several labels": (PIECES[0], PIECES[3]),
    "graph regression": (PIECES[0], PIECES[2]), "link prediction": PIECES[1:2],
}  # fmt: skip
SECRET = "zebra-ledger"


def card(aim: str) -> TaskCard:
    return CARD.model_copy(update={"name": SECRET, "aim": aim, "metric": "rmse" if aim.endswith("regression") else "accuracy"})


@pytest.mark.parametrize("aim", AIMS)
def test_each_aim_has_its_own_words(aim: str) -> None:
    situation = searched(card=card(aim))
    assert aim_of(situation) == aim
    for messages in (Briefing(Prompts()).planner(situation), Briefing(Prompts()).analyst(situation)):
        system = messages[0].content
        assert tuple(piece for piece in PIECES if piece in system) == EXPECTED[aim]


@pytest.mark.parametrize("aim", AIMS)
def test_a_private_name_is_not_told_whatever_is_predicted(aim: str) -> None:
    situation = searched(card=card(aim))
    assert card_text(situation).startswith(f"task: {PRIVATE_TASK}, {aim}, ")
    said = "\n".join(message.content for message in Briefing(Prompts()).planner(situation))
    assert SECRET not in said
