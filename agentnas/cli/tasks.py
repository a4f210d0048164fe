"""``agentnas tasks``: which tasks there are, what is known of one, whether its data is sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agentnas.cli.findings import findings_text, tallied
from agentnas.cli.options import AllowCode, DataDir, Json, Split
from agentnas.cli.output import counted, emit, emit_json, say, table
from agentnas.cli.shell import COMMANDS, group_app
from agentnas.cli.tasks_init import init
from agentnas.config import resolve
from agentnas.tools.errors import AgentNASError
from agentnas.tools.tasks import load_task, task_names
from agentnas.tools.tasks.catalog import TABLE_PREFIX, data_set
from agentnas.tools.tasks.generated import EXAMPLES as GENERATED
from agentnas.tools.tasks.locate import where
from agentnas.tools.tasks.powerlaw import EXAMPLES

app = group_app(COMMANDS["tasks"].help)
Name = Annotated[str, typer.Argument(help="Name of a task, see agentnas tasks list, or a task.yaml of yours.", show_default=False)]


@app.command("list")
def list_(data_dir: DataDir = None, json: Json = False) -> None:
    """All tasks, and where their data is.

    powerlaw:NODES is generated, of any size and with settings behind commas: powerlaw:1e5,degree=20,features=128.
    So are small tasks of which the best predictions are known: generated:hetero,nodes=3000,noise=0.1.
    """
    folder = resolve({"data_dir": data_dir}).config.data_dir
    rows = [_listed(name, folder) for name in (*task_names(), *EXAMPLES, *GENERATED)]
    if json:
        emit_json(rows)
        return
    emit(table(list(rows[0]), (_as_row(row) for row in rows)))


@app.command()
def show(name: Name, split: Split = None, data_dir: DataDir = None, allow_code: AllowCode = None, json: Json = False) -> None:
    """The card of a task: what is known of it.

    Sizes, degrees, homophily, and what simple methods reach on validation in a second.
    """
    from agentnas.tools.tasks import make_card

    task = load(name, split, data_dir, allow_code)
    config, card = resolve({"split": split, "data_dir": data_dir}).config, make_card(task)
    place = where(name, config.data_dir, config.split)
    if json:
        emit_json({**card.model_dump(), "data": place})
    else:
        emit(f"{card.text().rstrip()}\ndata: {place}")


@app.command()
def check(name: Name, split: Split = None, data_dir: DataDir = None, allow_code: AllowCode = None, json: Json = False) -> None:
    """Look for what would make its scores wrong.

    Leaking splits, features that give the label away, twins in training and test, classes that are missing, broken values.
    Each finding says how bad it is, what it means, and what to do. Ends with 1 if there is an error.
    """
    from agentnas.tools.tasks import check_task

    task = load(name, split, data_dir, allow_code)
    problems = check_task(task)
    if json:
        emit_json(problems)
    elif problems:
        emit(findings_text(problems))
    if not json:
        say(f"{name}, {task.protocol}: {tallied(problems)}" if task.data else f"{name} is a table: there is no data to check")
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        raise AgentNASError(f"{name} has {counted(errors, 'error')}: its scores would be wrong")


app.command("init")(init)


def load(name: str, split: str | None, data_dir: Path | None, allow_code: bool | None = None) -> Any:
    """The task, from where the settings say its data is; raises DataError for a --data-dir that lacks it."""
    from agentnas.api import require_data_dir

    resolved = resolve({"split": split, "data_dir": data_dir, "allow_code": allow_code})
    require_data_dir(resolved, name)
    config = resolved.config
    return load_task(name, data_dir=config.data_dir, split=config.split, allow_code=config.allow_code)


def _listed(name: str, data_dir: Path | None) -> dict[str, Any]:
    """A line of the list; the sizes of a table's graph are on its card."""
    row: dict[str, Any] = {"task": name, "kind": "table", "nodes": None, "edges": None, "features": None, "classes": None}
    if name.startswith(TABLE_PREFIX):
        metric = "roc_auc" if name.endswith("proteins") else "accuracy"
        return row | {"metric": metric, "splits": [], "data": where(name, data_dir)}
    data = data_set(name)
    row |= {"kind": data.kind, "nodes": data.nodes, "edges": data.edges, "features": data.features, "classes": data.classes}
    return row | {"metric": data.metric, "splits": data.splits, "data": where(name, data_dir)}


def _as_row(row: dict[str, Any]) -> list[Any]:
    shown = row | {"splits": " ".join(row["splits"]) or "-", "data": row["data"] or "to download"}
    return ["-" if value is None else value for value in shown.values()]
