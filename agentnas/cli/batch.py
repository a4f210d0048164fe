"""``agentnas batch``: many designs in one night, from a file of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentnas.cli.options import Json
from agentnas.cli.output import Advice, counted, emit, emit_json, say, table
from agentnas.cli.shell import COMMANDS, Group, group_app
from agentnas.tools.errors import AgentNASError, UsageError

if TYPE_CHECKING:
    from agentnas.batch.api import Ended
    from agentnas.batch.checking import Plan
    from agentnas.batch.file import Batch, Night
    from agentnas.batch.journal import BatchView

DEFAULT = "run"


class BatchGroup(Group):
    """``agentnas batch FILE`` is ``agentnas batch run FILE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


app = group_app(COMMANDS["batch"].help, BatchGroup)

File = Annotated[Path, typer.Argument(help="YAML file of jobs, see docs/batch.md.", show_default=False)]
Folder = Annotated[Path | None, typer.Option(help="Folder of the batch; batches/<file>-<date>-<time> if not given.", show_default=False)]
Until = Annotated[
    str | None, typer.Option(help="Time of day at which all is over, such as 07:00; replaces the file's.", show_default=False)
]
Within = Annotated[str | None, typer.Option(help="Time that all may take together, such as 8h; replaces the file's.", show_default=False)]
MaxCost = Annotated[
    float | None, typer.Option(min=0, help="Most US dollars of all jobs together; replaces the file's.", show_default=False)
]
Parallel = Annotated[int | None, typer.Option(min=1, help="Jobs at a time; replaces the file's.", show_default=False)]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the newest batch of this file, or with the one in --folder.")]


@app.command()
def run(
    file: File, folder: Folder = None, resume: Resume = False, until: Until = None, within: Within = None, max_cost: MaxCost = None,
    parallel: Parallel = None, json: Json = False,
) -> None:  # fmt: skip
    """Run the jobs of a file: check them all, then each in a process of its own, until every one has its outcome."""
    from agentnas.batch.api import run_batch
    from agentnas.cli.design import stopping

    places: list[Path] = []

    def begun(where: Path) -> None:
        places.append(where)
        say(f"batch {where}; agentnas batch status {where} tells how it stands")

    with stopping() as stop:
        try:
            with _told_apart():
                ended = run_batch(
                    file, folder, resume=resume, night=_night(until, within, max_cost, parallel), stop=stop, say=_say, begun=begun
                )
        except (AgentNASError, KeyboardInterrupt) as error:
            told = error if isinstance(error, AgentNASError) else typer.Abort()
            for line in _how_to_go_on(places):
                told.add_note(Advice(line))
            raise told from None
        # Still in here: a signal that comes when all is over takes neither the result nor its exit code away.
        _tell(ended, json)
    if ended.exit_code:
        raise typer.Exit(ended.exit_code)


@app.command()
def check(
    file: File, until: Until = None, within: Within = None, max_cost: MaxCost = None, parallel: Parallel = None, json: Json = False
) -> None:
    """Find what would go wrong at night: every job's task, data, settings, models and files; and estimate time and cost."""
    from agentnas.batch.checking import check as checked
    from agentnas.batch.file import read_batch

    batch = read_batch(file).with_night(_night(until, within, max_cost, parallel))
    with _told_apart():
        plan = checked(batch, estimated=True)
    rows = _forecast(batch, plan)
    if json:
        emit_json({"file": str(file), "night": batch.night, "parallel": plan.parallel, "gpus": plan.gpus, "jobs": rows})
        return
    emit(_plan_text(batch, plan, rows))


