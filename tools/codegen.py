"""Writing a spec as one Python file that runs without this package.

The file holds an explicit ``Model`` with one line a node, and the source of just those layers and operators that it uses, copied from the
modules that built the trained network. Parameters have the same names, so the trained ``state_dict`` loads unchanged.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnas.tools.codegen_program import LOAD, docstring_source, main_source, predict_source
from agentnas.tools.errors import ConfigError, UsageError
from agentnas.tools.metrics import METRICS, Target
from agentnas.tools.nn.layout import ONE_TYPE, Layout, Make, Types, make_layout
from agentnas.tools.operators.base import operator_file
from agentnas.tools.spec.model import ArchitectureSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from agentnas.tools.tasks.base import GraphData, Split, Task

SHARED = ("dropout", "dense", "ranges", "sparse", "segments", "graph", "layers", "merge", "pairs", "heads", "post", "data", "score")
PORTABLE = ("scatter", "layers", "merge", "pairs", "heads", "post")  # the same without sparse matrices
LINE = 120


@dataclass(frozen=True)
class Definition:
    """A top-level class, function or constant of a module, with what it names."""

    name: str
    source: str
    uses: frozenset[str]
    file: Path


@dataclass
class Library:
    """All definitions that may be copied, in the order in which they can be executed, and the imports they may need."""

    definitions: dict[str, Definition]
    imports: dict[str, str]

    def closure(self, names: Iterable[str]) -> list[Definition]:
        """The definitions that these names need, directly or not, in executable order."""
        needed: set[str] = set()
        pending = [name for name in names if name in self.definitions]
        while pending:
            name = pending.pop()
            if name not in needed:
                needed.add(name)
                pending += [used for used in self.definitions[name].uses if used in self.definitions]
        return [definition for name, definition in self.definitions.items() if name in needed]


def export_source(spec: ArchitectureSpec, task: Task, split: int = 0) -> str:
    """The source of a model.py for this spec on a task with data, as ``model_source``; values are scaled by the split's training part."""
    data = _data_of(task)
    known = data.y[task.split(split).train]
    return model_source(
        spec, data.num_features, data.num_classes, edge_channels=data.edge_channels, types=data.types, metric=task.metric.name,
        target=task.target, scale=centre_and_spread(known) if task.target == "value" else (0.0, 1.0),
        degree_unit=degree_unit(spec, data),
    )  # fmt: skip


def centre_and_spread(y_train: NDArray[Any]) -> tuple[float, float]:
    """What a network's output for a value is multiplied by and added to, as in training: deviation and mean of the training part."""
    import torch

    from agentnas.tools.train.targets import Values

    values = Values(torch.from_numpy(y_train), METRICS["rmse"])
    return float(values.centre), float(values.spread)


def degree_unit(spec: ArchitectureSpec, data: GraphData) -> float | None:
    """The mean logarithm of degrees that a network for graphs was trained with, where it has an operator that asks for it."""
    if data.kind != "graph" or not any(node.op == "pna" for node in spec.body.nodes):
        return None
    from agentnas.tools.train.data import graph_of

    return float(graph_of(data).pointing(spec.input.edges).mean_log_degree)


def write_data(path: Path, spec: ArchitectureSpec, task: Task, split: int = 0) -> None:
    """Save prepared features, graph, labels and split indices as tensors, for a model.py to read; the file appears whole.

    Of a link task: the messages of the split, and the pairs of its validation and test parts. Of graphs: the ``batch``, each node's graph.
    """
    import torch

    from agentnas.tools.nn.data import pack_data
    from agentnas.tools.train.data import PreparedTask

    prepared = PreparedTask.from_task(task)
    ready = prepared.features(spec.input, split)
    items = _packed_pairs if task.kind == "link" else _packed_items
    draft = path.with_name(f".{path.name}.draft")
    torch.save(
        pack_data(ready.x, prepared.messages(split, spec.input.edges), ready.encodings, **items(_data_of(task), task.split(split))), draft
    )
    draft.replace(path)


def _packed_items(data: GraphData, split: Split) -> dict[str, Tensor]:
    """Labels and the three parts; of graphs, the graph of each node too."""
    y, train, val, test = (_tensor(array) for array in (data.y, split.train, split.val, split.test))
    batch = {} if data.graph_of is None else {"batch": _tensor(data.graph_of)}
    return {"y": y, "y_train": y[train], "train_index": train, "val_index": val, "test_index": test, **batch}


