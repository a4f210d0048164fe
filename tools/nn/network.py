"""The network of a spec, its parameter groups, and its size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from agentnas.tools.nn import heads, layers, merge
from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layout import ONE_TYPE, Layout, Make, Step, Types, make_layout
from agentnas.tools.nn.sparse import Features
from agentnas.tools.operators.base import operator, operator_module
from agentnas.tools.spec.model import ArchitectureSpec, Recipe

if TYPE_CHECKING:
    from agentnas.tools.sizes import Sizes


class Network(nn.Module):
    """Calls the modules of a layout in order. ``spec`` is canonical: node ids are those of the modules."""

    def __init__(self, spec: ArchitectureSpec, layout: Layout) -> None:
        super().__init__()
        self.spec, self.layout = spec, layout
        for name, make in layout.modules.items():
            self.add_module(name, build(make))

    def forward(
        self,
        x: Features,
        graph: Graph,
        encodings: Tensor | None = None,
        batch: Tensor | None = None,
        edge_label_index: Tensor | None = None,
    ) -> Tensor:
        """Scores [N, out], [graphs, out] (``batch``: the graph of each node), or [pairs] (``edge_label_index``: long [2, pairs]).

        ``x``: dense [N, in_channels] or ``SparseFeatures``; ``encodings``: [N, encoding_channels].
        """
        values: dict[str, Any] = {"x": x, "graph": graph, "encodings": encodings, "edge_label_index": edge_label_index}
        return self._run(self.layout.steps, values, batch)

    def after(self, known: Mapping[str, Tensor], x: Features, graph: Graph, encodings: Tensor | None = None) -> Tensor:
        """The same scores of nodes where values of some body nodes are known, by id; what only they depend on is not computed."""
        values = {"x": x, "graph": graph, "encodings": encodings, **known}
        return self._run(self.steps_after(frozenset(known)), values, None)

    def _run(self, steps: Sequence[Step], values: dict[str, Any], batch: Tensor | None) -> Tensor:
        for step in steps:
            keywords = {"batch": batch} if step.with_batch else {}
            values[step.target] = getattr(self, step.module)(*[values[name] for name in step.args], **keywords)
        result: Tensor = values[self.layout.result]
        return result

    def steps_after(self, known: frozenset[str]) -> list[Step]:
        """The steps that lead from known values to the result."""
        needed, found = {self.layout.result}, list[Step]()
        for step in reversed(self.layout.steps):
            if step.target in needed - known:
                needed = needed - {step.target} | set(step.args)
                found.append(step)
        return found[::-1]

    def parameter_groups(self, recipe: Recipe) -> list[dict[str, Any]]:
        """Optimiser groups ``{"params", "weight_decay"}``, one for each distinct weight decay.

        The head and body nodes of width 'out' take ``weight_decay_out``, other convolutions ``weight_decay_conv``; null: ``weight_decay``.
        """
        decays: dict[float, list[nn.Parameter]] = {}
        for name, module in self.named_children():
            group = getattr(recipe, f"weight_decay_{self._group(name)}", None)
            decay = recipe.weight_decay if group is None else group
            decays.setdefault(decay, []).extend(p for p in module.parameters() if p.requires_grad)
        return [{"params": params, "weight_decay": decay} for decay, params in decays.items() if params]

    def _group(self, name: str) -> str:
        node = next((node for node in self.spec.body.nodes if node.id == name), None)
        if name == "head" or (node is not None and node.width == "out"):
            return "out"
        return "conv" if node is not None and operator(node.op).kind == "convolution" else "rest"


def build(make: Make) -> nn.Module:
    """The module that a call describes."""
    args = [build(a) if isinstance(a, Make) else a for a in make.args]
    keywords = {name: build(a) if isinstance(a, Make) else a for name, a in make.keywords.items()}
    module: nn.Module = _class_of(make)(*args, **keywords)
    return module


def _class_of(make: Make) -> Any:
    if make.operator:
        return operator_module(make.operator)
    if make.cls.startswith("nn."):
        return getattr(nn, make.cls.removeprefix("nn."))
    return next(getattr(module, make.cls) for module in (layers, merge, heads) if hasattr(module, make.cls))


def build_network(
    spec: ArchitectureSpec,
    *,
    in_channels: int,
    out_channels: int,
    encoding_channels: int = 0,
    edge_channels: int = 0,
    types: Types = ONE_TYPE,
) -> Network:
    """The network of a spec, with fresh weights drawn from torch's global generator.

    Built from the canonical form, so equal specs have equal networks. ``encoding_channels``: columns of the encodings that ``forward``
    will get; ``edge_channels``: columns of the graph's ``edge_attr``; ``types``: how many types of nodes and of edges it has.
    """
    from agentnas.tools.spec.canonical import canonical

    spec = canonical(spec)
    return Network(spec, make_layout(spec, in_channels, out_channels, encoding_channels, edge_channels, types))


def network_of(spec: ArchitectureSpec, sizes: Sizes) -> Network:
    """The spec's network for a task of these sizes."""
    return build_network(
        spec,
        in_channels=sizes.in_channels,
        out_channels=sizes.out_channels,
        encoding_channels=spec.input.encoding_channels,
        edge_channels=sizes.edge_channels,
        types=sizes.types,
    )


def count_parameters(network: nn.Module) -> int:
    """Number of trained scalars."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
