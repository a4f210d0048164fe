"""Search spaces that people ask for: by name, or as the plain data of a file.

A named space is strict: what lies outside of it is never proposed. Only ``default`` is not; it is the whole language within sensible sizes,
and children of a published recipe outside of it may stay as far outside as that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import ValidationError

from agentnas.tools.errors import SpecError, UsageError, suggest
from agentnas.tools.operators.base import operator, operators
from agentnas.tools.spec.bounded import BoundedSpace, nearest, parameters, searched_values, small_space
from agentnas.tools.spec.cells import SETTINGS
from agentnas.tools.spec.cellspace import CellSpace
from agentnas.tools.spec.fields import allowed, explain, short
from agentnas.tools.spec.locks import PARTS, Locks, read_locks
from agentnas.tools.spec.model import MAX_NODES, ArchitectureSpec, Body, Node, Part, check_param
from agentnas.tools.spec.space import SearchSpace

CELLS = "nasbench"
USUAL_CELLS = "cora"
BOUNDS = ("max_nodes", "max_depth", "max_inputs", "min_depth")
KEYS = ("name", "from", "operators", *BOUNDS, "values", "lock")
MOST = {"max_nodes": MAX_NODES, "max_depth": MAX_NODES, "max_inputs": 16, "min_depth": MAX_NODES}
LONGEST_NAME = 60


class Named(NamedTuple):
    """A space by its name: how it is made, and what it is good for."""

    make: Callable[[], BoundedSpace] | None
    good_for: str


def _large() -> BoundedSpace:
    widths = (8, 16, 32, 64, 128, 256, 512)
    return BoundedSpace(
        "large",
        max_nodes=20,
        max_depth=14,
        max_inputs=6,
        values={
            "input.width": widths,
            "body.width": widths,
            "head.width": widths,
            "head.layers": (2, 3, 4),
            "body.activation": ("none", "relu", "elu", "leaky_relu", "prelu", "gelu", "silu", "tanh"),
            "recipe.learning_rate": (1e-4, 2e-4, 5e-4, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
            "recipe.weight_decay": (0.0, 1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2),
            "recipe.epochs": (100, 200, 300, 500, 1000, 2000),
            "recipe.patience": (20, 50, 100, 200, 500),
            "recipe.warmup": (0, 10, 30, 100),
        },
        strict=True,
    )


def _deep() -> BoundedSpace:
    wanted = ("dagnn", "fagcn", "gat", "gatedgcn", "gcn", "gcnii", "gin", "gine", "graphconv", "identity", "mlp", "sage", "transformer")
    return BoundedSpace(
        "deep",
        operators=_known(wanted),
        max_nodes=MAX_NODES,
        max_depth=MAX_NODES,
        min_depth=4,
        values={
            "input.encoder": ("linear", "mlp"),
            "body.width": (16, 32, 64, 128),
            "body.norm": ("none", "batch", "layer", "pair", "graph"),
            "body.dropout": (0.0, 0.1, 0.2, 0.3, 0.5),
            "gcnii.layers": (1, 2, 4),
            "recipe.learning_rate": (0.001, 0.002, 0.005, 0.01, 0.02),
            "recipe.gradient_clip": (0.0, 1.0, 5.0),
        },
        strict=True,
    )


def _attention() -> BoundedSpace:
    wanted = ("fagcn", "gat", "gatv2", "hgt", "identity", "mlp", "transformer")
    heads = {f"{op}.heads": (1, 2, 4, 8, 16) for op in ("gat", "gatv2", "transformer")}
    return BoundedSpace("attention", operators=_known(wanted), max_nodes=6, max_depth=5, max_inputs=3, values=heads, strict=True)


def _small() -> BoundedSpace:
    return replace(small_space(), strict=True)


NAMED = {
    "small": Named(_small, "quick runs and small data: seven common operators, four nodes, the settings that matter most"),
    "default": Named(lambda: BoundedSpace("default"), "nearly everything: all operators, up to 10 nodes, usual values of all settings"),
    "large": Named(_large, "long runs with hours or a cluster: up to 20 nodes, 8 to 512 wide, all activations, wider values"),
    "deep": Named(_deep, "what needs depth: 4 to 64 layers, kept trainable by residuals, initial residuals and normalisation"),
    "attention": Named(_attention, "where neighbours differ in weight: GAT, GATv2, transformers and signed gates, 1 to 16 heads"),
    CELLS: Named(None, "comparing with published results: the 26,206 cells of NAS-Bench-Graph, trained here, on node classes only"),
}


def _known(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name in operators())


def space_of(
    asked: str | Mapping[str, Any],
    kind: str = "node",
    target: str = "classes",
    locks: Iterable[str] = (),
    start: ArchitectureSpec | None = None,
    offers: tuple[str, ...] = (),
) -> SearchSpace:
    """The space that was asked for, by name or as the data of a file, for tasks of a kind and a target, with locks added.

    ``offers``: what the task's graph has, as ``Task.offers``.

    Raises UsageError for names that do not exist, for data that says something wrong, and for cells where a task has none.
    """
    if isinstance(asked, str) and asked.partition(":")[0] == CELLS:
        return _cells(asked, kind, target, tuple(locks))
    found = named(asked) if isinstance(asked, str) else _from_data(asked, start)
    if isinstance(asked, str) and found.operators is not None:
        found = replace(found, operators=tuple(name for name in found.operators if operator(name).needs in ("", *offers)))
    found = found.for_task(kind, target, offers)
    return with_locks(found, read_locks(locks, start).held) if locks else found


def with_locks(space: BoundedSpace, held: Mapping[str, Any]) -> BoundedSpace:
    """The space with parts locked beside those that already are."""
    return replace(space, locks=Locks({**space.locks.held, **held}))


def named(name: str) -> BoundedSpace:
    """A space of this name that is made of bounds; raises UsageError for others."""
    made = NAMED[name].make if name in NAMED else None
    if made is None:
        raise UsageError(f"unknown space {name!r}; {suggest(name, NAMED)} (a file of your own ends in .yaml)")
    return made()


def _cells(name: str, kind: str, target: str, locks: tuple[str, ...]) -> CellSpace:
    _, _, settings = name.partition(":")
    if (kind, target) != ("node", "classes"):
        raise UsageError(
            f"--space {name}: its cells classify nodes; the task has kind {kind} and target {target}; allowed: the other spaces"
        )
    if locks:
        raise UsageError(f"--space {name}: cells have no parts to lock; leave --lock out, or search another space")
    if settings and settings not in SETTINGS:
        raise UsageError(f"--space {name}: no training settings of that name; {suggest(settings, SETTINGS)}")
    return CellSpace.live(settings or USUAL_CELLS)


def _from_data(data: Mapping[str, Any], start: ArchitectureSpec | None) -> BoundedSpace:
    """The space of a file; raises UsageError with the key, the value seen and what is allowed."""
    where = f"space {short(data.get('name', 'of your own'))}".replace("'", "")
    for key in data:
        if key not in KEYS:
            raise UsageError(f"{where}: unknown key {key!r}; {suggest(str(key), KEYS)}")
    base = _base(data.get("from", "default"), where)
    bounds: dict[str, Any] = {bound: bound_of(bound, data[bound], where) for bound in BOUNDS if bound in data}
    found = replace(
        base,
        name=_name(data.get("name", "own"), where),
        operators=operators_of(data["operators"], where) if "operators" in data else base.operators,
        values={**base.values, **values_of(data.get("values") or {}, where)},
        strict=True,
        **bounds,
    )
    return with_locks(found, read_locks(_lock(data["lock"], where), start, f"{where}: lock").held) if data.get("lock") else found


def _base(name: Any, where: str) -> BoundedSpace:
    bounded = [known for known in NAMED if NAMED[known].make is not None]
    if not isinstance(name, str) or name not in bounded:
        raise UsageError(f"{where}: from is {short(name)}; {suggest(str(name), bounded)}")
    return named(name)


def _name(name: Any, where: str) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError(f"{where}: name is {short(name)}; allowed: a text of at most {LONGEST_NAME} characters in one line")
    if name in NAMED or name.partition(":")[0] == CELLS:
        raise UsageError(f"{where}: name {name!r} is that of a space that ships; give your own another")
    return name


def operators_of(names: Any, where: str) -> tuple[str, ...]:
    """Names of operators that exist, each once; raises UsageError."""
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, (list, tuple)) or not names:
        raise UsageError(f"{where}: operators is {short(names)}; allowed: a list of at least one operator, such as [gcn, gat]")
    for name in names:
        try:
            operator(str(name))
        except UsageError as error:
            raise UsageError(f"{where}: operators: {error}") from None
    return tuple(dict.fromkeys(map(str, names)))


def bound_of(name: str, value: Any, where: str) -> int:
    """One of ``BOUNDS``; raises UsageError for what is no whole number of its range."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST[name]:
        raise UsageError(f"{where}: {name} is {short(value)}; allowed: a whole number from 1 to {MOST[name]}")
    return value


