"""What a task.yaml may say. Names of columns are checked when the files are read; what is here is checked before any file is opened."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from agentnas.tools.errors import UsageError
from agentnas.tools.metrics import METRICS, Target, fitting
from agentnas.tools.tasks.base import Kind
from agentnas.tools.yaml_file import Expected, Value, nearest, read_yaml, shown

EXPECTED = Expected("task file", "keys such as nodes and edges", "docs/own-data.md")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
ALL = "*"
SplitKind = Literal["random", "folds", "column", "time", "links", "given"]


def _listed(value: Any) -> Any:
    """One name is a list of one."""
    return [value] if isinstance(value, (str, int, float)) and not isinstance(value, bool) else value


def _text(value: Any) -> Any:
    """Columns may be named by numbers."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


Column = Annotated[str, BeforeValidator(_text), StringConstraints(min_length=1)]
Columns = Annotated[tuple[Column, ...], BeforeValidator(_listed)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Table(_Part):
    """A table of things that have features: a file, and what its columns are. Columns that are named nowhere are features."""

    file: str | None = Field(None, description="CSV, TSV or Parquet, relative to the task file; left out where `source` holds the table")
    separator: str | None = Field(None, min_length=1, max_length=1, description="what separates columns; else found in the first line")
    encoding: str = Field("utf-8", description="of a text file, such as latin-1")
    features: Columns = Field((ALL,), description='columns that are features, "*" for all that nothing else is said of; [] for none')
    categories: Columns = Field((), description="columns whose values are names, numbers too: one column each, rare ones joined")
    text: Columns = Field((), description="columns of running text: its words, hashed")
    dates: Columns = Field((), description="columns of dates or times")
    ignore: Columns = Field((), description="columns that are left out")

    def used(self) -> dict[str, tuple[str, ...]]:
        """Key -> columns that it names, all but features."""
        keys = [key for key in type(self).model_fields if key not in ("file", "separator", "encoding", "features")]
        found = {key: getattr(self, key) for key in keys}
        return {key: (value,) if isinstance(value, str) else tuple(value) for key, value in found.items() if value not in (None, ())}


class Nodes(Table):
    """The nodes, one a row."""

    id: Column | None = Field(
        None, description="name of each node, as edges say it; else the column id, node or node_id, or rows counted from 0"
    )
    label: Columns = Field((), description="what is to be predicted of nodes; several columns of 0 and 1 are labels; empty: not known")
    graph: Column | None = Field(None, description="graph that each node belongs to, as `graphs` names it")
    type: Column | None = Field(None, description="type of each node, where there are several")


class Edges(Table):
    """The edges, one a row."""

    source: Column | None = Field(None, description="node that an edge starts at; else the column of that name, or the first")
    target: Column | None = Field(None, description="node that it ends at; else the column of that name, or the second")
    graph: Column | None = Field(None, description="graph of each edge, where names of nodes are unique within their graph only")
    type: Column | None = Field(None, description="type of each edge, where there are several")
    weight: Column | None = Field(None, description="a number that is a feature of the edge")


class Graphs(Table):
    """The graphs, one a row, where graphs are what is predicted."""

    features: Columns = Field((), description="columns of a graph that each of its nodes gets as features; none where nothing is said")
    id: Column | None = Field(
        None, description="name of each graph, as nodes say it; else the column id, graph or graph_id, or rows counted from 0"
    )
    label: Columns = Field((), description="what is to be predicted of graphs; as in `nodes`")
    smiles: Column | None = Field(None, description="molecules as SMILES, in place of `nodes` and `edges`; needs agentnas[molecules]")


class SplitPlan(_Part):
    """Which items are trained on, chosen by and tested on."""

    kind: SplitKind | None = Field(
        None,
        description="random, folds, column, time (oldest are trained on), links, given (by the source); else by what else is said",
    )
    column: Columns = Field((), description="column of train, val and test, or several for several splits; for `time` the column of times")
    train: float | None = Field(None, gt=0, lt=1, description="share that is trained on; else the rest")
    val: float | None = Field(None, gt=0, lt=1, description="share that is chosen by")
    test: float | None = Field(None, gt=0, lt=1, description="share that is tested on")
    count: int | None = Field(None, ge=1, le=100, description="number of random splits, or of folds; 10 where nothing is said")
    negatives: int | None = Field(None, ge=1, le=1000, description="links: pairs without an edge to each edge of val and test; else 1")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="of random splits, folds and links")

    @property
    def rule(self) -> SplitKind | None:
        """The kind, as said or as follows from a column."""
        return self.kind or ("column" if self.column else None)

    def misfit(self, kind: Kind) -> str | None:
        """Why these splits do not fit what is predicted; None where they do."""
        if kind == "link":
            return None if self.rule in (None, "links") else f"split kind {self.rule} does not fit kind link; allowed: links"
        if self.rule != "links" and not self.negatives:
            return None
        return f"split {'kind links' if self.rule else 'negatives'} does not fit kind {kind}; allowed: random, folds, column, time"

    @model_validator(mode="after")
    def _fits(self) -> SplitPlan:
        if self.rule in ("column", "time") and not self.column:
            raise ValueError(f"kind {self.rule} needs column")
        if self.rule not in (None, "column", "time") and self.column:
            raise ValueError(f"kind {self.rule} takes no column")
        if self.rule == "time" and len(self.column) > 1:
            raise ValueError("kind time takes one column")
        if self.negatives is not None and self.rule not in (None, "links"):
            raise ValueError(f"kind {self.rule} takes no negatives")
        if self.rule in ("column", "time", "given") and self.count is not None:
            raise ValueError(f"kind {self.rule} takes no count")
        if self.rule in ("column", "time", "given") and self.seed:
            raise ValueError(f"kind {self.rule} takes no seed")
        shares = [share for share in (self.train, self.val, self.test) if share is not None]
        if shares and self.rule in ("folds", "column", "given"):
            raise ValueError(f"kind {self.rule} takes no shares")
        if sum(shares) > 1 + 1e-9 or (len(shares) == 3 and sum(shares) < 1 - 1e-9):
            raise ValueError(f"train, val and test are {sum(shares):g} together; allowed: 1")
        return self


