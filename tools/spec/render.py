"""A spec as text: one canonical rendering for prompts, embeddings and people, and a one-line summary.

Two specs have the same text exactly when they have the same canonical form. Settings at their defaults are left out, but for the few that
everybody looks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from agentnas.tools.errors import UsageError
from agentnas.tools.operators.base import operator
from agentnas.tools.spec.canonical import canonical
from agentnas.tools.spec.model import ArchitectureSpec, Body, Head, Input, Node, Part, Post, Recipe

if TYPE_CHECKING:
    from agentnas.tools.spec.cells import Cell

LINE = 120
CUT = ", …"
ALWAYS = ("optimiser", "learning_rate", "weight_decay", "epochs", "patience")
MERGE_SIGNS = {"sum": " + ", "concat": " | "}


def render(spec: ArchitectureSpec) -> str:
    """The canonical text, one line for each part and each node.

    >>> # input: raw features, dropout 0.5
    >>> # n1 = gcn 64 <- input; dropout 0.5, relu
    >>> # n2 = gcn out <- n1; dropout 0.5
    >>> # output: n2
    >>> # recipe: adam, learning_rate 0.01, weight_decay 0.0005, epochs 300, patience 100
    """
    spec = canonical(spec)
    return "\n".join(
        [_input(spec.input), *map(node_text, spec.body.nodes), _output(spec.body, spec.head), _recipe(spec.recipe), *_post(spec.post)]
    )


def render_line(spec: ArchitectureSpec) -> str:
    """A summary of at most 120 characters, for tables and progress lines; different specs may share one."""
    return shortened(one_line(spec))


def one_line(spec: ArchitectureSpec) -> str:
    """The same, whole: body, what is made of it for graphs and pairs, and what is unusual in the recipe; of a cell of NAS-Bench-Graph its
    links and operators, which say all."""
    from agentnas.tools.spec.cells import located

    try:
        return cell_text(located(spec)[1])
    except UsageError:
        spec = canonical(spec)
    return f"{_body_in_short(spec.body)} · {', '.join([*_head_in_short(spec.head), _recipe_in_short(spec)])}"


def cell_text(cell: Cell) -> str:
    """``0,0,1,3 gcn,gat,skip,fc``: links, then operators, as they may be written in edits."""
    return " ".join(",".join(map(str, part)) for part in cell)


def shortened(text: str, limit: int = LINE) -> str:
    """The text cut after a whole item where it is too long."""
    if len(text) <= limit:
        return text
    head = text[: limit - len(CUT)]
    return (head[: head.rindex(", ")] if ", " in head else head) + CUT


def shortened_change(text: str, limit: int) -> str:
    """The changes of a ``diff.describe``, those that fit; the last ones give way and are counted, the first keeps its new value."""
    parts = text.split("; ")
    kept = parts[:1]
    for part in parts[1:]:
        if len("; ".join([*kept, part])) > limit:
            break
        kept.append(part)
    if len(kept[0]) > limit:
        kept[0] = _without_old(kept[0], limit)
    more = len(parts) - len(kept)
    return "; ".join([*kept, *([f"and {more} more"] if more else [])])


def _without_old(change: str, limit: int) -> str:
    what, arrow, new = change.partition(" -> ")
    told = f"{what.partition(' ')[0]} …{arrow}{new}" if arrow else change
    return told if len(told) <= limit else f"{told[: limit - 1]}…"


def number(value: float) -> str:
    """The shortest text that reads back as the same number: ``0.01``, ``5e-06``, ``64``."""
    return repr(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def value_text(value: Any) -> str:
    """One setting: ``yes``, ``0.01``, ``relu``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, (int, float)) else str(value)


def _joined(lead: str, words: Iterator[str]) -> str:
    return ", ".join([lead, *words])


def _input(source: Input) -> str:
    lead = "raw features" if source.encoder == "none" else f"{source.encoder} {source.width} {source.activation}"

    def details() -> Iterator[str]:
        if source.scale != "none":
            yield f"scale {source.scale}"
        if source.dropout:
            yield f"dropout {number(source.dropout)}"
        for encoding in source.encodings:
            yield f"{encoding.kind} {encoding.dim}"

    return f"input: {_joined(lead, details())}"


def node_text(node: Node) -> str:
    """One line of the canonical text: ``n1 = gcn 64 <- input; dropout 0.5, relu``; ``notation.read_node`` reads it back."""
    name = f"{node.op}{_params(node)}" + (f" {node.width}" if node.width is not None else "")
    details = list(_looks(node))
    return f"{node.id} = {name} <- {_merged(node)}" + (f"; {', '.join(details)}" if details else "")


