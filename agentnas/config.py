"""The settings of a run, and where each value comes from.

Later sources win: defaults, the user's ``config.toml`` (``agentnas config show`` prints where that is), ``./agentnas.toml``, the
environment (``AGENTNAS_TRIALS=30``), flags. A key in a file has the flag's name with underscores: ``max_params = 50000``. Relative paths
in a file start at the file's folder; ``"none"`` lifts a limit.
"""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import from_json

from agentnas.tools.errors import AgentNASError, ConfigError, UsageError, suggest
from agentnas.tools.tasks.catalog import is_task_file

PREFIX = "AGENTNAS_"
# The settings that are either on or off.
SWITCHES = {"ablate", "review", "forget_task", "allow_code", "without_baselines", "adapt_start"}
# Only the person at the machine may set these: a folder that came with data may not.
PERSONAL = {"allow_code"}
PATHS = {"prices", "prompts_dir", "record", "data_dir", "runs_dir", "memory_dir"}
SPACE_FILES = (".yaml", ".yml", ".json")
PROJECT_FILE = "agentnas.toml"
# Variables that mean something to other parts: none of them is a misspelt setting.
OTHER_VARIABLES = ("AGENTNAS_DATA_URL", "AGENTNAS_DEBUG", "AGENTNAS_OPERATORS", "AGENTNAS_PROVE", "AGENTNAS_WHEEL")

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>\d+(?:\.\d+)?){unit})?" for unit in _UNITS))


def parse_duration(text: str | float) -> float:
    """Seconds from ``10m``, ``1h30m``, ``45s``, ``2d``, or a plain number of seconds; raises ValueError."""
    match = _DURATION.fullmatch(str(text).strip().lower())
    if match and any(match.groupdict().values()):
        return sum(float(number) * _UNITS[unit] for unit, number in match.groupdict().items() if number)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ValueError("allowed: a duration such as 45s, 10m or 1h30m, or seconds")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest text that ``parse_duration`` reads as this many seconds: ``5400`` is ``1h30m``."""
    rest = round(seconds, 3)
    text = ""
    for unit in ("d", "h", "m"):
        count, rest = divmod(rest, _UNITS[unit])
        text += f"{count:.0f}{unit}" if count else ""
    return text + (f"{rest:.3f}".rstrip("0").rstrip(".") + "s" if round(rest, 3) or not text else "")


def usual_trial_time(time_s: float | None) -> float:
    """Seconds that one training may take where nobody says: a tenth of the run's time, but 20 s at least and three minutes at most."""
    return 180.0 if time_s is None else min(180.0, max(20.0, time_s / 10))


Duration = Annotated[float, BeforeValidator(parse_duration)]


def usual_memory_dir() -> str:
    """Where the memory that outlives runs lies, where nobody says."""
    import platformdirs

    return str(Path(platformdirs.user_data_dir("agentnas", appauthor=False)) / "memory")


