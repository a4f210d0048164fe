"""How jobs are started and how their ends are told: the words of the command, and what an exit code means."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from agentnas.batch.checking import Checked
from agentnas.batch.file import Job
from agentnas.batch.journal import JobStarted, Outcome
from agentnas.batch.process import log_file
from agentnas.config import PREFIX, format_duration

ENDS: dict[int, Outcome] = {0: "designed", 2: "wrong_settings", 3: "no_design_fits", 4: "wrong_settings", 5: "budget_ended"}
TAIL_BYTES = 65_536
ERROR = "agentnas: error: "


def command(job: Job, start: JobStarted, runs: Path) -> list[str]:
    """The words after ``agentnas`` of an attempt. A run that is resumed has its settings; only limits are given anew."""
    limits = {"time": None if start.time_s is None else format_duration(_even(start.time_s))}
    limits["max_cost"] = None if start.max_cost is None else f"{start.max_cost:.6f}"
    given = {key: value for key, value in limits.items() if value is not None}
    given |= {"workers": str(start.workers), "runs_dir": str(runs)}
    if start.run is not None:
        return ["design", "--resume", start.run, *_flags(given)]
    return ["design", *_flags({key: value for key, value in job.settings.items() if key not in given} | given)]


def _even(seconds: float) -> float:
    """Whole seconds, but for a limit of less than a minute, which is kept as it is."""
    return float(round(seconds)) if seconds >= 60 else max(0.001, seconds)


def _flags(settings: dict[str, Any]) -> list[str]:
    words = []
    for key, value in settings.items():
        flag = f"--{key.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif isinstance(value, dict):
            words += [flag, json.dumps(value)]
        elif key in ("without_anchor", "lock", "start"):
            names = value if isinstance(value, list) else [name.strip() for name in str(value).split(",") if name.strip()]
            words += [word for name in names for word in (flag, str(name))]
        elif not _lifts(value):
            words += [flag, str(value)]
    return words


def _lifts(value: Any) -> bool:
    return value in (None, "none", False)


def environment(job: Job, start: JobStarted) -> dict[str, str]:
    """What a job's process sees around it: limits that are lifted, which some flags cannot say, and the GPU that it has to itself."""
    lifted = {PREFIX + key.upper(): "none" for key, value in job.settings.items() if value == "none" and key not in ("time", "max_cost")}
    lifted |= {PREFIX + key.upper(): "none" for key in ("time", "max_cost") if job.settings.get(key) == "none" and _free(start, key)}
    device = {} if start.device is None else {"CUDA_VISIBLE_DEVICES": start.device}
    return {**os.environ, **lifted, **device, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}


def _free(start: JobStarted, key: str) -> bool:
    return (start.time_s if key == "time" else start.max_cost) is None


def outcome(code: int | None) -> Outcome | None:
    """What an exit code means for the job; None for a crash, which may be worth another try."""
    return None if code is None else ENDS.get(code)


def message(folder: Path, attempt: int, code: int | None) -> str:
    """Why an attempt ended, in one line: its own error, else what killed it."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        memory = "; the system may have been out of memory" if code == -signal.SIGKILL else ""
        return f"its process was killed by {name}{memory}"
    last = last_error(log_file(folder, attempt))
    if last or code == 0:
        return last
    return "its process was killed, and nobody saw by what" if code is None else f"its process ended with exit code {code}"


def last_error(log: Path) -> str:
    """The last error that a command wrote into its log; empty where it wrote none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.removeprefix(ERROR) for line in reversed(lines) if line.startswith(ERROR)), "")


def may_pass(found: Checked) -> bool:
    """Whether exit code 4 of a job with models may pass: its servers do not say that a person must act. Asks them, at no cost."""
    from agentnas.agents.llm.base import LLMError
    from agentnas.agents.llm.names import make_llm
    from agentnas.tools.errors import AgentNASError

    try:
        for name in dict.fromkeys(found.models.values()):
            model = make_llm(name)
            try:
                model.check()
            finally:
                model.close()
    except LLMError as error:
        return error.retryable
    except AgentNASError:
        return False
    return bool(found.models)
