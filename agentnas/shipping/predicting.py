"""``agentnas predict``: the winner's classes and probabilities for the nodes of a graph."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentnas.run import Run
from agentnas.shipping.graphs import FORMATS, NewGraph, read_graph
from agentnas.shipping.trained import Labels, Trained
from agentnas.tools.errors import DataError, RunError, UsageError
from agentnas.tools.nn.features import dense_array

SUFFIXES = (".csv", ".json")


@dataclass(frozen=True)
class Prediction:
    """One node: its name, the most probable class, and the probability of each class."""

    node: str
    label: int
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Predictions:
    """Predictions in the order in which nodes were asked for, and what a person should know about them."""

    rows: tuple[Prediction, ...]
    notes: tuple[str, ...]

    def as_csv(self) -> str:
        text = io.StringIO()
        out = csv.writer(text, lineterminator="\n")
        classes = len(self.rows[0].probabilities) if self.rows else 0
        out.writerow(["node", "class", "probability", *(f"p{label}" for label in range(classes))])
        for row in self.rows:
            out.writerow([row.node, row.label, *(f"{value:.6g}" for value in (max(row.probabilities), *row.probabilities))])
        return text.getvalue()

    def as_data(self) -> list[dict[str, Any]]:
        return [{"node": row.node, "class": row.label, "probabilities": list(row.probabilities)} for row in self.rows]

    def write(self, path: Path) -> None:
        """Write a .csv or .json file, which appears whole."""
        from agentnas.memory.rundir import write_atomic

        text = self.as_csv() if path.suffix.lower() == ".csv" else json.dumps(self.as_data(), indent=2) + "\n"
        try:
            write_atomic(path, text.encode())
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror or error}") from None


def check_out(path: Path | None, force: bool = False) -> None:
    """Raise UsageError for a file that could not be written, before anything is computed."""
    if path is None:
        return
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--out {path}: predictions are written as {' or '.join(SUFFIXES)}")
    if path.exists() and not force:
        raise UsageError(f"--out {path} exists; --force overwrites it")


def predict(
    run: Run, data: str | None = None, edges: Path | None = None, nodes: str | None = None, data_dir: Path | None = None
) -> Predictions:
    """Predictions of the run's winner. ``data``: a file, a folder or a task; None is the run's own task.

    ``nodes``: names or ranges such as ``3,8,10-20``; None is all. Raises DataError, UsageError, RunError.
    """
    trained = Trained(run, data_dir)
    graph, known, notes = _graph(trained, data, edges)
    wanted = chosen(nodes, graph.names)
    probabilities = trained.probabilities(graph.x, graph.edge_index, known).numpy()
    if not np.isfinite(probabilities[wanted]).all():
        raise DataError("features are so large that no probability can be computed; scale them as those that the model was trained on")
    rows = (Prediction(graph.names[i], int(probabilities[i].argmax()), tuple(probabilities[i].tolist())) for i in wanted)
    return Predictions(tuple(rows), (*notes, *graph.notes))


def _graph(trained: Trained, data: str | None, edges: Path | None) -> tuple[NewGraph, Labels | None, tuple[str, ...]]:
    own = trained.view.started.task if trained.view.started else ""
    if data is None or (data == own and not Path(data).exists()):
        if edges is not None:
            raise UsageError(f"--edges {edges} needs --data with the nodes")
        task = trained.task
        assert task.data is not None
        names = [str(node) for node in range(task.data.num_nodes)]
        note = f"the graph of {own} itself: {len(trained.split.train)} of its {task.data.num_nodes} nodes were trained on"
        return NewGraph(trained.own_features(), task.data.edge_index, names), trained.own_labels(), (note,)
    notes: tuple[str, ...] = ()
    if trained.posted:
        notes = (f"{trained.spec.post.kind} was done without known labels, as the new graph has none",)
    return _other(trained, data, edges), None, notes


def _other(trained: Trained, data: str, edges: Path | None) -> NewGraph:
    path = Path(data)
    if path.exists() or path.suffix or edges is not None:
        return read_graph(path, edges, trained.num_features)
    from agentnas.tools.tasks import load_task

    try:
        task = load_task(data, data_dir=trained.data_dir)
    except UsageError as error:
        raise DataError(f"--data {data} is no file, and as a task: {error}; give {FORMATS}") from None
    if task.data is None:
        raise DataError(f"--data {data} is a table and holds no graph; give {FORMATS}")
    if task.data.num_features != trained.num_features:
        raise DataError(f"--data {data}: {task.data.num_features} features a node, but the model was trained on {trained.num_features}")
    dense = dense_array(task.data.x)
    return NewGraph(dense, task.data.edge_index, [str(node) for node in range(len(dense))])


def chosen(wanted: str | None, names: Sequence[str]) -> list[int]:
    """Places of the nodes that are asked for: names, or ranges of whole numbers with both ends."""
    if wanted is None:
        return list(range(len(names)))
    at = {name: place for place, name in enumerate(names)}
    found: list[int] = []
    for word in filter(None, (part.strip() for part in wanted.split(","))):
        if word in at:
            found.append(at[word])
        else:
            found += _range(word, at, names)
    if not found:
        raise UsageError(f"--nodes {wanted!r} names no node; give ids such as 3,8,10-20")
    return found


def _range(word: str, at: dict[str, int], names: Sequence[str]) -> list[int]:
    first, dash, last = word.partition("-")
    shown = f"nodes are {', '.join(names[:3])}{', ...' if len(names) > 4 else ''}{f', {names[-1]}' if len(names) > 3 else ''}"
    if not (dash and first.isdecimal() and last.isdecimal()):
        raise UsageError(f"--nodes: there is no node {word!r}; {shown}")
    if int(first) > int(last) or first not in at or last not in at:
        raise UsageError(f"--nodes: {word} is no range of nodes; {shown}")
    inside = [str(number) for number in range(int(first), int(last) + 1)]
    return [at[name] for name in inside if name in at]