@app.command()
def status(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of a batch; the newest in batches/ if not given.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """How a batch stands: jobs, progress, the best so far, time and cost left. Also while it runs, from another terminal."""
    from agentnas.batch.folder import latest, read_view
    from agentnas.batch.progress import summary

    where = folder or latest()
    told = summary(where, read_view(where))
    if json:
        emit_json(told)
    else:
        emit(_status_text(told))


def _night(until: str | None, within: str | None, max_cost: float | None, parallel: int | None) -> Night | None:
    """What flags replace in the file's night; a deadline of one kind replaces that of the other."""
    from pydantic import ValidationError

    from agentnas.batch.file import Night
    from agentnas.config import what_is_allowed

    given = {"max_cost": max_cost, "parallel": parallel}
    given = {key: value for key, value in given.items() if value is not None}
    ends = {} if until is None and within is None else {"until": until, "within": within}
    try:
        return Night.model_validate(given | ends) if given or ends else None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        flag = str(problem["loc"][0]).replace("_", "-")
        raise UsageError(f"--{flag} is {problem['input']!r}; {what_is_allowed(problem)}") from None


@contextmanager
def _told_apart() -> Iterator[None]:
    """Problems of a check, a line each, before the error that counts them."""
    try:
        yield
    except AgentNASError as error:
        for line in getattr(error, "problems", ()):
            say(line)
        raise


def _say(line: str) -> None:
    import time

    say(f"{time.strftime('%H:%M:%S')} {line}")


def _how_to_go_on(places: list[Path]) -> list[str]:
    from agentnas.batch.folder import read_view
    from agentnas.batch.progress import resume_command

    return [f"to go on: {resume_command(read_view(place), place)}" for place in places]


def _tell(ended: Ended, json: bool) -> None:
    """What came of the batch, and how to go on with it where that would change something."""
    from agentnas.batch.folder import read_view
    from agentnas.batch.progress import resume_command, summary

    view = read_view(ended.folder)
    if json:
        emit_json(summary(ended.folder, view))
    else:
        emit(_result(ended.folder, view))
    if ended.exit_code == 130 or any(state.outcome == "out_of_time" for state in view.jobs.values()):
        say(f"to go on: {resume_command(view, ended.folder)}")


def _result(folder: Path, view: BatchView) -> str:
    from agentnas.batch.folder import PAGE_FILE
    from agentnas.batch.progress import counts, standings

    jobs = standings(folder, view)
    told = ", ".join(f"{count} {state}" for state, count in counts(jobs).items())
    return f"{counted(len(jobs), 'job')}: {told}\npage     {folder / PAGE_FILE}"


def _forecast(batch: Batch, plan: Plan) -> list[dict[str, Any]]:
    from agentnas.batch.checking import forecast

    slots = forecast(batch, plan)
    return [
        {
            "job": name, "task": found.task, "protocol": found.protocol, "priority": found.job.priority, "begin_s": slots[name].begin,
            "seconds": slots[name].seconds if found.takes_time else None, "reserved_s": slots[name].seconds,
            "trials": found.resolved.config.trials, "workers": plan.workers[name], "device": found.device,
            "models": found.models, "estimate": found.estimate, "cost": found.cost,
        }
        for name, found in plan.jobs.items()
    ]  # fmt: skip


def _plan_text(batch: Batch, plan: Plan, rows: list[dict[str, Any]]) -> str:
    from agentnas.batch.file import told
    from agentnas.batch.progress import rough

    def bound(row: dict[str, Any]) -> str:
        parts = [counted(row["trials"], "trial")] if row["trials"] is not None else []
        parts += [rough(row["seconds"])] if row["seconds"] is not None else []
        return ", ".join(parts) or "no limit"

    lines = [
        table(
            ("job", "task", "begins", "bound", "workers", "device", "cost"),
            (
                (
                    row["job"], row["task"], "-" if row["begin_s"] is None else f"+{rough(row['begin_s'])}", bound(row), row["workers"],
                    row["device"], row["cost"] or "$0",
                )
                for row in rows
            ),
        )
    ]  # fmt: skip
    lines += [f"{row['job']}: {row['estimate']}" for row in rows if row["estimate"]]
    lines.append(f"{counted(len(rows), 'job')}, {plan.parallel} at a time; {told(batch.night)}; every job can run")
    return "\n".join(lines)


def _status_text(told: dict[str, Any]) -> str:
    from agentnas.batch.progress import clock, dollars, rough
    from agentnas.tools.scale import Scale
    from agentnas.words import plural

    def best(row: Any) -> str:
        scale = Scale(row["metric"] or "", row["unit"] or 1.0)
        if row["test"]:
            return f"test {scale.told(row['test']['mean'], row['test']['sd'])}"
        return f"val {scale.told(row['best']['validation'], row['best']['sd'])}" if row["best"] else "-"

    def when(row: dict[str, Any]) -> str:
        if row["retry_in"] is not None:
            return f"{row['state']} in {rough(row['retry_in'])}"
        left = None if row["time_s"] is None or row["state"] != "running" else max(0.0, row["time_s"] - row["active_seconds"])
        return f"{row['state']}, {rough(left)} left" if left is not None else str(row["state"])

    rows = [(row["job"], row["task"], when(row), row["trials"], best(row), row["attempts"], dollars(row["cost"])) for row in told["jobs"]]
    who = f" by {told['holder']}" if told["holder"] else ""
    left = [f"{rough(told['seconds_left'])} left"] if told["seconds_left"] is not None else []
    left += [f"until {clock(told['deadline'])}"] if told["deadline"] else []
    limit = f" of ${told['max_cost']:g}" if told["max_cost"] is not None else ""
    counts = ", ".join(f"{count} {state}" for state, count in told["counts"].items())
    lines = [
        f"batch {told['folder']}: {told['state']}{who}",
        f"{plural(len(told['jobs']), 'job')}: {counts}; {', '.join([*left, dollars(told['cost']) + limit])}",
        table(("job", "task", "state", "trials", "best", "attempts", "cost"), rows),
    ]
    return "\n".join([*lines, *(f"{row['job']}: {row['message']}" for row in told["jobs"] if row["message"])])
