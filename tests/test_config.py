"""Settings from defaults, files, environment and flags: who wins, where a value came from, and what is said of a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.config import FIELDS, PERSONAL, Config, Resolved, format_duration, parse_duration, resolve, user_file
from agentnas.tools.errors import AgentNASError, ConfigError, UsageError

Resolve = Callable[..., Resolved]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, and an empty configuration folder of the user."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    user_file().parent.mkdir(parents=True)
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.fixture
def settle(place: Path) -> Resolve:
    """``resolve`` with nothing around it but what a test puts there."""

    def _settle(flags: dict[str, Any] | None = None, *, user: str = "", project: str = "", **environment: str) -> Resolved:
        user_file().write_text(user, encoding="utf-8")
        (place / "agentnas.toml").write_text(project, encoding="utf-8")
        return resolve(flags, environment=environment, folder=place)

    return _settle


def test_defaults_come_from_nowhere_else(settle: Resolve) -> None:
    resolved = settle()
    assert resolved.config == Config()
    assert set(resolved.origins.values()) == {"default"}
    assert list(resolved.origins) == list(FIELDS)


def test_later_sources_win_and_each_value_knows_its_own(settle: Resolve, place: Path) -> None:
    resolved = settle(
        {"seed": 5},
        user="trials = 1\nworkers = 1\nconfirm_seeds = 1\nseed = 1\ntime = '1m'",
        project="workers = 2\nconfirm_seeds = 2\nseed = 2",
        AGENTNAS_CONFIRM_SEEDS="3",
        AGENTNAS_SEED="3",
    )
    config = resolved.config
    assert (config.time_s, config.trials, config.workers, config.confirm_seeds, config.seed) == (60.0, 1, 2, 3, 5)
    seen = {name: origin for name, origin in resolved.origins.items() if origin != "default"}
    assert seen == {
        "trials": str(user_file()),
        "time": str(user_file()),
        "workers": str(place / "agentnas.toml"),
        "confirm_seeds": "AGENTNAS_CONFIRM_SEEDS",
        "seed": "--seed",
    }


def test_every_setting_can_be_given_everywhere(settle: Resolve) -> None:
    values = {
        "task": "cora", "split": "random", "trials": "3", "time": "90s", "trial_time": "2m", "without_anchor": "gat,sage", "seed": "1",
        "confirm_seeds": "4", "workers": "2", "device": "cuda:1", "executor": "ray:auto",
        "worker_memory_mb": "99", "max_params": "1000", "max_latency_ms": "1.5",
        "max_memory_mb": "64", "max_train_memory_mb": "512", "data_dir": "/d", "runs_dir": "/r", "llm": "openai:m",
        "planner_llm": "rules", "coder_llm": "openai:c", "analyst_llm": "openai:a", "proposals": "full", "max_cost": "2.5",
        "max_tokens": "9000", "max_llm_calls": "40", "llm_timeout": "1m", "prices": "/p.json", "prompts_dir": "/prompts",
        "record": "/calls.jsonl", "review": "true", "memory_dir": "/m", "embedder": "minilm", "forget_task": "true",
        "allow_code": "true", "ablate": "true", "space": "small", "lock": "body", "start": "/spec.json", "goal": "fast",
        "adapt_start": "true", "without_baselines": "true",
    }  # fmt: skip
    assert set(values) == set(FIELDS)
    files: dict[str, list[str]] = {"project": [], "user": []}
    for name, value in values.items():
        files["user" if name in PERSONAL else "project"].append(f'{name} = "{value}"')
    by_file = settle(None, **{file: "\n".join(lines) for file, lines in files.items()}).config
    by_environment = settle(**{f"AGENTNAS_{name.upper()}": value for name, value in values.items()}).config
    assert by_file == by_environment == settle(values).config
    unchanged = [field for field in Config.model_fields if getattr(by_file, field) == getattr(Config(), field)]
    assert unchanged == []


@pytest.mark.parametrize("name", sorted(PERSONAL))
def test_what_only_a_person_may_set_has_no_place_in_a_projects_file(settle: Resolve, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} has no place in a project's file; give --{name.replace('_', '-')}"):
        settle(project=f"{name} = true")


def test_flags_that_were_not_given_change_nothing(settle: Resolve) -> None:
    assert settle({"seed": None, "trials": None}, project="seed = 9").config.seed == 9


def test_a_field_may_be_named_as_in_python(settle: Resolve) -> None:
    assert settle({"time_s": 30.0}).config.time_s == 30.0


def test_an_empty_variable_was_not_given(settle: Resolve) -> None:
    assert settle(AGENTNAS_SEED="").origins["seed"] == "default"


def test_none_lifts_a_limit_of_an_earlier_source(settle: Resolve) -> None:
    assert settle({"time": "none"}, project="trials = 'none'", user="trials = 7").config.model_dump(include={"time_s", "trials"}) == {
        "time_s": None,
        "trials": None,
    }


def test_relative_folders_start_at_their_file(settle: Resolve, place: Path) -> None:
    resolved = settle(user="runs_dir = 'mine'", project="data_dir = 'data'")
    assert resolved.config.runs_dir == user_file().parent / "mine"
    assert resolved.config.data_dir == place / "data"


def test_home_is_expanded(settle: Resolve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert settle(AGENTNAS_RUNS_DIR="~/runs").config.runs_dir == Path("/home/somebody/runs")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"project": "wrokers = 3"}, "{project}: unknown key 'wrokers'; did you mean workers?"),
        ({"project": "trials = 'many'"}, "{project}: trials is 'many'; allowed: a valid integer, unable to parse string as an integer"),
        ({"project": "seed = true"}, "{project}: seed is True; this setting takes no true or false"),
        ({"user": "device = 'tpu'"}, "{user}: device is 'tpu'; allowed: auto, cpu, cuda, cuda:N"),
        ({"project": "time = 'soon'"}, "{project}: time is 'soon'; allowed: a duration such as 45s, 10m or 1h30m, or seconds"),
        ({"AGENTNAS_SEED": "-1"}, "AGENTNAS_SEED: seed is '-1'; allowed: greater than or equal to 0"),
        ({"AGENTNAS_TRAILS": "3"}, "environment: AGENTNAS_TRAILS is no setting; did you mean AGENTNAS_TRIALS?"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(settle: Resolve, place: Path, given: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settle(**given)
    assert str(caught.value) == message.format(project=place / "agentnas.toml", user=user_file())
    assert caught.value.exit_code == 4


def test_what_is_not_toml_is_named_with_its_line(settle: Resolve) -> None:
    with pytest.raises(ConfigError, match=r"agentnas\.toml: not TOML: .*line 1"):
        settle(project="trials: 3")


def test_a_file_that_cannot_be_read_is_an_error(settle: Resolve, place: Path) -> None:
    (place / "agentnas.toml").mkdir()
    with pytest.raises(ConfigError, match=r"agentnas\.toml: cannot be read"):
        resolve(environment={}, folder=place)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"trials": 0}, "--trials is 0; allowed: greater than or equal to 1"),
        ({"time": "0s"}, "--time is '0s'; allowed: greater than 0"),
        ({"max_latency_ms": -1.0}, "--max-latency-ms is -1.0; allowed: greater than 0"),
        ({"max_params": float("nan")}, "--max-params is nan; allowed: a finite number"),
    ],
)
def test_a_wrong_flag_is_a_usage_error(settle: Resolve, flags: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        settle(flags)
    assert str(caught.value) == message


def test_variables_of_others_are_left_alone(settle: Resolve) -> None:
    resolved = settle(AGENTNAS_DATA_URL="http://127.0.0.1", AGENTNAS_SOMETHING_ELSE="1", TRIALS="3")
    assert resolved.config == Config()


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("10m", 600), ("1h30m", 5400), ("2d", 172800), ("1.5h", 5400), ("90", 90), (90, 90), (" 1M ", 60)]
)
def test_durations(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "10 m", "10x", "1m1h", "-5m", "inf", "nan", "one"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="allowed: a duration"):
        parse_duration(text)


@given(st.integers(0, 10**9).map(lambda milliseconds: milliseconds / 1000))
def test_a_duration_is_read_as_it_was_written(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-6)


@given(
    st.dictionaries(
        st.sampled_from(sorted(FIELDS)), st.none() | st.booleans() | st.integers() | st.floats() | st.text("019-.,naemx\n", max_size=8)
    )
)
def test_any_flags_give_a_configuration_or_one_line(flags: dict[str, Any]) -> None:
    try:
        resolve(flags, environment={}, folder=Path("/nonexistent"))
    except AgentNASError as error:
        assert "\n" not in str(error)  # noqa: PT017