class TaskFile(_Part):
    """A task file. The simple case is a file of nodes, a file of edges and a label."""

    name: str | None = Field(None, description="of the task in runs and reports; else the folder's, or the file's")
    kind: Kind | None = Field(None, description="what is predicted: something of nodes, of graphs, or links; else by where the label is")
    target: Target | None = Field(None, description="classes, labels (several, each yes or no) or value (a number); else by the label")
    metric: str | None = Field(None, description="of scores; else accuracy, roc_auc (two uneven classes, labels, links) or rmse")
    directed: bool | None = Field(
        None, description="whether an edge has a direction; if not, messages pass along it both ways; else as the source says, or false"
    )
    source: str | None = Field(
        None, description="one file of everything (.graphml, .gml, .npz, .pt), ogb:NAME, or python:MODULE:FUNCTION (needs --allow-code)"
    )
    nodes: Nodes | None = Field(None, description="the nodes, below")
    edges: Edges | None = Field(None, description="the edges, below")
    graphs: Graphs | None = Field(None, description="the graphs, below")
    split: SplitPlan = Field(SplitPlan(), description="what is trained on, chosen by and tested on, below")

    @model_validator(mode="after")
    def _fits(self) -> TaskFile:
        if self.name is not None and not NAME.fullmatch(self.name):
            raise ValueError(f"name is {self.name[:60]!r}; allowed: up to 60 letters, digits, '.', '_' and '-'")
        if self.metric is not None and self.metric not in METRICS:
            raise ValueError(f"metric is {self.metric!r}; {nearest(self.metric, METRICS)}")
        if self.metric is not None and (allowed := self._metrics()) and self.metric not in allowed:
            said = " and ".join(filter(None, (self.kind and f"kind {self.kind}", self.target and f"target {self.target}")))
            raise ValueError(f"metric {self.metric} does not fit {said}; allowed: {', '.join(allowed)}")
        if self.source is None and not any(part is not None and part.file for part in (self.nodes, self.edges, self.graphs)):
            raise ValueError("no file is named; give nodes: file and edges: file, graphs: file, or source")
        if self.source is not None and any(part is not None and part.file for part in (self.nodes, self.edges, self.graphs)):
            raise ValueError("source and file say where data is; leave one out")
        if self.kind is not None and (wrong := self.split.misfit(self.kind)):
            raise ValueError(wrong)
        return self

    def _metrics(self) -> tuple[str, ...]:
        """Metrics that fit what is said; all where nothing is."""
        if self.kind == "link":
            return fitting("classes", pairs=True)
        if self.target is not None:
            return fitting(self.target)
        return tuple(dict.fromkeys(name for target in get_args(Target) for name in fitting(target))) if self.kind else ()


def name_from(text: str) -> str:
    """A folder's or a file's name as the name of a task; empty where nothing of it can stand in one."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:60]


def read_task_file(path: Path) -> TaskFile:
    """The task file; UsageError names file, line, column, key, the value seen and what is allowed."""
    top = read_yaml(path, EXPECTED)
    top.mapping("the file", TaskFile.model_fields)
    try:
        return TaskFile.model_validate(top.plain)
    except ValidationError as error:
        raise _explained(error.errors(include_url=False)[0], top) from None


def _explained(problem: Any, top: Value) -> UsageError:
    """The error at the place of the key that is wrong."""
    value, model, keys = top, TaskFile, [str(key) for key in problem["loc"]]
    seen = []
    for key in keys:
        if not isinstance(value.data, dict) or key not in value.data:
            break
        seen.append(key)
        if problem["type"] == "extra_forbidden" and len(seen) == len(keys):
            return value.keys[key].error(f"{': '.join(seen[:-1]) or 'the file'}: unknown key {key!r}; {nearest(key, model.model_fields)}")
        value, model = value.data[key], _model_of(model, key)
    message = str(problem["msg"]).removeprefix("Value error, ").replace("Input should be", "allowed:")
    what = ": ".join(seen)
    if problem["type"] == "value_error":
        return value.place.error(f"{what}: {message}" if what else message)
    return value.place.error(f"{what} is {shown(value.data)}; {_WANTED.get(problem['type'], message)}")


def _model_of(model: Any, key: str) -> Any:
    """The model of a key's mapping; the same where the key holds none."""
    parts = {"nodes": Nodes, "edges": Edges, "graphs": Graphs, "split": SplitPlan}
    return parts.get(key, model) if model is TaskFile else model


_WANTED = {
    "model_type": "allowed: keys and values",
    "tuple_type": "allowed: a name or a list of names",
    "string_type": "allowed: a text",
    "bool_parsing": "allowed: true or false",
    "bool_type": "allowed: true or false",
    "string_too_short": "allowed: a text that is not empty",
}
