"""What leaves the machine, and how: text from outside is quoted so that it cannot pass for the prompt's own words.

The rule of privacy: aggregate statistics, designs, results and paper cards may be sent; rows, labels, ids, contents of files, paths and the
names that people give may not. A task is named only where it is one of the public ones.
"""

from __future__ import annotations

import re

from agentnas.agents.situation import Situation
from agentnas.memory.memory import LONGEST_TEXT, Evidence, one_line
from agentnas.memory.names import slug
from agentnas.tools.tasks import task_names
from agentnas.tools.tasks.card import AIMS

PRIVATE_TASK = "a task of the owner's own"
# The first line of a card: the name, then what is predicted of what.
_NAMED = re.compile(rf"task: (?P<name>.*?)(?P<rest>, (?P<aim>{'|'.join(map(re.escape, AIMS))}), .*)", re.DOTALL)
_MENTIONED = re.compile(r"\btask (?P<name>.+?)(?=, similarity)")
# From a path on, the rest of a line may be its end: names of folders hold spaces.
_PATH = re.compile(r"(?:(?<![\w.:])(?:~|\.{1,2})?/(?=[\w~.-])|\b[A-Za-z]:[\\/]|\\\\|\b[a-z]+://).*", re.DOTALL)
_RUN = re.compile(r"\d{8}-\d{6}-(?P<task>.+?)-[a-z]+-[a-z]+")


def quoted(text: str, longest: int = LONGEST_TEXT) -> str:
    """The text as data: one line between « and », which the text itself cannot hold."""
    return f"«{unmarked(text, longest)}»"


def unmarked(text: str, longest: int = LONGEST_TEXT) -> str:
    """One line without the signs that open and close a quotation."""
    return one_line(text.replace("«", "<").replace("»", ">"), longest)


def scrubbed(text: str) -> str:
    """The text up to the first path or address in it."""
    return _PATH.sub("[path]", text)


def public_task(name: str) -> str:
    """The name of a public task, else words that tell nothing."""
    return name if name in task_names() else PRIVATE_TASK


def card_text(situation: Situation) -> str:
    """The card's facts, without lines that know nothing; the task by name only where it is public.

    What stands before the kind of task can only be a name.
    """
    found = _NAMED.fullmatch(situation.card_text)
    text = situation.card_text if found is None else f"task: {public_task(found['name'])}{found['rest']}"
    return "\n".join(line for line in text.splitlines() if "?" not in line or re.search(r"\d", line))


def aim_of(situation: Situation) -> str:
    """What the task predicts of what, as its card says; empty where it has none."""
    found = _NAMED.fullmatch(situation.card_text)
    return "" if found is None else found["aim"]


def evidence_line(evidence: Evidence) -> str:
    """``card:gcn (similarity 0.17): «text»``; a trial of another run names that run's task only where it is public."""
    if evidence.kind == "card":
        return f"{evidence.id} (similarity {evidence.similarity:.2f}): {quoted(evidence.text)}"
    why = _MENTIONED.sub(lambda match: f"task {public_task(match['name'])}", evidence.why)
    return f"{evidence.id} (similarity {evidence.similarity:.2f}; {quoted(scrubbed(why))}): {quoted(scrubbed(evidence.text))}"


def may_be_cited(evidence: Evidence) -> bool:
    """False for trials and findings of another run whose name, made from its task's, would tell what the task is called."""
    run = evidence.id.partition(":")[2].rpartition("/")[0]
    found = _RUN.fullmatch(run)
    return not run or (found is not None and found["task"] in {slug(name) for name in task_names()})
