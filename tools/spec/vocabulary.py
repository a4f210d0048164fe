"""How changes to specs are written, and what may be named in a space, in few words for prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from agentnas.tools.operators.base import Operator, Param, operator
from agentnas.tools.spec import cells
from agentnas.tools.spec.bounded import NODE_FIELDS, BoundedSpace
from agentnas.tools.spec.cellspace import CellSpace
from agentnas.tools.spec.model import Recipe
from agentnas.tools.spec.render import number
from agentnas.tools.spec.space import SearchSpace

PARTS = ("input", "head", "recipe", "post")

_HOW = """\
A proposal names its parent and lists edits, each a path and a value, both texts. Node names are those the parent is shown with.
- a setting: recipe.learning_rate = 0.005; input.encodings = laplacian 8, degree 4 (or none); body.outputs = n2, n3; body.jump = max
- of one node: n2.width = 128; n2.op = gat; n2.hops = 10 (a parameter of its operator); n2.inputs = n1 + input
- of all nodes at once: *.dropout = 0.6 (every node, also those that had none; a parameter of operators where it exists)
- a node that goes: -n2, value empty; its users take over its inputs
- a node that is new (+n4) or replaced (n2), in the notation that parents are shown in:
  operator(parameters) width <- inputs; dropout, norm, residual, activation
  inputs: n1, or n1 + n2 (sum), n1 | n2 (concatenation), mean(n1, n2), max(n1, n2), gate(n1, n2); the features are called input
  A new node must be read by a node that leads to the output, or stand in body.outputs.
Parent "" begins with no node and default settings: add every node, and set body.outputs.
With head.decoder none the body must end in a node of width out; with linear or mlp it ends in a hidden width.
Examples of edits:
  stronger regularisation: [*.dropout = 0.6] [recipe.weight_decay = 0.005]
  propagation between n1 and n2: [+n3 = appnp(hops 10, alpha 0.1) <- n1] [n2.inputs = n3]
  a second branch beside n1: [+n3 = mlp 64 <- input; dropout 0.5, relu] [n2.inputs = n1 + n3]"""

_CELL = """\
A proposal names its parent and lists edits, each a path and a value, both texts: cell.links, cell.op, or both; what is not named stays
the parent's, as it is shown. Always write all four numbers or operators. Parent "" is a new cell and needs both.
Operators: {ops}.
Examples of edits:
  another operator at the third node of 0,0,1,3 gcn,gat,sage,fc: [cell.op = gcn,gat,gin,fc]
  the same operators in a chain: [cell.links = 0,1,2,3]"""

_ON_ROWS = """\
  batching precomputed computes propagation once, then trains on rows. All propagation must read the raw features, have no weights and come
  before the first weights (sgc, appnp and the like, then mlp), and nothing may change it from step to step: no encoder, no input.dropout,
  drop_edge, drop_node or feature_dropout, and consistency_samples 1."""


def edits_help(space: SearchSpace) -> str:
    """How a coder writes proposals as edits in this space, with the values of all that it may name. What an operator does is not told."""
    if isinstance(space, CellSpace):
        return _CELL.format(ops=", ".join(cells.operators_of(space.dataset)))
    return "\n".join([_HOW, *_vocabulary(space)]) if isinstance(space, BoundedSpace) else _HOW


def values_help(space: SearchSpace) -> str:
    """The values of all that a whole design may name in this space; cells have none but their operators."""
    return "\n".join(_vocabulary(space)) if isinstance(space, BoundedSpace) else ""


def _vocabulary(space: BoundedSpace) -> Iterator[str]:
    least = f" At least {space.min_depth} deep." if space.min_depth > 1 else ""
    yield f"At most {space.max_nodes} nodes, {space.max_depth} deep, {space.max_inputs} inputs a node.{least}"
    yield "Values, any number between two; in brackets the recipe's where a design does not say it:"
    for part in PARTS:
        if settings := "; ".join(_settings(space, part)):
            yield f"- {part}: {settings}"
    if "precomputed" in space.values_of("recipe.batching"):
        yield _ON_ROWS
    yield f"- nodes: {'; '.join(f'{name} {_node_values(space, name)}' for name in NODE_FIELDS)}"
    yield f"- body.jump, how several outputs are joined: {_values(space.values_of('body.jump'))}"
    described = [operator(name) for name in space.allowed_operators()]
    yield f"- op, with a width: {', '.join(_operator(found) for found in described if found.has_width)}"
    yield f"- op, without: {', '.join(_operator(found) for found in described if not found.has_width)}"


def _settings(space: BoundedSpace, part: str) -> Iterator[str]:
    for factor in space.factors():
        if factor.startswith(f"{part}."):
            yield f"{factor.removeprefix(f'{part}.')} {_values(space.values_of(factor))}{_default(factor)}"


def _default(factor: str) -> str:
    """What a number of the recipe is where a design does not say it; steps are taken from there."""
    part, _, name = factor.partition(".")
    value = Recipe.model_fields[name].default if part == "recipe" else None
    return f" [{number(value)}]" if isinstance(value, (int, float)) and not isinstance(value, bool) and value else ""


def _node_values(space: BoundedSpace, name: str) -> str:
    values = _values(space.values_of(f"body.{name}"))
    return f"{values}, out or inherit" if name == "width" else values


def _values(values: Sequence[Any]) -> str:
    """``0.001 to 0.2`` for numbers, which may lie anywhere between; the words otherwise."""
    if all(isinstance(value, bool) for value in values):
        return "yes or no"
    numbers = [value for value in values if isinstance(value, (int, float))]
    if numbers:
        inherit = " or inherit" if None in values else ""
        return (number(min(numbers)) if len(set(numbers)) == 1 else f"{number(min(numbers))} to {number(max(numbers))}") + inherit
    return "|".join(map(str, values))


def _operator(described: Operator) -> str:
    return described.name + (f"({', '.join(map(_param, described.params))})" if described.params else "")


def _param(param: Param) -> str:
    if param.low is None or param.high is None or isinstance(param.default, (bool, str)):
        return f"{param.name} {_values(param.search)}"
    return f"{param.name} {number(param.low)} to {number(param.high)}"
