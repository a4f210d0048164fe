"""The spec language: an architecture and its training recipe as plain, frozen, validated data.

A spec is input -> body -> head, trained by a recipe, with an optional post-processing of its predictions. The body is a directed acyclic
graph of operators; every node names its inputs, how they are merged, and its own dropout, norm, activation and residual. Fields carry
the values that samplers try as ``search`` in their JSON schema extra, and their bounds as pydantic constraints.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import from_json

from agentnas.tools.errors import SpecError, UsageError, suggest
from agentnas.tools.operators.base import Param, Value, operator
from agentnas.tools.spec.fields import explain, short
from agentnas.tools.spec.precomputed import needs_neighbours

LANGUAGE_VERSION = 1
MAX_NODES = 64
MAX_BATCH = 10_000_000
MAX_WIDTH = 4096

Activation = Literal["none", "relu", "elu", "leaky_relu", "prelu", "gelu", "silu", "tanh"]
Norm = Literal["none", "batch", "layer", "pair", "graph"]
Merge = Literal["sum", "mean", "max", "concat", "gate"]
Jump = Literal["concat", "sum", "mean", "max", "attention"]
Width = Annotated[int, Field(ge=1, le=MAX_WIDTH)]


def searched(default: Any, search: Iterable[Any], description: str, **bounds: Any) -> Any:
    """A field with a default, bounds, and the values that samplers try."""
    return Field(default, description=description, json_schema_extra={"search": list(search)}, **bounds)


DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
WIDTHS = (16, 32, 64, 128, 256)


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=False)


class Encoding(Part):
    """A positional or structural encoding, concatenated to the encoded features."""

    kind: Literal["laplacian", "random_walk", "degree"]
    dim: int = searched(8, (4, 8, 16), "number of columns", ge=1, le=64)


class Input(Part):
    """Feature encoder: raw features [num_nodes, num_features] -> [num_nodes, width]."""

    scale: Literal["none", "row", "standard"] = searched(
        "none", ("none", "row", "standard"), "raw features: as they are, rows sum to 1, or columns standardised"
    )
    dropout: float = searched(0.0, DROPOUTS, "dropout of raw features", ge=0, lt=1)
    encoder: Literal["none", "linear", "mlp"] = searched("none", ("none", "linear", "mlp"), "what maps raw features to width")
    width: Width = searched(64, WIDTHS, "output width of the encoder")
    activation: Activation = searched("relu", ("none", "relu", "elu"), "activation after the encoder")
    encodings: tuple[Encoding, ...] = Field((), max_length=3, description="positional or structural encodings")
    edges: Literal["as_given", "both", "reversed"] = searched(
        "as_given", ("as_given",), "way of messages along directed edges: as given, in both directions, or against"
    )

    @property
    def encoding_channels(self) -> int:
        """Columns of all encodings together."""
        return sum(encoding.dim for encoding in self.encodings)


class Node(Part):
    """One operator of the body: merge inputs -> dropout -> operator -> norm -> + residual -> activation."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="name, unique in the body, not 'input'")
    op: str = Field(description="operator")
    inputs: tuple[str, ...] = Field(("input",), min_length=1, max_length=16, description="ids of nodes, or 'input'")
    merge: Merge = searched("sum", ("sum", "mean", "max", "concat", "gate"), "how several inputs become one")
    width: Width | Literal["out"] | None = searched(
        None, (*WIDTHS,), "output width; 'out' is the number of outputs of the task; null keeps the input's width"
    )
    params: dict[str, Value] = Field(default_factory=dict, description="the operator's own parameters")
    dropout: float = searched(0.0, DROPOUTS, "dropout of the merged input", ge=0, lt=1)
    norm: Norm = searched("none", ("none", "batch", "layer", "pair", "graph"), "normalisation of the output")
    residual: bool = searched(False, (False, True), "add the merged input (projected if widths differ)")
    activation: Activation = searched("none", ("none", "relu", "elu", "leaky_relu", "gelu", "tanh"), "activation of the output")

    @field_validator("op")
    @classmethod
    def _known(cls, op: str) -> str:
        try:
            operator(op)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return op

    @model_validator(mode="after")
    def _fits_operator(self) -> Node:
        described = operator(self.op)
        for name, value in self.params.items():
            try:
                check_param(described.param(name), value)
            except UsageError as error:
                raise ValueError(f"params.{name}: {error}" if not isinstance(error, SpecError) else str(error)) from None
        if self.width is not None and not described.has_width:
            raise ValueError(f"operator {self.op} keeps the width of its input; width is {self.width!r}, allowed: null")
        return self


