"""The winner as one traced program: raw features and edges in, probabilities out, with scaling and post-processing inside."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from agentnas.shipping.trained import Trained, finished
from agentnas.tools.codegen import portable_source
from agentnas.tools.errors import UsageError
from agentnas.tools.spec.model import ArchitectureSpec, Body, Node, Post

if TYPE_CHECKING:
    from torch.export import ExportedProgram

OTHER_FORMS = "the forms python and state hold every architecture"
# What tracing raises for Python or an operation that it cannot follow; torch's own errors are RuntimeErrors.
UNTRACEABLE = (RuntimeError, TypeError, AttributeError, ValueError, NotImplementedError, KeyError, IndexError, AssertionError)


class Portable(nn.Module):
    """``forward(x, edge_index[, edge_attr][, encodings][, pairs][, y_train, train_index])`` -> predictions; ``x`` is not scaled yet.

    Nodes: [N, columns]; the nodes of one graph: [1, columns]; pairs: [P, 2].
    """

    shift: Tensor
    factor: Tensor
    degree_unit: Tensor

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.code = module_of(trained.spec, trained.num_features, trained.num_classes, trained.sizes["edge_channels"])
        self.model: nn.Module = self.code.Model()
        self.model.load_state_dict(trained.weights)
        self.kind, self.target = trained.kind, trained.target
        self.constants = trained.constants
        self.scale, self.post, self.edges = trained.scaling.kind, trained.spec.post, trained.spec.input.edges
        if trained.scaling.shift is not None and trained.scaling.factor is not None:
            self.register_buffer("shift", torch.from_numpy(trained.scaling.shift))
            self.register_buffer("factor", torch.from_numpy(trained.scaling.factor))
        self.has_unit = trained.constants["degree_unit"] is not None
        if self.has_unit:
            self.register_buffer("degree_unit", torch.tensor(trained.constants["degree_unit"]))

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_attr: Tensor | None = None, encodings: Tensor | None = None, pairs: Tensor | None = None,
        y_train: Tensor | None = None, train_index: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        graph = self.code.Graph(edge_index, x.shape[0])
        graph.edge_attr = edge_attr
        graph = graph.pointing(self.edges)
        if self.has_unit:
            graph.mean_log_degree = self.degree_unit
        scores: Tensor = finished(self.model(self._scaled(x), graph, encodings, None, pairs), self.kind, self.target, self.constants)
        if self.post.kind == "none":
            return scores
        settings = {"alpha": self.post.alpha, "hops": self.post.hops, "weight": self.post.weight}
        after: Tensor = getattr(self.code, self.post.kind)(scores, graph, y_train, train_index, **settings)
        return after

    def _scaled(self, x: Tensor) -> Tensor:
        if self.scale == "row":
            total = x.abs().sum(1, keepdim=True)
            return x * (1 / torch.where(total > 0, total, 1.0))
        return (x - self.shift) * self.factor if self.scale == "standard" else x


def require_portable(trained: Trained, form: str) -> None:
    """Raise UsageError for what cannot be traced, whatever the operators are."""
    head = trained.spec.head
    if trained.kind == "link" and (head.decoder == "common_neighbour" or head.pair_features != "none"):
        what = "the common-neighbour head" if head.decoder == "common_neighbour" else "what the head reads of a pair's surroundings"
        raise UsageError(f"--to {form} cannot hold {what}, whose sizes depend on which neighbours two nodes share; {OTHER_FORMS}")
    if trained.typed:
        raise UsageError(f"--to {form} cannot hold operators that depend on types of nodes and edges; {OTHER_FORMS}")
    if trained.edge_channels and trained.spec.input.edges != "as_given":
        raise UsageError(f"--to {form} cannot hold attributes of edges whose direction the model changes; {OTHER_FORMS}")


def module_of(spec: ArchitectureSpec, in_channels: int, out_channels: int, edge_channels: int = 0) -> ModuleType:
    """``Model`` and ``Graph`` of a spec without sparse matrices: our own generated source, executed."""
    module = ModuleType("portable")
    source = portable_source(spec, in_channels, out_channels, edge_channels=edge_channels)
    exec(compile(source, "<portable model>", "exec"), module.__dict__)
    return module


@contextmanager
def quiet() -> Iterator[None]:
    """Exporters warn of their own deprecations and of packages that they would also have known."""
    import logging

    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def trace(module: nn.Module, inputs: dict[str, Tensor]) -> ExportedProgram:
    """The module by ``torch.export``; the numbers of nodes, edges and known labels stay free."""
    sizes = {name: torch.export.Dim(name) for name in ("nodes", "edges", "known", "pairs")}
    free = {
        "x": {0: sizes["nodes"]}, "edge_index": {1: sizes["edges"]}, "encodings": {0: sizes["nodes"]},
        "edge_attr": {0: sizes["edges"]}, "pairs": {1: sizes["pairs"]},
        "y_train": {0: sizes["known"]}, "train_index": {0: sizes["known"]},
    }  # fmt: skip
    with torch.no_grad(), quiet():
        return torch.export.export(module.eval(), (), kwargs=inputs, dynamic_shapes={name: free[name] for name in inputs}, strict=False)


def tiny_inputs(trained: Trained) -> dict[str, Tensor]:
    """A graph of five nodes with everything that this winner takes, to trace it with."""
    inputs = {"x": torch.rand(5, trained.num_features), "edge_index": torch.tensor([[0, 1, 2, 3, 1, 4], [1, 0, 3, 2, 2, 4]])}
    if trained.edge_channels:
        inputs["edge_attr"] = torch.rand(6, trained.edge_channels)
    if trained.spec.input.encoding_channels:
        inputs["encodings"] = torch.rand(5, trained.spec.input.encoding_channels)
    if trained.kind == "link":
        inputs["pairs"] = torch.tensor([[0, 1, 2], [3, 4, 0]])
    if trained.posted:
        inputs |= {"y_train": torch.tensor([0, 1, 0]), "train_index": torch.tensor([0, 2, 3])}
    return inputs


def refuse(trained: Trained, form: str, error: Exception, attempt: Callable[[ArchitectureSpec], object]) -> UsageError:
    """The error to raise where ``form`` cannot hold the winner: it names the operators that ``attempt`` fails on when each is alone."""
    culprits = []
    for name in dict.fromkeys(node.op for node in trained.spec.body.nodes):
        node = next(node for node in trained.spec.body.nodes if node.op == name)
        try:
            attempt(alone(trained.spec, node))
        except UNTRACEABLE:
            culprits.append(name)
    what = f"operator {', '.join(culprits)}" if culprits else "this combination of operators"
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return UsageError(f"--to {form} cannot hold {what} ({said[:160]}); {OTHER_FORMS}")


def alone(spec: ArchitectureSpec, node: Node) -> ArchitectureSpec:
    """A spec with this one operator."""
    single = node.model_copy(update={"inputs": ("input",), "residual": False, "norm": "none", "merge": "sum"})
    return spec.model_copy(update={"body": Body(nodes=(single,), outputs=(node.id,)), "post": Post()})


def trace_alone(spec: ArchitectureSpec) -> ExportedProgram:
    """Trace a spec of one operator with fresh weights, to see whether it can be."""
    code = module_of(spec, 4, 3 if spec.head.kind != "link" else 1)

    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = code.Model()

        def forward(self, x: Tensor, edge_index: Tensor, encodings: Tensor | None = None, pairs: Tensor | None = None) -> Any:
            return self.model(x, code.Graph(edge_index, x.shape[0]), encodings, None, pairs)

    columns = spec.input.encoding_channels
    inputs = {"x": torch.rand(5, 4), "edge_index": torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])}
    inputs |= {"encodings": torch.rand(5, columns)} if columns else {}
    return trace(Bare(), inputs | ({"pairs": torch.tensor([[0, 1, 2], [3, 4, 0]])} if spec.head.kind == "link" else {}))
