"""Options of a design that are about language models and the people who watch over them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Llm = Annotated[
    str | None,
    typer.Option(
        "--llm",
        help="Language model of all agents: openai:MODEL, anthropic:MODEL, openai:MODEL@URL (compatible server), replay:FILE; else rules.",
        show_default=False,
    ),
]
PlannerLlm = Annotated[str | None, typer.Option("--planner-llm", help="The planner's model, or rules.", show_default=False)]
CoderLlm = Annotated[str | None, typer.Option("--coder-llm", help="The coder's model, or rules.", show_default=False)]
AnalystLlm = Annotated[str | None, typer.Option("--analyst-llm", help="The analyst's model, or rules.", show_default=False)]
Proposals = Annotated[
    str | None,
    typer.Option(
        help="What a model's coder writes: diff (changes to earlier trials) or full (whole specs). [default: diff]", show_default=False
    ),
]
MaxCost = Annotated[str | None, typer.Option(help="Most US dollars for language models, or none. [default: 1]", show_default=False)]
MaxTokens = Annotated[int | None, typer.Option(help="Most tokens of language models, in and out.", show_default=False)]
MaxCalls = Annotated[int | None, typer.Option("--max-llm-calls", help="Most calls to language models.", show_default=False)]
LlmTimeout = Annotated[
    str | None, typer.Option("--llm-timeout", help="Most time for one call to a language model. [default: 3m]", show_default=False)
]
Prices = Annotated[Path | None, typer.Option(help="JSON file of prices that adds to those shipped.", show_default=False)]
PromptsDir = Annotated[Path | None, typer.Option(help="Folder of prompt templates that replace those shipped.", show_default=False)]
Record = Annotated[Path | None, typer.Option(help="File to record the calls to, for --llm replay:FILE.", show_default=False)]
Review = Annotated[
    bool | None,
    typer.Option("--review/--no-review", help="Stop before each plan is carried out, see agentnas runs review.", show_default=False),
]
