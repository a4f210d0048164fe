"""Designs that ask language models, as a person types them: what is refused before anything starts, and what the screen shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.llm_server import LLMServer
from tests.minds import role_of, think

KEY = "sk-test-0123456789"
DESIGN = ("design", "--task", "nasbench:cora", "--trials", "16", "--llm")


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("openai:gpt-5", 4, "no key; set OPENAI_API_KEY"),
        ("anthropic:claude-sonnet-4-5", 4, "no key; set ANTHROPIC_API_KEY"),
        ("opnai:gpt-5", 2, "unknown provider 'opnai'; did you mean openai"),
        ("openai:m@http://127.0.0.1:9/v1", 4, "127.0.0.1:9"),
        ("replay:no-such-recording", 2, "no such file, and no recording of that name ships"),
        ("scripted:missing.json", 4, "cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_work_is_one_line_before_anything_starts(name: str, code: int, said: str, run: Run, tmp_path: Path) -> None:
    done = run(*DESIGN, name, "--runs-dir", str(tmp_path / "runs"))
    assert done.code == code
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "runs").exists(), "nothing was begun"


def test_a_wrong_key_and_an_unknown_model_are_told_before_anything_starts(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LLMServer(think, key=KEY, models=["known"], role_of=role_of) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-key-9876543210")
        wrong = run(*DESIGN, f"openai:known@{server.url}")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        unknown = run(*DESIGN, f"openai:knwon@{server.url}")
    assert (wrong.code, unknown.code) == (4, 4)
    assert "sk-wrong" not in wrong.err
    assert "OPENAI_API_KEY" in wrong.err
    assert "knwon" in unknown.err
    assert not (tmp_path / "runs").exists()


def test_a_cost_limit_that_cannot_be_kept_is_refused(run: Run, tmp_path: Path) -> None:
    with LLMServer(think, role_of=role_of) as server:
        name = f"openai:m@{server.url}"
        refused = run(*DESIGN, name, "--max-cost", "0.5")
        prices = tmp_path / "prices.json"
        prices.write_text(json.dumps({name: {"input": 1.0, "output": 4.0}}))
        done = run(*DESIGN, name, "--max-cost", "5", "--prices", str(prices))
    assert refused.code == 4
    assert f"--max-cost 0.5 cannot be kept: the price of {name} is unknown" in refused.err
    assert done.code == 0
    assert re.search(r"cost \$0\.\d{4}", done.out), done.out


def test_a_run_shows_who_thought_what_and_its_answer_says_what_that_cost(run: Run) -> None:
    with LLMServer(think, role_of=role_of) as server:
        done = run(*DESIGN, f"openai:m@{server.url}")
        summary = run(*DESIGN, f"openai:m@{server.url}", "--json").data
    assert done.code == 0
    assert "  60% " in done.err or "  40% " in done.err
    assert "unlike what was tried" in done.err
    assert re.search(r"models\s+\d+ calls, [\d,]+ tokens, cost \?", done.out), done.out
    assert summary["cost_usd"] is None, "unknown is not nothing"


def test_roles_think_with_models_of_their_own(run: Run) -> None:
    with LLMServer(think, role_of=role_of) as server:
        done = run("design", "--task", "nasbench:cora", "--trials", "16", "--coder-llm", f"openai:m@{server.url}")
        assert done.code == 0
        assert {request.role for request in server.history} == {"coder"}
        server.history.clear()
        run(*DESIGN, f"openai:m@{server.url}", "--coder-llm", "rules")
        assert {request.role for request in server.history} == {"planner", "analyst"}


def test_a_key_alone_spends_nothing_and_one_line_says_how_to_use_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    done = run("design", "--task", "nasbench:cora", "--trials", "6")
    assert done.code == 0
    assert "a key for anthropic is in the environment; no model is asked without --llm anthropic:MODEL" in done.err
    assert KEY not in done.err + done.out


def test_a_recorded_run_is_replayed_without_a_server(run: Run, tmp_path: Path) -> None:
    recording = tmp_path / "calls.jsonl"
    with LLMServer(think, key=KEY, role_of=role_of) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OPENAI_API_KEY", KEY)
            first = run(*DESIGN, f"openai:m@{server.url}", "--record", str(recording), "--json")
        asked = len(server.history)
        again = run(*DESIGN, f"replay:{recording}", "--json")
        assert len(server.history) == asked
    assert KEY not in recording.read_text()
    assert "demonstration recording, not a measure of any model" in again.err
    assert "differs from the recorded one" not in again.err
    assert first.data["winner"]["spec_hash"] == again.data["winner"]["spec_hash"]


def test_a_dry_run_shows_the_first_prompt_and_what_is_to_be_expected_and_calls_nothing(run: Run, tmp_path: Path) -> None:
    with LLMServer(think, role_of=role_of) as server:
        done = run(*DESIGN, f"openai:m@{server.url}", "--dry-run")
        assert server.history == []
    assert done.code == 0
    for said in ("26,206 designs", "llm        planner openai:m@", "tokens in", "You plan the next round", "cost       ?"):
        assert said in done.out, said
    assert not (tmp_path / "runs").exists()
    priced = run(*DESIGN, "openai:gpt-5-mini", "--dry-run")
    assert re.search(r"cost +about \$0\.\d\d \(--max-cost 1\)", priced.out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--prices", "nope.json"), "--prices nope.json: cannot be read"),
        (("--prompts-dir", "nowhere"), "nowhere"),
        (("--record", "old.jsonl"), "--record old.jsonl: the file exists, and a recording holds one run; name another file"),
        (("--coder-llm", ""), "--coder-llm is ''; allowed: a model such as openai:MODEL, or rules"),
    ],
)
def test_broken_files_and_empty_names_leave_no_run_behind(words: tuple[str, ...], said: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "old.jsonl").write_text('{"recording": "agentnas", "version": 1, "recorded": "2026-01-01"}\n')
    done = run(*DESIGN, "replay:nasbench-cora", *words)
    assert done.code in (2, 4)
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_replay_costs_nothing(run: Run) -> None:
    assert "$0: no model is asked, answers come from a file" in run(*DESIGN, "replay:nasbench-cora", "--dry-run").out
    done = run(*DESIGN, "replay:nasbench-cora", "--max-cost", "0")
    assert done.code == 0
    assert "cost $0.0000" in done.out
