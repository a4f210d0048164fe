"""``agentnas bench``: the searchers compared on tables of finished trials, with the agents among them; whether cards are found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentnas.cli.bench_retrieval import retrieval
from agentnas.cli.options import Json
from agentnas.cli.output import emit, emit_json, say
from agentnas.cli.shell import COMMANDS, group_app
from agentnas.tools.errors import UsageError

if TYPE_CHECKING:
    from agentnas.bench.report import Outcome

app = group_app(COMMANDS["bench"].help)
Searchers = Annotated[str | None, typer.Option(help="Names with commas between; all if left out.", show_default=False)]
Seeds = Annotated[int, typer.Option(min=1, help="Searches of each searcher that draws.")]
Regime = Annotated[str, typer.Option(help="strict: validation scores are remembered; published: test scores too.")]
Without = Annotated[
    list[str] | None, typer.Option(help="Also the agents without memory, similarity or smoothing; repeatable.", show_default=False)
]
Workers = Annotated[int, typer.Option(min=1, help="Processes.")]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write every score here.", show_default=False)]
Markdown = Annotated[Path | None, typer.Option("--markdown", help="Write the tables here.", show_default=False)]
Plot = Annotated[Path | None, typer.Option("--plot", help="Write a picture (SVG) here.", show_default=False)]


@app.command()
def nasbench(
    searchers: Searchers = None,
    datasets: Annotated[str | None, typer.Option(help="Names with commas between; all if left out.", show_default=False)] = None,
    seeds: Seeds = 20,
    regime: Regime = "strict",
    without: Without = None,
    workers: Workers = 2,
    csv: Csv = None,
    markdown: Markdown = None,
    plot: Plot = None,
    json: Json = False,
) -> None:
    """Searchers on NAS-Bench-Graph, each data set in turn the new one.

    Random, evolution, local, tpe, gbdt, transfer-mean-rank and agentnas; oracle and honest scores after 1 to 100 evaluations.
    """
    from agentnas.bench.running import run_nasbench

    check_writable(csv, markdown, plot)
    outcome = run_nasbench(
        split(searchers), split(datasets), seeds=seeds, regime=regime, without=without or (), workers=workers, done=_progress
    )  # fmt: skip
    show(outcome, csv, markdown, plot, json)


@app.command()
def table(
    file: Annotated[Path, typer.Argument(help="CSV of trials: data_set, validation, test, and spec or any columns.", show_default=False)],
    searchers: Searchers = None,
    seeds: Seeds = 20,
    maximize: Annotated[bool, typer.Option("--maximize/--minimize", help="Whether high scores are good, or low ones.")] = True,
    regime: Regime = "strict",
    without: Without = None,
    workers: Workers = 2,
    csv: Csv = None,
    markdown: Markdown = None,
    plot: Plot = None,
    json: Json = False,
) -> None:
    """The same searchers on your own table of trials.

    Each data set in turn is the new one and the others are memory. A design is a spec as JSON, or all other columns: numbers or words.
    """
    from agentnas.bench.running import run_table

    check_writable(csv, markdown, plot)
    outcome = run_table(
        file, split(searchers), seeds=seeds, maximize=maximize, regime=regime, without=without or (), workers=workers, done=_progress
    )  # fmt: skip
    show(outcome, csv, markdown, plot, json)


app.command()(retrieval)


def split(names: str | None) -> list[str]:
    """Names with commas between."""
    return [name.strip() for name in (names or "").split(",") if name.strip()]


def check_writable(*files: Path | None) -> None:
    """Raise UsageError for a file whose folder does not exist, before minutes are spent."""
    for file in files:
        if file is not None and not file.parent.is_dir():
            raise UsageError(f"{file}: the folder {file.parent} does not exist; create it")


def show(outcome: Outcome, csv: Path | None, markdown: Path | None, plot: Path | None, json: bool) -> None:
    """Print an outcome and write it to the files that were asked for."""
    from agentnas.bench.picture import svg
    from agentnas.bench.report import as_csv, as_dict
    from agentnas.bench.report import markdown as in_markdown

    for file, text in ((csv, as_csv(outcome.scores)), (markdown, in_markdown(outcome) + "\n"), (plot, svg(outcome))):
        if file is not None:
            file.write_text(text, encoding="utf-8")
            say(f"written: {file}")
    if json:
        emit_json(as_dict(outcome))
    else:
        emit(in_markdown(outcome))


def _progress(finished: int, all_: int) -> None:
    if finished == all_ or finished % max(1, all_ // 10) == 0:
        say(f"{finished} of {all_} parts measured")
