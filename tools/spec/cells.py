"""The cells of NAS-Bench-Graph (Qin et al., 2022) and the same networks in the spec language.

A cell has four computing nodes with one input and one of nine operators each: ``links[i]`` is 0 for the cell's input or j for node j,
``ops[i]`` is the operator. Nodes without users are concatenated. Cells that compute the same share one key, the table's.

The networks follow the benchmark's: dropout of the raw features; a linear layer before the cell where a data set has one; batch norm,
ReLU and dropout before each operator except on raw features; ReLU and a linear layer after the concatenation; another linear layer where
the data set has one. Batch norm stands at the node that makes a value, where the benchmark has one for each node that uses it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import permutations, product
from typing import Any, Literal

from agentnas.tools.errors import UsageError, suggest
from agentnas.tools.operators.base import operator
from agentnas.tools.spec.canonical import canonical, hash_of, spec_hash
from agentnas.tools.spec.memo import OnceASpec
from agentnas.tools.spec.model import ArchitectureSpec, Recipe, parse_spec

Links = tuple[int, ...]
Ops = tuple[str, ...]
Cell = tuple[Links, Ops]

LINKS: tuple[Links, ...] = (
    (0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 1), (0, 0, 1, 2), (0, 0, 1, 3), (0, 1, 1, 1), (0, 1, 1, 2), (0, 1, 2, 2), (0, 1, 2, 3),
)  # fmt: skip
OPS: Ops = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
PROTEINS_OPS: Ops = ("gcn", "sage", "arma", "fc", "skip")
SKIP = OPS.index("skip")
SIZE = 4
BASE = len(OPS) + 1
# The benchmark's operators in the language. PyG's defaults there: two Chebyshev terms, one linear layer in GIN; its GAT has 2 heads.
IN_LANGUAGE: dict[str, tuple[str, dict[str, Any]]] = {
    "gat": ("gat", {"heads": 2}),
    "gcn": ("gcn", {}),
    "gin": ("gin", {"layers": 1}),
    "cheb": ("cheb", {"order": 2}),
    "sage": ("sage", {"aggregation": "mean"}),
    "arma": ("arma", {"stacks": 1, "layers": 1}),
    "graph": ("graphconv", {"aggregation": "sum"}),
    "fc": ("mlp", {"layers": 1}),
    "skip": ("identity", {}),
}


@dataclass(frozen=True)
class Settings:
    """How the benchmark trained the cells of one data set; ``before`` and ``after`` are its linear layers around the cell."""

    before: bool
    after: bool
    width: int
    dropout: float
    optimiser: Literal["adam", "sgd"]
    learning_rate: float
    weight_decay: float
    epochs: int


# From the benchmark's sources. Photo is listed there with a layer before the cell; the table's parameter counts fit none, so it has none.
SETTINGS = {
    "cora": Settings(False, True, 256, 0.7, "sgd", 0.1, 5e-4, 400),
    "citeseer": Settings(False, True, 256, 0.7, "sgd", 0.2, 5e-4, 400),
    "pubmed": Settings(False, False, 128, 0.3, "sgd", 0.2, 5e-4, 500),
    "cs": Settings(True, False, 128, 0.6, "sgd", 0.5, 5e-4, 400),
    "physics": Settings(True, True, 256, 0.4, "sgd", 0.01, 0.0, 200),
    "photo": Settings(False, False, 128, 0.7, "adam", 2e-4, 5e-4, 500),
    "computers": Settings(True, True, 64, 0.1, "adam", 0.005, 5e-4, 500),
    "arxiv": Settings(False, True, 128, 0.2, "adam", 0.002, 0.0, 500),
    "proteins": Settings(True, True, 256, 0.0, "adam", 0.01, 5e-4, 500),
}


def settings_of(dataset: str) -> Settings:
    """The training settings of a data set; raises UsageError for unknown names."""
    if dataset not in SETTINGS:
        raise UsageError(f"unknown NAS-Bench-Graph data set {dataset!r}; {suggest(dataset, SETTINGS)}")
    return SETTINGS[dataset]


def operators_of(dataset: str) -> Ops:
    """The operators that the data set's table knows."""
    settings_of(dataset)
    return PROTEINS_OPS if dataset == "proteins" else OPS


def settle(links: Sequence[int], ops: Sequence[str]) -> Cell:
    """The representative of all cells that compute the same as this one. Raises UsageError for something that is no cell.

    Skips that change nothing stand in front of the others, and among equal cells the one with the least operators counts.
    """
    return _settled(tuple(links), tuple(ops))


