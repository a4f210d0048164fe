"""Folders of tables, guessed at, written down and loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agentnas.tools.own.guess import guess_arrays, guess_tables
from agentnas.tools.own.guessing import Guess, Wishes
from agentnas.tools.own.looking import files_of, look, look_whole
from agentnas.tools.own.writing import relative, task_yaml
from agentnas.tools.tasks import Task, load_task

RNG = np.random.default_rng(0)


def guessed(folder: Path, **said: Any) -> Guess:
    files, _ = files_of([folder])
    if files[0].suffix in (".graphml", ".gml", ".npz", ".pt"):
        seen = look_whole(files[0])
        return guess_arrays(files[0], seen, Wishes(**said)) if isinstance(seen, dict) else guess_tables(seen, Wishes(**said))
    return guess_tables([look(file) for file in files], Wishes(**said))


def loaded(folder: Path, guess: Guess) -> Task:
    path = folder / "task.yaml"
    path.write_text(task_yaml({"name": "mine", **relative(guess.plan, folder)}, guess, "agentnas tasks check task.yaml"), encoding="utf-8")
    return load_task(str(path))


def frames(folder: Path, **tables: dict[str, Any]) -> None:
    for name, columns in tables.items():
        pd.DataFrame(columns).to_csv(folder / f"{name}.csv", index=False)


def some(n: int, *values: Any) -> list[Any]:
    return [values[i] for i in RNG.integers(len(values), size=n)]


def ties(n: int = 60, count: int = 200) -> dict[str, Any]:
    return {"source": RNG.integers(n, size=count), "target": RNG.integers(n, size=count)}
