"""From a spec to the list of modules and the order in which they are called.

The same ``Layout`` is built into a ``Network`` and written out as source by the exporter, so both have the same parameters under the same
names. Nothing here imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from agentnas.tools.operators.base import operator
from agentnas.tools.spec.model import ArchitectureSpec, Node, topological_order

Types = tuple[int, int]  # how many types of nodes, and of edges
ONE_TYPE: Types = (1, 1)


@dataclass(frozen=True)
class Make:
    """A call that makes a module: class name, arguments, and the operator whose file holds the class ('' for the shared layers)."""

    cls: str
    args: tuple[object, ...] = ()
    keywords: dict[str, object] = field(default_factory=dict)
    operator: str = ""

    def source(self) -> str:
        """The call as Python source."""
        args = [_source(a) for a in self.args] + [f"{name}={_source(value)}" for name, value in self.keywords.items()]
        return f"{self.cls}({', '.join(args)})"

    def parts(self) -> list[Make]:
        """This call and all calls in its arguments."""
        inner = [value for value in (*self.args, *self.keywords.values()) if isinstance(value, Make)]
        return [self] + [part for make in inner for part in make.parts()]


def _source(value: object) -> str:
    return value.source() if isinstance(value, Make) else repr(value)


@dataclass(frozen=True)
class Step:
    """``target = self.module(*args, batch=batch)``; all names of values."""

    target: str
    module: str
    args: tuple[str, ...]
    with_batch: bool = False


@dataclass
class Layout:
    """Modules by attribute name, and the steps of the forward pass; the last step's target is the result."""

    in_channels: int
    out_channels: int
    encoding_channels: int
    edge_channels: int
    types: Types = ONE_TYPE
    modules: dict[str, Make] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    result: str = "x"

    def add(self, module: str, make: Make, target: str, args: tuple[str, ...], with_batch: bool = False) -> None:
        self.modules[module] = make
        self.steps.append(Step(target, module, args, with_batch))
        self.result = target


ACTIVATIONS = {
    "relu": "nn.ReLU",
    "elu": "nn.ELU",
    "leaky_relu": "nn.LeakyReLU",
    "prelu": "nn.PReLU",
    "gelu": "nn.GELU",
    "silu": "nn.SiLU",
    "tanh": "nn.Tanh",
}
NORMS = {"batch": "BatchNorm", "layer": "LayerNorm", "pair": "PairNorm", "graph": "GraphNorm"}
MERGES = {"sum": "SumMerge", "mean": "MeanMerge", "max": "MaxMerge", "gate": "GateMerge", "attention": "AttentionMerge"}
STRUCTURE, BESIDE = 6, 32  # columns of ``pairs.pair_structure``, and the width of the perceptron that reads it
POOLS = {"mean": "MeanPool", "sum": "SumPool", "max": "MaxPool", "attention": "AttentionPool"}


def make_layout(
    spec: ArchitectureSpec,
    in_channels: int,
    out_channels: int,
    encoding_channels: int = 0,
    edge_channels: int = 0,
    types: Types = ONE_TYPE,
) -> Layout:
    """The layout of a spec whose nodes are in the order to be kept; call it on canonical specs. ``types``: of nodes, and of edges."""
    layout = Layout(in_channels, out_channels, encoding_channels, edge_channels, types)
    widths = {"input": _add_input(layout, spec)}
    names = {"input": "h"}
    raw = spec.input.encoder == "none"
    for node in topological_order(spec.body.nodes):
        widths[node.id] = _add_node(layout, spec, node, widths, names, raw)
        names[node.id] = layout.result
    width = _add_outputs(layout, spec, widths, names, raw)
    _add_head(layout, spec, width)
    return layout


def _add_input(layout: Layout, spec: ArchitectureSpec) -> int:
    part = spec.input
    args = ("x", "encodings") if layout.encoding_channels else ("x",)
    if part.encoder == "none":
        layout.add("input", Make("RawFeatures", (part.dropout,)), "h", args)
        return layout.in_channels + layout.encoding_channels
    widths = [layout.in_channels] + [part.width] * (1 if part.encoder == "linear" else 2)
    perceptron = Make("Perceptron", (widths,), _given(dropout=part.dropout or None, activation=_inner_activation(part.activation)))
    layout.add("input", Make("Encoder", (perceptron, *_activation(part.activation))), "h", args)
    return part.width + layout.encoding_channels


