"""What people say to a run while it works: messages to its planner, and what they think of its plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentnas.agents.edited_plan import checked_directions
from agentnas.agents.planner import AUTHOR, RulePlanner
from agentnas.memory import events as ev
from agentnas.memory.inbox import MOST_REJECTIONS, Review
from agentnas.memory.view import JournalView
from agentnas.tools.errors import UsageError

if TYPE_CHECKING:
    from agentnas.agents.house import House

# Seconds between two looks into the inbox while a plan waits.
POLL_S = 0.3
UNREAD = "the rule-based planner reads no messages; what people told it is in the journal, and changes nothing"
PERSON = "person"


def hear(house: House, round_: int) -> None:
    """Journal the messages in the inbox for the planner of this round."""
    if house.inbox is None:
        return
    for message in house.inbox.messages():
        house.journal.append(ev.Told(round=round_, text=message.text, item=message.name))
        house.inbox.done(message)
    if house.view.told.get(round_) and isinstance(house.planner, RulePlanner):
        _note_once(house, UNREAD)


def messages(view: JournalView, round_: int) -> tuple[str, ...]:
    """What this round's planner should hear: what was told for this round, and for those before it that rules alone have planned."""
    if not view.told:
        return ()
    first = round_
    while first > 0 and first - 1 in view.plans and view.plans[first - 1].author == AUTHOR:
        first -= 1
    return tuple(text for told in range(first, round_ + 1) for text in view.told.get(told, ()))


def note_unheard(house: House) -> None:
    """Say which messages came after the planner's last turn."""
    for message in house.inbox.messages() if house.inbox else ():
        _note_once(house, f"this came after the planner's last turn and was not read: {message.text}")


def _note_once(house: House, line: str) -> None:
    if all(note.message != line for note in house.view.notes):
        house.journal.append(ev.Noted(level="warning", message=line))


def is_planned(view: JournalView, round_: int) -> bool:
    """Whether the round has a plan that nobody rejected."""
    review = view.reviews.get(round_)
    return view.has(ev.PlanMade, round_) and (review is None or review.decision != "rejected")


def await_review(house: House, round_: int) -> dict[str, Any] | None:
    """The decision on the round's plan as plain data, once it lies in the inbox; None when the run is asked to stop before.

    Waiting is not active time.
    """
    if (review := _decision(house, round_)) is None:
        house.journal.append(ev.ReviewAwaited(round=round_))
        house.journal.sync()
        with house.journal.paused():
            while review is None and not house.stop_requested.wait(POLL_S):
                review = _decision(house, round_)
    return None if review is None else review.model_dump() | {"name": review.name}


def _decision(house: House, round_: int) -> Review | None:
    """The decision in the inbox, if it can be followed; one that cannot is told and put away."""
    assert house.inbox is not None, "a house with reviews has an inbox"
    review = house.inbox.review_of(house.view.plans[round_])
    if review is None:
        return None
    problem = _problem(house, review)
    if problem is None:
        return review
    house.journal.append(ev.Noted(level="warning", message=f"the review of round {round_}'s plan cannot be followed: {problem}"))
    house.inbox.done(review)
    return None


def _problem(house: House, review: Review) -> str | None:
    """Other programs than ours may have left the review."""
    if review.decision == "rejected" and house.view.rejections.get(review.round, 0) >= MOST_REJECTIONS:
        return f"{MOST_REJECTIONS} plans of this round were rejected already; accept or edit this one"
    if review.decision == "rejected" and not review.reason:
        return "it rejects without a reason"
    if review.decision == "edited":
        try:
            checked_directions(review.directions, house.evaluator.space.factors(), lambda name: house.memory.get(name) is not None)
        except UsageError as error:
            return str(error)
    return None


def decide(house: House, round_: int, held: Mapping[str, Any]) -> None:
    """Journal what a person decided on the round's plan, once; an edited plan becomes the plan."""
    review = Review.model_validate(held)
    assert house.inbox is not None, "a review came from the inbox"
    if review.name not in house.view.items:
        plan = house.view.plans[round_]
        if review.decision == "edited" and review.directions != plan.directions:
            reason = review.reason or plan.reason
            made = ev.PlanMade(round=round_, author=PERSON, directions=review.directions, reason=reason, bounds=plan.bounds)
            house.journal.append(made)
        house.journal.append(ev.PlanReviewed(round=round_, decision=review.decision, reason=review.reason, item=review.name))
    house.inbox.done(review)
