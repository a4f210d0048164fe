"""A run that thinks with a model, killed with SIGKILL in each node of the graph: no answer that was received is asked for again."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentnas.memory import events as ev
from agentnas.memory.journal import Journal
from agentnas.memory.runs import list_runs
from tests.llm_server import LLMServer
from tests.minds import role_of, think
from tests.proofs.test_kills import kept, launch, outcome

FULL = os.environ.get("AGENTNAS_PROVE") == "1"
SETTINGS = {"task": "nasbench:cora", "trials": 25, "seed": 5}
NODES = (
    "card", "recall", "plan", "review", "draft", "check", "evaluate", "analyse", "remember", "confirm", "choose", "open_test",
    "baselines", "export", "report",
)  # fmt: skip
ONCE = {"card", "confirm", "choose", "open_test", "baselines", "export", "report"}
# Where a call is in flight, and where its answer has just come, and how often each comes in the run at least.
CALLS = {"llm_asked": 4, "llm_answered": 4, "llm_judged": 4}
# In the middle of a node's work too, which a delay of a moment reaches.
DELAYS = (0.0, 0.03) if FULL else (0.0,)


@pytest.fixture(scope="module")
def server() -> Iterator[LLMServer]:
    with LLMServer(think, role_of=role_of) as serving:
        yield serving


@pytest.fixture(scope="module")
def whole(server: LLMServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, tuple[float, ...]]:
    """The outcome of the run that was never killed."""
    folder = tmp_path_factory.mktemp("whole")
    launch(settings(server), folder)
    return outcome(folder)


def settings(server: LLMServer) -> dict[str, object]:
    return {**SETTINGS, "llm": f"openai:m@{server.url}"}


def moments() -> list[tuple[str, int]]:
    """Each node, when it is first entered and in a later round; each kind of event about a call, for the first and a later one."""
    nodes = [(f"node:{name}", count) for name in NODES for count in ((1,) if name in ONCE else (1, 2))]
    return nodes + [(kind, count) for kind, most in CALLS.items() for count in range(1, most + 1)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kind", "count"), moments())
def test_killed_there_it_asks_nothing_twice_and_ends_the_same(
    kind: str, count: int, server: LLMServer, whole: tuple[str, tuple[float, ...]], tmp_path: Path
) -> None:
    if not FULL and (kind, count) not in (("node:draft", 2), ("node:analyse", 2), ("llm_asked", 2), ("llm_answered", 2)):
        pytest.skip("one of the moments that make prove kills at")
    for delay in DELAYS:
        folder = tmp_path / f"{delay}"
        before = len(server.history)
        assert launch(settings(server), folder, kind, count, delay) == -9 or delay > 0
        (run,) = list_runs(folder)
        first = Journal.read(run.path / "events.jsonl")
        assert launch({**settings(server), "resume": "latest"}, folder) == 0
        events = Journal.read(run.path / "events.jsonl")
        assert kept(first, events), "an event that was on disk is gone"
        assert_asked_once(events, len(server.history) - before)
        assert outcome(folder) == whole


def assert_asked_once(events: list[ev.AnyEvent], requests: int) -> None:
    """Each question has one answer, and is asked again only where the process died before the answer came."""
    asked = [event for event in events if isinstance(event, ev.LLMAsked)]
    answered = {event.call for event in events if isinstance(event, ev.LLMAnswered)}
    questions = Counter((event.role, event.round, event.step) for event in asked if event.call in answered)
    assert [question for question, times in questions.items() if times > 1] == [], "an answer was asked for again"
    in_flight = len(asked) - len(answered)
    assert in_flight <= 1, "one call is in flight when everything dies"
    assert requests in (len(asked), len(asked) - in_flight), "the server saw what the journal says"
    assert len({p.trial for e in events if isinstance(e, ev.ProposalsDrafted) for p in e.proposals}) == 25
