"""Recordings: what they hold, how they are replayed, and what is said where they do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentnas.agents.llm.base import BadRequestError, Message, ServerError
from agentnas.agents.llm.consult import prompt_hash
from agentnas.agents.llm.names import make_llm
from agentnas.agents.llm.recording import Recording, Replay
from agentnas.agents.llm.scripted import NoAnswerLeftError, Question, Scripted
from agentnas.tools.errors import ConfigError
from tests.agents.llm.answers import PLAN, QUESTION, TEXT, Plan, Verdict
from tests.agents.llm.conformance import ask
from tests.llm_server import Fault, LLMServer

VERDICT = '{"verdict": "stop", "reason": "flat", "trials": 3}'


def recorded(file: Path) -> None:
    """A run of two models that share a file: a planner twice, an analyst once, and a call that failed."""
    planner = Recording(Scripted([TEXT, ServerError("busy"), "I cannot."], "openai:p"), file, task="cora")
    analyst = Recording(Scripted([VERDICT], "openai:a"), file, task="cora")
    ask(planner)
    analyst.ask("analyst", QUESTION, Verdict, max_tokens=100, timeout_s=1.0)
    with pytest.raises(ServerError):
        ask(planner)
    ask(planner)


def test_a_recording_holds_answers_and_no_prompt(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    recorded(file)
    header, *lines = map(json.loads, file.read_text().splitlines())
    assert (header["recording"], header["version"], header["task"]) == ("agentnas", 2, "cora")
    schema = json.dumps(Plan.model_json_schema(), sort_keys=True)
    assert lines[0] == {
        "role": "planner", "prompt_hash": prompt_hash(QUESTION, schema), "text": TEXT, "finish": "stop", "model": "openai:p",
        "input_tokens": 7, "output_tokens": len(TEXT) // 4, "cached_tokens": 0,
    }  # fmt: skip
    assert [(line["role"], line["text"], line["model"]) for line in lines[1:]] == [
        ("analyst", VERDICT, "openai:a"), ("planner", "I cannot.", "openai:p"),
    ]  # fmt: skip
    assert "Plan the next round" not in file.read_text()


def test_a_replay_says_the_same_by_role_and_order(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    recorded(file)
    replay = Replay(file, "replay:run")
    verdict = replay.ask("analyst", QUESTION, Verdict, max_tokens=100, timeout_s=1.0)
    first, second = ask(replay), ask(replay)
    assert (first.value, first.model, second.value, second.text) == (PLAN, "openai:p", None, "I cannot.")
    assert verdict.value == Verdict(verdict="stop", reason="flat", trials=3)
    assert replay.warnings == []
    assert (replay.demonstration, replay.free) == (True, True)
    with pytest.raises(NoAnswerLeftError, match="replay:run: the recording has no further answer for planner; it holds 2") as caught:
        ask(replay)
    assert (caught.value.retryable, caught.value.kind) == (False, "failed")
    with pytest.raises(NoAnswerLeftError, match="no further answer for coder; it holds 0"):
        replay.ask("coder", QUESTION, Plan, max_tokens=100, timeout_s=1.0)


def test_a_resumed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    recorded(file)
    replay = Replay(file, "replay:run", skip={"planner": 1, "coder": 0})
    assert ask(replay).text == "I cannot."


def test_a_prompt_that_differs_is_one_warning(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    recorded(file)
    replay = Replay(file, "replay:run")
    for _ in range(2):
        replay.ask("planner", (Message("user", "another prompt"),), Plan, max_tokens=100, timeout_s=1.0)
    assert replay.warnings == [
        "replay:run: the prompt of planner's question 1 differs from the recorded one; the recorded answers may not fit"
    ]


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    recorded(file)
    file.write_bytes(file.read_bytes()[:-9])
    replay = Replay(file, "replay:run")
    assert ask(replay).value == PLAN
    with pytest.raises(NoAnswerLeftError):
        ask(replay)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is no recording"),
        (b'{"type": "run_started"}\n', "is no recording"),
        (b"\xff\xfe\n", "is no recording"),
        (b'{"recording": "agentnas", "version": 9, "recorded": "2030-01-01"}\n', "version 9, allowed: 1 to 2"),
        (b'{"recording": "agentnas", "version": 1, "recorded": "2026-01-01"}\n{"role": "planner"}\n', "line 2 is no answer"),
    ],
)
def test_a_file_that_is_no_recording(tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    with pytest.raises(ConfigError, match=said):
        Replay(file, "replay:file")
    if data:
        with pytest.raises(ConfigError, match=said):
            Recording(Scripted([TEXT]), file)
        assert file.read_bytes() == data


def test_a_recording_needs_a_place_and_outlives_the_loss_of_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        Recording(Scripted([TEXT]), tmp_path / "no" / "folder.jsonl")
    folder = tmp_path / "gone"
    folder.mkdir()
    recording = Recording(Scripted([TEXT, TEXT]), folder / "run.jsonl")
    (folder / "run.jsonl").unlink()
    folder.rmdir()
    assert [ask(recording).value, ask(recording).value] == [PLAN, PLAN]
    assert len(recording.warnings) == 1
    assert "the recording ends here" in recording.warnings[0]


def test_no_key_is_recorded(tmp_path: Path) -> None:
    file, key = tmp_path / "run.jsonl", "sk-secret-0123456789"
    with LLMServer([TEXT, Fault(401)]) as server:
        recording = Recording(make_llm(f"openai:m@{server.url}", environment={"OPENAI_API_KEY": key}), file)
        recording.check()
        assert ask(recording).value == PLAN
        with pytest.raises(BaseException, match="401"):
            ask(recording)
        recording.close()
    assert [asked.key for asked in server.history] == [key, key]
    assert key not in file.read_text()
    assert recording.name == f"openai:m@{server.url}"
    assert (recording.free, recording.demonstration) == (False, False)


class TestScripted:
    def test_a_function_answers_and_history_remembers(self) -> None:
        model = Scripted(lambda role, messages: TEXT if role == "planner" else f"{role}: {messages[-1].content}")
        assert ask(model).value == PLAN
        pieces = model.stream("chat", (Message("user", "hello"),), max_tokens=9, timeout_s=1.0)
        assert "".join(pieces) == "chat: hello"
        assert model.history == [Question("planner", QUESTION), Question("chat", (Message("user", "hello"),))]

    def test_a_failure_is_raised_and_the_queue_goes_on(self) -> None:
        model = Scripted([BadRequestError("no"), TEXT])
        with pytest.raises(BadRequestError, match="no"):
            ask(model)
        assert ask(model).value == PLAN
        with pytest.raises(NoAnswerLeftError, match="scripted: the script has no further answer for planner"):
            ask(model)

    def test_an_answer_that_is_too_long_is_cut(self) -> None:
        reply = Scripted([TEXT]).ask("planner", QUESTION, Plan, max_tokens=10, timeout_s=1.0)
        assert (reply.text, reply.finish, reply.value, reply.usage.output) == (TEXT[:40], "length", None, 10)
