"""``agentnas predict``: what the winner says of nodes, graphs or pairs: classes and labels with probabilities, or values."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agentnas.run import Run
from agentnas.scores import item_of
from agentnas.shipping.graphs import FORMATS, NewGraph, pair_names, read_graph, read_pairs
from agentnas.shipping.trained import Labels, Trained
from agentnas.tools.errors import AgentNASError, DataError, RunError, UsageError
from agentnas.tools.nn.features import dense_array
from agentnas.tools.tasks.catalog import is_task_file

if TYPE_CHECKING:
    from agentnas.tools.tasks.base import GraphData

SUFFIXES = (".csv", ".json")


@dataclass(frozen=True)
class Prediction:
    """One item: its name, the probability of each class or label, or the value; of a pair, that of an edge."""

    node: str
    probabilities: tuple[float, ...]
    ends: tuple[str, str] = ("", "")

    @property
    def label(self) -> int:
        """The most probable class."""
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)


@dataclass(frozen=True)
class Predictions:
    """Predictions in the order in which items were asked for, and what a person should know about them.

    ``item``: node, graph or pair; ``target``: classes, labels or value; ``names``: of classes or labels, empty where they are numbers.
    """

    rows: tuple[Prediction, ...]
    notes: tuple[str, ...]
    item: str = "node"
    target: str = "classes"
    names: tuple[str, ...] = ()

    def as_csv(self) -> str:
        text = io.StringIO()
        out = csv.writer(text, lineterminator="\n")
        out.writerow(self._head())
        out.writerows(self._cells(row) for row in self.rows)
        return text.getvalue()

    def _head(self) -> list[str]:
        if self.item == "pair":
            return ["source", "target", "edge", "probability"]
        if self.target == "value":
            return [self.item, "value"]
        count = len(self.rows[0].probabilities) if self.rows else 0
        shares = [self._name(number) if self.names else f"p{number}" for number in range(count)]
        return [self.item, "labels", *shares] if self.target == "labels" else [self.item, "class", "probability", *shares]

    def _name(self, number: int) -> str:
        return self.names[number] if number < len(self.names) else str(number)

    def _cells(self, row: Prediction) -> list[str]:
        shares = [f"{value:.6g}" for value in row.probabilities]
        if self.item == "pair":
            return [*row.ends, "yes" if row.label else "no", shares[1]]
        if self.target == "value":
            return [row.node, *shares]
        if self.target == "labels":
            return [row.node, " ".join(self._name(number) for number in likely(row)), *shares]
        return [row.node, self._name(row.label), f"{max(row.probabilities):.6g}", *shares]

    def as_data(self) -> list[dict[str, Any]]:
        return [self._data(row) for row in self.rows]

    def _data(self, row: Prediction) -> dict[str, Any]:
        if self.item == "pair":
            source, target = row.ends
            return {"source": source, "target": target, "edge": bool(row.label), "probability": row.probabilities[1]}
        if self.target == "value":
            return {self.item: row.node, "value": row.probabilities[0]}
        named = {"name": self._name(row.label)} if self.names and self.target == "classes" else {}
        if self.target == "labels":
            return {self.item: row.node, "labels": [self._name(number) for number in likely(row)], "probabilities": list(row.probabilities)}
        return {self.item: row.node, "class": row.label, **named, "probabilities": list(row.probabilities)}

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


def likely(row: Prediction) -> list[int]:
    """Labels that are more probable than not."""
    return [number for number, share in enumerate(row.probabilities) if share > 0.5]


def predict(
    run: Run,
    data: str | None = None,
    edges: Path | None = None,
    nodes: str | None = None,
    data_dir: Path | None = None,
    allow_code: bool | None = None,
) -> Predictions:
    """Predictions of the run's winner. ``data``: a file, a folder or a task; None is the run's own data.

    ``nodes``: names or ranges of nodes or graphs such as ``3,8,10-20``, and of pairs ``3-8,4-10`` or a CSV of them; None is all. Raises
    DataError, UsageError, RunError.
    """
    trained = Trained(run, data_dir, allow_code)
    graph, known, notes = _graph(trained, data, edges)
    item = item_of(trained.view)
    if item == "pair":
        graph, named = _paired(graph, nodes)
        wanted = list(range(len(graph.names)))
    else:
        named = graph.names
        wanted = chosen(nodes, graph.names, item)
    found = trained.predictions(graph, known).numpy()
    if not np.isfinite(found[wanted]).all():
        what = "value" if trained.target == "value" else "probability"
        raise DataError(f"features are so large that no {what} can be computed; scale them as those that the model was trained on")
    rows = tuple(Prediction(graph.names[i], tuple(found[i].tolist()), _ends(graph, named, i)) for i in wanted)
    return Predictions(rows, (*notes, *graph.notes), item, trained.target, trained.class_names)


def _ends(graph: NewGraph, nodes: Sequence[str], place: int) -> tuple[str, str]:
    """The names of both ends of a pair."""
    if graph.pairs is None:
        return "", ""
    source, target = graph.pairs[:, place].tolist()
    return nodes[source], nodes[target]


def _paired(graph: NewGraph, asked: str | None) -> tuple[NewGraph, Sequence[str]]:
    """The graph with the pairs that are asked for, by name or in a file, else with those that it came with; and the names of its nodes."""
    if asked is None and graph.pairs is None:
        raise UsageError(
            "which pairs? give --items with names such as 3-8,4-10 or a CSV with the columns source and target, or pairs [2, n] in the .npz"
        )
    numbered = [str(node) for node in range(len(graph.x))]
    nodes = list(graph.nodes) or (numbered if graph.pairs is not None else list(graph.names))
    if asked is not None:
        pairs = read_pairs(Path(asked), nodes) if Path(asked).suffix == ".csv" else pairs_named(asked, nodes)
        graph = replace(graph, pairs=pairs, names=pair_names(pairs, nodes))
    return graph, nodes


def pairs_named(asked: str, nodes: Sequence[str]) -> NDArray[np.int64]:
    """[2, P] for words such as ``3-8,4-10``."""
    at = {name: place for place, name in enumerate(nodes)}
    found = []
    for word in filter(None, (part.strip() for part in asked.split(","))):
        ways = ((word[:dash], word[dash + 1 :]) for dash, mark in enumerate(word) if mark == "-")  # names may hold the mark themselves
        ends = next(((source, target) for source, target in ways if source in at and target in at), None)
        if ends is None:
            raise UsageError(f"--items: {word!r} is no pair of nodes; give two of {nodes[0]} to {nodes[-1]} as SOURCE-TARGET")
        found.append((at[ends[0]], at[ends[1]]))
    if not found:
        raise UsageError(f"--items {asked!r} names no pair; give pairs such as 3-8,4-10")
    return np.array(found, dtype=np.int64).T


def _graph(trained: Trained, data: str | None, edges: Path | None) -> tuple[NewGraph, Labels | None, tuple[str, ...]]:
    own = trained.view.started.task if trained.view.started else ""
    if data is None or (data == own and not Path(data).exists()):
        if edges is not None:
            raise UsageError(f"--edges {edges} needs --data with the nodes")
        return _named(trained.own(), trained.task.names), trained.own_labels() if trained.posted else None, (_own_note(trained, own),)
    notes: tuple[str, ...] = ()
    if trained.posted:
        notes = (f"{trained.spec.post.kind} was done without known labels, as the new graph has none",)
    return _other(trained, data, edges), None, notes


def _named(graph: NewGraph, called: tuple[str, ...]) -> NewGraph:
    """The graph with the names that nodes, graphs and pairs have in the person's own files."""
    if not called:
        return graph
    if graph.pairs is None:
        return replace(graph, names=called)
    return replace(graph, names=pair_names(graph.pairs, called), nodes=called)