def _params(node: Node) -> str:
    """All parameters that have an effect, also those at their defaults."""
    described = operator(node.op)
    held = {param.name: node.params.get(param.name, param.default) for param in described.params}
    on = {param.name for param in described.params if not (param.off_while and held[param.off_while[0]] in param.off_while[1])}
    return f"({', '.join(f'{name} {value_text(held[name])}' for name in held if name in on)})" if on else ""


def _merged(node: Node) -> str:
    sign = MERGE_SIGNS.get(node.merge)
    if len(node.inputs) == 1 or sign is not None:
        return (sign or "").join(node.inputs)
    return f"{node.merge}({', '.join(node.inputs)})"


def _looks(node: Node) -> Iterator[str]:
    if node.dropout:
        yield f"dropout {number(node.dropout)}"
    if node.norm != "none":
        yield f"{node.norm} norm"
    if node.residual:
        yield "residual"
    if node.activation != "none":
        yield node.activation


def _output(body: Body, head: Head) -> str:
    ends = body.outputs[0] if len(body.outputs) == 1 else f"{body.jump}({', '.join(body.outputs)})"
    details = [f"{name} {value_text(value)}" for name, value in _unusual(head) if name not in ("decoder", "pooling")]
    details += [f"pooling {head.pooling}"] if head.kind == "graph" else []
    decoder = [] if head.decoder == "none" else [f"{head.decoder} head"]
    return _joined(f"output: {ends}", iter([*decoder, *details]))


def _recipe(recipe: Recipe) -> str:
    words = [str(recipe.optimiser), *(f"{name} {value_text(getattr(recipe, name))}" for name in ALWAYS[1:])]
    words += [f"{name} {value_text(value)}" for name, value in _unusual(recipe) if name not in ALWAYS]
    return f"recipe: {', '.join(words)}"


def _post(post: Post) -> list[str]:
    if post.kind == "none":
        return []
    return [f"post: {post.kind}, alpha {number(post.alpha)}, hops {post.hops}, weight {number(post.weight)}"]


def _unusual(part: Part) -> Iterator[tuple[str, Any]]:
    """Fields that differ from their defaults, by name and value."""
    for name, field in type(part).model_fields.items():
        if getattr(part, name) != field.default:
            yield name, getattr(part, name)


def _body_in_short(body: Body) -> str:
    """``gcn64 > gcn``, or node by node where the body is no chain."""
    if not body.nodes:
        return "no body"
    chain = all(node.inputs == (("input",) if i == 0 else (body.nodes[i - 1].id,)) for i, node in enumerate(body.nodes))
    if chain and body.outputs == (body.nodes[-1].id,):
        return " > ".join(map(_short_node, body.nodes))
    parts = " ".join(f"{node.id}={_short_node(node)}({','.join(node.inputs)})" for node in body.nodes)
    return f"{parts} -> {','.join(body.outputs)}"


def _short_node(node: Node) -> str:
    hops = node.params.get("hops", next((param.default for param in operator(node.op).params if param.name == "hops"), ""))
    return f"{node.op}{node.width if isinstance(node.width, int) else ''}" + (f"({hops})" if hops != "" else "")


def _head_in_short(head: Head) -> list[str]:
    """How pairs are judged and graphs are read out: of two such designs that may be all that differs."""
    if head.kind == "node":
        return []
    sizes = [f"{name} {value}" for name, value in _unusual(head) if name in ("width", "layers")]
    words = [" ".join([f"{head.decoder} head", *sizes])]
    words += [f"pair_features {head.pair_features}"] if head.pair_features != "none" else []
    words += [f"pooling {head.pooling}"] if head.kind == "graph" else []
    return words + (["virtual node"] if head.virtual_node else [])


def _recipe_in_short(spec: ArchitectureSpec) -> str:
    dropouts = [node.dropout for node in spec.body.nodes if node.dropout] + [spec.input.dropout]
    words = [] if spec.input.encoder == "none" else [f"{spec.input.encoder}{spec.input.width}"]
    words += [f"{encoding.kind} {encoding.dim}" for encoding in spec.input.encodings]
    words += [f"edges {spec.input.edges}"] if spec.input.edges != "as_given" else []
    words += [f"dropout {number(max(dropouts))}"] if max(dropouts) else []
    words += [f"head dropout {number(spec.head.dropout)}"] if spec.head.dropout else []
    words += [f"lr {number(spec.recipe.learning_rate)}", f"wd {number(spec.recipe.weight_decay)}"]
    extra = [name for name, _ in _unusual(spec.recipe) if name not in (*ALWAYS, "momentum")]
    words += [f"{name} {value_text(getattr(spec.recipe, name))}" for name in extra]
    return ", ".join(words + ([spec.post.kind] if spec.post.kind != "none" else []))