class Config(BaseModel):
    """All settings of a run, validated. ``time_s`` and ``trial_time_s`` are called ``time`` and ``trial_time`` elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, allow_inf_nan=False)

    task: str | None = Field(None, description="task; none: cora where its files can be had, else digits")
    allow_code: bool = Field(False, description="whether a task file may call the Python function that it names")
    split: str | None = Field(None, description="split protocol; none: the task's own")
    trials: int | None = Field(None, ge=1, description="most trials; none: no limit")
    time_s: Duration | None = Field(600.0, gt=0, alias="time", description="most active time; none: no limit")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of search and training")
    confirm_seeds: int = Field(10, ge=1, le=1000, description="seeds on which the finalists are trained")
    workers: int | None = Field(None, ge=1, le=1024, description="worker processes; none: one a core, or up to four a GPU")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    executor: str = Field("local", description="where trials run: local, ray (a cluster that is started here) or ray:ADDRESS")
    max_params: int | None = Field(None, ge=1, description="most parameters")
    max_latency_ms: float | None = Field(None, gt=0, description="longest full-graph inference, median, ms")
    max_memory_mb: float | None = Field(None, gt=0, description="peak memory of inference, MiB")
    max_train_memory_mb: float | None = Field(None, gt=0, description="peak memory of training, MiB")
    space: str | dict[str, Any] = Field(
        "default", description="what is searched: small, default, large, deep, attention, nasbench, or a YAML file of your own"
    )
    lock: tuple[str, ...] = Field((), description="parts that every design keeps: input, body.n1, recipe.learning_rate=0.01 ...")
    start: tuple[str | dict[str, Any], ...] = Field((), description="designs of your own that are tried first: JSON files of specs")
    goal: str | None = Field(None, max_length=1000, description="what you want searched, in words, for the planner's language model")
    adapt_start: bool = Field(False, description="change the head of a start, and what means nothing here, for the task's kind")
    without_anchor: tuple[str, ...] = Field((), description="anchors that are left out: a list, or names and commas")
    without_baselines: bool = Field(False, description="measure no methods without a neural network beside the winner")
    trial_time_s: Duration = Field(180.0, gt=0, alias="trial_time", description="most time for one training; its best epoch counts")
    worker_memory_mb: float = Field(8192.0, gt=0, description="most memory of one worker process, MiB")
    llm: str | None = Field(None, description="language model of all agents, such as openai:MODEL; none: rule-based agents")
    planner_llm: str | None = Field(None, description="language model of the planner; rules: none")
    coder_llm: str | None = Field(None, description="language model of the coder; rules: none")
    analyst_llm: str | None = Field(None, description="language model of the analyst; rules: none")
    proposals: Literal["diff", "full"] = Field("diff", description="what a model's coder writes: changes to earlier trials, or whole specs")
    max_cost: float | None = Field(1.0, ge=0, description="most US dollars for language models; none: no limit")
    max_tokens: int | None = Field(None, ge=0, description="most tokens, in and out; none: no limit")
    max_llm_calls: int | None = Field(None, ge=0, description="most calls to language models; none: no limit")
    llm_timeout_s: Duration = Field(180.0, gt=0, alias="llm_timeout", description="most time for one call to a language model")
    prices: Path | None = Field(None, description="JSON file of prices that adds to those shipped")
    prompts_dir: Path | None = Field(None, description="folder of prompt templates that replace those shipped")
    record: Path | None = Field(None, description="file to record the run's calls to, for replay:FILE")
    ablate: bool = Field(False, description="train the winner without each of its choices at the end, beyond the time given")
    review: bool = Field(False, description="stop before each plan until a person has said what they think of it")
    data_dir: Path | None = Field(None, description="folder of data sets")
    runs_dir: Path = Field(Path("runs"), description="folder of run directories")
    memory_dir: str | None = Field(
        default_factory=usual_memory_dir, description="folder, or http://HOST:PORT of a Chroma server, of what outlives runs; none: nothing"
    )
    embedder: str = Field("lexical", description="what makes the memory's vectors: lexical, minilm or openai:MODEL")
    forget_task: bool = Field(False, description="recall nothing of this task's graph, under whatever name or split")

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and info.field_name not in SWITCHES:
            raise ValueError("this setting takes no true or false")
        return None if value == "none" else value

    @field_validator("without_anchor", "lock", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = (value,)
        if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
            return tuple(name.strip() for names in value for name in names.split(",") if name.strip())
        return () if value is None else value

    @field_validator("start", mode="before")
    @classmethod
    def _starts(cls, value: Any) -> Any:
        listed = value if isinstance(value, (list, tuple)) else () if value is None else (value,)
        return tuple(str(one) if isinstance(one, Path) else one for one in listed)

    @field_validator("space", mode="before")
    @classmethod
    def _space(cls, value: Any) -> Any:
        if value is None or value == "":
            raise ValueError("allowed: small, default, large, deep, attention, nasbench, or a YAML file")
        if isinstance(value, str) and value.lstrip().startswith("{"):
            try:
                return from_json(value)
            except ValueError as error:
                raise ValueError(f'no JSON ({error}); allowed: bounds such as {{"operators": ["gat"]}}') from None
        return str(value) if isinstance(value, Path) else value

    @field_validator("memory_dir", mode="before")
    @classmethod
    def _place(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

    @field_validator("llm", "planner_llm", "coder_llm", "analyst_llm")
    @classmethod
    def _model(cls, name: str | None) -> str | None:
        if name is not None and not name.strip():
            raise ValueError("allowed: a model such as openai:MODEL, or rules")
        return name

    @field_validator("executor")
    @classmethod
    def _executor(cls, executor: str) -> str:
        from agentnas.tools.executors import LOCAL, address_of

        if executor != LOCAL:
            address_of(executor)
        return executor

    @field_validator("device")
    @classmethod
    def _device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
            raise ValueError("allowed: auto, cpu, cuda, cuda:N")
        return device


class Resolved(NamedTuple):
    """A configuration, and the source of each of its values by the setting's name."""

    config: Config
    origins: dict[str, str]

    def value(self, name: str) -> Any:
        """The value of a setting by the name that it has in files and flags."""
        return getattr(self.config, FIELDS[name])


