"""A batch file: defaults, jobs with a matrix of values, and the night that they share. Errors name file, line, column, key and value.

night:     {until: "07:00", max_cost: 5, parallel: 2, retries: 2, retry_wait: 30s}
defaults:  settings of every job
jobs:      [{name: ..., priority: 2, <settings of agentnas design>, matrix: {seed: [0, 1]}, exclude: [...], include: [...]}]
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from agentnas.config import FIELDS, PATHS, Config, Duration, format_duration, near, what_is_allowed
from agentnas.memory.names import slug
from agentnas.tools.tasks.catalog import is_task_file
from agentnas.tools.yaml_file import Expected, Place, Value, read_yaml, shown

BATCH = Expected("batch file", "jobs", "docs/batch.md")
MOST_JOBS = 1000
LONGEST_NAME = 60
OWN_KEYS = ("name", "priority", "retries", "matrix", "include", "exclude")
# What a night decides itself, or what needs a person who is awake.
REFUSED = {
    "runs_dir": "the batch keeps the runs of its jobs in its own folder; give --folder",
    "review": "nobody is awake to review plans; leave it out",
    "allow_code": "a file cannot allow itself to run code; set it in your own settings",
}
# Settings that a job, the defaults and a matrix may have.
ALLOWED = tuple(key for key in FIELDS if key not in REFUSED)
MODEL_KEYS = ("llm", "planner_llm", "coder_llm", "analyst_llm")
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


class Night(BaseModel):
    """What the jobs share. ``until`` is the next time that the clock shows it, ``within`` counts from the start."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    until: str | None = Field(None, description="time of day at which all is over, such as 07:00")
    within: Duration | None = Field(None, gt=0, description="time that all may take together, such as 8h")
    max_cost: float | None = Field(None, ge=0, description="most US dollars of all jobs together")
    parallel: int | None = Field(None, ge=1, le=1024, description="jobs at a time; as many as there are cores or GPUs if not given")
    retries: int = Field(2, ge=0, le=100, description="how often a job that crashed is tried again")
    retry_wait: Duration = Field(30.0, ge=0, description="wait before the first retry; doubled each time")

    @field_validator("until")
    @classmethod
    def _clock(cls, text: str | None) -> str | None:
        if text is not None and not _CLOCK.fullmatch(text):
            raise ValueError("allowed: a time of day such as 07:00")
        return text

    def deadline(self, start: float) -> float | None:
        """When all is over, in seconds since 1970; the earlier one where both are given."""
        ends = [start + self.within] if self.within is not None else []
        if self.until is not None:
            hour, minute = map(int, self.until.split(":"))
            now = datetime.fromtimestamp(start)
            then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
            ends.append((then if then > now else then + timedelta(days=1)).timestamp())
        return min(ends, default=None)


class Job(BaseModel):
    """One design of the night. ``settings`` are those of ``agentnas design`` that the file names, by their names in files."""

    model_config = ConfigDict(frozen=True)

    name: str
    settings: dict[str, Any]
    priority: float = 1.0
    retries: int | None = None

    @property
    def task(self) -> str:
        """The task as it was asked for; empty where the design chooses."""
        return str(self.settings.get("task") or "")


class Batch(NamedTuple):
    """A file that was read: its jobs in order, and where each and each of its settings stands."""

    path: Path
    night: Night
    jobs: tuple[Job, ...]
    places: Mapping[str, Mapping[str, Place]]

    def with_night(self, night: Night | None) -> Batch:
        """The batch with what this night gives in place of the file's."""
        return self if night is None else self._replace(night=self.night.model_copy(update=night.model_dump(exclude_unset=True)))

    def place(self, job: str, key: str = "") -> Place:
        """Where a job's key stands; the job's own place where it has no such key."""
        return self.places[job].get(key, self.places[job][""])


class _Draft(NamedTuple):
    """A job before the others are known: its place and its keys, the defaults' among them."""

    place: Place
    values: dict[str, Value]
    places: dict[str, Place]
    suffix: str = ""