def _matched(found: GraphData, trained: Trained) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Features [N, F] in the columns that the model was trained on, by their names where both have them, and what to say of the others."""
    x, known = dense_array(found.x), _columns(trained)
    if not known or not found.feature_names or found.feature_names == known:
        return x, ()
    at = {name: column for column, name in enumerate(found.feature_names)}
    matched = np.zeros((len(x), len(known)), np.float32)
    for column, name in enumerate(known):
        if name in at:
            matched[:, column] = x[:, at[name]]
    missing, more = [name for name in known if name not in at], sorted(set(at) - set(known))
    notes = [f"{_some(missing)} missing in the new data, taken as 0"] if missing else []
    return matched, (*notes, *([f"{_some(more)} unknown to the model, left out"] if more else []))


def _some(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} feature{' is' if len(names) == 1 else 's are'} ({shown})"


def _columns(trained: Trained) -> tuple[str, ...]:
    """What the features are called that the model was trained on; nothing where the run's own files are gone or have no names."""
    try:
        return trained.task.data.feature_names if trained.task.data is not None else ()
    except AgentNASError:
        return ()


def _own_note(trained: Trained, own: str) -> str:
    """What of the run's own data was trained on."""
    assert trained.task.data is not None
    count, many = len(trained.split.train), trained.task.data.num_items
    if trained.kind == "link":
        return f"the graph of {own} itself, along the edges that were trained on; shown are pairs that training did not know"
    if trained.kind == "graph":
        return f"the graphs of {own} themselves: {count} of its {many} graphs were trained on"
    return f"the graph of {own} itself: {count} of its {many} nodes were trained on"