def _packed_pairs(data: GraphData, split: Split) -> dict[str, Tensor]:
    """The pairs that training did not know, with their labels; indices are of these pairs."""
    import torch

    assert data.pairs is not None
    val, test = _tensor(split.val), _tensor(split.test)
    shown = torch.cat([val, test])
    numbers = torch.arange(shown.numel())
    parts = {"val_index": numbers[: val.numel()], "test_index": numbers[val.numel() :]}
    return {"y": _tensor(data.y)[shown], "edge_label_index": _tensor(data.pairs)[:, shown], **parts}


def _tensor(array: NDArray[Any]) -> Tensor:
    import numpy as np
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))


def model_source(
    spec: ArchitectureSpec, in_channels: int, out_channels: int, *, edge_channels: int = 0, types: Types = ONE_TYPE,
    metric: str = "accuracy", target: Target = "classes", scale: tuple[float, float] = (0.0, 1.0), degree_unit: float | None = None,
) -> str:  # fmt: skip
    """The source of a model.py for this spec; it imports torch and the standard library only (and what added operators import).

    It defines ``Model``, ``load(path)`` and ``predict(model, packed)`` with the spec's post-processing, and with values in the unit of the
    target (``scale``: what is added to and what multiplies the outputs); run as a program it prints the test ``metric`` of ``weights.pt``
    on ``data.pt`` beside it. Raises ConfigError if an added operator cannot be copied.
    """
    from agentnas.tools.spec.canonical import canonical

    spec = canonical(spec)
    layout, classes, library = _built_of(spec, in_channels, out_channels, edge_channels, types, SHARED)
    body = [_model(layout), LOAD, predict_source(spec, target, scale, degree_unit), main_source(metric, target)]
    own = "\n\n\n".join(body)
    used = library.closure([*classes, *_names(ast.parse(own))])
    copied = "\n\n\n".join(definition.source for definition in used)
    top = docstring_source(spec, layout, target) + "\n\n" + _imports(library, copied + "\n" + own)
    return "\n\n\n".join([top, copied, own]) + "\n"


def portable_source(spec: ArchitectureSpec, in_channels: int, out_channels: int, *, edge_channels: int = 0) -> str:
    """The source of ``Model``, ``Graph`` and the spec's post-processing without sparse matrices, for an exporter to trace.

    ``Model`` has the parameters of the trained network under the same names, takes dense features, and is not for training.
    Raises ConfigError as ``model_source``.
    """
    from agentnas.tools.spec.canonical import canonical

    spec = canonical(spec)
    layout, classes, library = _built_of(spec, in_channels, out_channels, edge_channels, ONE_TYPE, PORTABLE)
    own = _model(layout)
    used = library.closure([*classes, *_names(ast.parse(own)), "Graph", spec.post.kind])
    copied = "\n\n\n".join(definition.source for definition in used)
    return "\n\n\n".join([_imports(library, copied + "\n" + own), copied, own]) + "\n"


ENCODINGS = '''"""Positional and structural encodings of a graph, as the model beside this file takes them. Needs torch, numpy and scipy."""

{imports}


{copied}


def encodings(edge_index: Tensor, num_nodes: int) -> Tensor:
    """Float32 [num_nodes, {columns}] for directed edges [2, E]: row 0 sources, row 1 targets."""
    graph = Graph(edge_index, num_nodes).pointing({edges!r})
    columns = [ENCODERS[kind](graph, dim) for kind, dim in {wanted}]
    return torch.from_numpy(np.concatenate(columns, 1).astype(np.float32))
'''


def encodings_source(spec: ArchitectureSpec) -> str:
    """The source of a file that computes the spec's encodings of any graph; it imports torch, numpy and scipy."""
    wanted = sorted((encoding.kind, encoding.dim) for encoding in spec.input.encodings)
    library = _library([], ("dropout", "ranges", "sparse", "segments", "graph", "features"))
    copied = "\n\n\n".join(definition.source for definition in library.closure(["Graph", "ENCODERS"]))
    imports = _imports(library, copied)
    return ENCODINGS.format(imports=imports, copied=copied, columns=spec.input.encoding_channels, wanted=wanted, edges=spec.input.edges)


def _built_of(
    spec: ArchitectureSpec, in_channels: int, out_channels: int, edge_channels: int, types: Types, shared_files: tuple[str, ...]
) -> tuple[Layout, list[str], Library]:
    """The spec's network, the classes that it calls, and the definitions of those and of the shared files."""
    layout = make_layout(spec, in_channels, out_channels, spec.input.encoding_channels, edge_channels, types)
    calls = [part for make in layout.modules.values() for part in make.parts()]
    return layout, [call.cls for call in calls], _library(sorted({call.operator for call in calls if call.operator}), shared_files)


