"""``agentnas predict``: classes with probabilities, or values, by a run's winner."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentnas.cli.options import AllowCode, DataDir, Json, RunsDir
from agentnas.cli.output import emit, emit_json, say
from agentnas.cli.report import Force, RunName
from agentnas.cli.shell import COMMANDS, command_app

app = command_app()

Data = Annotated[
    str | None,
    typer.Option(
        metavar="PATH|TASK",
        help="Graph or graphs: .npz (x, edge_index, ...), nodes.csv, a folder of both CSVs, or a task; the run's own if not given.",
        show_default=False,
    ),
]
Edges = Annotated[Path | None, typer.Option(help="CSV of the edges, where --data is a CSV of nodes.", show_default=False)]
Nodes = Annotated[
    str | None,
    typer.Option(
        "--nodes", "--items",
        help="Nodes or graphs to show, such as 3,8,10-20; pairs, such as 3-8,4-10, or a CSV of source and target; all if not given.",
        show_default=False,
    ),
]  # fmt: skip
Out = Annotated[Path | None, typer.Option(help="File to write, .csv or .json; CSV is printed if not given.", show_default=False)]


@app.command(help=COMMANDS["predict"].help)
def predict(
    run: RunName = "latest", data: Data = None, edges: Edges = None, nodes: Nodes = None, out: Out = None, force: Force = False,
    data_dir: DataDir = None, allow_code: AllowCode = None, runs_dir: RunsDir = None, json: Json = False,
) -> None:  # fmt: skip
    from agentnas.config import resolve
    from agentnas.memory.runs import find
    from agentnas.run import Run
    from agentnas.shipping import predicting

    predicting.check_out(out, force)
    found = Run(find(resolve({"runs_dir": runs_dir}).config.runs_dir, run))
    predictions = predicting.predict(found, data, edges, nodes, data_dir, allow_code)
    for note in predictions.notes:
        say(note)
    if out is not None:
        predictions.write(out)
    if json:
        emit_json({"run": found.name, "file": out, "predictions": predictions.as_data()})
    else:
        emit(predictions.as_csv().rstrip("\n") if out is None else str(out))
