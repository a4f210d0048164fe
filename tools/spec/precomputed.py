"""What of a network can be computed once, before training: propagation without weights that reads the raw features (Wu et al., 2019, SGC;
Frasca et al., 2020, SIGN). Where nothing after it asks for neighbours, a training sees rows of its results and no edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentnas.tools.operators.base import operator

if TYPE_CHECKING:
    from agentnas.tools.spec.model import ArchitectureSpec, Node

LARGE_GRAPH = 150_000  # nodes, and a tenth of the directed edges, from which passes over the whole graph take most of a training's time
WITH_WEIGHTS = ("gate", "concat")  # merges that have weights, or that columns do not pass one by one
WHOLE_GRAPH_NORMS = ("pair", "graph")
OFF_FOR_PROPAGATION = ("drop_edge", "drop_node", "feature_dropout")  # each changes at every step what is propagated


def precomputed_nodes(spec: ArchitectureSpec) -> tuple[str, ...]:
    """Ids of the nodes whose values are the same at each step of a training, in the order of the body's nodes."""
    if spec.input.encoder != "none" or spec.input.dropout or any(getattr(spec.recipe, name) for name in OFF_FOR_PROPAGATION):
        return ()
    nodes, found = {node.id: node for node in spec.body.nodes}, dict[str, bool]()
    return tuple(name for name in nodes if _is_fixed(name, nodes, found))


def _is_fixed(name: str, nodes: dict[str, Node], found: dict[str, bool]) -> bool:
    if name == "input":
        return True
    if name not in found:
        found[name] = _without_weights(nodes[name]) and all(_is_fixed(before, nodes, found) for before in nodes[name].inputs)
    return found[name]


def _without_weights(node: Node) -> bool:
    """Whether a node's inputs decide its values, column by column. Its width is that of its inputs, so a residual has no weights either."""
    joined = len(node.inputs) > 1 and node.merge in WITH_WEIGHTS
    return not (operator(node.op).weights or joined or node.dropout or node.norm != "none" or node.activation == "prelu")


def propagates_first(spec: ArchitectureSpec) -> bool:
    """Whether messages pass before the first weights, and are the same at each step."""
    fixed = precomputed_nodes(spec)
    return any(operator(node.op).kind == "propagation" for node in spec.body.nodes if node.id in fixed)


def needs_neighbours(spec: ArchitectureSpec) -> str | None:
    """Why a training cannot see single rows of precomputed values, one line with the fix; None where it can."""
    if spec.recipe.consistency_samples > 1:
        return "recipe.consistency_samples compares predictions of all nodes; set it to 1, or batching 'full'"
    fixed = precomputed_nodes(spec)
    for node in spec.body.nodes:
        if node.id not in fixed and operator(node.op).kind != "pointwise":
            return _why_not_fixed(spec, node)
        if node.norm in WHOLE_GRAPH_NORMS:
            return f"node {node.id}: norm {node.norm!r} looks at all nodes at once; allowed: none, batch, layer"
    return None


def _why_not_fixed(spec: ArchitectureSpec, node: Node) -> str:
    """What stands between the raw features and a node that passes messages."""
    where = f"node {node.id}: {node.op}"
    if operator(node.op).weights:
        return f"{where} passes messages with weights of its own; allowed: propagation without weights, then mlp nodes; or batching 'full'"
    if name := next((name for name in OFF_FOR_PROPAGATION if getattr(spec.recipe, name)), None):
        return f"{where} would pass other messages at each step by recipe.{name} {getattr(spec.recipe, name):g}; set it to 0"
    if spec.input.dropout or node.dropout:
        place = "input" if spec.input.dropout else f"{node.id}"
        return f"{where} would pass other messages at each step by {place}.dropout {spec.input.dropout or node.dropout:g}; set it to 0"
    return (
        f"{where} must read raw features, or such propagation of them, with nothing but an activation after it (no encoder, norm, gate or"
        " concatenation); or set batching 'full'"
    )


def same_on_rows(spec: ArchitectureSpec) -> bool:
    """Whether steps on rows alone do what steps on the whole graph do: statistics of a batch norm would be those of other nodes."""
    return needs_neighbours(spec) is None and all(node.norm != "batch" for node in spec.body.nodes)
