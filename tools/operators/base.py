"""What an operator is, and where operators are found.

An operator is one file in this folder (or in a folder named by ``AGENTNAS_OPERATORS``). The file holds one description,
``OPERATOR = Operator(...)``, and the ``torch.nn.Module`` that it names. The description is read without executing the rest of the
file, so the spec language, its schema, its sampler and the table look-up work without importing torch.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

from agentnas.tools.errors import ConfigError, UsageError, suggest

Value = bool | int | float | str
Kind = Literal["convolution", "propagation", "pointwise"]
Needs = Literal["", "directions", "types"]

_OWN = str(Path(__file__).parent)


@dataclass(frozen=True)
class Param:
    """One parameter of an operator: its type is its default's, ``search`` are the values that samplers try.

    Numbers lie in ``[low, high]``; strings are one of ``search``. ``off_while`` names a parameter of the same operator and the values
    of it with which this one has no effect.
    """

    name: str
    default: Value
    search: tuple[Value, ...]
    doc: str
    low: float | None = None
    high: float | None = None
    off_while: tuple[str, tuple[Value, ...]] | None = None


@dataclass(frozen=True)
class Operator:
    """Description of an operator.

    ``convolution`` transforms and aggregates (has a width), ``propagation`` only spreads (keeps its input's width), ``pointwise``
    looks at each node alone. ``module`` names the class in the same file; it is called as
    ``module(in_channels, out_channels, **params)`` and its ``forward(x, graph)`` maps ``[num_nodes, in_channels]`` to
    ``[num_nodes, out_channels]``. A class attribute ``takes_sparse = True`` says that ``x`` may be ``SparseFeatures``. With
    ``uses_edge_attr`` the module also gets ``edge_channels=`` where the task's edges have attributes, with ``uses_types`` also
    ``node_types=`` and ``edge_types=`` where there are several. ``needs`` says what a task's graph must have for a space to hold the
    operator: ``directions`` or ``types``; it works on any graph. ``weights=False`` says that the module has no weights, draws nothing at
    random and treats each column of ``x`` alone, so that what it makes of raw features may be computed once and in pieces. ``card`` is the
    id of the paper card that a proposal with this operator cites.
    """

    name: str
    kind: Kind
    module: str
    doc: str
    source: str
    params: tuple[Param, ...] = ()
    has_width: bool = True
    uses_edge_attr: bool = False
    uses_types: bool = False
    needs: Needs = ""
    card: str = ""
    weights: bool = True

    def param(self, name: str) -> Param:
        for param in self.params:
            if param.name == name:
                return param
        raise UsageError(f"operator {self.name} has no parameter {name!r}; {suggest(name, [p.name for p in self.params])}")


def _files() -> tuple[str, ...]:
    extra = os.environ.get("AGENTNAS_OPERATORS")
    return _listing(_OWN) + (_listing(extra) if extra else ())


def _listing(folder: str) -> tuple[str, ...]:
    """Operator files of a folder; listed again only when the folder changes, because every validated node asks."""
    try:
        return _listed(folder, os.stat(folder).st_mtime_ns)
    except FileNotFoundError:
        raise ConfigError(f"AGENTNAS_OPERATORS is {folder!r}, which is no folder; set it to a folder of operator files") from None


@cache
def _listed(folder: str, changed: int) -> tuple[str, ...]:
    del changed  # part of the key
    return tuple(str(path) for path in sorted(Path(folder).glob("*.py")) if path.stem not in {"__init__", "base"})


_CALLS: dict[str, type[Operator | Param]] = {"Operator": Operator, "Param": Param}


def _describe(path: Path) -> Operator:
    """Read the ``OPERATOR = Operator(...)`` statement of a file; executes nothing of it. Raises ConfigError for anything but literals."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except (SyntaxError, ValueError) as error:  # ValueError: not UTF-8, or a null byte
        raise ConfigError(f"{path}: not a Python file: {error}") from None
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "OPERATOR":
            return _checked(_value(statement.value, path), path)
    raise ConfigError(f"{path}: no statement OPERATOR = Operator(...); an operator file describes itself in one")


def _value(node: ast.expr, path: Path) -> Any:
    """Value of a literal, or of a call of Operator or Param on literals; None, bytes and the like are literals too."""
    match node:
        case ast.Constant(value):
            return value
        case ast.Tuple(items) | ast.List(items):
            return tuple(_value(item, path) for item in items)
        case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as number)):
            return -number
        case ast.Call(ast.Name(name), args, keywords) if name in _CALLS:
            return _made(name, node, [_value(arg, path) for arg in args], keywords, path)
    raise ConfigError(
        f"{path}:{node.lineno}: {_cut(ast.unparse(node))} is no literal; a description holds Operator(...), Param(...), literals, tuples"
    )


def _made(name: str, node: ast.expr, args: list[Any], keywords: list[ast.keyword], path: Path) -> Operator | Param:
    named = {keyword.arg or "**": _value(keyword.value, path) for keyword in keywords}
    try:
        return _CALLS[name](*args, **named)
    except TypeError as error:
        raise ConfigError(f"{path}:{node.lineno}: {_cut(str(error))}; see Operator and Param in agentnas/tools/operators/base.py") from None


def _checked(found: Any, path: Path) -> Operator:
    """The description, its types as annotated. A list is read as a tuple."""
    if not isinstance(found, Operator):
        raise ConfigError(f"{path}: OPERATOR is {_cut(repr(found))}; it must be Operator(...)")
    texts = (found.name, found.module, found.doc, found.source)
    if not all(isinstance(text, str) and text for text in texts) or found.kind not in get_args(Kind):
        raise ConfigError(f"{path}: name, module, doc and source are texts, kind is one of {', '.join(get_args(Kind))}")
    if not isinstance(found.params, tuple) or not all(isinstance(param, Param) for param in found.params):
        raise ConfigError(f"{path}: params are {_cut(repr(found.params))}; they must be a tuple of Param(...)")
    for param in found.params:
        if not isinstance(param.name, str) or not isinstance(param.default, Value) or not isinstance(param.search, tuple):
            raise ConfigError(f"{path}: {_cut(repr(param))}: its name is a text, its default a number, text or truth value, search a tuple")
    return found


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:77]}..."


@cache
def _found(key: tuple[str, ...]) -> dict[str, tuple[Operator, Path]]:
    found: dict[str, tuple[Operator, Path]] = {}
    for path in map(Path, key):
        operator = _describe(path)
        if operator.name in found:
            raise ConfigError(f"{path}: operator {operator.name!r} is already defined in {found[operator.name][1]}")
        found[operator.name] = (operator, path)
    return {name: found[name] for name in sorted(found)}


def operators() -> dict[str, Operator]:
    """All operators by name, in alphabetical order."""
    return {name: found for name, (found, _) in _found(_files()).items()}


def operator(name: str) -> Operator:
    """The operator of this name; raises UsageError with the nearest names."""
    known = _found(_files())
    if name not in known:
        raise UsageError(f"unknown operator {name!r}; {suggest(name, known)}")
    return known[name][0]


def operator_file(name: str) -> Path:
    """The file that holds the operator's description and module."""
    operator(name)
    return _found(_files())[name][1]


@cache
def _load(path: Path) -> ModuleType:
    if path.parent == Path(__file__).parent:
        return importlib.import_module(f"agentnas.tools.operators.{path.stem}")
    spec = importlib.util.spec_from_file_location(f"agentnas_operator_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def operator_module(name: str) -> Any:
    """The operator's ``torch.nn.Module`` class; imports torch."""
    return getattr(_load(operator_file(name)), operator(name).module)
