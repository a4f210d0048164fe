"""What could go wrong at 2 a.m., found before the night: every job's task, data, settings, models and files; and what it will take."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agentnas.batch import shares
from agentnas.batch.file import MODEL_KEYS, Batch, Job
from agentnas.config import FIELDS, Config, Resolved, resolve
from agentnas.memory.view import JournalView
from agentnas.remembering import check_memory
from agentnas.tools.errors import AgentNASError, ConfigError, UsageError


class Checked(NamedTuple):
    """A job that can run: its settings from all sources, its task, and what runs it. ``device`` is cpu, cuda (any GPU) or cuda:N."""

    job: Job
    resolved: Resolved
    task: str
    protocol: str
    device: str
    models: dict[str, str]
    estimate: str = ""
    cost: str = ""

    @property
    def most_s(self) -> float | None:
        """The job's own limit of time; None where it has none, and takes what the night gives."""
        return None if self.resolved.origins["time"] == "default" else self.resolved.config.time_s

    @property
    def takes_time(self) -> bool:
        """Whether the night's share bounds it: a job with a limit of trials alone keeps that, to be the same on any machine."""
        return self.resolved.config.trials is None or self.most_s is not None


class Problem(NamedTuple):
    """Why a job cannot run, and where in the file that stands."""

    job: str
    line: str
    error: AgentNASError


class Plan(NamedTuple):
    """What a night will look like, found before it begins."""

    jobs: dict[str, Checked]
    parallel: int
    workers: dict[str, int]
    gpus: tuple[str, ...] = ()


def check(batch: Batch, begun: Mapping[str, JournalView] | None = None, *, estimated: bool = False) -> Plan:
    """Load every task once, and check every job against it; nothing is trained or written but data that is downloaded.

    ``begun`` are journals of jobs that are to be resumed. Raises UsageError or ConfigError that tells all problems, a line each.
    """
    problems: list[Problem] = []
    checked: dict[str, Checked] = {}
    for jobs in _by_task(batch.jobs):
        for outcome in _check_group(batch, jobs, begun or {}, estimated):
            if isinstance(outcome, Problem):
                problems.append(outcome)
            else:
                checked[outcome.job.name] = outcome
    if problems:
        raise _all_of(problems, batch)
    return arrange(batch, {job.name: checked[job.name] for job in batch.jobs})


