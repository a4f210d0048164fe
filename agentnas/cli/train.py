"""``agentnas train``: train one architecture on a task."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agentnas.cli.options import AllowCode, DataDir, Json, Split
from agentnas.cli.output import counted, emit, emit_json, say
from agentnas.cli.profile import Device, SpecFile, TaskName
from agentnas.cli.shell import COMMANDS, command_app

app = command_app()

Seeds = Annotated[int, typer.Option(min=1, help="How many seeds; seed i trains on split i.")]
Workers = Annotated[int, typer.Option(min=1, help="Worker processes.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Most epochs; the recipe's own if not given.", show_default=False)]
OpenTest = Annotated[bool, typer.Option("--test", help="Open the test set: only for a spec that is not compared with others any more.")]


@app.command(help=COMMANDS["train"].help)
def train(
    spec: SpecFile,
    task: TaskName = None,
    seeds: Seeds = 1,
    epochs: Epochs = None,
    test: OpenTest = False,
    workers: Workers = 1,
    split: Split = None,
    device: Device = "auto",
    data_dir: DataDir = None,
    allow_code: AllowCode = None,
    json: Json = False,
) -> None:
    from agentnas.config import resolve
    from agentnas.one_spec import Training, task_of, train_spec
    from agentnas.spec_file import read_spec

    wanted = read_spec(spec)
    config = resolve({"split": split, "data_dir": data_dir, "allow_code": allow_code}).config
    training = Training(
        task_of(spec, task), config.split, config.data_dir, seeds, epochs, test, workers, device, allow_code=config.allow_code
    )
    result = train_spec(wanted, training, lambda done: None if json else say(_line(done)))
    if json:
        emit_json(result)
    else:
        emit(_answer(result))
    if result["failed"]:
        raise typer.Exit(1)


def _line(done: dict[str, Any]) -> str:
    from agentnas.tools.evaluate.base import PLANNED

    if done["state"] != "done":
        return f"seed {done['seed']}: {done['kind']}: {done['reason']}"
    cut = f" ({done['details'][PLANNED]} planned: the time limit ended it)" if PLANNED in done["details"] else ""
    return f"seed {done['seed']}: validation {done['told']} at epoch {done['best_epoch']} of {done['epochs']}{cut}, {done['seconds']:.1f} s"


def _answer(result: dict[str, Any]) -> str:
    from agentnas.tools.scale import Scale

    scale = Scale(result["metric"], result["unit"])
    parts = [(name, result[name]) for name in ("validation", "test") if result[name]]
    scores = [f"{name} {scale.told(part['mean'], part['sd'])}{scale.sign} over {counted(part['seeds'], 'seed')}" for name, part in parts]
    return "\n".join([f"{result['task']}, {result['protocol']}, {result['metric']}, on {result['device']}", *scores])