def _data_of(task: Task) -> GraphData:
    if task.data is None:
        raise UsageError(f"task {task.name} is a table and holds no data to write a model for; choose a task without 'nasbench:'")
    return task.data


def _library(operators: list[str], shared_files: tuple[str, ...]) -> Library:
    """Definitions of the shared layers and of these operators' files; two files may not define one name differently."""
    shared = [Path(__file__).parent / "nn" / f"{name}.py" for name in shared_files]
    library = Library({}, {})
    for path in [*shared, *map(operator_file, operators)]:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        for definition in _definitions(tree, path):
            other = library.definitions.setdefault(definition.name, definition)
            if other.source != definition.source:
                raise ConfigError(f"{path}: {definition.name!r} is also defined in {other.file}; give it another name to export both")
        library.imports |= _import_lines(tree, path)
    return library


def _definitions(tree: ast.Module, path: Path) -> list[Definition]:
    lines = path.read_text(encoding="utf-8").splitlines()
    found = []
    for statement in tree.body:
        name = _defined_name(statement)
        if name is not None and name != "OPERATOR":
            first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", []))])
            while lines[first - 2].startswith("#"):
                first -= 1
            source = "\n".join(_shipped(line) for line in lines[first - 1 : statement.end_lineno])
            found.append(Definition(name, source, frozenset(_names(statement)), path))
    return found


def _shipped(line: str) -> str:
    return line.split("  # type: ignore")[0]


def _defined_name(statement: ast.stmt) -> str | None:
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef)):
        return statement.name
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return None


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _import_lines(tree: ast.Module, path: Path) -> dict[str, str]:
    """Bound name -> import statement, for all imports from outside the package."""
    lines: dict[str, str] = {}
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom):
            if statement.level:
                raise ConfigError(f"{path}: relative import; a file that is exported imports by full name")
            if statement.module != "__future__" and not (statement.module or "").startswith("agentnas"):
                lines |= {a.asname or a.name: f"from {statement.module} import {ast.unparse(a)}" for a in statement.names}
        elif isinstance(statement, ast.Import):
            lines |= {(a.asname or a.name).split(".")[0]: f"import {ast.unparse(a)}" for a in statement.names}
    return lines


def _imports(library: Library, source: str) -> str:
    used = _names(ast.parse(source))
    own = {"torch": "import torch", "nn": "from torch import nn", "Tensor": "from torch import Tensor", "Path": "from pathlib import Path"}
    lines = sorted({line for name, line in (library.imports | own).items() if name in used})
    modules: dict[str, list[str]] = {}
    plain = [line for line in lines if line.startswith("import ")]
    for line in (line for line in lines if line.startswith("from ")):
        module, names = line.removeprefix("from ").split(" import ")
        modules.setdefault(module, []).append(names)
    joined = [f"from {module} import {', '.join(names)}" for module, names in modules.items()]
    return "\n".join(["from __future__ import annotations", "", *plain, *joined])


def _model(layout: Layout) -> str:
    lines = [
        "class Model(nn.Module):",
        '    """The designed network."""',
        "",
        "    def __init__(self) -> None:",
        "        super().__init__()",
    ]
    for name, make in layout.modules.items():
        lines += _assignment(f"self.{name}", make)
    lines += ["", "    def forward(", "        self,", "        x: Features,", "        graph: Graph,"]
    lines += [f"        {name}: Tensor | None = None," for name in ("encodings", "batch", "edge_label_index")]
    lines += ["    ) -> Tensor:"]
    for step in layout.steps:
        args = ", ".join([*step.args, *(["batch=batch"] if step.with_batch else [])])
        lines.append(f"        {step.target} = self.{step.module}({args})")
    return "\n".join([*lines, f"        return {layout.result}"])


def _assignment(target: str, make: Make, indent: int = 8) -> list[str]:
    """``target = call``, one argument a line where one line is too short."""
    whole = f"{' ' * indent}{target} = {make.source()}"
    if len(whole) <= LINE:
        return [whole]
    args = [(None, value) for value in make.args] + list(make.keywords.items())
    inner = [_argument(name, value, indent + 4) for name, value in args]
    return [f"{' ' * indent}{target} = {make.cls}(", *inner, f"{' ' * indent})"]


def _argument(name: str | None, value: object, indent: int) -> str:
    text = value.source() if isinstance(value, Make) else repr(value)
    return f"{' ' * indent}{text if name is None else f'{name}={text}'},"
