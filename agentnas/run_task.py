"""The task that a run was made on, loaded again for what comes after its search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agentnas.run import Run
from agentnas.tools.errors import RunError

if TYPE_CHECKING:
    from agentnas.tools.tasks import Task


def load_run_task(run: Run, data_dir: Path | None = None, allow_code: bool | None = None) -> Task:
    """The task of the run, on the data that it was made on; raises DataError if those are not at hand, RunError if they are others."""
    from agentnas.api import stored_settings
    from agentnas.config import resolve
    from agentnas.tools.tasks import load_task

    config, fingerprint = stored_settings(run.directory)
    # Whether code may run is asked of the person and their settings, not of the run's folder, which may have come from anywhere.
    allowed = resolve({"allow_code": allow_code}).config.allow_code
    task = load_task(str(config.task), data_dir=data_dir or config.data_dir, split=config.split, allow_code=allowed)
    if task.fingerprint != fingerprint:
        raise RunError(f"run {run.name} was made on other data: {task.name} is {task.fingerprint[:12]}, was {fingerprint[:12]}")
    return task