class Body(Part):
    """A directed acyclic graph of nodes; the outputs are joined by ``jump`` where there are several."""

    nodes: tuple[Node, ...] = Field((), max_length=MAX_NODES)
    outputs: tuple[str, ...] = Field(("input",), min_length=1, max_length=MAX_NODES, description="ids whose values leave the body")
    jump: Jump = searched("concat", ("concat", "sum", "mean", "max", "attention"), "how several outputs become one")

    @model_validator(mode="after")
    def _is_a_dag(self) -> Body:
        ids = [node.id for node in self.nodes]
        for name in ids:
            if name == "input" or ids.count(name) > 1:
                raise ValueError(f"nodes: id {name!r} is {'reserved' if name == 'input' else 'used twice'}; give each node its own id")
        for node in self.nodes:
            for name in node.inputs:
                if name not in ids and name != "input":
                    raise ValueError(f"node {node.id}: input {name!r} does not exist; {suggest(name, [*ids, 'input'])}")
        for name in self.outputs:
            if name not in ids and name != "input":
                raise ValueError(f"outputs: {name!r} does not exist; {suggest(name, [*ids, 'input'])}")
        topological_order(self.nodes)
        return self


class Head(Part):
    """From the body's output to predictions: per node, per pair of nodes, or per graph."""

    kind: Literal["node", "link", "graph"] = Field("node", description="what is predicted")
    decoder: Literal["none", "linear", "mlp", "dot", "common_neighbour"] = searched(
        "linear", ("none", "linear", "mlp"), "none: the body ends in width 'out'; dot, common_neighbour: links only"
    )
    pair_features: Literal["none", "structure"] = searched(
        "none",
        ("none", "structure"),
        "structure: shared neighbours, short walks between the two ends and their degrees add to the decoder's score (link heads)",
    )
    width: Width = searched(64, WIDTHS, "hidden width of the mlp")
    layers: int = searched(2, (2, 3), "layers of the mlp", ge=2, le=8)
    dropout: float = searched(0.0, DROPOUTS, "dropout before each layer", ge=0, lt=1)
    pooling: Literal["mean", "sum", "max", "attention"] = searched(
        "mean", ("mean", "sum", "max", "attention"), "readout of a graph (graph heads)"
    )
    virtual_node: bool = searched(False, (False, True), "a node that exchanges messages with all others (graph heads)")

    @model_validator(mode="after")
    def _decoder_fits_kind(self) -> Head:
        pairs = {"dot", "common_neighbour"}
        if self.decoder in pairs and self.kind != "link":
            raise ValueError(f"decoder {self.decoder!r} predicts links; kind is {self.kind!r}, allowed: link")
        if self.decoder == "none" and self.kind == "link":
            raise ValueError("decoder 'none' cannot predict links; allowed: dot, mlp, linear, common_neighbour")
        return self


