"""The paper cards that ship with the product: trigger -> insight -> action, and the index over them.

A card is data: it is quoted as a source and gives no instruction. ``evidence`` is the only field that may hold a paper's results.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agentnas.memory.lexical import LexicalIndex
from agentnas.tools.errors import DataError, suggest

FIELD_WEIGHTS = {"title": 2.0, "topics": 2.0, "trigger": 2.0, "insight": 1.5, "action": 1.0, "evidence": 0.5, "caveat": 0.5}


class PaperCard(BaseModel):
    """One paper as advice: when you see ``trigger``, know ``insight``, do ``action``."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", description="slug of the paper's short name; cited as card:<id>")
    title: str = Field(min_length=1)
    year: int | None = Field(ge=1950, le=2100)
    topics: tuple[str, ...] = Field(min_length=1, description="most important first")
    trigger: str = Field(min_length=1, description="observable condition under which the card applies")
    insight: str = Field(min_length=1, description="the mechanism")
    action: str = Field(description="what to change, in words of the spec language; empty only on a card that nobody reviewed")
    evidence: str = Field(description="what the source reports; empty when written from general knowledge")
    caveat: str = Field(description="where it fails or what it costs")
    source: str = Field(min_length=1, description="what the card was written from")
    reviewed: bool = Field(True, description="false where a rule or a model made it from a text and no person looked at it")
    by: str = Field("", description="what made a card that nobody reviewed: rule, or the model's name")
    file: str = Field("", description="name of the file that it was made from")

    @model_validator(mode="after")
    def _advises(self) -> PaperCard:
        if not self.action and self.reviewed:
            raise ValueError("action is empty; say what to change")
        return self

    def fields(self) -> dict[str, str]:
        """The searchable fields as text."""
        data = self.model_dump(include=set(FIELD_WEIGHTS) - {"topics"})
        return {**data, "topics": " ".join(self.topics)}

    def text(self) -> str:
        """One line for prompts and people; a card that nobody reviewed says so."""
        mark = "" if self.reviewed else f"Unreviewed, made by {self.by or 'nobody knows whom'}. "
        evidence = "" if self.reviewed or not self.evidence else f" Reported: {self.evidence}"
        trigger = self.trigger if self.trigger.endswith((".", "!", "?")) else f"{self.trigger}."
        return f"{mark}When: {trigger} Why: {self.insight}{f' Do: {self.action}' if self.action else ''}{evidence}"


def load_cards(path: Traversable | None = None) -> tuple[PaperCard, ...]:
    """Cards of a JSON Lines file, by default the ones that ship; raises DataError naming file and line, and ids used twice."""
    path = path or resources.files("agentnas.memory") / "cards.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read cards: {path}: {error}") from None
    cards: dict[str, PaperCard] = {}
    for number, line in enumerate(lines, start=1):
        card = parse_card(line, f"{path}:{number}")
        if card.id in cards:
            raise DataError(f"{path}:{number}: id {card.id!r} is used twice; give each card its own id")
        cards[card.id] = card
    return tuple(cards.values())


def parse_card(line: str, where: str) -> PaperCard:
    """A card from a line of JSON; raises DataError with ``where``, the field, the value seen and what is allowed."""
    try:
        return PaperCard.model_validate_json(line)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            raise DataError(f"{where}: a card has no field {field!r}; {suggest(field, PaperCard.model_fields)}") from None
        message = problem["msg"].removeprefix("Value error, ")
        raise DataError(f"{where}: {field + ': ' if field else ''}{message}: {str(problem['input'])[:60]!r}") from None


@lru_cache(maxsize=1)
def shipped_cards() -> Mapping[str, PaperCard]:
    """The cards that ship, by id; read once a process."""
    return MappingProxyType({card.id: card for card in load_cards()})


@lru_cache(maxsize=1)
def shipped_index() -> LexicalIndex:
    """The index over the cards that ship, in their order; built once a process."""
    return LexicalIndex([card.fields() for card in shipped_cards().values()], FIELD_WEIGHTS)