def _add_node(layout: Layout, spec: ArchitectureSpec, node: Node, widths: dict[str, int], names: dict[str, str], raw: bool) -> int:
    merge, width = _merge(node.merge, list(node.inputs), widths, raw)
    out = layout.out_channels if node.width == "out" else (width if node.width is None else int(node.width))
    details = _given(
        merge=merge,
        dropout=node.dropout or None,
        norm=Make(NORMS[node.norm], (out,)) if node.norm != "none" else None,
        residual=_residual(width, out) if node.residual else None,
        activation=next(iter(_activation(node.activation)), None),
    )
    by_graph = spec.head.kind == "graph" and node.norm in ("pair", "graph")
    block = Make("Block", (_operator(layout, node, width, out),), details)
    layout.add(node.id, block, node.id, ("graph", *(names[name] for name in node.inputs)), by_graph)
    if spec.head.kind == "graph" and spec.head.virtual_node and operator(node.op).kind == "convolution":
        layout.add(f"{node.id}_virtual", Make("VirtualNode", (out,)), node.id, (node.id,), True)
    return out


def _operator(layout: Layout, node: Node, width: int, out: int) -> Make:
    described = operator(node.op)
    keywords: dict[str, object] = {param.name: node.params.get(param.name, param.default) for param in described.params}
    if described.uses_edge_attr and layout.edge_channels:
        keywords["edge_channels"] = layout.edge_channels
    if described.uses_types and layout.types != ONE_TYPE:
        keywords["node_types"], keywords["edge_types"] = layout.types
    return Make(described.module, (width, out), keywords, node.op)


def _merge(kind: str, inputs: list[str], widths: dict[str, int], raw: bool) -> tuple[Make | None, int]:
    """What joins these inputs, and the joint width: that of the widest input, where raw features count only if there is nothing else."""
    own = [widths[name] for name in inputs]
    if len(inputs) == 1:
        return None, own[0]
    if kind == "concat":
        return Make("ConcatMerge"), sum(own)
    width = max([widths[name] for name in inputs if not (raw and name == "input")] or own)
    return Make(MERGES[kind], (own, width)), width


def _add_outputs(layout: Layout, spec: ArchitectureSpec, widths: dict[str, int], names: dict[str, str], raw: bool) -> int:
    outputs = list(spec.body.outputs)
    make, width = _merge(spec.body.jump, outputs, widths, raw)
    layout.result = names[outputs[0]]
    if make is not None:
        layout.add("jump", make, "h", tuple(names[name] for name in outputs))
    return width


def _add_head(layout: Layout, spec: ArchitectureSpec, width: int) -> None:
    head = spec.head
    if head.kind == "graph":
        if head.virtual_node and not any(name.endswith("_virtual") for name in layout.modules):
            layout.add("virtual", Make("VirtualNode", (width,)), "h", (layout.result,), True)
        args = (width,) if head.pooling == "attention" else ()
        layout.add("pool", Make(POOLS[head.pooling], args), "pooled", (layout.result,), True)
    if head.kind == "link":
        layout.add("head", _pair_head(layout, spec, width), "scores", (layout.result, "graph", "edge_label_index"))
    elif head.decoder != "none":
        layout.add("head", _perceptron(layout, spec, width), "scores", (layout.result,))


def _pair_head(layout: Layout, spec: ArchitectureSpec, width: int) -> Make:
    decoder = _decoder(layout, spec, width)
    if spec.head.pair_features == "none":
        return decoder
    return Make("StructureHead", (decoder, Make("Perceptron", ([STRUCTURE, BESIDE, layout.out_channels],))))


def _decoder(layout: Layout, spec: ArchitectureSpec, width: int) -> Make:
    if spec.head.decoder == "dot":
        return Make("DotHead")
    if spec.head.decoder == "common_neighbour":
        return Make("CommonNeighbourHead", (_perceptron(layout, spec, 2 * width),))
    return Make("PairHead", (_perceptron(layout, spec, width),))


def _perceptron(layout: Layout, spec: ArchitectureSpec, width: int) -> Make:
    head = spec.head
    hidden = [] if head.decoder == "linear" else [head.width] * (head.layers - 1)
    return Make("Perceptron", ([width, *hidden, layout.out_channels],), _given(dropout=head.dropout or None))


def _activation(name: str) -> tuple[Make, ...]:
    return () if name == "none" else (Make(ACTIVATIONS[name]),)


def _inner_activation(name: str) -> Make | None:
    return None if name in ("none", "relu") else Make(ACTIVATIONS[name])


def _residual(width: int, out: int) -> Make:
    return Make("nn.Identity") if width == out else Make("Linear", (width, out), {"bias": False})


def _given(**keywords: object) -> dict[str, object]:
    return {name: value for name, value in keywords.items() if value is not None}
