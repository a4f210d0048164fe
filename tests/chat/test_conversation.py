"""A model that behaves, and one that does not: tools, made-up numbers, wrong arguments, nonsense, loops, faults, limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentnas.agents.llm.spending import Limits
from agentnas.chat import session as se
from agentnas.chat.conversation import MOST_STEPS
from agentnas.run import Run
from tests.chat.talking import talking
from tests.llm_server import Calls, Cut, Fault, Finished, LLMServer, calls


def test_an_answer_rests_on_tools_and_each_is_shown_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    answers: list[Any] = [calls("show_task", {"name": "nasbench:cora"}, "Let me look."), "It has 2,708 nodes and homophily 0.81."]
    with LLMServer(answers) as server, talking(tmp_path, server) as talk:
        shown = talk.say("what is nasbench:cora like?")
    assert shown == "Let me look.\nIt has 2,708 nodes and homophily 0.81.\n"
    found = "2708 nodes, 10556 edges, 1433 features, 7 classes"
    assert talk.err.getvalue() == f'· show_task("nasbench:cora") → {found}\n'
    assert "2708 nodes" in server.history[1].messages[-1][1], "the model was told what the tool found"
    assert "[The next run as planned: nothing set yet. The run spoken of: none.]" in server.history[0].text


def test_a_number_that_no_tool_gave_is_flagged_and_told_once(tmp_path: Path) -> None:
    answers: list[Any] = ["GCN reaches 91.2 on it.", "It reaches 90.7, I am sure."]
    with LLMServer(answers) as server, talking(tmp_path, server) as talk:
        talk.say("how good is gcn?")
    assert talk.err.getvalue() == "unverified: 91.2 is in no tool result\nunverified: 90.7 is in no tool result\n"
    assert len(server.history) == 2, "told once, not for ever"
    assert "in no tool result of this conversation" in server.history[1].messages[-1][1]
    assert "91.2" in server.history[1].messages[-1][1]


def test_what_the_person_said_may_be_repeated(tmp_path: Path) -> None:
    with (
        LLMServer(["So at most 50,000 parameters, 2.5 ms and 20 minutes; two layers may do."]) as server,
        talking(tmp_path, server) as talk,
    ):
        talk.say("under 50k parameters, 2.5 ms on CPU, I have 20 minutes")
    assert talk.err.getvalue() == ""


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (calls("plan", {"max_params": "many"}), "- max_params is 'many'; allowed:"),
        (calls("plan", {"max_parms": 5}), "- max_parms is no field; did you mean max_params"),
        (calls("plan", "not json"), "The arguments hold no JSON object; it begins 'not json'"),
        (calls("plan", '{"task":' * 2000), "The arguments "),
        (calls("show_task", {}), "- name is missing; allowed: text (name of a task"),
        (calls("dance", {}), "There is no tool 'dance'; allowed: "),
        (calls("show_task", {"name": "coar"}), "error: "),
    ],
)  # fmt: skip
def test_wrong_calls_are_told_precisely_and_tried_again(wrong: Calls, told: str, tmp_path: Path) -> None:
    with LLMServer([wrong, "Done."]) as server, talking(tmp_path, server) as talk:
        assert talk.say("plan it") == "Done.\n"
    assert told in server.history[1].messages[-1][1]
    assert talk.app.desk.settings == {}


def test_a_model_that_cannot_call_tools_right_ends_in_an_apology(tmp_path: Path) -> None:
    with LLMServer([calls("plan", {"trials": "lots"})] * 3) as server, talking(tmp_path, server) as talk:
        shown = talk.say("plan it")
    assert " ".join(shown.split()).startswith("Sorry, I could not do that: plan was called wrongly 3 times: The arguments do not fit:")
    assert "/help" in shown
    assert talk.err.getvalue().count("· plan(") == 3


def test_empty_answers_are_told_then_an_apology(tmp_path: Path) -> None:
    with LLMServer(["", "  ", "Here I am again."]) as server, talking(tmp_path, server) as talk:
        assert "Sorry, I could not do that: the model gives no answer" in talk.say("hello")
        assert talk.say("hello?") == "Here I am again.\n"
    assert server.history[1].messages[-1][1].startswith("Your answer was empty")


def test_nonsense_is_shown_without_commanding_the_terminal(tmp_path: Path) -> None:
    with LLMServer(["\x1b[2J\x1b]0;owned\x07 \x00\x08wub wub \u200b"]) as server, talking(tmp_path, server) as talk:
        shown = talk.say("hello")
    assert shown.strip() == "wub wub"
    assert all(c.isprintable() or c == "\n" for c in shown)


def test_json_that_is_too_deep_to_be_read_is_an_answer_like_any_other(tmp_path: Path) -> None:
    deep = '{"name":' * 2000
    with LLMServer([deep]) as server, talking(tmp_path, server) as talk:
        assert talk.say("hello").replace("\n", "") == deep


def test_an_endless_loop_of_tools_ends(tmp_path: Path) -> None:
    with LLMServer(lambda _: calls("cost")) as server, talking(tmp_path, server) as talk:
        assert f"called tools {MOST_STEPS} times without an answer" in " ".join(talk.say("what does it cost?").split())
    assert len(server.history) == MOST_STEPS


def test_a_call_that_is_written_as_text_is_made(tmp_path: Path) -> None:
    written = json.dumps({"name": "plan", "arguments": {"task": "nasbench:cora", "trials": 9}})
    with LLMServer([written, "Planned."]) as server, talking(tmp_path, server) as talk:
        assert talk.say("plan 9 trials") == "Planned.\n"
    assert talk.app.desk.settings == {"task": "nasbench:cora", "trials": 9}


@pytest.mark.parametrize("fault", [Fault(500), Fault(429, retry_after=0.01), Cut("")])
def test_a_fault_that_passes_is_waited_out(fault: Any, tmp_path: Path) -> None:
    with LLMServer([fault, "Hello."]) as server, talking(tmp_path, server) as talk:
        assert talk.say("hi") == "Hello.\n"
    assert talk.err.getvalue().count("trying again") == 1


def test_a_server_that_is_down_is_one_line_and_the_conversation_goes_on(tmp_path: Path) -> None:
    with LLMServer(["Hello."]) as server, talking(tmp_path, server) as talk:
        talk.say("hi")
        server.__exit__(None, None, None)
        talk.say("are you there?")
        assert talk.app.failed
        told = talk.say("/cost")
        assert "2,708" not in told
        assert told.startswith("this conversation: ")
        assert "to openai:m@" in told
    errors = [line for line in talk.err.getvalue().splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "cannot be reached" in errors[0]


def test_an_answer_that_breaks_off_is_kept_and_said(tmp_path: Path) -> None:
    with (
        LLMServer([Cut("A long sentence that never comes to its own end. " * 3), "Now whole."]) as server,
        talking(tmp_path, server) as talk,
    ):
        begun = talk.say("tell me")
        assert begun.startswith("A long sentence")
        assert talk.say("again") == "Now whole.\n"
    assert (
        "the connection was cut" in talk.err.getvalue() or "broke off" in talk.err.getvalue() or "cut the connection" in talk.err.getvalue()
    )
    assert server.history[1].messages[2][1].endswith("[interrupted]")


def test_an_answer_that_is_too_long_says_so(tmp_path: Path) -> None:
    with LLMServer([Finished("And so on and", "length")]) as server, talking(tmp_path, server) as talk:
        talk.say("tell me")
    assert "cut off at its longest" in talk.err.getvalue()


def test_limits_are_hard_and_slash_commands_go_on(tmp_path: Path) -> None:
    with LLMServer(["One.", "Two."]) as server, talking(tmp_path, server, limits=Limits(calls=1)) as talk:
        talk.say("one", "two")
        assert talk.app.failed
        assert "1 call to openai:m@" in talk.say("/cost")
    assert "1 calls made, --max-llm-calls is 1" in talk.err.getvalue()
    assert len(server.history) == 1


def test_no_run_starts_on_a_models_word(tmp_path: Path) -> None:
    answers: list[Any] = [calls("plan", {"task": "nasbench:cora", "trials": 7}), calls("start_run"), "Then not."]
    with LLMServer(answers) as server, talking(tmp_path, server) as talk:
        talk.say("go", )  # fmt: skip
    assert [question.splitlines()[-1] for question in talk.asked] == [
        "Start this run (nasbench:cora, 7 trials; $0: no language model is called)?"
    ]
    assert not (tmp_path / "runs").exists()
    assert "the person did not agree" in server.history[2].messages[-1][1]


def test_ctrl_c_leaves_a_conversation_that_goes_on(tmp_path: Path) -> None:
    def interrupted(_: str) -> bool:
        raise KeyboardInterrupt

    answers: list[Any] = [calls("plan", {"task": "nasbench:cora"}), Calls((("start_run", {}), ("cost", {}))), "Yes?"]
    with LLMServer(answers) as server, talking(tmp_path, server, answer=interrupted) as talk:
        talk.say("go")
        assert "interrupted" in talk.err.getvalue()
        assert talk.say("still there?") == "Yes?\n"
    tools = [turn for turn in server.history[2].body["messages"] if turn["role"] == "tool"]
    assert len(tools) == 3, "each call has a result"


def test_what_the_person_looked_at_is_known_to_the_model(tmp_path: Path, table_run: Run) -> None:
    with LLMServer(["It is 26,206 cells."]) as server, talking(tmp_path, server) as talk:
        talk.say("/task nasbench:cora", "how many cells?")
    assert "(The person called /task nasbench:cora, which printed:" in server.history[0].text
    assert talk.err.getvalue() == ""


def test_a_conversation_is_taken_up_again(tmp_path: Path) -> None:
    with LLMServer([calls("plan", {"task": "nasbench:cora", "trials": 9}), "Planned.", "It was 26,206, and 9 trials."]) as server:
        with talking(tmp_path, server) as talk:
            talk.say("plan 9 trials on nasbench:cora")
        file = tmp_path / "sessions" / "s.jsonl"
        file.write_bytes(file.read_bytes() + b'{"type": "answered", "te')
        with talking(tmp_path, server) as talk:
            assert talk.app.desk.settings == {"task": "nasbench:cora", "trials": 9}
            assert talk.app.recap() == "session s goes on; last you said: plan 9 trials on nasbench:cora"
            talk.say("how many cells was it?")
            assert talk.err.getvalue() == "", "what was found before may be stated"
    assert [role for role, _ in server.history[2].messages] == ["system", "user", "assistant", "tool", "assistant", "user"]


def test_a_session_of_a_process_that_died_between_call_and_result_can_be_continued(tmp_path: Path) -> None:
    with LLMServer(["Here."]) as server, talking(tmp_path, server) as talk:
        talk.app.session.append(se.Said(text="hi"))
        talk.app.session.append(se.Answered(text="", calls=(("a", "cost", "{}"),)))
        talk.app.restore()
        assert talk.say("and?") == "Here.\n"
    assert [turn["role"] for turn in server.history[0].body["messages"]] == ["system", "user", "assistant", "tool", "user"]


def test_keys_are_neither_kept_nor_sent(tmp_path: Path) -> None:
    key = "sk-proj-abcdefghijklmnop0123456789"
    with LLMServer(["Thanks."]) as server, talking(tmp_path, server) as talk:
        talk.say(f"use my key {key} please")
    assert key not in (tmp_path / "sessions" / "s.jsonl").read_text()
    assert key not in server.history[0].text
    assert "taken out" in talk.err.getvalue()
