"""The inbox of a run: files that other processes leave for it, each of which it takes exactly once.

A file is written whole or not at all; its name tells the order. The run journals what an item says, and with it the item's name, before it
moves the file to ``read/``: an item whose name the journal knows is moved and not taken again, wherever the run was killed. What is no item
is told once and moved to ``damaged/``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agentnas.memory.events import Noted, PlanMade
from agentnas.memory.journal import Journal
from agentnas.memory.memory import one_line
from agentnas.memory.rundir import RunDirectory, write_atomic
from agentnas.tools.errors import RunError, UsageError

# Letters of one message: what a prompt can carry beside everything else.
LONGEST_MESSAGE = 2000
# A file that is longer was not written by us.
LONGEST_FILE = 1_000_000
# Plans of one round that a person may reject; the one after them is accepted or edited.
MOST_REJECTIONS = 3
READ, DAMAGED = "read", "damaged"
_NAME = re.compile(r"\d{20}-[0-9a-f]{8}\.json")

Decision = Literal["accepted", "edited", "rejected"]


class _Left(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("", exclude=True, description="name of the file")


class Message(_Left):
    """What a person tells the planner."""

    kind: Literal["message"] = "message"
    text: str = Field(min_length=1, max_length=LONGEST_MESSAGE)


class Review(_Left):
    """What a person decided on a plan. ``plan`` says which one they saw; ``directions`` are those of an edited plan."""

    kind: Literal["review"] = "review"
    round: int = Field(ge=0)
    plan: str
    decision: Decision
    reason: str = Field("", max_length=LONGEST_MESSAGE)
    directions: tuple[dict[str, Any], ...] = ()


Item = Annotated[Message | Review, Field(discriminator="kind")]
_ITEM: TypeAdapter[Message | Review] = TypeAdapter(Item)


def plan_id(plan: PlanMade) -> str:
    """Which plan this is: of its round and its directions, so that a review is never of another plan than the one that was seen."""
    held = json.dumps([plan.round, plan.directions], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(held.encode()).hexdigest()[:16]


def leave_message(run: RunDirectory, text: str) -> Message:
    """Put a message before the planner's next turn; raises UsageError for a text that is empty or too long, RunError for a full disk."""
    message = Message(text=_checked(text, "the message"))
    return message.model_copy(update={"name": _leave(run, message)})


def leave_review(
    run: RunDirectory, plan: PlanMade, decision: Decision, *, reason: str = "", directions: Sequence[dict[str, Any]] = ()
) -> Review:
    """Leave a decision on this plan; a later one on the same plan takes its place. Raises UsageError for a rejection without a reason."""
    text = _checked(reason, "the reason") if reason or decision == "rejected" else ""
    review = Review(round=plan.round, plan=plan_id(plan), decision=decision, reason=text, directions=tuple(directions))
    return review.model_copy(update={"name": _leave(run, review)})


def _checked(text: str, what: str) -> str:
    """The text on one line, without control characters."""
    clean = one_line(text, LONGEST_MESSAGE + 1)
    if not clean:
        raise UsageError(f"{what} is empty; say in words what the planner should know")
    if len(clean) > LONGEST_MESSAGE:
        size = len(" ".join(text.split()))
        raise UsageError(f"{what} has {size:,} letters, at most {LONGEST_MESSAGE:,} are read; say it shorter")
    return clean


def _leave(run: RunDirectory, item: Message | Review) -> str:
    """Names sort in the order in which items were left; two processes never choose the same."""
    name = f"{time.time_ns():020d}-{secrets.token_hex(4)}.json"
    write_atomic(run.folder("inbox") / name, item.model_dump_json().encode())
    return name


def _is_of(review: Review, plan: PlanMade) -> bool:
    """Whether the review is of this plan; an edited plan that was journalled just before a crash is still the one to be reviewed."""
    return review.plan == plan_id(plan) or (review.decision == "edited" and review.directions == plan.directions)


class Inbox:
    """The reading side, of the one process that writes the run's journal."""

    def __init__(self, journal: Journal, folder: Path) -> None:
        self._journal = journal
        self._folder = folder

    def messages(self) -> list[Message]:
        """Messages that were not taken yet, in the order in which they were left."""
        return [item for item in self._unread() if isinstance(item, Message)]

    def review_of(self, plan: PlanMade) -> Review | None:
        """The last decision on this plan. Decisions before it, and on other plans, are moved away; of the latter the journal tells."""
        reviews = [item for item in self._unread() if isinstance(item, Review)]
        ours = [review for review in reviews if _is_of(review, plan)]
        for review in reviews:
            if review not in ours:
                self._note(f"inbox/{review.name}: the plan of round {review.round} that it {review.decision} is no longer there; not used")
            if review not in ours[-1:]:
                self.done(review)
        return ours[-1] if ours else None

    def done(self, item: Message | Review) -> None:
        """Put an item away that the journal knows; call it after the event is written. Safe to call again."""
        self._move(item.name, READ)

    def _unread(self) -> list[Message | Review]:
        items = []
        for name in self._names():
            if name in self._journal.view.items:
                self._move(name, READ)  # taken by a process that was killed before it could put the file away
            elif (item := self._read(name)) is not None:
                items.append(item)
        return items

    def _names(self) -> list[str]:
        """Files in the inbox; those that begin with a dot are being written."""
        try:
            return sorted(entry.name for entry in os.scandir(self._folder) if not entry.name.startswith(".") and not entry.is_dir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"cannot read {self._folder}: {error.strerror}") from None

    def _read(self, name: str) -> Message | Review | None:
        """The item in a file; a file that holds none is told and moved aside."""
        try:
            item = _parse(self._folder / name)
        except OSError as error:
            problem = error.strerror or type(error).__name__
        except _NoItem as error:
            problem = str(error)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]["msg"]
        else:
            return item.model_copy(update={"name": name})
        shown = f"inbox/{one_line(name, 80)} ({one_line(problem, 120)})"
        self._note(f"{shown} is nothing that a person told this run; moved to inbox/{DAMAGED}/")
        self._move(name, DAMAGED)
        return None

    def _note(self, message: str) -> None:
        self._journal.append(Noted(level="warning", message=message))

    def _move(self, name: str, where: str) -> None:
        try:
            (self._folder / where).mkdir(exist_ok=True)
            os.replace(self._folder / name, self._folder / where / name)
        except FileNotFoundError:
            return  # it is away already
        except OSError as error:
            raise RunError(f"cannot move {self._folder / name} to {where}/: {error.strerror}") from None


class _NoItem(Exception):
    """A file that nobody should open or name in a journal."""


def _parse(path: Path) -> Message | Review:
    """The item, its texts cleaned again: another program than ours may have written them."""
    if not _NAME.fullmatch(path.name):
        raise _NoItem("a name of another kind")
    if not stat.S_ISREG(path.lstat().st_mode):  # opening a pipe would wait for ever
        raise _NoItem("no regular file")
    with path.open("rb") as file:
        item = _ITEM.validate_json(file.read(LONGEST_FILE))
    held = {key: one_line(value, LONGEST_MESSAGE) for key in ("text", "reason") if (value := getattr(item, key, None))}
    return type(item).model_validate(item.model_dump() | held)
