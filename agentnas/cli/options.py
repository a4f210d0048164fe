"""Options that mean the same in every command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder of data sets.", show_default=False)]
RunsDir = Annotated[Path | None, typer.Option(help="Folder of run directories.", show_default=False)]
Split = Annotated[
    str | None,
    typer.Option(
        help="public, random, random:TRAIN/VAL (per class), geom-gcn, own or links:VAL/TEST (percent of edges); else the task's default.",
        show_default=False,
    ),
]
AllowCode = Annotated[
    bool | None, typer.Option("--allow-code", help="Let a task file call the Python function that it names.", show_default=False)
]
Executor = Annotated[
    str | None,
    typer.Option(
        help="Where trials run: local, ray (a cluster started here), ray:auto, ray:HOST:PORT or ray://HOST:PORT. [default: local]",
        show_default=False,
    ),
]
MemoryDir = Annotated[
    str | None,
    typer.Option(help="Folder of what outlives runs, or http://HOST:PORT of a Chroma server; none: nothing does.", show_default=False),
]
Embedder = Annotated[str | None, typer.Option(help="lexical, minilm or openai:MODEL. [default: lexical]", show_default=False)]
ForgetTask = Annotated[
    bool | None,
    typer.Option("--forget-task", help="Recall nothing of this task's graph, under whatever name or split.", show_default=False),
]
