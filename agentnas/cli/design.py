"""``agentnas design``: design an architecture for a graph task and train it."""

from __future__ import annotations

import os
import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from agentnas.cli import llm_options as models
from agentnas.cli.options import AllowCode, DataDir, Embedder, Executor, ForgetTask, Json, MemoryDir, RunsDir, Split
from agentnas.cli.output import Advice, counted, emit, emit_json, say, soon
from agentnas.cli.shell import COMMANDS, command_app
from agentnas.tools.errors import UsageError

app = command_app()

Task = Annotated[
    str | None,
    typer.Option(help="Task, see agentnas tasks list, or a task.yaml of yours; cora or digits if not given.", show_default=False),
]
Trials = Annotated[int | None, typer.Option(help="Most trials; lifts the default limit of time.", show_default=False)]
Time = Annotated[str | None, typer.Option(help="Most active time, such as 45s or 1h30m, or none. [default: 10m]", show_default=False)]
Seed = Annotated[int | None, typer.Option(help="Seed of search and training. [default: 0]", show_default=False)]
Seeds = Annotated[int | None, typer.Option(help="Seeds on which the finalists are trained. [default: 10]", show_default=False)]
MaxParams = Annotated[int | None, typer.Option(help="Most parameters.", show_default=False)]
MaxLatency = Annotated[float | None, typer.Option(help="Longest full-graph inference, median, ms.", show_default=False)]
MaxMemory = Annotated[float | None, typer.Option(help="Peak memory of inference, MiB.", show_default=False)]
MaxTrainMemory = Annotated[float | None, typer.Option(help="Peak memory of training, MiB.", show_default=False)]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N. [default: auto]", show_default=False)]
Workers = Annotated[int | None, typer.Option(help="Worker processes; one a core, or up to four a GPU, if not given.", show_default=False)]
WorkerMemory = Annotated[float | None, typer.Option(help="Most memory of one worker process, MiB. [default: 8192]", show_default=False)]
Without = Annotated[list[str] | None, typer.Option(help="Leave an anchor out, by name; may be repeated.", show_default=False)]
WithoutBaselines = Annotated[
    bool | None, typer.Option("--without-baselines", help="Measure no methods without a neural network.", show_default=False)
]
Space = Annotated[
    str | None,
    typer.Option(
        help="What is searched: small, default, large, deep, attention, nasbench or a YAML file. [default: default]",
        show_default=False,
    ),
]
Lock = Annotated[
    list[str] | None,
    typer.Option(
        help="What every design keeps: a part or body.NODE of the --start, or SETTING=VALUE; with commas, or repeated.",
        show_default=False,
    ),
]
Start = Annotated[
    list[Path] | None, typer.Option(help="JSON file of a spec of yours that is tried first; may be repeated.", show_default=False)
]
Goal = Annotated[
    str | None, typer.Option(help="What you want searched, in words: 'only attention'. The planner's model reads it.", show_default=False)
]
AdaptStart = Annotated[
    bool | None,
    typer.Option("--adapt-start", help="Change the head of a --start, and what means nothing here, for the task.", show_default=False),
]
TrialTime = Annotated[
    str | None,
    typer.Option(help="Most time for one training; its best epoch counts. [default: a tenth of --time, 20s to 3m]", show_default=False),
]
Ablate = Annotated[
    bool | None,
    typer.Option("--ablate", help="Train the winner without each of its choices at the end, beyond --time.", show_default=False),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
Resume = Annotated[str | None, typer.Option(help="Go on with a run: its name, a prefix of it, or latest.", show_default=False)]


@app.command(help=COMMANDS["design"].help)
def design(
    task: Task = None, allow_code: AllowCode = None, split: Split = None, trials: Trials = None, time: Time = None, seed: Seed = None,
    confirm_seeds: Seeds = None,
    max_params: MaxParams = None, max_latency_ms: MaxLatency = None, max_memory_mb: MaxMemory = None,
    max_train_memory_mb: MaxTrainMemory = None, space: Space = None, lock: Lock = None, start: Start = None,
    adapt_start: AdaptStart = None, goal: Goal = None, without_anchor: Without = None, without_baselines: WithoutBaselines = None,
    trial_time: TrialTime = None, device: Device = None,
    executor: Executor = None, workers: Workers = None, worker_memory_mb: WorkerMemory = None, llm: models.Llm = None,
    planner_llm: models.PlannerLlm = None,
    coder_llm: models.CoderLlm = None, analyst_llm: models.AnalystLlm = None, proposals: models.Proposals = None,
    max_cost: models.MaxCost = None, max_tokens: models.MaxTokens = None, max_llm_calls: models.MaxCalls = None,
    llm_timeout: models.LlmTimeout = None, prices: models.Prices = None, prompts_dir: models.PromptsDir = None,
    record: models.Record = None, ablate: Ablate = None, review: models.Review = None,
    memory_dir: MemoryDir = None, embedder: Embedder = None, forget_task: ForgetTask = None, data_dir: DataDir = None,
    runs_dir: RunsDir = None, resume: Resume = None,
    dry_run: DryRun = False, json: Json = False,
) -> None:  # fmt: skip
    settings: dict[str, Any] = {
        "task": task, "allow_code": allow_code, "split": split, "trials": trials, "time": time, "seed": seed,
        "confirm_seeds": confirm_seeds,
        "max_params": max_params,
        "max_latency_ms": max_latency_ms, "max_memory_mb": max_memory_mb, "max_train_memory_mb": max_train_memory_mb,
        "space": space, "lock": tuple(lock) if lock else None, "start": tuple(map(str, start)) if start else None,
        "adapt_start": adapt_start, "goal": goal,
        "without_anchor": tuple(without_anchor) if without_anchor else None, "without_baselines": without_baselines,
        "trial_time": trial_time, "device": device,
        "executor": executor, "workers": workers, "worker_memory_mb": worker_memory_mb, "llm": llm, "planner_llm": planner_llm,
        "coder_llm": coder_llm,
        "analyst_llm": analyst_llm, "proposals": proposals, "max_cost": max_cost, "max_tokens": max_tokens,
        "max_llm_calls": max_llm_calls, "llm_timeout": llm_timeout, "prices": prices, "prompts_dir": prompts_dir, "record": record,
        "ablate": ablate, "review": review, "memory_dir": memory_dir, "embedder": embedder, "forget_task": forget_task,
        "data_dir": data_dir, "runs_dir": runs_dir,
    }  # fmt: skip
    if dry_run and resume is not None:
        raise UsageError("--dry-run shows how a new run would go, --resume goes on with an old one; give one of them")
    if dry_run:
        _dry_run(settings, json)
    else:
        _design(settings, resume, runs_dir, json)


def _design(settings: dict[str, Any], resume: str | None, runs_dir: Path | None, json: bool) -> None:
    with soon("reading data and memory") as settled:
        _work(settings, resume, runs_dir, json, settled)


def _work(settings: dict[str, Any], resume: str | None, runs_dir: Path | None, json: bool, settled: Callable[[], None]) -> None:
    from agentnas import api, thinking
    from agentnas.progress import Progress

    shown: list[Progress] = []
    begun: list[api.Started] = []

    def started(start: api.Started) -> None:
        settled()
        say(f"run {start.run.name}" + (f", resumed with {start.view.num_evaluations} evaluations kept" if start.view.resumes else ""))
        begun.append(start)
        if line := thinking.hint(start.config):
            say(line)
        answer = f"agentnas runs review {start.run.name}{_where(runs_dir)}"
        shown.append(Progress(start.view, start.config.time_s, start.config.trials, review=answer))

    with stopping() as stop, ExitStack() as stack:
        stack.push(lambda _, error, trace: _note_how_to_go_on(error, begun, runs_dir))
        stack.callback(_close, shown)
        try:
            run = api.design(resume=resume, on_event=lambda event: shown[0](event), on_start=started, stop=stop, **settings)
        except KeyboardInterrupt:
            raise typer.Abort from None  # the command line's own library would end without a word
    if not begun and (settings["trials"] is not None or settings["time"] is not None):
        say(f"run {run.name} is finished and its test is open; start a new run to search on")
    _show(run, json)
    for line in _how_to_go_on(begun, runs_dir):
        say(line)
    if run.exit_code:
        raise typer.Exit(run.exit_code)


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Ctrl-C once (or SIGTERM) sets the event: what runs is finished, then the run ends and can be resumed. Ctrl-C twice stops at once."""
    stop = threading.Event()

    def asked(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        # Past sys.stderr: a signal can come while that is being written to, and it cannot be entered twice.
        os.write(2, b"\nstopping after the evaluations that are under way; Ctrl-C again stops at once\n")

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _close(shown: list[Any]) -> None:
    for progress in shown:
        progress.close()


def _how_to_go_on(begun: list[Any], runs_dir: Path | None) -> list[str]:
    """The exact command that resumes, unless that would change nothing."""
    open_ = [start for start in begun if start.view.finished is None or start.view.finished.outcome in ("failed", "budget_ended")]
    return [f"to go on: agentnas design --resume {start.run.name}{_where(runs_dir)}{_allowed(start)}" for start in open_]


def _where(runs_dir: Path | None) -> str:
    """The flag that commands about this run need."""
    return f" --runs-dir {shlex.quote(str(runs_dir))}" if runs_dir else ""


def _allowed(start: Any) -> str:
    """The flag that a resume needs anew where the task is code: a run's folder does not allow it."""
    return " --allow-code" if start.config.allow_code else ""


def _note_how_to_go_on(error: BaseException | None, begun: list[Any], runs_dir: Path | None) -> None:
    """Hand the command to the error that ends the run: it is told after the error itself."""
    if error is not None:
        for line in _how_to_go_on(begun, runs_dir):
            error.add_note(Advice(line))


def _show(run: Any, json: bool) -> None:
    summary = run.summary()
    if json:
        emit_json(summary)
    elif summary["winner"] is not None:
        emit(_answer(run, summary))
    else:
        emit(_interrupted(run))


def _interrupted(run: Any) -> str:
    """How far it came, the best so far, and where its report is."""
    view, scale = run.view, run.view.scale
    best = (
        f"best so far {scale.told(view.best.val_mean, view.best.val_sd)}{scale.sign} ({view.best.trial})" if view.best else "no score yet"
    )
    done = f"{counted(view.num_tried, 'trial')}, {counted(view.num_evaluations, 'evaluation')}"
    return f"interrupted; {done}; {best}; report: {_report_of(run)}"


def _report_of(run: Any) -> str:
    """The page, which opens from disk; its text where the page could not be drawn, and where the reason is."""
    from agentnas.report import FAULT_FILE, PAGE_FILE, REPORT_FILE

    if (page := run.path / PAGE_FILE).exists():
        return str(page)
    return f"{run.path / REPORT_FILE} (the page could not be drawn: {run.path / FAULT_FILE})"


def _answer(run: Any, summary: dict[str, Any]) -> str:
    """Architecture, scores with their protocol and noise, and where things lie."""
    from agentnas.report_baselines import baseline_lines
    from agentnas.report_verdicts import notes, time_lines, verdict
    from agentnas.scores import repeats

    winner, test, validation, scale = summary["winner"], summary["test"], summary["validation"], run.view.scale
    metric = f"{scale.better if scale.is_error else scale.name}, {summary['protocol']}"
    lines = [
        f"{winner['trial']}  {winner['architecture']}",
        f"test {scale.told(test['mean'], test['sd'])}{scale.sign} over {repeats(run.view, test['seeds'])} ({metric})",
        f"validation {scale.told(validation['mean'], validation['sd'])}{scale.sign}; {winner['reason']}",
        *time_lines(run.view),
        *(verdict(kind, pair, run.view) for kind, pair in summary["anchors"].items()),
        *baseline_lines(run.view),
        *notes(run.view),
        *_models(run.view),
        f"report   {_report_of(run)}",
        f"winner   {run.path / 'winner'}",
    ]
    return "\n".join(lines)


def _models(view: Any) -> list[str]:
    """What the language models took; nothing where none was asked."""
    from agentnas.progress import spending

    spent = view.calls.total
    calls, cost = spending(view).split(", ")
    return [f"models   {calls}, {spent.tokens:,} tokens, {cost}"] if spent.calls else []


def _dry_run(settings: dict[str, Any], json: bool) -> None:
    from agentnas.dry_run import dry_run

    plan = dry_run(settings)
    if json:
        emit_json(plan)
    else:
        emit("\n".join(f"{key:10} {_shown(value)}" for key, value in plan.items()))


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value).replace("\n", f"\n{'':11}")
