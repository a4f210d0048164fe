"""How the cost of a run grows with its trials: time per trial, journal, reports, prompts, memory; as Markdown tables and a plot.

``python -m tests.benchmarks.growth_trials [--trials 10000] [--quick] [--plot docs/growth/trials.svg]``. One run on a table, which costs no
training, so that everything else shows; in a folder that is thrown away. Exits with 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, TypeVar

from agentnas.agents.briefing import Briefing
from agentnas.agents.history import Ledger
from agentnas.agents.planner import RulePlanner
from agentnas.agents.situation import Left, Situation
from agentnas.agents.telling import EVERY
from agentnas.memory.experience import experience
from agentnas.memory.journal import Journal
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.store import Store
from agentnas.memory.view import JournalView
from agentnas.prompts import Prompts
from agentnas.report import render_report
from agentnas.run import Run
from agentnas.tools.evaluate.base import Limits
from agentnas.tools.evaluate.ladder import TABLE
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.tasks.card import TaskCard
from agentnas.words import markdown_table
from tests.benchmarks.figures import panels
from tests.long_runs import A_ROUND, Timed, settings, timed_run

TRIALS = 10_000
WINDOWS = 10
# With --quick: trials of each look at a run, looks at each length, and rounds between two fits of the surrogate.
A_LOOK, LOOKS, FIT_ROUNDS = 100, 2, EVERY // A_ROUND
# Shares of the run at which what has grown is measured.
MARKS = (0.1, 0.3, 1.0)
REPEATS = 3
# The last windows over the first: what a trial may cost more at the end.
MOST_GROWTH = 1.2
T = TypeVar("T")


class Grown(NamedTuple):
    """What a run of so many trials costs beside its search. Times in seconds, sizes in MiB, prompts in thousands of characters."""

    trials: int
    journal_mib: float
    resume_s: float
    report_s: float
    page_s: float
    page_mib: float
    prompts: tuple[float, float, float]
    keep_s: float
    recall_ms: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables and draw the plot; 1 if a trial at the end costs more than it may."""
    asked = _asked(arguments)
    if asked.quick:
        return sampled(asked.trials)
    count = asked.trials
    with tempfile.TemporaryDirectory(prefix="agentnas-growth-") as folder:
        timed = timed_run(settings(Path(folder), count, None))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        windows, walls = timed.busy_windows(count // WINDOWS), timed.windows(count // WINDOWS)
        print(f"## Time per trial over {count:,} trials\n\n{window_table(windows, walls, count // WINDOWS)}\n")
        growth = statistics.median(windows[-3:]) / windows[0]
        print(f"The last three windows over the first: {growth:.2f} (limit {MOST_GROWTH}). Peak memory of the process {peak:,.0f} MiB;")
        print(f"choosing the winner and everything after it took {timed.close_s:.1f} s, the search {timed.search_s:.0f} s.\n")
        grown = [measured(timed, round(share * count), Path(folder)) for share in MARKS]
        print(f"## What else grows\n\n{grown_table(grown)}")
    if asked.plot:
        draw(windows, count // WINDOWS, grown, asked.plot)
    return int(growth > MOST_GROWTH)


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--quick", action="store_true", help=f"look at {A_LOOK} trials of runs that are as long already")
    parser.add_argument("--plot", type=Path, help="SVG file to draw")
    return parser.parse_args(arguments)


def sampled(trials: int) -> int:
    """The same question in a minute: ``A_LOOK`` trials of a run that has few trials behind it, and of one that has many, in turn."""
    starts = [round(share * trials) // A_ROUND * A_ROUND for share in MARKS]
    found: dict[int, list[float]] = {start: [] for start in starts}
    for start in starts * LOOKS:
        with tempfile.TemporaryDirectory(prefix="agentnas-growth-") as folder:
            timed = timed_run(settings(Path(folder), start + A_LOOK, None), start)
            found[start].append(statistics.median(timed.busy_windows(A_ROUND * FIT_ROUNDS)[1:]))
    least = [min(times) for times in found.values()]
    rows = [[f"{start:,}", f"{busy:.1f}", f"{busy / least[0]:.2f}"] for start, busy in zip(starts, least, strict=True)]
    print(markdown_table(["trials before", "ms of processor time per trial", "against the first"], rows))
    return int(least[-1] > MOST_GROWTH * least[0])


def window_table(windows: Sequence[float], walls: Sequence[float], size: int) -> str:
    """Milliseconds of each window, and against the first."""
    rows = [
        [f"{i * size + 1:,} to {(i + 1) * size:,}", f"{busy:.1f}", f"{wall:.1f}", f"{busy / windows[0]:.2f}"]
        for i, (busy, wall) in enumerate(zip(windows, walls, strict=True))
    ]
    return markdown_table(["trials", "ms of processor time per trial", "ms of wall time", "processor time against the first"], rows)


def measured(timed: Timed, trials: int, folder: Path) -> Grown:
    """The figures of the run's journal, cut off after so many trials."""
    directory = cut(timed.run, trials, folder)
    view = directory.view()
    report, page = best_of(lambda: render_report(Run(directory))), best_of(lambda: Run(directory).page())
    keep_s, recall_ms = remembered(view, folder / f"memory-{trials}")
    return Grown(
        trials, directory.journal_file.stat().st_size / 2**20, best_of(lambda: _opened(directory))[0], report[0], page[0],
        len(page[1]) / 2**20, prompts(view), keep_s, recall_ms,
    )  # fmt: skip


def cut(run: Run, trials: int, folder: Path) -> RunDirectory:
    """A copy of the run as it was when so many trials had been drafted."""
    directory = RunDirectory.create(folder, "cut")
    directory.write_json("config.json", run.directory.read_json("config.json"))
    lines = run.directory.journal_file.read_bytes().splitlines(keepends=True)
    # Event by event: whether trials are drafted there that are more than may be.
    drafted = accumulate(line.count(b'"spec_hash"') if b'"type":"proposals_drafted"' in line else 0 for line in lines)
    kept = sum(number <= trials for number in drafted)
    directory.journal_file.write_bytes(b"".join(lines[:kept]))
    return directory


def best_of(action: Callable[[], T]) -> tuple[float, T]:
    """Least seconds of some repeats, and what came of it."""
    found: list[tuple[float, T]] = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        result = action()
        found.append((time.perf_counter() - began, result))
    return min(found, key=lambda pair: pair[0])


def _opened(directory: RunDirectory) -> int:
    with Journal.open(directory.journal_file) as journal:
        return journal.view.num_events


def prompts(view: JournalView) -> tuple[float, float, float]:
    """Thousands of characters that planner, coder and analyst are asked with at the end of the journal."""
    briefing, state = Briefing(Prompts()), last_situation(view)
    plan = RulePlanner().plan(state)
    asked = briefing.planner(state), briefing.coder(state, plan, 5, "diff"), briefing.analyst(state)
    planner, coder, analyst = (sum(len(message.content) for message in messages) / 1000 for messages in asked)
    return planner, coder, analyst


def last_situation(view: JournalView) -> Situation:
    """What agents would see after the journal's last round, on a table."""
    assert view.started is not None
    assert view.card is not None
    dataset = view.started.task.partition(":")[2]
    return Situation(
        max(view.rounds), 0, TaskCard.model_validate(view.card).text(), Ledger(view, TABLE).history(), TABLE,
        SearchSpace.nasbench(dataset), Limits(), plans=view.plans, findings=view.findings, left=Left(trials=100),
    )  # fmt: skip


def remembered(view: JournalView, folder: Path) -> tuple[float, float]:
    """Seconds to write the run to an empty memory, and milliseconds that another task's recall from it then takes."""
    found = experience(view, "run")
    assert found is not None
    store = Store(str(folder))
    try:
        began = time.perf_counter()
        store.put(found.trials, found.findings, [found.task])
        wrote = time.perf_counter() - began
        card = TaskCard.model_validate(view.card).model_copy(update={"name": "another", "nodes": 3327, "edges": 9104, "features": 3703})
        return wrote, 1000 * best_of(lambda: store.recall(card, "which operators do well at first?", 8))[0]
    finally:
        store.close()


def grown_table(grown: Sequence[Grown]) -> str:
    """One row a figure, one column a length."""
    rows = [
        ["journal, MiB", *(f"{g.journal_mib:.1f}" for g in grown)],
        ["reading it (resume, report), s", *(f"{g.resume_s:.2f}" for g in grown)],
        ["report.md, s", *(f"{g.report_s:.2f}" for g in grown)],
        ["report.html, s", *(f"{g.page_s:.2f}" for g in grown)],
        ["report.html, MiB", *(f"{g.page_mib:.1f}" for g in grown)],
        *([f"prompt of the {role}, 1,000 characters", *(f"{g.prompts[i]:.1f}" for g in grown)] for i, role in enumerate(ROLES)),
        ["writing the run to memory, s", *(f"{g.keep_s:.1f}" for g in grown)],
        ["a recall from that memory, ms", *(f"{g.recall_ms:.1f}" for g in grown)],
    ]
    return markdown_table(["", *(f"{g.trials:,} trials" for g in grown)], rows)


ROLES = ("planner", "coder", "analyst")


def draw(windows: Sequence[float], size: int, grown: Sequence[Grown], path: Path) -> None:
    """Time per trial beside what else grows, as an SVG file."""
    trials = [g.trials for g in grown]
    seconds = {"read the journal": [g.resume_s for g in grown], "report.md": [g.report_s for g in grown],
               "report.html": [g.page_s for g in grown], "write to memory": [g.keep_s for g in grown]}  # fmt: skip
    with panels(path, 2, (9, 3.2), "agentnas") as (_, (left, right)):
        left.plot([size * (i + 1) for i in range(len(windows))], windows, marker="o")
        left.set(title="time per trial", xlabel="trials so far", ylabel="ms", ylim=(0, None))
        for name, values in seconds.items():
            right.plot(trials, values, marker="o", label=name)
        right.set(title="once a run", xlabel="trials of the run", ylabel="s", ylim=(0, None))
        right.legend()


if __name__ == "__main__":
    sys.exit(main())