class Recipe(Part):
    """How the network is trained. Weight decay of a group is ``weight_decay`` where the group's own value is null."""

    optimiser: Literal["adam", "adamw", "sgd", "rmsprop"] = searched("adam", ("adam", "adamw", "sgd", "rmsprop"), "optimiser")
    learning_rate: float = searched(0.01, (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2), "learning rate", gt=0, le=10)
    momentum: float = searched(0.9, (0.0, 0.9), "momentum (sgd, rmsprop)", ge=0, lt=1)
    weight_decay: float = searched(5e-4, (0.0, 5e-6, 5e-5, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2), "L2 penalty (adamw: decoupled)", ge=0, le=1)
    weight_decay_conv: float | None = searched(None, (None, 0.0, 5e-4, 5e-3, 1e-2), "the same for convolutions of the body", ge=0, le=1)
    weight_decay_out: float | None = searched(
        None, (None, 0.0, 5e-4), "the same for the last transformation: the head, or nodes of width 'out'", ge=0, le=1
    )
    epochs: int = searched(300, (200, 300, 500, 1000), "most epochs", ge=1, le=100_000)
    patience: int = searched(100, (50, 100, 200), "epochs without a better validation before it stops; 0 never stops", ge=0, le=100_000)
    schedule: Literal["none", "cosine", "step", "plateau"] = searched(
        "none", ("none", "cosine", "step", "plateau"), "learning-rate schedule"
    )
    warmup: int = searched(0, (0, 10, 30), "epochs of linear warm-up", ge=0, le=10_000)
    label_smoothing: float = searched(0.0, (0.0, 0.05, 0.1, 0.2), "label smoothing", ge=0, lt=1)
    gradient_clip: float = searched(0.0, (0.0, 1.0, 5.0), "largest gradient norm; 0 is off", ge=0)
    ema_decay: float = searched(
        0.0,
        (0.0,),
        "the weights that are judged and kept are a moving average of those trained, with this decay a step; 0 is off",
        ge=0,
        lt=1,
    )
    drop_edge: float = searched(0.0, (0.0, 0.1, 0.2, 0.3, 0.5), "share of edges dropped at each step", ge=0, lt=1)
    drop_node: float = searched(0.0, (0.0, 0.1, 0.3, 0.5), "share of feature rows dropped at each step", ge=0, lt=1)
    feature_dropout: float = searched(0.0, (0.0, 0.1, 0.2, 0.3, 0.5), "share of feature columns dropped at each step", ge=0, lt=1)
    consistency_samples: int = searched(1, (1, 2, 4), "random forward passes that must agree; 1 is off", ge=1, le=16)
    consistency_weight: float = searched(1.0, (0.5, 0.7, 1.0, 1.5), "weight of their disagreement", ge=0, le=100)
    consistency_temperature: float = searched(0.5, (0.2, 0.3, 0.5), "sharpening of their mean", gt=0, le=10)
    self_training_rounds: int = searched(0, (0, 1, 2), "rounds in which confident predictions become labels; 0 is off", ge=0, le=10)
    self_training_per_class: int = searched(50, (20, 50, 100), "labels added per class and round", ge=1, le=100_000)
    self_training_confidence: float = searched(0.0, (0.0, 0.8, 0.9), "least confidence of an added label", ge=0, lt=1)
    batching: Literal["full", "neighbour", "cluster", "precomputed", "minibatch"] = searched(
        "full",
        ("full",),
        "all at once; of one graph's nodes sampled neighbourhoods, clusters, or rows of features that were propagated once before;"
        " of graphs or pairs minibatches",
    )
    batch_size: int = searched(
        1024, (512, 1024, 2048), "nodes (neighbour, precomputed), graphs or pairs (minibatch) a batch", ge=1, le=MAX_BATCH
    )
    fanout: int = searched(10, (5, 10, 15), "neighbours sampled a hop (neighbour)", ge=1, le=10_000)
    clusters: int = searched(10, (4, 10, 50), "parts of the graph (cluster)", ge=1, le=100_000)


class Post(Part):
    """What is done to predictions after training, with the training labels."""

    kind: Literal["none", "correct_and_smooth", "label_propagation"] = searched(
        "none",
        ("none", "correct_and_smooth", "label_propagation"),
        "none, residual correction and smoothing, or mixing with label propagation",
    )
    alpha: float = searched(0.8, (0.5, 0.8, 0.9), "share taken from neighbours at each hop", ge=0, le=1)
    hops: int = searched(20, (5, 10, 20, 50), "hops", ge=1, le=1000)
    weight: float = searched(0.5, (0.2, 0.5, 0.8), "scale of the correction, or share of label propagation", ge=0, le=10)


