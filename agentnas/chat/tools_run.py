"""Tools about runs: how one stands, what is best, why a trial was proposed, what it cost; telling, stopping, reporting, exporting."""

from __future__ import annotations

import time
from typing import Literal

from pydantic import Field

from agentnas.chat import launch
from agentnas.chat.commands import call, flag
from agentnas.chat.comparing import compare_trials
from agentnas.chat.desk import Desk, trial_of
from agentnas.chat.follower import Follower
from agentnas.chat.tool import AnyTool, Arguments, Nothing, Result, Slash, Tool
from agentnas.chat.tools_look import flags
from agentnas.config import format_duration, parse_duration
from agentnas.tools.errors import UsageError
from agentnas.words import plural

WIDTH = 100
POLL_S = 0.25
# A model may wait for so long at a time; a person as long as they like.
LONGEST_WAIT_S = 600.0
RUN = Field(None, description="name of a run or its beginning; else the one that is spoken of, or the latest")


class Run(Arguments):
    run: str | None = RUN


class Board(Run):
    top: int = Field(5, description="lines of the leaderboard", ge=1, le=50)


class Why(Run):
    trial: str = Field(description="a trial: t0007, 7, or best")


class Compare(Run):
    names: list[str] = Field(description="two or more runs, or two or more trials of one run", min_length=2)


class Tell(Run):
    text: str = Field(description="what the run's planner should know", min_length=1)


class Wait(Run):
    longest: str | None = Field(None, description="most time to wait, such as 30s; at most 10m")


class Report(Run):
    section: str | None = Field(None, description="beginning of a heading of the report, such as Why or Failures; else the answer")


class Export(Run):
    form: Literal["python", "pt2", "onnx", "state"] = Field("python", description="code that runs alone, or a form of torch or ONNX")
    folder: str = Field("export", description="folder to write; it must not exist yet")


class Predict(Run):
    data: str | None = Field(None, description=".npz file, nodes.csv, folder of both CSVs, or task; the run's own graph if left out")
    file: str = Field("predictions.csv", description="file to write, .csv or .json; it must not exist yet")


def list_runs(desk: Desk, _: Nothing) -> Result:
    printed = call("runs", "list", *flags(desk, ("runs_dir",)))
    return Result(printed.text, plural(max(0, len(printed.out.splitlines()) - 1), "run"))


def status(desk: Desk, given: Run) -> Result:
    follower = _follower(desk, given.run)
    lines = follower.lines(WIDTH)
    return Result("\n".join(lines), follower.line())


def best(desk: Desk, given: Board) -> Result:
    printed = call("runs", "show", desk.named(given.run), "--top", str(given.top))
    view = desk.found(given.run).view()
    leader = view.best
    return Result(printed.text, f"{leader.trial} {view.scale.told(leader.val_mean, leader.val_sd)}" if leader else "no score yet")


def why(desk: Desk, given: Why) -> Result:
    trial = trial_of(desk, given.run, given.trial)
    printed = call("runs", "trace", desk.named(given.run), trial)
    return Result(printed.text, printed.out.splitlines()[0].partition("  ")[2])


def compare(desk: Desk, given: Compare) -> Result:
    trials = [name for name in given.names if name.removeprefix("t").isdigit() and len(name) <= 6]
    if len(trials) == len(given.names):
        return compare_trials(desk.found(given.run), [trial_of(desk, given.run, name) for name in trials])
    printed = call("runs", "compare", *(desk.named(None if name == "this" else name) for name in given.names))
    return Result(printed.text, plural(len(given.names), "run"))


def tell(desk: Desk, given: Tell) -> Result:
    printed = call("runs", "tell", desk.named(given.run), given.text)
    return Result(printed.text, "left for the planner")


def wait(desk: Desk, given: Wait) -> Result:
    """Follow the run until it ends or the time is up; Ctrl-C ends the waiting, not the run."""
    follower = _follower(desk, given.run)
    try:
        limit = float("inf") if given.longest is None else parse_duration(given.longest)
    except ValueError as error:
        raise UsageError(f"longest is {given.longest!r}; {error}") from None
    deadline = time.monotonic() + (min(limit, LONGEST_WAIT_S) if desk.speaker == "model" else limit)
    shown = 0.0
    while follower.is_running and time.monotonic() < deadline:
        if time.monotonic() - shown > 15:
            follower.refresh()
            desk.note(follower.line())
            shown = time.monotonic()
        time.sleep(POLL_S)
    return status(desk, given)


def stop(desk: Desk, given: Run) -> Result:
    directory = desk.found(given.run)
    if desk.speaker == "model" and not desk.confirm(f"Stop run {directory.name}? It can be resumed."):
        return Result("Not stopped: the person did not agree.", "goes on", ok=False)
    launch.interrupt(directory)
    text = f"run {directory.name} stops after the evaluations that are under way; it can be resumed"
    return Result(text, "stopping")