def read_batch(path: Path) -> Batch:
    """The jobs of a file; raises UsageError with file, line, column, key, the value seen and what is allowed."""
    top = read_yaml(path, BATCH)
    parts = top.mapping("the file", ("night", "defaults", "jobs"))
    if "jobs" not in parts:
        raise top.place.error("the file has no jobs; add a list of them under jobs:")
    night = _night(parts.get("night"))
    defaults = _defaults(parts.get("defaults"))
    drafts = [draft for item in parts["jobs"].items("jobs") for draft in _drafts(item, defaults)]
    if len(drafts) > MOST_JOBS:
        raise parts["jobs"].place.error(f"the file has {len(drafts):,} jobs; allowed: {MOST_JOBS:,}")
    found: dict[str, Job] = {}
    places: dict[str, dict[str, Place]] = {}
    for number, draft in enumerate(drafts, start=1):
        job = _job(draft, number, path.parent)
        if job.name in found:
            first = places[job.name][""].line
            raise draft.places.get("name", draft.place).error(f"name {job.name!r} stands twice, first in line {first}; change one")
        found[job.name], places[job.name] = job, {"": draft.place, **draft.places}
    return Batch(path, night, tuple(found.values()), places)


def _night(value: Value | None) -> Night:
    if value is None:
        return Night()
    values = value.mapping("night", Night.model_fields)
    if (until := values.get("until")) is not None and not isinstance(until.data, str):
        raise until.place.error(f"night: until is {shown(until.data)}; allowed: a time of day such as 07:00")
    try:
        return Night.model_validate(value.plain)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = str(problem["loc"][0])
        raise values[key].place.error(f"night: {key} is {shown(values[key].data)}; {what_is_allowed(problem)}") from None


def _defaults(value: Value | None) -> Value | None:
    if value is not None:
        allowed = (*ALLOWED, "priority", "retries")
        for key, setting in _known(value, "defaults", allowed).items():
            _check(key, setting, "defaults")
    return value


def _known(value: Value, what: str, allowed: tuple[str, ...]) -> dict[str, Value]:
    if isinstance(value.data, dict):
        for key in value.data:
            if key in REFUSED:
                raise value.keys[key].error(f"{what}: {key} has no place in a batch: {REFUSED[key]}")
    return value.mapping(what, allowed)


def _drafts(item: Value, defaults: Value | None) -> Iterator[_Draft]:
    """The job, or one for each combination of its matrix."""
    what = "a job"
    values = _known(item, what, (*ALLOWED, *OWN_KEYS))
    inherited = dict(defaults.data) if defaults else {}
    places = {**(defaults.keys if defaults else {}), **item.keys}
    own = {key: value for key, value in values.items() if key not in ("matrix", "include", "exclude")}
    base = _Draft(item.place, inherited | own, places)
    if "matrix" not in values:
        for key in ("include", "exclude"):
            if key in values:
                raise item.keys[key].error(f"{what}: {key} stands without a matrix; add one, or leave it out")
        yield base
        return
    yield from _product(base, values)


def _product(base: _Draft, values: Mapping[str, Value]) -> Iterator[_Draft]:
    axes = _known(values["matrix"], "matrix", ALLOWED)
    if not axes:
        raise values["matrix"].place.error("matrix is empty; name a setting and its values")
    lists = {key: axis.items(f"matrix: {key}") for key, axis in axes.items()}
    left_out = _combinations(values.get("exclude"), "exclude", lists)
    count = 1
    for axis in lists.values():
        count *= len(axis)
        if count > MOST_JOBS:
            raise values["matrix"].place.error(f"the matrix has more than {MOST_JOBS:,} combinations; make it smaller")
    used = [0] * len(left_out)
    for chosen in itertools.product(*lists.values()):
        cell = dict(zip(lists, chosen, strict=True))
        hits = [i for i, rule in enumerate(left_out) if all(cell[key].plain == value.plain for key, value in rule.data.items())]
        for i in hits:
            used[i] += 1
        if not hits:
            yield _with(base, cell)
    for rule, times in zip(left_out, used, strict=True):
        if not times:
            raise rule.place.error("exclude: no combination of the matrix is like this; correct it, or leave it out")
    for more in _combinations(values.get("include"), "include", None):
        yield _with(base, more.data)


