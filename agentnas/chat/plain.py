"""What free text is answered with where no model is asked: a greeting, or what was understood of it as the commands that do it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_GREETING = re.compile(r"\s*(?:hello|hi|hey|hallo|good (?:morning|day|evening)|greetings)\b[\s!.,]*(?:there)?[\s!.,]*$", re.IGNORECASE)
_THANKS = re.compile(r"\b(?:thanks|thank you|cheers)\b", re.IGNORECASE)
_BYE = re.compile(r"\s*(?:bye|goodbye|good night|see you)\b", re.IGNORECASE)
_FILE = re.compile(r"(?:[\w./~-]+\.(?:csv|tsv|npz|npy|json|pt|pkl|parquet|txt|mat|gml|graphml))\b")
_PARAMS = re.compile(r"(\d[\d,.]*\s?[kKM]?)\s*(?:parameters|params|weights)\b")
_LATENCY = re.compile(r"(\d+(?:\.\d+)?)\s*(?:ms|milliseconds?)\b")
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(h|hours?|m|min|minutes?|s|seconds?)\b")
_TRIALS = re.compile(r"(\d+)\s*trials\b")
_WHY = re.compile(r"\bwhy\b.*?\b(t\d{4,}|best|winner)\b", re.IGNORECASE)
# The first that fits is what was meant.
_MEANT = (
    (re.compile(r"\b(?:status|progress|how far|how is (?:it|the run))\b", re.IGNORECASE), "/status"),
    (re.compile(r"\b(?:best|leaderboard|winner)\b", re.IGNORECASE), "/best"),
    (re.compile(r"\b(?:cost|spent|dollars)\b", re.IGNORECASE), "/cost"),
    (re.compile(r"\b(?:stop|cancel|abort)\b", re.IGNORECASE), "/stop"),
    (re.compile(r"\breport\b", re.IGNORECASE), "/report"),
    (re.compile(r"\b(?:export|save the model|download)\b", re.IGNORECASE), "/export"),
    (re.compile(r"\b(?:start|run|go|begin)\b", re.IGNORECASE), "/run"),
    (re.compile(r"\b(?:tasks|data ?sets?)\b", re.IGNORECASE), "/tasks"),
)  # fmt: skip
HINT = "No language model is asked (agentnas chat --llm openai:MODEL would ask one), so I read commands. "
START = "/task NAME shows a task and chooses it, /plan shows what a run would do, /run starts it, /help lists everything."


def answer(text: str, tasks: Sequence[str]) -> str:
    """A useful answer to free text."""
    if _GREETING.match(text):
        return f"Hello! I design graph neural networks. {HINT}{START}"
    if _BYE.match(text):
        return "Goodbye! /exit or Ctrl-D leaves; a run that goes on is not stopped by it."
    found = list(understood(text, tasks))
    if found:
        return "\n".join([HINT + "What you say would be:", *(f"  {command}" for command in found)])
    if _THANKS.search(text):
        return "You are welcome."
    return HINT + START


def understood(text: str, tasks: Sequence[str]) -> Iterator[str]:
    """The commands that do what a text asks for, as far as rules can tell."""
    if match := _FILE.search(text):
        yield f"/data {match[0]}"
    settings = list(_settings(text, tasks))
    if settings:
        yield f"/plan {' '.join(settings)}"
    elif match := _WHY.search(text):
        yield f"/why {match[1]}"
    else:
        yield from [command for pattern, command in _MEANT if pattern.search(text)][:1]


def _settings(text: str, tasks: Sequence[str]) -> Iterator[str]:
    words = set(re.findall(r"[\w:.-]+", text.lower()))
    named = [task for task in tasks if task in words]
    if named:
        yield f"task={max(named, key=len)}"
    for name, pattern in (("max_params", _PARAMS), ("max_latency_ms", _LATENCY), ("trials", _TRIALS)):
        if match := pattern.search(text):
            yield f"{name}={match[1].replace(' ', '').rstrip('.,')}"
    if match := _TIME.search(text):
        yield f"time={match[1]}{match[2][0]}"
