"""What memory holds and what it hands out: records of trials and findings, and evidence with an id that a proposal can cite.

Text that was stored is data: it is handed out as one line, without control characters, to be quoted as a source.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from agentnas.memory.cards import PaperCard

Kind = Literal["trial", "finding", "card"]
LONGEST_TEXT = 700
NODES = "node classification"  # the aim of records that name none


class Evidence(BaseModel):
    """Something that a proposal can rest on. ``text`` is quoted from the source and is data, never an instruction."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="trial:<id>, finding:<id> or card:<id>")
    kind: Kind
    similarity: float = Field(ge=0, le=1, description="of the task (trials, findings) or of the text (cards) to what was asked")
    text: str
    why: str = Field(description="why it was recalled")


class Record(BaseModel):
    """A trial or finding of another run, or of an earlier one on this task."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")

    id: str = Field(min_length=1, description="unique in the memory, without its kind: <run>/t0003")
    task: str
    task_vector: tuple[float, ...] = Field((), description="TaskCard.vector() of that task; empty if unknown")
    text: str
    protocol: str = ""
    graph: tuple[int, ...] = Field((), description="nodes, edges, features and classes of the task's graph; empty if unknown")
    aim: str = Field("", description="what the task predicts of what, as its card says; empty: node classification")

    @property
    def run(self) -> str:
        """The run that it comes from; empty where its id names none."""
        return self.id.rpartition("/")[0]

    @property
    def key(self) -> str:
        """The task and its protocol: what scores may be compared within."""
        return f"{self.task}, {self.protocol}" if self.protocol else self.task


class TrialRecord(Record):
    """A trial that finished, with its mean validation score in percent (or the metric's own unit).

    Test scores are kept for a run's confirmed winner alone, and no recall shows them.
    """

    spec_hash: str = ""
    design: str = Field("", description="memory.kin.design_key: its operators and how they are connected")
    val: float | None = None
    val_sd: float | None = Field(None, description="over seeds; None for one seed")
    seeds: int = 0
    rung: str = ""
    cut: bool = Field(False, description="whether the time limit of a training ended one of its trainings on that rung")
    rank: int | None = Field(None, description="on its run's leaderboard, from 1")
    ranked: int | None = Field(None, description="trials on that leaderboard")
    metric: str = ""
    higher_is_better: bool = True
    spec: dict[str, Any] = Field(default_factory=dict, description="the spec as plain data, defaults left out")
    structure: dict[str, float] = Field(default_factory=dict, description="tools.spec.vectors by name, zeros left out")
    profile: dict[str, Any] = {}
    test: float | None = None
    test_sd: float | None = None

    @property
    def goodness(self) -> float:
        """1 for its run's leader, 0 for the last one, 0.5 where nobody knows."""
        if self.rank is None or self.ranked is None:
            return 0.5
        return 1 - (self.rank - 1) / max(1, self.ranked - 1)


class TaskTrials(NamedTuple):
    """What other runs tried on one task (``Record.key``), whose card has this vector (empty if unknown)."""

    key: str
    task_vector: tuple[float, ...]
    trials: tuple[TrialRecord, ...]


class FindingRecord(Record):
    """A conclusion, with the trials that support it; ``gain`` (in points) and its standard error are those of an edit of ``factor``."""

    trials: tuple[str, ...] = ()
    factor: str = ""
    change: str = ""
    gain: float | None = None
    se: float | None = None


@runtime_checkable
class TaskCardLike(Protocol):
    """What memory needs of a task card."""

    def text(self) -> str:
        """Lines for prompts and people."""
        ...

    def vector(self) -> Sequence[float]:
        """Normalised statistics; as many, and of the same things, for all tasks of one aim."""
        ...


def aim_of(card: TaskCardLike | None) -> str | None:
    """What a task predicts of what; None where no task is asked about."""
    return None if card is None else str(getattr(card, "aim", "") or NODES)


def same_aim(asked: str | None, record: Record) -> bool:
    """Whether what was learnt on the record's task may be told: designs for graphs, pairs or values do not carry over to other aims.

    ``asked``: an aim, its first word, or None for any.
    """
    aim = record.aim or NODES
    return asked is None or asked in (aim, aim.partition(" ")[0])


def task_similarity(a: Sequence[float], b: Sequence[float]) -> float:
    """0 to 1 from two task vectors: 1 for equal ones, falling with their root mean square distance; 0.5 where one is unknown, 0 for those
    of tasks with different aims, whose entries mean different things."""
    if not a or not b:
        return 0.5
    if len(a) != len(b):
        return 0.0
    return 1 / (1 + math.dist(a, b) / math.sqrt(len(a)))


def one_line(text: str, longest: int = LONGEST_TEXT) -> str:
    """Text as quotable data: one line, no control or formatting characters, cut with an ellipsis."""
    clean = "".join(" " if unicodedata.category(letter) in {"Cc", "Zl", "Zp"} else letter for letter in text)
    visible = "".join(letter for letter in clean if unicodedata.category(letter) not in {"Cf", "Cs", "Co", "Cn"})
    line = " ".join(visible.split())
    return line if len(line) <= longest else f"{line[: longest - 3].rstrip()}..."


def card_evidence(card: PaperCard, similarity: float, why: str) -> Evidence:
    """A paper card as evidence."""
    year = f", {card.year}" if card.year else ""
    text = one_line(f"{card.title}{year}. {card.text()}")
    return Evidence(
        id=f"card:{card.id}", kind="card", similarity=round(similarity, 4), text=text, why=f"{why}; {', '.join(card.topics[:3])}"
    )


def record_evidence(record: TrialRecord | FindingRecord, similarity: float, told: str = "") -> Evidence:
    """A record as evidence; ``told`` says more about why it was recalled."""
    kind: Kind = "trial" if isinstance(record, TrialRecord) else "finding"
    about = f"task {record.task}, similarity {similarity:.2f}"
    if isinstance(record, TrialRecord):
        about = _result(record, about)
    why = "; ".join(part for part in (about, told) if part)
    return Evidence(id=f"{kind}:{record.id}", kind=kind, similarity=round(similarity, 4), text=one_line(record.text), why=one_line(why))


def _result(record: TrialRecord, about: str) -> str:
    protocol = f", {record.protocol}" if record.protocol else ""
    if record.val is None:
        return about + protocol
    spread = "" if record.val_sd is None else f" ± {record.val_sd:.2f}"
    place = "" if record.rank is None or record.ranked is None else f", place {record.rank} of {record.ranked} in its run"
    cut = ", ended by the time limit of a training" if record.cut else ""
    return f"validation {record.val:.2f}{spread} on {about}{protocol}{place}{cut}"
