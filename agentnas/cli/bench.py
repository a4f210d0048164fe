"""``agentnas bench``: the searchers compared on tables of finished trials, with the agents among them; whether cards are found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentnas.cli import llm_options as models
from agentnas.cli.bench_retrieval import retrieval
from agentnas.cli.options import Json
from agentnas.cli.output import emit, emit_json, say
from agentnas.cli.shell import COMMANDS, group_app
from agentnas.tools.errors import UsageError

if TYPE_CHECKING:
    from agentnas.bench.llm_agents import LLMPart
    from agentnas.bench.report import Outcome

app = group_app(COMMANDS["bench"].help)
Searchers = Annotated[str | None, typer.Option(help="Names with commas between; all if left out.", show_default=False)]
Seeds = Annotated[int, typer.Option(min=1, help="Searches of each searcher that draws.")]
Regime = Annotated[str, typer.Option(help="strict: validation scores are remembered; published: test scores too.")]
Without = Annotated[
    list[str] | None, typer.Option(help="Also the agents without memory, similarity or smoothing; repeatable.", show_default=False)
]
WithoutCards = Annotated[
    list[str] | None,
    typer.Option(help="Also the agents without memory, similarity or smoothing, or models without cards; repeatable.", show_default=False),
]
SeedsOrOne = Annotated[
    int | None, typer.Option(min=1, help="Searches of each that draws. [default: 20, of language models 1]", show_default=False)
]
Evaluations = Annotated[
    int | None, typer.Option(min=1, help="Designs that a search by language models tries. [default: 30]", show_default=False)
]
MostCost = Annotated[
    str | None, typer.Option("--max-cost", help="Most US dollars for all searches, or none. [default: 1]", show_default=False)
]
Kept = Annotated[
    Path | None, typer.Option(help="Folder that keeps the models' runs; those in it are not paid for again.", show_default=False)
]
Workers = Annotated[int, typer.Option(min=1, help="Processes.")]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write every score here.", show_default=False)]
Markdown = Annotated[Path | None, typer.Option("--markdown", help="Write the tables here.", show_default=False)]
Plot = Annotated[Path | None, typer.Option("--plot", help="Write a picture (SVG) here.", show_default=False)]


@app.command()
def nasbench(
    searchers: Searchers = None,
    datasets: Annotated[str | None, typer.Option(help="Names with commas between; all if left out.", show_default=False)] = None,
    seeds: SeedsOrOne = None,
    regime: Regime = "strict",
    without: WithoutCards = None,
    workers: Workers = 2,
    llm: models.Llm = None,
    planner_llm: models.PlannerLlm = None,
    coder_llm: models.CoderLlm = None,
    analyst_llm: models.AnalystLlm = None,
    evaluations: Evaluations = None,
    max_cost: MostCost = None,
    max_tokens: models.MaxTokens = None,
    max_llm_calls: models.MaxCalls = None,
    llm_timeout: models.LlmTimeout = None,
    prices: models.Prices = None,
    prompts_dir: models.PromptsDir = None,
    runs_dir: Kept = None,
    csv: Csv = None,
    markdown: Markdown = None,
    plot: Plot = None,
    json: Json = False,
) -> None:
    """Searchers on NAS-Bench-Graph, each data set in turn the new one.

    Random, evolution, local, tpe, gbdt, transfer-mean-rank and agentnas; with --llm also agentnas-llm, whose limits hold for all of its
    searches together. Oracle and honest scores after 1 to 100 evaluations.
    """
    check_writable(csv, markdown, plot)
    named = {"llm": llm, "planner_llm": planner_llm, "coder_llm": coder_llm, "analyst_llm": analyst_llm}
    bounds = {
        "max_cost": max_cost, "max_tokens": max_tokens, "max_llm_calls": max_llm_calls, "llm_timeout": llm_timeout, "prices": prices,
        "prompts_dir": prompts_dir,
    }  # fmt: skip
    part = _llm_part(named, bounds, {"evaluations": evaluations, "runs_dir": runs_dir, "seeds": seeds})
    from agentnas.bench.running import run_nasbench

    outcome = run_nasbench(
        split(searchers), split(datasets), seeds=seeds or 20, regime=regime, without=without or (), workers=workers, done=_progress,
        llm=part, tell=say,
    )  # fmt: skip
    show(outcome, csv, markdown, plot, json)
    if outcome.llm and outcome.llm.stopped:
        say(f"agentnas-llm stopped after {outcome.llm.searches} of {outcome.llm.planned} searches: {outcome.llm.stopped}")
        raise typer.Exit(1)


def _llm_part(named: dict[str, Any], bounds: dict[str, Any], rest: dict[str, Any]) -> LLMPart | None:
    """What language models are to do; None where none is named. Raises UsageError for an option that would do nothing then."""
    given = {name: value for name, value in rest.items() if value is not None}
    if any(named.values()):
        from agentnas.bench.llm_agents import llm_part

        return llm_part(named | bounds, **given)
    idle = [name for name, value in (bounds | given).items() if value is not None and name != "seeds"]
    if idle:
        raise UsageError(f"--{idle[0].replace('_', '-')} is about language models, and none is named; add --llm, or leave it out")
    return None


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