def arrange(batch: Batch, jobs: dict[str, Checked]) -> Plan:
    """How many jobs run at a time, and with how many workers each."""
    gpus = _gpus() if any(found.device == "cuda" for found in jobs.values()) else ()
    parallel = batch.night.parallel or shares.usual_parallel(len(jobs), len(gpus) or shares.cores())
    share = max(1, shares.cores() // max(1, min(parallel, len(jobs))))
    workers = {name: found.resolved.config.workers or (1 if found.device != "cpu" else share) for name, found in jobs.items()}
    return Plan(jobs, parallel, workers, gpus)


def _by_task(jobs: Sequence[Job]) -> list[list[Job]]:
    groups: dict[tuple[Any, ...], list[Job]] = {}
    for job in jobs:
        groups.setdefault(tuple(str(job.settings.get(key)) for key in ("task", "split", "data_dir")), []).append(job)
    return list(groups.values())


def _check_group(batch: Batch, jobs: list[Job], begun: Mapping[str, JournalView], estimated: bool) -> Iterator[Checked | Problem]:
    """Jobs of one task: it is loaded once, and let go before the next one's is."""
    task: Any = None
    for job in jobs:
        try:
            from agentnas import api

            resolved = resolve(job.settings)
            task = task or api.choose_task(resolved)
            yield _checked(job, resolved, task, begun.get(job.name), estimated)
        except AgentNASError as error:
            yield Problem(job.name, _line(batch, job, error), error)


def _checked(job: Job, resolved: Resolved, task: Any, view: JournalView | None, estimated: bool) -> Checked:
    from agentnas import api, thinking

    config = api.bounded(resolved.config.model_copy(update={"task": task.reference}), resolved)
    api.check(config, task)
    check_memory(config)
    # A run that has begun has used answers of its recording, and its own record is no other's.
    models = thinking.make_models(config, resolved, view)
    for model in {id(model): model for model in models.values()}.values():
        model.close()
    names = thinking.named(config)
    device = "cpu" if task.table is not None else _device(config)
    if device == "cpu" and (config.workers or 1) > shares.cores():
        raise UsageError(f"--workers is {config.workers}; allowed: at most {shares.cores()}, the cores of this machine")
    found = Checked(job, resolved, task.name, task.protocol, device, names)
    return _estimated(found, config, task) if estimated and names else found


def _device(config: Config) -> str:
    from agentnas import executing

    device = executing.device_of(config)
    return "cuda" if device.startswith("cuda") and config.device in ("auto", "cuda") else device


def _gpus() -> tuple[str, ...]:
    """GPUs as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return tuple(named or map(str, range(torch.cuda.device_count())))


def _estimated(found: Checked, config: Config, task: Any) -> Checked:
    from agentnas import api, thinking
    from agentnas.estimate import estimate
    from agentnas.first_prompt import first_prompt

    role = next(role for role in thinking.ROLES if role in found.models)
    prompt = sum(len(message.content) for message in first_prompt(role, config, task))
    batch = thinking.BATCH if "coder" in found.models else api.space_and_anchors(config, task)[2]
    told = estimate(found.models, config, prompt, batch)
    return found._replace(estimate=told["estimate"], cost=told.get("cost", ""))


def _line(batch: Batch, job: Job, error: AgentNASError) -> str:
    """The problem with the place of the key that it is about."""
    text = str(error)
    flags = [name.replace("-", "_") for name in re.findall(r"--([a-z][a-z-]*)", text)]
    key = next((name for name in flags if name in FIELDS and name in job.settings), _about(job, text))
    place = batch.place(job.name, key)
    told = f"{key}: " if key else ""
    return f"{place.file}:{place.line}:{place.column}: {job.name}: {told}{' '.join(text.split())}"


def _about(job: Job, text: str) -> str:
    """The key whose value the message names."""
    for key in (*MODEL_KEYS, "task", "data_dir", "memory_dir"):
        value = job.settings.get(key)
        if value and (str(value) in text or str(value).partition("@")[0] in text):
            return key
    return ""


def _all_of(problems: Sequence[Problem], batch: Batch) -> AgentNASError:
    """One error for all: what is wrong, a line each as its notes; jobs of one matrix that fail alike are told once."""
    lines: dict[str, tuple[str, int]] = {}
    order = {job.name: number for number, job in enumerate(batch.jobs)}
    for problem in sorted(problems, key=lambda problem: order[problem.job]):
        key = problem.line.replace(f" {problem.job}: ", " ", 1)
        first, count = lines.get(key, (problem.line, 0))
        lines[key] = (first, count + 1)
    told = [line + (f" (and {count - 1} jobs like it)" if count > 1 else "") for line, count in lines.values()]
    kind = ConfigError if all(isinstance(problem.error, ConfigError) for problem in problems) else UsageError
    bad = len({problem.job for problem in problems})
    if bad == 1:
        return kind(told[0])
    error = kind(f"{bad} of {len(batch.jobs)} jobs of {batch.path} cannot run; nothing was started")
    vars(error)["problems"] = told  # lines for whoever shows the error
    return error


class Slot(NamedTuple):
    """When a job is expected to begin, seconds from the start, and how long it may take; None is unknown."""

    begin: float | None
    seconds: float | None


def forecast(batch: Batch, plan: Plan, now: float | None = None) -> dict[str, Slot]:
    """The time shares of a night that begins now, if every job took all of its share."""
    now = time.time() if now is None else now
    deadline = batch.night.deadline(now)
    jobs = ordered(plan)
    if deadline is None:
        lengths = [job.resolved.config.time_s if job.takes_time else None for job in jobs]
        return {job.job.name: Slot(None, length) for job, length in zip(jobs, lengths, strict=True)}
    left = deadline - now
    claims = [claim(job) for job in jobs]
    durations = shares.time_shares(left - shares.closing(left), claims, [], plan.parallel)
    begins = shares.starts(durations, [], plan.parallel)
    lengths = [max(0.0, length - shares.OVERHEAD_S) for length in durations]
    return {job.job.name: Slot(begin, length) for job, begin, length in zip(jobs, begins, lengths, strict=True)}


def claim(job: Checked, active: float = 0.0) -> shares.Claim:
    """What a job asks of the night's time, ``active`` seconds of its own limit being used."""
    if job.most_s is None:
        return shares.Claim(job.job.priority)
    return shares.Claim(job.job.priority, max(0.0, job.most_s - active) + shares.OVERHEAD_S)


def ordered(plan: Plan) -> list[Checked]:
    """Jobs in the order in which they begin: by priority, then as in the file."""
    return sorted(plan.jobs.values(), key=lambda found: -found.job.priority)