def _other(trained: Trained, data: str, edges: Path | None) -> NewGraph:
    path = Path(data)
    if not is_task_file(data) and (path.exists() or path.suffix or edges is not None):
        return read_graph(path, edges, trained.num_features, edge_channels=trained.edge_channels, kind=trained.kind)
    found, named = _loaded(trained, data)
    x, told = _matched(found, trained)
    if x.shape[1] != trained.num_features:
        raise DataError(f"--data {data}: {x.shape[1]} features a node, but the model was trained on {trained.num_features}")
    if found.kind != trained.kind and not (found.kind == "node" and trained.kind == "link"):
        raise DataError(f"--data {data}: its items are {found.kind}s, but the model was trained on {trained.kind}s")
    names = pair_names(found.pairs) if found.pairs is not None else [str(item) for item in range(found.num_items)]
    made = NewGraph(x, found.edge_index, names, told, found.edge_attr, found.graph_of, found.pairs, found.edge_type, found.node_type)
    return _named(made, named)


def _loaded(trained: Trained, data: str) -> tuple[GraphData, tuple[str, ...]]:
    """The data of a task or a task file, and the names in it."""
    from agentnas.config import resolve
    from agentnas.tools.tasks import load_task

    allowed = resolve({"allow_code": trained.allow_code}).config.allow_code
    if is_task_file(data):
        from agentnas.tools.own.task import own_data

        return own_data(data, data_dir=trained.data_dir, allow_code=allowed)
    try:
        task = load_task(data, data_dir=trained.data_dir)
    except UsageError as error:
        raise DataError(f"--data {data} is no file, and as a task: {error}; give {FORMATS}") from None
    if task.data is None:
        raise DataError(f"--data {data} is a table and holds no graph; give {FORMATS}")
    return task.data, task.names


def chosen(wanted: str | None, names: Sequence[str], item: str = "node") -> list[int]:
    """Places of the items that are asked for: names, or ranges of whole numbers with both ends."""
    if wanted is None:
        return list(range(len(names)))
    at = {name: place for place, name in enumerate(names)}
    found: list[int] = []
    for word in filter(None, (part.strip() for part in wanted.split(","))):
        if word in at:
            found.append(at[word])
        else:
            found += _range(word, at, names, item)
    if not found:
        raise UsageError(f"--nodes {wanted!r} names no {item}; give ids such as 3,8,10-20")
    return found


def _range(word: str, at: dict[str, int], names: Sequence[str], item: str) -> list[int]:
    first, dash, last = word.partition("-")
    shown = f"{item}s are {', '.join(names[:3])}{', ...' if len(names) > 4 else ''}{f', {names[-1]}' if len(names) > 3 else ''}"
    if not (dash and first.isdecimal() and last.isdecimal()):
        raise UsageError(f"--nodes: there is no {item} {word!r}; {shown}")
    if int(first) > int(last) or first not in at or last not in at:
        raise UsageError(f"--nodes: {word} is no range of {item}s; {shown}")
    inside = [str(number) for number in range(int(first), int(last) + 1)]
    return [at[name] for name in inside if name in at]