class ArchitectureSpec(Part):
    """One candidate: network and training recipe. Equal specs are compared by ``canonical.spec_hash``."""

    input: Input = Field(default_factory=Input)
    body: Body = Field(default_factory=Body)
    head: Head = Field(default_factory=Head)
    recipe: Recipe = Field(default_factory=Recipe)
    post: Post = Field(default_factory=Post)

    @model_validator(mode="after")
    def _batching_fits_kind(self) -> ArchitectureSpec:
        allowed = ("full", "neighbour", "cluster", "precomputed") if self.head.kind == "node" else ("full", "minibatch")
        if self.recipe.batching not in allowed:
            raise ValueError(
                f"recipe.batching {self.recipe.batching!r} does not fit head.kind {self.head.kind!r}; allowed: {', '.join(allowed)}"
            )
        if self.recipe.batching == "precomputed" and (problem := needs_neighbours(self)):
            raise ValueError(f"recipe.batching 'precomputed' does not fit: {problem}")
        return self

    @model_validator(mode="after")
    def _widths_fit(self) -> ArchitectureSpec:
        if self.head.decoder == "none":
            width = {node.id: node.width for node in self.body.nodes}
            ends = set(out_widths(self.body))
            if ends != {"out"} or (len(self.body.outputs) > 1 and self.body.jump == "concat"):
                seen = ", ".join(f"{o} has {width.get(o)!r}" for o in self.body.outputs)
                raise ValueError(f"head.decoder 'none' needs a body that ends in width 'out' ({seen}); set it, or decoder 'linear'")
        return self


def topological_order(nodes: Iterable[Node]) -> list[Node]:
    """Nodes with every input before its user; raises ValueError that names a cycle. Ties keep the given order."""
    pending = list(nodes)
    done = {"input"}
    order: list[Node] = []
    while pending:
        ready = [node for node in pending if all(name in done for name in node.inputs)]
        if not ready:
            raise ValueError(f"nodes: {', '.join(node.id for node in pending)} form a cycle; the body must be acyclic")
        order += ready
        done |= {node.id for node in ready}
        pending = [node for node in pending if node.id not in done]
    return order


def out_widths(body: Body) -> list[int | str | None]:
    """Symbolic width of each output: a number, 'out', or None where it depends on the input's width."""
    widths: dict[str, int | str | None] = {"input": None}
    for node in topological_order(body.nodes):
        merged = {widths[name] for name in node.inputs}
        several = node.merge == "concat" and len(node.inputs) > 1
        inherited = None if len(merged) > 1 or several else next(iter(merged))
        widths[node.id] = node.width if node.width is not None else inherited
    return [widths[name] for name in body.outputs]


def check_param(param: Param, value: Value) -> None:
    """Raise SpecError unless the value has the parameter's type and lies in its bounds."""
    wants = type(param.default)
    fits = isinstance(value, wants) and not (wants is int and isinstance(value, bool))
    fits = fits or (wants is float and isinstance(value, int) and not isinstance(value, bool))
    if not fits:
        raise SpecError(f"params.{param.name} is {value!r}, allowed: {wants.__name__}")
    if isinstance(value, str) and value not in param.search:
        raise SpecError(f"params.{param.name} is {value!r}; {suggest(value, map(str, param.search))}")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low = -math.inf if param.low is None else param.low
        high = math.inf if param.high is None else param.high
        if not (math.isfinite(value) and low <= value <= high):
            raise SpecError(f"params.{param.name} is {value!r}, allowed: {low:g} to {high:g}")


def parse_spec(data: Any) -> ArchitectureSpec:
    """A spec from plain data or JSON text; raises SpecError with one line that names field, value and what is allowed.

    A ``language`` beside the parts is the version of the language that wrote the spec.
    """
    try:
        if isinstance(data, (str, bytes)):
            data = from_json(data)
        return ArchitectureSpec.model_validate(_without_language(data))
    except ValidationError as error:
        raise SpecError(explain(error, ArchitectureSpec, data)) from None
    except ValueError as error:
        raise SpecError(f"spec is not JSON: {error}") from None


def _without_language(data: Any) -> Any:
    if not isinstance(data, dict) or "language" not in data:
        return data
    version = data["language"]
    if version not in range(1, LANGUAGE_VERSION + 1) or isinstance(version, bool):
        raise SpecError(f"language is {short(version)}, allowed: 1 to {LANGUAGE_VERSION}; a newer AgentNAS may read this spec")
    return {name: part for name, part in data.items() if name != "language"}
