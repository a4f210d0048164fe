"""Names of models as people type them, keys and where they go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentnas.agents.llm.anthropic_provider import AnthropicMessages
from agentnas.agents.llm.base import CredentialsError
from agentnas.agents.llm.names import Named, dotenv, make_llm, parse
from agentnas.agents.llm.openai_provider import OpenAIChat, OpenAIResponses
from agentnas.agents.llm.recording import Recording, Replay
from agentnas.agents.llm.scripted import Scripted
from agentnas.tools.errors import ConfigError, UsageError
from tests.agents.llm.answers import PLAN, TEXT
from tests.agents.llm.conformance import ask
from tests.llm_server import LLMServer

KEYS = {"OPENAI_API_KEY": "sk-openai-key", "ANTHROPIC_API_KEY": "sk-ant-key"}
OLLAMA = "http://127.0.0.1:11434/v1"


@pytest.mark.parametrize(
    ("name", "kind", "shown"),
    [
        ("openai:gpt-5", OpenAIResponses, None),
        (f"openai:llama3.1:8b@{OLLAMA}", OpenAIChat, None),
        (f"openai:llama3.1:8b@{OLLAMA}/?mode=text", OpenAIChat, f"openai:llama3.1:8b@{OLLAMA}"),
        ("openai-chat:gpt-5", OpenAIChat, None),
        ("openai-responses:org/model@https://gateway.example/v1", OpenAIResponses, None),
        ("anthropic:claude-sonnet-4-5", AnthropicMessages, None),
        ("anthropic:claude-3@20240229@http://localhost:8000", AnthropicMessages, None),
    ],
)
def test_a_name_makes_a_model_and_is_its_name(name: str, kind: type, shown: str | None) -> None:
    model = make_llm(name, environment=KEYS)
    assert type(model) is kind
    assert model.name == (shown or name)
    assert "key" not in repr(model)


def test_the_parts_of_a_name() -> None:
    assert parse("openai", f"meta/llama3.1:8b@{OLLAMA}?mode=tool") == Named("openai", "meta/llama3.1:8b", OLLAMA, "tool")
    assert parse("anthropic", "claude@20240229") == Named("anthropic", "claude@20240229", None, None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("opena:gpt-5", "opena:gpt-5: unknown provider 'opena'; did you mean openai"),
        ("gpt-5", "unknown provider 'gpt-5'; allowed: anthropic, openai, openai-chat, openai-responses, replay, scripted"),
        ("openai", "openai: names no model or file"),
        ("openai:", "openai: names no model or file"),
        ("openai:gpt 5", "is no name of a model"),
        ("openai:m@http://", "is no name of a model"),
        ("openai:m@not-a-url", "openai:m@not-a-url: 'not-a-url' is no address; allowed after @: http://HOST:PORT/PATH or https://...; "),
        ("openai:m@me:pass-word@host", "openai:m@host: 'host' is no address"),
        ("anthropic:m@localhost:8000/v1", "'localhost:8000/v1' is no address"),
        (f"openai:m@{OLLAMA}?mode=json", "unknown mode 'json'; allowed: schema, text, tool"),
        (f"openai:m@{OLLAMA}?key=sk-secret", "is no name of a model"),
        ("openai:m@https://me:pass-word@host/v1", "the address holds a password or no host; give the key in OPENAI_API_KEY"),
        ("openia:m@https://me:pass-word@host/v1", r"openia:m@https://...@host/v1: unknown provider"),
        ("replay:nothing-like-it", "no such file, and no recording of that name ships"),
    ],
)
def test_a_name_that_is_none(name: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_llm(name, environment=KEYS)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "pass-word" not in str(caught.value)


class TestKeys:
    @pytest.mark.parametrize(("name", "variable"), [("openai:gpt-5", "OPENAI_API_KEY"), ("anthropic:claude", "ANTHROPIC_API_KEY")])
    def test_a_missing_key_is_named(self, name: str, variable: str, tmp_path: Path) -> None:
        for environment in ({}, {variable: "  "}):
            with pytest.raises(CredentialsError, match=f"{name}: no key; set {variable}, in the environment or in") as caught:
                make_llm(name, environment=environment, folder=tmp_path)
        assert caught.value.exit_code == 4

    def test_a_file_of_the_current_folder_holds_keys(self, tmp_path: Path) -> None:
        lines = ["# mine", "export OPENAI_API_KEY='sk-of file'", "", "A=1 # one", 'B = "x # y"', "ANTHROPIC_API_KEY=", "broken"]
        (tmp_path / ".env").write_text("\n".join(lines))
        assert dotenv(tmp_path) == {"OPENAI_API_KEY": "sk-of file", "A": "1", "B": "x # y", "ANTHROPIC_API_KEY": ""}
        with LLMServer([TEXT, TEXT]) as server:
            for environment in ({}, {"OPENAI_API_KEY": "sk-of-environment"}):
                model = make_llm(f"openai:m@{server.url}", environment=environment, folder=tmp_path)
                assert ask(model).value == PLAN
                model.close()
        assert [asked.key for asked in server.history] == ["sk-of file", "sk-of-environment"]

    def test_no_file_and_no_text(self, tmp_path: Path) -> None:
        assert dotenv(tmp_path) == {}
        (tmp_path / ".env").write_bytes(b"\xff\xfe")
        assert dotenv(tmp_path) == {}

    @pytest.mark.parametrize(
        ("address", "sent"),
        [("http://127.0.0.1:1/v1", True), ("http://localhost/v1", True), ("https://host/v1", True), ("http://192.168.0.9/v1", False)],
    )
    def test_a_key_goes_over_plain_http_to_this_machine_alone(self, address: str, sent: bool) -> None:
        model = make_llm(f"openai:m@{address}", environment=KEYS)
        assert isinstance(model, OpenAIChat)
        assert (model._where.key is not None) is sent

    def test_the_keys_of_the_process_stay_out_of_other_servers(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """What the SDKs would read from the environment by themselves."""
        monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-of-environment")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-environment")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-environment")
        with LLMServer([TEXT, TEXT]) as server:
            for name in (f"openai:m@{server.url}", f"anthropic:m@{server.root}"):
                model = make_llm(name, environment={}, folder=tmp_path)
                assert ask(model).value == PLAN
                model.close()
        sent = json.dumps([asked.headers for asked in server.history])
        assert "of-environment" not in sent


class TestFiles:
    def test_a_script(self, tmp_path: Path) -> None:
        file = tmp_path / "script.json"
        file.write_text(json.dumps({"planner": [json.loads(TEXT), "nothing"]}))
        model = make_llm(f"scripted:{file}", environment={})
        assert isinstance(model, Scripted)
        assert [ask(model).value, ask(model).value] == [PLAN, None]
        assert ask(make_llm(f"scripted:{file}", skip={"planner": 1})).value is None
        file.write_text(json.dumps([1, 2, json.loads(TEXT)]))
        assert ask(make_llm(f"scripted:{file}", skip={"planner": 1, "coder": 1})).value == PLAN

    @pytest.mark.parametrize(
        ("text", "said"), [("{", "not JSON"), ("7", "holds 7"), ('{"planner": "x"}', "holds 'x'"), (None, "cannot be read")]
    )
    def test_a_file_that_is_no_script(self, text: str | None, said: str, tmp_path: Path) -> None:
        file = tmp_path / "script.json"
        if text is not None:
            file.write_text(text)
        with pytest.raises(ConfigError, match=said) as caught:
            make_llm(f"scripted:{file}")
        assert "\n" not in str(caught.value)

    def test_a_recording(self, tmp_path: Path) -> None:
        file = tmp_path / "a.jsonl"
        ask(Recording(Scripted([TEXT]), file))
        model = make_llm(f"replay:{file}")
        assert isinstance(model, Replay)
        assert model.name == f"replay:{file}"
        assert ask(model).value == PLAN