@lru_cache(maxsize=32_768)
def _settled(links: Links, ops: Ops) -> Cell:
    parents, codes = _checked(links, ops)
    idle = _idle_skips(parents, codes)
    order = [*idle, *(node for node in range(SIZE) if node not in idle)]
    place = {-1: len(idle), **{node: i + 1 for i, node in enumerate(order)}}
    moved = tuple(i if node in idle else place[parents[node]] for i, node in enumerate(order))
    found, best = min((shape, tuple(codes[order[i]] for i in renaming)) for shape, renaming in _renamings(moved))
    return LINKS[found], tuple(OPS[code] for code in best)


def _checked(links: Sequence[int], ops: Sequence[str]) -> tuple[list[int], list[int]]:
    if len(links) != SIZE or len(ops) != SIZE:
        raise UsageError(f"a cell has {SIZE} links and {SIZE} operators, got {len(links)} and {len(ops)}")
    for node, link in enumerate(links):
        if link not in range(node + 1):
            raise UsageError(f"link {node + 1} of the cell is {link!r}; allowed: 0 to {node}")
    for op in ops:
        if op not in OPS:
            raise UsageError(f"unknown operator {op!r} in the cell; {suggest(str(op), OPS)}")
    return [link - 1 for link in links], [OPS.index(op) for op in ops]


def _idle_skips(parents: list[int], codes: list[int]) -> list[int]:
    """Skips to move to the front; their users take over their inputs. A skip stays only as a leaf beside others, on computed features."""
    idle: list[int] = []
    for node in range(SIZE):
        others = [other for other in range(SIZE) if other != node and other not in idle]
        has_users = any(parents[other] == node for other in others)
        alone = not any(parents[other] == parents[node] for other in others)
        if codes[node] == SKIP and (has_users or alone or parents[node] == -1):
            idle.append(node)
            parents[:] = [parents[node] if parent == node else parent for parent in parents]
    return idle


@cache
def _renamings(links: Links) -> list[tuple[int, tuple[int, ...]]]:
    """All ways to name the nodes so that the links are one of the nine shapes: (shape, old index of each new node)."""
    found = []
    for order in permutations(range(SIZE)):
        place = {0: 0, **{old + 1: new + 1 for new, old in enumerate(order)}}
        renamed = tuple(place[links[old]] for old in order)
        if renamed in LINKS:
            found.append((LINKS.index(renamed), order))
    return found


def cell_key(links: Sequence[int], ops: Sequence[str]) -> int:
    """The table's key of a cell: the shape's number, then a decimal digit for each operator of its representative."""
    shape, settled = settle(links, ops)
    key = LINKS.index(shape)
    for op in settled:
        key = key * BASE + OPS.index(op)
    return key


