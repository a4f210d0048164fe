"""Providers against a real server: what is sent, how a form is agreed on, every fault as the error that says who must act."""

from __future__ import annotations

import email.utils
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from agentnas.agents.llm import base
from agentnas.agents.llm.deadline import CONCURRENT_CALLS
from agentnas.agents.llm.names import make_llm
from tests.agents.llm.answers import PLAN, QUESTION, TEXT, Plan
from tests.agents.llm.conformance import ask
from tests.llm_server import FAULTS, Answer, Cut, Dribble, Fault, LLMServer, Raw, Stall
from tests.llm_server_shapes import Asked

KEY = "sk-test-0123456789abcdef"
KINDS = ("openai-chat", "openai-responses", "anthropic")
TURNS = (("system", "You plan."), ("user", "Plan the next round."))
every_kind = pytest.mark.parametrize("kind", KINDS)


opened: list[base.LLM] = []


def model_at(server: LLMServer, kind: str, key: str = KEY, suffix: str = "") -> base.LLM:
    variables = {"OPENAI_API_KEY": key, "ANTHROPIC_API_KEY": key}
    opened.append(make_llm(f"{kind}:m@{server.root if kind == 'anthropic' else server.url}{suffix}", environment=variables))
    return opened[-1]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Every model that a test made is closed behind it."""
    yield
    while opened:
        opened.pop().close()


@pytest.fixture(autouse=True)
def _proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment must not stand between the tests, or a person, and their own machine."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from keys_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from keys_of(part)


class TestRequest:
    @every_kind
    def test_the_schema_and_the_turns_are_sent_and_no_knobs(self, kind: str) -> None:
        with LLMServer([TEXT], key=KEY) as server:
            assert ask(model_at(server, kind)).value == PLAN
        (asked,) = server.history
        assert (asked.mode, asked.messages, asked.model, asked.max_tokens) == ("schema", TURNS, "m", 500)
        assert asked.schema is not None
        assert list(asked.schema["properties"]) == ["directions"]
        assert not {"temperature", "top_p", "seed", "user", "metadata"} & set(keys_of(asked.body))

    def test_nothing_is_stored_at_openai(self) -> None:
        with LLMServer([TEXT]) as server:
            ask(model_at(server, "openai-responses"))
        assert server.history[0].body["store"] is False

    @every_kind
    def test_cached_tokens_are_part_of_the_input(self, kind: str) -> None:
        with LLMServer([TEXT]) as server:
            usage = ask(model_at(server, kind)).usage
            text = server.history[0].text
        assert usage == base.Usage(len(text) // 4, len(TEXT) // 4, len(text) // 8)

    def test_a_server_that_wants_the_newer_limit_gets_it(self) -> None:
        def answer(asked: Asked) -> Answer:
            if "max_tokens" in asked.body:
                return Fault(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
            return TEXT

        with LLMServer(answer) as server:
            model = model_at(server, "openai-chat")
            assert [ask(model).value, ask(model).value] == [PLAN, PLAN]
        assert [sorted({"max_tokens", "max_completion_tokens"} & set(asked.body)) for asked in server.history] == [
            ["max_tokens"], ["max_completion_tokens"], ["max_completion_tokens"],
        ]  # fmt: skip

    def test_the_account_at_openai_is_not_told_to_others(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
        monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
        with LLMServer([TEXT]) as server:
            ask(model_at(server, "openai-chat"))
        assert not {"openai-organization", "openai-project"} & server.history[0].headers.keys()


class TestForm:
    @every_kind
    @pytest.mark.parametrize(
        ("knows", "modes"),
        [
            (("schema", "tool"), ["schema", "schema"]),
            (("tool",), ["schema", "tool", "tool"]),
            ((), ["schema", "tool", "text", "text"]),
        ],
    )
    def test_what_a_server_refuses_is_asked_for_in_another_way_and_remembered(self, kind: str, knows: Any, modes: list[str]) -> None:
        with LLMServer([TEXT, TEXT], knows=knows) as server:
            assert ask(model_at(server, kind)).value == PLAN
            assert ask(model_at(server, kind)).value == PLAN
        assert [asked.mode for asked in server.history] == modes

    def test_a_person_may_say_what_a_server_knows(self) -> None:
        modes = ["schema", "tool", "text"]
        with LLMServer([TEXT] * 3) as server:
            for mode in modes:
                ask(model_at(server, "openai-chat", suffix=f"?mode={mode}"))
        assert [asked.mode for asked in server.history] == modes

    def test_text_mode_says_the_schema_in_the_last_turn(self) -> None:
        with LLMServer([f"Sure!\n```json\n{TEXT}\n```"]) as server:
            assert ask(model_at(server, "openai-chat", suffix="?mode=text")).value == PLAN
        (role, text) = server.history[0].messages[-1]
        assert role == "user"
        assert text.startswith("Plan the next round.\n\nAnswer with one JSON object")
        assert '"directions":{"type":"array"' in text

    def test_a_server_that_takes_a_schema_and_ignores_it_is_asked_in_text_from_then_on(self) -> None:
        with LLMServer(["I like attention.", TEXT]) as server:
            model = model_at(server, "openai-chat")
            assert ask(model).value is None
            assert ask(model).value == PLAN
        assert [asked.mode for asked in server.history] == ["schema", "text"]

    @every_kind
    def test_a_request_that_is_refused_in_every_way_raises_the_first_refusal(self, kind: str) -> None:
        refusals = [Fault(400, f"your prompt is too long ({number})") for number in (1, 2, 3)]
        with LLMServer([*refusals, TEXT]) as server, pytest.raises(base.BadRequestError, match=r"too long \(1\)"):
            ask(model_at(server, kind))
        assert [asked.mode for asked in server.history] == ["schema", "tool", "text"]


ERRORS = {
    "unauthorised": base.CredentialsError, "forbidden": base.CredentialsError, "unknown_model": base.UnknownModelError,
    "bad_request": base.BadRequestError, "rate_limited": base.RateLimitedError, "server_error": base.ServerError,
    "overloaded": base.ServerError, "stall": base.ConnectionFailedError, "dribble": base.ConnectionFailedError,
    "cut": base.ConnectionFailedError, "html": base.ServerError, "broken_body": base.ServerError,
}  # fmt: skip
FINISHES = {"truncated": "length", "not_json": "stop", "other_json": "stop", "refusal": "refusal", "filtered": "refusal", "empty": "stop"}


def test_every_fault_of_the_server_is_expected_here() -> None:
    assert FAULTS.keys() == ERRORS.keys() | FINISHES.keys()


class TestFaults:
    @every_kind
    @pytest.mark.parametrize("fault", ERRORS)
    def test_a_call_that_failed_raises(self, kind: str, fault: str) -> None:
        with LLMServer(lambda _: FAULTS[fault](TEXT)) as server:
            model = model_at(server, kind)
            start = time.monotonic()
            with pytest.raises(ERRORS[fault]) as caught:
                ask(model, timeout_s=0.5)
            assert time.monotonic() - start < 1.5
        assert type(caught.value) is ERRORS[fault]
        assert len(str(caught.value).splitlines()) == 1
        assert str(caught.value).startswith(model.name)
        seen = "".join(traceback.format_exception(caught.value)) + repr(model) + repr(caught.value)
        assert KEY not in seen
        assert KEY[3:] not in seen

    @every_kind
    @pytest.mark.parametrize("fault", FINISHES)
    def test_an_answer_that_is_none_is_a_reply(self, kind: str, fault: str) -> None:
        with LLMServer([FAULTS[fault](TEXT)]) as server:
            reply = ask(model_at(server, kind))
        assert (reply.value, reply.finish) == (None, FINISHES[fault])
        assert reply.problem

    @every_kind
    def test_a_server_that_dribbles_headers_does_not_get_past_the_deadline(self, kind: str) -> None:
        with LLMServer([Dribble(0.1, TEXT, headers_too=True)]) as server:
            start = time.monotonic()
            with pytest.raises(base.ConnectionFailedError, match=r"no answer within 0\.4 s"):
                ask(model_at(server, kind), timeout_s=0.4)
            assert time.monotonic() - start < 1.0

    @every_kind
    def test_nobody_listens(self, kind: str) -> None:
        with LLMServer([]) as server:
            model = model_at(server, kind)
        for call in (lambda: ask(model), lambda: model.check(2.0), lambda: next(iter(stream(model)))):
            with pytest.raises(base.ConnectionFailedError, match="cannot be reached"):
                call()

    @every_kind
    @pytest.mark.parametrize(
        ("fault", "seconds"),
        [
            (Fault(429, retry_after=7), 7.0),
            (Fault(429, retry_after="0.5"), 0.5),
            (Fault(429, headers={"retry-after-ms": "1500", "retry-after": "9"}), 1.5),
            (Fault(429, retry_after="soon"), None),
            (Fault(429, retry_after="-3"), 0.0),
            (Fault(429, retry_after="nan"), None),
            (Fault(529, retry_after=4), 4.0),
            (Fault(500), None),
        ],
    )
    def test_the_server_says_how_long_to_wait(self, kind: str, fault: Fault, seconds: float | None) -> None:
        with LLMServer([fault]) as server, pytest.raises(base.LLMError) as caught:
            ask(model_at(server, kind))
        assert (caught.value.retryable, caught.value.retry_after) == (True, seconds)

    def test_a_date_to_wait_for(self) -> None:
        date = email.utils.formatdate(time.time() + 30, usegmt=True)
        with LLMServer([Fault(429, retry_after=date)]) as server, pytest.raises(base.RateLimitedError) as caught:
            ask(model_at(server, "openai-chat"))
        assert caught.value.retry_after is not None
        assert 25 < caught.value.retry_after <= 30

    @every_kind
    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            (Fault(402, "Payment required"), base.CredentialsError),
            (Fault(400, "Your credit balance is too low to access the API."), base.CredentialsError),
            (Fault(400, "API key not valid. Please pass a valid API key."), base.CredentialsError),
            (Fault(404, "no such path"), base.BadRequestError),
            (Fault(422, "field required"), base.BadRequestError),
            (Fault(408, "timeout"), base.ConnectionFailedError),
            (Fault(409, "conflict"), base.ServerError),
            (Fault(501, "not implemented"), base.BadRequestError),
            (Fault(503, "no capacity"), base.ServerError),
            (Raw('{"error": {"message": "upstream failed"}}'), base.ServerError),
            (Raw('{"error": {"code": "rate_limit_exceeded", "message": "slow down"}}'), base.RateLimitedError),
            (Raw('["weather"]'), base.ServerError),
            (Raw('{"choices": [], "output": null, "content": "no list"}'), base.ServerError),
            (Raw("null"), base.ServerError),
        ],
        ids=str,
    )
    def test_who_must_act(self, kind: str, fault: Answer, error: type[Exception]) -> None:
        with LLMServer(lambda _: fault) as server, pytest.raises(error) as caught:
            ask(model_at(server, kind))
        assert type(caught.value) is error

    def test_an_account_without_credit_is_the_persons_business(self) -> None:
        body = '{"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}'
        with LLMServer(lambda _: Fault(429, raw=body)) as server, pytest.raises(base.CredentialsError, match="no credit left"):
            ask(model_at(server, "openai-chat"))

    @every_kind
    def test_the_servers_words_are_kept_short_and_without_the_key(self, kind: str) -> None:
        said = f"bad\nkey {KEY}, Bearer {KEY}, sk-te************cdef and {'x' * 5000}"
        with LLMServer(lambda _: Fault(401, said)) as server, pytest.raises(base.CredentialsError) as caught:
            ask(model_at(server, kind))
        line = str(caught.value)
        assert len(line) < 500
        assert "\n" not in line
        assert line.count("[key]") == 3
        assert "cdef" not in line
        assert "_API_KEY" in line


def stream(model: base.LLM, timeout_s: float = 5.0) -> Iterator[str]:
    return model.stream("chat", QUESTION, max_tokens=50, timeout_s=timeout_s)


SAID = "Attention with fewer heads is worth a try."


class TestStream:
    @every_kind
    def test_an_end_without_an_end_is_a_failure_after_the_pieces(self, kind: str) -> None:
        got: list[str] = []
        with LLMServer([Cut(SAID)]) as server, pytest.raises(base.ConnectionFailedError):
            got.extend(stream(model_at(server, kind)))
        assert got
        assert SAID.startswith("".join(got))

    @every_kind
    @pytest.mark.parametrize("answer", [Stall(30.0, SAID), Dribble(0.05, SAID)], ids=["stall", "dribble"])
    def test_the_deadline_holds(self, kind: str, answer: Answer) -> None:
        with LLMServer([answer]) as server:
            start = time.monotonic()
            with pytest.raises(base.ConnectionFailedError, match="no answer within"):
                list(stream(model_at(server, kind), timeout_s=0.5))
            assert time.monotonic() - start < 1.5

    @every_kind
    @pytest.mark.parametrize(("fault", "error"), [(Fault(401), base.CredentialsError), (Fault(429), base.RateLimitedError),
                                                  (Fault(500), base.ServerError)], ids=["401", "429", "500"])  # fmt: skip
    def test_a_call_that_failed_raises(self, kind: str, fault: Fault, error: type[Exception]) -> None:
        with LLMServer([fault]) as server, pytest.raises(error):
            list(stream(model_at(server, kind)))

    @every_kind
    def test_an_error_in_the_middle(self, kind: str) -> None:
        events = {
            "openai-chat": 'data: {"error": {"message": "upstream failed"}}\n\n',
            "openai-responses": 'event: error\ndata: {"type": "error", "message": "upstream failed", "sequence_number": 0}\n\n',
            "anthropic": 'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "upstream failed"}}\n\n',
        }
        with LLMServer([Raw(events[kind], "text/event-stream")]) as server, pytest.raises(base.ServerError, match="upstream failed"):
            list(stream(model_at(server, kind)))

    @every_kind
    def test_who_stops_listening_frees_the_place(self, kind: str) -> None:
        with LLMServer([SAID] * (CONCURRENT_CALLS + 1)) as server:
            model = model_at(server, kind)
            for _ in range(CONCURRENT_CALLS + 1):
                pieces = stream(model, timeout_s=2.0)
                assert next(iter(pieces))
                pieces.close()  # type: ignore[attr-defined]


class TestCheck:
    @every_kind
    def test_a_wrong_key(self, kind: str) -> None:
        with LLMServer([], key="sk-another-key", models=["m"]) as server:
            with pytest.raises(base.CredentialsError, match=r"set (OPENAI|ANTHROPIC)_API_KEY to a key"):
                model_at(server, kind).check()
            with pytest.raises(base.CredentialsError, match=r"the server wants a key: set (OPENAI|ANTHROPIC)_API_KEY"):
                model_at(server, kind, key="").check()

    @every_kind
    def test_an_unknown_model_and_the_nearest_names(self, kind: str) -> None:
        said = r"unknown model 'm'; allowed: m-large, other"
        with LLMServer([], models=["m-large", "other"]) as server, pytest.raises(base.UnknownModelError, match=said):
            model_at(server, kind).check()

    @every_kind
    @pytest.mark.parametrize("models", [["m"], ["m:latest"], None, []], ids=str)
    def test_a_model_that_may_be_there(self, kind: str, models: list[str] | None) -> None:
        with LLMServer([], models=models) as server:
            model_at(server, kind).check()
        assert server.history == []

    @every_kind
    def test_a_server_that_stalls(self, kind: str) -> None:
        late = r"no answer within 0\.3 s|did not answer in time"  # our own limit and that of the SDK end together
        with LLMServer([], stall_lists=True) as server, pytest.raises(base.ConnectionFailedError, match=late):
            model_at(server, kind).check(0.3)


def test_so_many_calls_at_a_time_and_no_more() -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def answer(_: Asked) -> Answer:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.1)
        with lock:
            inside -= 1
        return TEXT

    with LLMServer(answer) as server:
        model, values = model_at(server, "openai-chat"), list[Plan | None]()
        threads = [threading.Thread(target=lambda: values.append(ask(model).value)) for _ in range(3 * CONCURRENT_CALLS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert values == [PLAN] * len(threads)
    assert most == CONCURRENT_CALLS


def test_a_call_that_finds_no_place_in_time_says_so() -> None:
    with LLMServer(lambda _: Stall(30.0)) as server:
        model = model_at(server, "openai-chat")
        threads = [threading.Thread(target=swallow, args=(model,)) for _ in range(CONCURRENT_CALLS)]
        for thread in threads:
            thread.start()
        while len(server.history) < CONCURRENT_CALLS:
            time.sleep(0.01)
        with pytest.raises(base.ConnectionFailedError, match=r"no answer within 0\.2 s"):
            ask(model, timeout_s=0.2)
        for thread in threads:
            thread.join()


def swallow(model: base.LLM) -> None:
    with pytest.raises(base.ConnectionFailedError):
        ask(model, timeout_s=1.0)
