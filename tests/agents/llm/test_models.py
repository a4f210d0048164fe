"""Every maker of a language model keeps the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agentnas.agents.llm.base import LLM
from agentnas.agents.llm.names import make_llm
from agentnas.agents.llm.recording import Recording, Replay
from agentnas.agents.llm.scripted import Ended, Scripted
from tests.agents.llm.answers import QUESTION
from tests.agents.llm.conformance import Conformance, Maker, ask
from tests.llm_server import Answer, Finished, LLMServer


@pytest.fixture
def served() -> Iterator[Callable[..., Maker]]:
    """Makers of models behind a server of their own: ``served("openai-chat", knows=())``."""
    with ExitStack() as stack:

        def maker(kind: str, suffix: str = "", knows: tuple[str, ...] = ("schema", "tool")) -> Maker:
            def made(*answers: Answer) -> LLM:
                server = stack.enter_context(LLMServer(answers, knows=knows))
                url = server.root if kind == "anthropic" else server.url
                model = make_llm(f"{kind}:a/model:8b@{url}{suffix}", environment={})
                stack.callback(model.close)
                return model

            return made

        yield maker


class TestOpenAIChat(Conformance):
    @pytest.fixture
    def made(self, served: Callable[..., Maker]) -> Maker:
        return served("openai")


class TestOpenAIResponses(Conformance):
    @pytest.fixture
    def made(self, served: Callable[..., Maker]) -> Maker:
        return served("openai-responses")


class TestAnthropic(Conformance):
    @pytest.fixture
    def made(self, served: Callable[..., Maker]) -> Maker:
        return served("anthropic")


class TestToolOfAnthropic(Conformance):
    @pytest.fixture
    def made(self, served: Callable[..., Maker]) -> Maker:
        return served("anthropic", knows=("tool",))


class TestToolOfChat(Conformance):
    @pytest.fixture
    def made(self, served: Callable[..., Maker]) -> Maker:
        return served("openai", knows=("tool",))


class TestText(Conformance):
    """A server that knows neither schemas nor tools."""

    @pytest.fixture
    def made(self, served: Callable[..., Maker]) -> Maker:
        return served("openai", suffix="?mode=text", knows=())


class TestTextOfResponses(Conformance):
    @pytest.fixture
    def made(self, served: Callable[..., Maker]) -> Maker:
        return served("openai-responses", knows=())


class TestScripted(Conformance):
    @pytest.fixture
    def made(self) -> Maker:
        return lambda *answers: Scripted(map(written, answers))


class TestReplay(Conformance):
    @pytest.fixture
    def made(self, tmp_path: Path) -> Maker:
        """A replay of what another model answered, to questions and in conversation."""

        def made(*answers: Answer) -> LLM:
            file = tmp_path / "run.jsonl"
            recording = Recording(Scripted({role: map(written, answers) for role in ("planner", "chat")}), file, task="cora")
            for _ in answers:
                ask(recording)
                list(recording.stream("chat", QUESTION, max_tokens=100, timeout_s=5.0))
            return Replay(file, f"replay:{file}")

        return made


def written(answer: Answer) -> str | dict[str, object] | Ended:
    assert isinstance(answer, (str, dict, Finished))
    return Ended(answer.text, answer.finish) if isinstance(answer, Finished) else answer