def cell_from_key(key: int) -> Cell:
    """The representative with this key; raises UsageError where no cell has it."""
    digits = [key // BASE**i % BASE for i in reversed(range(SIZE))]
    shape = key // BASE**SIZE
    if 0 <= shape < len(LINKS) and all(digit < len(OPS) for digit in digits):
        cell = LINKS[shape], tuple(OPS[digit] for digit in digits)
        if is_representative(*cell):
            return cell
    raise UsageError(f"no cell has the key {key!r}; build keys with cell_key")


def is_representative(links: Links, ops: Ops) -> bool:
    """True for the cells that the tables hold: settled, and not four skips."""
    return any(op != "skip" for op in ops) and settle(links, ops) == (links, ops)


def all_cells(dataset: str = "cora") -> Iterator[Cell]:
    """Every distinct cell of the data set's table in the order of the keys; 26,206 with nine operators. Takes about a second."""
    for links, ops in product(LINKS, product(operators_of(dataset), repeat=SIZE)):
        if is_representative(links, ops):
            yield links, ops


def sample_cell(rng: random.Random, dataset: str = "cora") -> Cell:
    """A cell, each with the same probability."""
    while True:
        cell = rng.choice(LINKS), tuple(rng.choices(operators_of(dataset), k=SIZE))
        if is_representative(*cell):
            return cell


def cell_to_spec(links: Sequence[int], ops: Sequence[str], dataset: str) -> ArchitectureSpec:
    """The cell as a spec in canonical form with the training settings of the data set; equal cells give equal specs.

    Settings are the benchmark's own (see ``SETTINGS``); the number of epochs is fixed and patience is off, as there.
    """
    return _spec_of(*settle(links, ops), dataset)


@lru_cache(maxsize=4096)
def _spec_of(links: Links, ops: Ops, dataset: str) -> ArchitectureSpec:
    settings = settings_of(dataset)
    nodes = [_before(settings)] if settings.before else []
    raw = [not settings.before]
    for i, (link, op) in enumerate(zip(links, ops, strict=True)):
        raw.append(raw[link] and op == "skip")
        source = f"n{link}" if link else "before" if settings.before else "input"
        nodes.append(_cell_node(f"n{i + 1}", op, source, settings, raw=raw[link], idle=raw[-1], leaf=i + 1 not in links))
    leaves = [f"n{i + 1}" for i in range(SIZE) if i + 1 not in links]
    if settings.after:
        nodes.append({"id": "after", "op": "mlp", "inputs": leaves, "merge": "concat", "width": settings.width})
    data = {
        "input": {"dropout": settings.dropout},
        "body": {"nodes": nodes, "outputs": ["after"] if settings.after else leaves, "jump": "concat"},
        "head": {"decoder": "linear"},
        "recipe": _recipe(settings),
    }
    made = canonical(parse_spec(data))
    located.remember(made, (dataset, (links, ops)))
    spec_hash.remember(made, hash_of(made))
    return made


def _before(settings: Settings) -> dict[str, Any]:
    return {"id": "before", "op": "mlp", "inputs": ["input"], "width": settings.width, "norm": "batch", "activation": "relu"}


def _cell_node(name: str, op: str, source: str, settings: Settings, *, raw: bool, idle: bool, leaf: bool) -> dict[str, Any]:
    in_language, params = IN_LANGUAGE[op]
    node: dict[str, Any] = {"id": name, "op": in_language, "inputs": [source], "params": params}
    if idle:
        return node
    node |= {"activation": "relu", "norm": "none" if leaf else "batch", "dropout": 0.0 if raw else settings.dropout}
    return node if op == "skip" else node | {"width": settings.width}


def _recipe(settings: Settings) -> dict[str, Any]:
    return {
        "optimiser": settings.optimiser,
        "learning_rate": settings.learning_rate,
        "momentum": 0.0,
        "weight_decay": settings.weight_decay,
        "epochs": settings.epochs,
        "patience": 0,
    }


def spec_to_cell(spec: ArchitectureSpec) -> Cell:
    """The representative cell that the spec is; raises UsageError for specs that are no cell with a data set's own settings."""
    return located(spec)[1]


@OnceASpec
def located(spec: ArchitectureSpec) -> tuple[str, Cell]:
    """The data set whose settings the spec has, and its cell; raises UsageError where it is none."""
    spec = canonical(spec)
    for dataset, settings in SETTINGS.items():
        if _canonical_recipe(dataset) == spec.recipe:
            cell = _read(spec, settings)
            if cell is not None and _hash_of(*cell, dataset) == spec_hash(spec):
                return dataset, cell
    raise UsageError("the spec is no NAS-Bench-Graph cell with that benchmark's training settings; build it with cell_to_spec")


@cache
def _canonical_recipe(dataset: str) -> Recipe:
    return _spec_of(LINKS[0], OPS[:1] * SIZE, dataset).recipe


@lru_cache(maxsize=4096)
def _hash_of(links: Links, ops: Ops, dataset: str) -> str:
    return spec_hash(_spec_of(links, ops, dataset))


def _read(spec: ArchitectureSpec, settings: Settings) -> Cell | None:
    """Links and operators of a canonical spec, as far as it looks like a cell; the caller compares with the cell that it finds."""
    around = int(settings.before) + int(settings.after)
    inner = spec.body.nodes[int(settings.before) : len(spec.body.nodes) - int(settings.after)]
    missing = SIZE - len(inner)
    if missing < 0 or len(spec.body.nodes) < around:
        return None
    links, ops = list(range(missing)), ["skip"] * missing
    place = {"input": missing, **({spec.body.nodes[0].id: missing} if settings.before else {})}
    for node in inner:
        name = _in_benchmark().get((node.op, tuple(sorted(node.params.items()))))
        if name is None or len(node.inputs) != 1 or node.inputs[0] not in place:
            return None
        links.append(place[node.inputs[0]])
        ops.append(name)
        place[node.id] = len(ops)
    return settle(links, ops)


@lru_cache(maxsize=1)
def _in_benchmark() -> dict[tuple[str, tuple[tuple[str, Any], ...]], str]:
    """The benchmark's operator by the language's operator and its parameters without defaults."""
    defaults = {op: {param.name: param.default for param in operator(op).params} for op, _ in IN_LANGUAGE.values()}
    kept = {name: {k: v for k, v in params.items() if v != defaults[op][k]} for name, (op, params) in IN_LANGUAGE.items()}
    return {(op, tuple(sorted(kept[name].items()))): name for name, (op, _) in IN_LANGUAGE.items()}
