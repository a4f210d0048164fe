"""``agentnas bench retrieval``: whether the cards that answer a question are found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentnas.cli.options import Json
from agentnas.cli.output import emit, emit_json, say

if TYPE_CHECKING:
    from agentnas.bench.retrieval_report import Retrieval

QUERIES = "JSON Lines of judged queries: qid, kind, query, relevant (card id -> grade)."


def retrieval(
    file: Annotated[Path, typer.Argument(help=QUERIES, show_default=False)],
    embedder: Annotated[
        str | None, typer.Option(help="Also rank by these vectors alone: lexical, minilm or openai:MODEL.", show_default=False)
    ] = None,
    cards: Annotated[
        Path | None, typer.Option(help="JSON Lines of cards to search; those that ship if left out.", show_default=False)
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Also choose the weights on all folds but one and measure on it.", show_default=False)
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write every query's figures here.", show_default=False)] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the table here.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Whether the cards that answer a question are found.

    Cards are ranked as a run ranks them. Recall@5 and recall@10 of the cards of grade 2, and the mean reciprocal rank of the first:
    per kind of query, the mean of the kinds, and over all queries.
    """
    from agentnas.cli.bench import check_writable

    check_writable(csv, markdown)
    show(_measured(file, embedder, cards, folds), csv, markdown, json)


def _measured(file: Path, embedder: str | None, cards: Path | None, folds: int | None) -> Retrieval:
    from agentnas.bench.retrieval import load, measure, rankers
    from agentnas.bench.retrieval_report import Retrieval
    from agentnas.bench.retrieval_tuning import tune

    library, queries, unanswered = load(file, cards)
    asked = rankers(library, embedder)  # an embedder that cannot be had is said at once
    tuned = tune(library, queries, folds, _progress) if folds else None
    found = [finding for name, ranker in asked.items() for finding in measure(name, ranker, queries)]
    return Retrieval(len(library.cards), tuple(queries), tuple(unanswered), tuple(found), tuned)


def show(result: Retrieval, csv: Path | None, markdown: Path | None, json: bool) -> None:
    """Print what was measured and write it to the files that were asked for."""
    from agentnas.bench.retrieval_report import as_csv, as_dict
    from agentnas.bench.retrieval_report import markdown as in_markdown

    for file, text in ((csv, as_csv(result.every())), (markdown, in_markdown(result) + "\n")):
        if file is not None:
            file.write_text(text, encoding="utf-8")
            say(f"written: {file}")
    if json:
        emit_json(as_dict(result))
    else:
        emit(in_markdown(result))


def _progress(finished: int, all_: int) -> None:
    if finished == all_ or finished % max(1, all_ // 4) == 0:
        say(f"{finished} of {all_} blends of weights measured")