def cost(desk: Desk, given: Run) -> Result:
    from agentnas.report_agents import cost_line

    lines = [f"this conversation: {desk.spent()}"]
    if desk.follower is not None or given.run is not None:
        directory = desk.found(given.run)
        view = directory.view()
        lines.append(f"run {directory.name}: {cost_line(view)}; {format_duration(round(view.active_seconds))} of work")
    return Result("\n".join(lines), desk.spent())


def report(desk: Desk, given: Report) -> Result:
    from agentnas.report import PAGE_FILE, render_report
    from agentnas.run import Run as ReadRun

    directory = desk.found(given.run)
    answer, *sections = render_report(ReadRun(directory)).split("\n## ")
    headings = [section.splitlines()[0] for section in sections]
    text = answer
    if given.section is not None:
        wanted = given.section.lower().lstrip("# ")
        text = next((section for section in sections if section.lower().startswith(wanted)), "")
        if not text:
            raise UsageError(f"the report has no section {given.section!r}; allowed: {', '.join(headings)}")
    page = directory.path / PAGE_FILE
    where = f"as a page: {page}" if page.exists() else f"as a page: agentnas report {directory.name} -o report.html"
    return Result(f"{text.strip()}\n\nfurther sections: {', '.join(headings)}\n{where}", given.section or "the answer")


def export(desk: Desk, given: Export) -> Result:
    printed = call("export", desk.named(given.run), "--to", given.form, "--out", given.folder)
    files = printed.out.split()
    return Result(f"written:\n{printed.text}", f"{plural(len(files), 'file')} in {given.folder}")


def predict(desk: Desk, given: Predict) -> Result:
    """The predictions go to a file: a model is told where they are, and no row of them."""
    printed = call("predict", desk.named(given.run), *flag("data", given.data), "--out", given.file, *flags(desk, ("data_dir",)))
    return Result(f"written: {printed.text}", given.file)


def _follower(desk: Desk, run: str | None) -> Follower:
    """The run that was named is spoken of from now on."""
    directory = desk.found(run)
    if desk.follower is None or desk.follower.directory.path != directory.path:
        desk.look_at(directory.path)
    assert desk.follower is not None
    desk.follower.refresh()
    if desk.follower.problem:
        raise UsageError(desk.follower.problem)
    return desk.follower


TOOLS: tuple[AnyTool, ...] = (
    Tool("run_status", "How a run stands: progress, best so far with noise, budget left, last events.", "how the run stands", Run, status,
         Slash("status", "[RUN]", ("run",))),
    Tool("wait_for_run", "Wait until the run ends, or for a time.", "wait for the run's end", Wait, wait,
         Slash("wait", "[TIME]", ("longest",))),
    Tool("best", "The leaderboard of a run, its winner and its test score once it has one.", "the leaderboard", Board, best,
         Slash("best", "[RUN]", ("run",))),
    Tool("why", "Why a trial was proposed: its ancestry, plan, hypothesis, the evidence that it cites, and what came of it.",
         "why a trial was proposed, and what came of it", Why, why, Slash("why", "N [RUN]", ("trial", "run"))),
    Tool("compare", "Compare runs, or trials of one run: scores with noise, differences, what differs in the designs.",
         "compare trials or runs", Compare, compare, Slash("compare", "A B ...", ("names",))),
    Tool("tell", "Leave a note for the planner of the run that goes on.", "leave a note for the run's planner", Tell, tell,
         Slash("tell", "WORDS", tail="text")),
    Tool("stop_run", "Stop a run cleanly after the evaluations under way; it can be resumed. The person is asked first.",
         "stop the run cleanly; it can be resumed", Run, stop, Slash("stop", "[RUN]", ("run",))),
    Tool("cost", "What this conversation and the run have cost.", "what was spent", Run, cost, Slash("cost", "[RUN]", ("run",))),
    Tool("report", "The report of a run: its answer, or one of its sections.", "the report's answer, or a section", Report, report,
         Slash("report", "[SECTION]", tail="section")),
    Tool("export", "Write the winner of a finished run to a new folder, as code that runs without AgentNAS.",
         "write the winner's files to a folder", Export, export, Slash("export", "[FORM] [FOLDER] [RUN]", ("folder", "run"), first="form")),
    Tool("predict", "Write what a run's winner says of nodes, graphs or pairs (classes with probabilities, or values) to a file.",
         "predictions of the winner, to a file", Predict, predict, Slash("predict", "[DATA] [FILE]", ("data", "file"))),
    Tool("list_runs", "List all runs.", "all runs", Nothing, list_runs, Slash("runs")),
)  # fmt: skip