def _combinations(value: Value | None, what: str, axes: Mapping[str, Any] | None) -> list[Value]:
    if value is None:
        return []
    found = value.items(what)
    for one in found:
        _known(one, what, tuple(axes) if axes is not None else ALLOWED)
        if not one.data:
            raise one.place.error(f"{what}: names no setting; give keys and values")
    return found


def _with(base: _Draft, cell: Mapping[str, Value]) -> _Draft:
    suffix = "-".join(slug(_text(value.plain)) for value in cell.values())
    return _Draft(base.place, base.values | dict(cell), base.places | {key: value.place for key, value in cell.items()}, suffix)


def _text(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else "none" if value is None else str(value)


def _job(draft: _Draft, number: int, folder: Path) -> Job:
    values = draft.values
    name = _name(draft, number)
    settings = {key: value for key, value in values.items() if key in FIELDS}
    for key, value in settings.items():
        _check(key, value, name)
    priority = _number(values.get("priority"), name, "priority", 1.0, least=0.001, most=1000.0)
    retries = _number(values.get("retries"), name, "retries", -1, least=0, most=100)
    return Job(
        name=name,
        settings={key: _placed(key, value.plain, folder) for key, value in settings.items()},
        priority=float(priority),
        retries=None if retries < 0 else int(retries),
    )


def _name(draft: _Draft, number: int) -> str:
    named = draft.values.get("name")
    task = draft.values.get("task")
    if named is not None and not (isinstance(named.data, str) and _NAME.fullmatch(named.data)):
        rule = f"letters, digits, dots, hyphens and underscores, {LONGEST_NAME} at most, a letter or digit first"
        raise named.place.error(f"name is {shown(named.data)}; allowed: {rule}")
    base = named.data if named is not None else slug(str(task.plain)) if task is not None and not draft.suffix else f"job{number}"
    return f"{base}-{draft.suffix}"[:120].rstrip("-") if draft.suffix else str(base)


def _number(value: Value | None, job: str, key: str, usual: float, *, least: float, most: float) -> float:
    if value is None:
        return usual
    data = value.data
    whole = isinstance(usual, int)
    if isinstance(data, bool) or not isinstance(data, int if whole else (int, float)) or not least <= data <= most:
        kind = "a whole number" if whole else "a number"
        raise value.place.error(f"{job}: {key} is {shown(data)}; allowed: {kind} from {least:g} to {most:g}")
    return data


def _check(key: str, value: Value, job: str) -> None:
    """One setting by the rules of a run's settings; raises UsageError at its place."""
    if key in OWN_KEYS:
        return
    if value.data is None:
        raise value.place.error(f'{job}: {key} has no value; give one, "none" lifts a limit')
    try:
        Config.model_validate({key: value.plain})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise value.place.error(f"{job}: {key} is {shown(value.data)}; {what_is_allowed(problem)}") from None


def _placed(key: str, value: Any, folder: Path) -> Any:
    """Relative paths begin at the file's folder; so do recordings and scripts that lie there, files of spaces and of starts."""
    if key in ("space", "start"):
        return near(key, value, folder.absolute())
    if key in PATHS and isinstance(value, str) and value != "none" and "://" not in value:
        return str((folder / Path(value).expanduser()).absolute())
    if key == "task" and isinstance(value, str) and is_task_file(value):
        return str((folder / Path(value).expanduser()).absolute())
    if key in MODEL_KEYS and isinstance(value, str):
        kind, _, rest = value.partition(":")
        if kind in ("replay", "scripted") and (folder / rest).is_file():
            return f"{kind}:{(folder / rest).absolute()}"
    return value


def told(night: Night) -> str:
    """The night in words."""
    parts = [f"until {night.until}"] if night.until else []
    parts += [f"within {format_duration(night.within)}"] if night.within else []
    parts += [f"at most ${night.max_cost:g}"] if night.max_cost is not None else []
    return ", ".join(parts) or "no deadline, no limit of cost"
