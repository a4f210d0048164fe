"""Arbitrary specs, far wilder than a search space's samples, and rewritings of a spec that do not change the network."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from agentnas.tools.errors import SpecError
from agentnas.tools.operators.base import Param, operators
from agentnas.tools.spec.model import ArchitectureSpec, Body, Input, Node, Post, Recipe, parse_spec

ACTIVATIONS = ("none", "relu", "tanh")
WIDTHS = (16, 64, None)


def param_values(param: Param) -> st.SearchStrategy[Any]:
    """Values that samplers try, and others inside the bounds."""
    values = st.sampled_from(param.search)
    if isinstance(param.default, float) and param.low is not None and param.high is not None:
        return values | st.floats(param.low, param.high)
    return values


@st.composite
def nodes(draw: st.DrawFn, name: str, earlier: list[str]) -> dict[str, Any]:
    op = operators()[draw(st.sampled_from(sorted(operators())))]
    params = {param.name: draw(param_values(param)) for param in op.params if draw(st.booleans())}
    return {
        "id": name,
        "op": op.name,
        "inputs": draw(st.lists(st.sampled_from(earlier), min_size=1, max_size=3)),
        "merge": draw(st.sampled_from(("sum", "mean", "max", "concat", "gate"))),
        "width": draw(st.sampled_from(WIDTHS)) if op.has_width else None,
        "params": params,
        "dropout": draw(st.sampled_from((0.0, 0.0, 0.5, 0.123))),
        "norm": draw(st.sampled_from(("none", "none", "batch"))),
        "residual": draw(st.booleans()),
        "activation": draw(st.sampled_from(ACTIVATIONS)),
    }


@st.composite
def bodies(draw: st.DrawFn, most: int = 6) -> dict[str, Any]:
    names = [f"v{i}" for i in range(draw(st.integers(0, most)))]
    made = [draw(nodes(name, ["input", *names[:i]])) for i, name in enumerate(names)]
    outputs = draw(st.lists(st.sampled_from(["input", *names]), min_size=1, max_size=3))
    return {"nodes": made, "outputs": outputs, "jump": draw(st.sampled_from(("concat", "sum", "mean", "max", "attention")))}


@st.composite
def parts(draw: st.DrawFn, model: type[Input] | type[Recipe] | type[Post]) -> dict[str, Any]:
    """Some fields at values that samplers try, the others at their defaults."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and draw(st.integers(0, 3)) == 0:
            found[name] = draw(st.sampled_from(extra["search"]))  # type: ignore[arg-type]
    return found


@st.composite
def specs(draw: st.DrawFn, most_nodes: int = 6) -> ArchitectureSpec:
    """Valid specs of all parts of the language."""
    kind = draw(st.sampled_from(("node", "node", "graph", "link")))
    head = {
        "kind": kind,
        "decoder": draw(st.sampled_from({"link": ("dot", "mlp", "common_neighbour")}.get(kind, ("linear", "mlp", "none")))),
        "width": draw(st.sampled_from((16, 64))),
        "layers": draw(st.sampled_from((2, 3))),
        "dropout": draw(st.sampled_from((0.0, 0.3))),
        "pooling": draw(st.sampled_from(("mean", "attention"))),
        "virtual_node": draw(st.booleans()),
        "pair_features": draw(st.sampled_from(("none", "structure"))),
    }
    body = draw(bodies(most_nodes))
    if head["decoder"] == "none":
        for node in body["nodes"]:
            node["width"] = "out" if operators()[node["op"]].has_width else None
        body["jump"] = "sum"
    encodings = draw(st.lists(st.sampled_from(({"kind": "degree"}, {"kind": "laplacian", "dim": 4})), max_size=2))
    source = {**draw(parts(Input)), "encodings": encodings}
    data = {"input": source, "body": body, "head": head, "recipe": draw(parts(Recipe)), "post": draw(parts(Post))}
    try:
        return parse_spec(data)
    except SpecError:
        assume(False)
        raise


def renamed(spec: ArchitectureSpec, rng: random.Random) -> ArchitectureSpec:
    """Other names, another order of nodes, of inputs, of outputs and of encodings."""
    fresh = rng.sample([f"x{i}" for i in range(100)], len(spec.body.nodes))
    names = {"input": "input", **{node.id: name for node, name in zip(spec.body.nodes, fresh, strict=True)}}

    def rewired(old: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names[name] for name in rng.sample(old, len(old)))

    changed = [node.model_copy(update={"id": names[node.id], "inputs": rewired(node.inputs)}) for node in spec.body.nodes]
    rng.shuffle(changed)
    body = Body(nodes=tuple(changed), outputs=rewired(spec.body.outputs), jump=spec.body.jump)
    source = spec.input.model_copy(update={"encodings": tuple(rng.sample(spec.input.encodings, len(spec.input.encodings)))})
    return checked(spec.model_copy(update={"body": body, "input": source}))


def with_idle_nodes(spec: ArchitectureSpec, rng: random.Random) -> ArchitectureSpec:
    """A pass-through on one edge, and an unreachable node."""
    before = rng.choice(["input", *(node.id for node in spec.body.nodes)])
    skip = Node(id="skip", op="identity", inputs=(before,))

    def rewired(old: tuple[str, ...]) -> tuple[str, ...]:
        return tuple("skip" if name == before and rng.random() < 0.7 else name for name in old)

    changed = [node.model_copy(update={"inputs": rewired(node.inputs)}) for node in spec.body.nodes]
    dead = Node(id="dead", op="gcn", inputs=(before,), width=7)
    body = spec.body.model_copy(update={"nodes": (dead, *changed, skip), "outputs": rewired(spec.body.outputs)})
    return checked(spec.model_copy(update={"body": body}))


def checked(spec: ArchitectureSpec) -> ArchitectureSpec:
    return ArchitectureSpec.model_validate(spec.model_dump())