FIELDS = {info.alias or field: field for field, info in Config.model_fields.items()}


class _Layer(NamedTuple):
    values: dict[str, Any]
    origins: dict[str, str]


def resolve(
    flags: Mapping[str, Any] | None = None, *, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Resolved:
    """Settings from all sources; flags that are None or an empty tuple were not given.

    Raises ConfigError for a file or variable, and UsageError for a flag: which one, the key, the value seen and what is allowed.
    """
    environment = os.environ if environment is None else environment
    files = [user_file(), (folder or Path.cwd()) / PROJECT_FILE]
    layers = [*map(_from_file, files), _from_environment(environment), _from_flags(flags or {})]
    values: dict[str, Any] = {}
    origins = dict.fromkeys(FIELDS, "default")
    for layer in layers:
        values |= layer.values
        origins |= layer.origins
    try:
        return Resolved(Config.model_validate(values), origins)
    except ValidationError as error:
        raise _wrong_value(error, values, origins) from None


def user_file() -> Path:
    """The user's own configuration file; it need not exist."""
    import platformdirs

    return Path(platformdirs.user_config_dir("agentnas", appauthor=False)) / "config.toml"


def _from_file(path: Path) -> _Layer:
    values = _read_toml(path)
    for key in values:
        if key not in FIELDS:
            raise ConfigError(f"{path}: unknown key {key!r}; {suggest(key, FIELDS)}")
        if key in PERSONAL and path.name == PROJECT_FILE:
            raise ConfigError(f"{path}: {key} has no place in a project's file; give --{key.replace('_', '-')}, or set it in {user_file()}")
    return _Layer(_placed(values, path.parent), dict.fromkeys(values, str(path)))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None


def _placed(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Paths with ``~`` expanded, relative ones below this folder."""
    values = values | {key: near(key, values[key], folder) for key in ("space", "start") if key in values}
    paths = {key for key, value in values.items() if key in PATHS and isinstance(value, str) and value != "none" and "://" not in value}
    task = values.get("task")
    placed = {"task": str(folder / Path(task).expanduser())} if isinstance(task, str) and is_task_file(task) else {}
    return values | placed | {key: folder / Path(values[key]).expanduser() for key in paths}


def near(key: str, value: Any, folder: Path) -> Any:
    """Files of spaces and starts below this folder; names of spaces as they are."""
    if isinstance(value, list):
        return [near(key, one, folder) for one in value]
    if not isinstance(value, str) or (key == "space" and not is_space_file(value)):
        return value
    return str(folder / Path(value).expanduser())


def is_space_file(space: str) -> bool:
    """Whether a space is named by a file, by its ending or because a folder stands before it: not by its own name, nor by its bounds."""
    return not space.lstrip().startswith("{") and (space.lower().endswith(SPACE_FILES) or "/" in space or "\\" in space)


def _from_environment(environment: Mapping[str, str]) -> _Layer:
    known = {PREFIX + name.upper(): name for name in FIELDS}
    for variable in sorted(set(environment) - set(known) - set(OTHER_VARIABLES)):
        # A stranger's variable is none of our business, unless it is nearly one of ours.
        near = difflib.get_close_matches(variable, known, n=1, cutoff=0.9) if variable.startswith(PREFIX) else []
        if near:
            raise ConfigError(f"environment: {variable} is no setting; did you mean {near[0]}?")
    given = {variable: name for variable, name in known.items() if environment.get(variable)}
    values = {name: environment[variable] for variable, name in given.items()}
    return _Layer(_placed(values, Path()), {name: variable for variable, name in given.items()})


def _from_flags(flags: Mapping[str, Any]) -> _Layer:
    names = {field: name for name, field in FIELDS.items()}
    values = {names.get(key, key): value for key, value in flags.items() if value is not None and value != ()}
    return _Layer(values, {name: f"--{name.replace('_', '-')}" for name in values})


def what_is_allowed(problem: Any) -> str:
    """What pydantic found wrong with a value, one of ``ValidationError.errors()``, in the words of the command line."""
    return str(problem["msg"]).removeprefix("Value error, ").replace("Input should be", "allowed:")


def _wrong_value(error: ValidationError, values: Mapping[str, Any], origins: Mapping[str, str]) -> AgentNASError:
    problem = error.errors(include_url=False)[0]
    name = str(problem["loc"][0])
    message = what_is_allowed(problem)
    origin = origins.get(name, f"--{name}")
    if origin.startswith("--"):
        return UsageError(f"{origin} is {values[name]!r}; {message}")
    return ConfigError(f"{origin}: {name} is {values[name]!r}; {message}")