def values_of(given: Any, where: str) -> dict[str, tuple[Any, ...]]:
    """Values by factor, each as the language allows it; raises UsageError."""
    if not isinstance(given, Mapping):
        raise UsageError(f"{where}: values is {short(given)}; allowed: settings and lists of values, such as recipe.learning_rate: [0.01]")
    return {str(factor): _of_factor(str(factor), values, where) for factor, values in given.items()}


def _of_factor(factor: str, values: Any, where: str) -> tuple[Any, ...]:
    """The values of one setting or parameter, each as the language allows it."""
    if factor not in searched_values() and factor not in parameters():
        raise UsageError(f"{where}: values: unknown factor {factor!r}; {nearest(factor)}")
    listed = tuple(values) if isinstance(values, (list, tuple)) else (values,)
    if not listed and factor != "input.encodings":
        raise UsageError(f"{where}: values: {factor} has none; give at least one")
    try:
        return tuple(dict.fromkeys(_checked(factor, value) for value in listed))
    except SpecError as error:
        raise UsageError(f"{where}: values: {error}") from None


def _checked(factor: str, value: Any) -> Any:
    """A value in the type of its field; raises SpecError."""
    if factor in parameters():
        try:
            check_param(parameters()[factor], value)
        except SpecError as error:
            raise SpecError(str(error).replace(f"params.{factor.partition('.')[2]}", factor, 1)) from None
        return value
    if factor == "input.encodings":
        if value not in searched_values()[factor]:
            raise SpecError(f"{factor} is {short(value)}; {suggest(str(value), searched_values()[factor])}")
        return value
    return _field(factor, value)


def _field(factor: str, value: Any) -> Any:
    part, name = factor.split(".")
    model: type[Part] = PARTS.get(part, Body if name == "jump" else Node)
    beside = {"id": "n1", "op": "mlp"} if model is Node else {"kind": "link"} if value in ("dot", "common_neighbour") else {}
    if isinstance(value, bool) and not isinstance(searched_values()[factor][-1], bool):
        raise SpecError(f"{factor} is {value}; allowed: {allowed(model.model_fields[name])}")
    try:
        return getattr(model.model_validate({**beside, name: value}), name)
    except ValidationError as error:
        raise SpecError(f"{part}.{explain(error, model, {name: value})}") from None


def _lock(given: Any, where: str) -> list[str] | Mapping[str, Any]:
    if isinstance(given, str):
        return [given]
    if isinstance(given, Mapping) or (isinstance(given, (list, tuple)) and all(isinstance(path, str) for path in given)):
        return given if isinstance(given, Mapping) else list(given)
    raise UsageError(f"{where}: lock is {short(given)}; allowed: paths such as [body.n1, input], or paths and what stands there")
