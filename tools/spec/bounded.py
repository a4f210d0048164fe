"""A search space as bounds on the spec language: operators, sizes, and the values of every field."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from agentnas.tools.errors import UsageError, suggest
from agentnas.tools.operators.base import Param, Value, operator, operators
from agentnas.tools.spec import moves, sampling, vectors
from agentnas.tools.spec.canonical import OFF_WHILE, canonical, is_off
from agentnas.tools.spec.kinds import values_for
from agentnas.tools.spec.locks import LOCK, PARTS, Locks
from agentnas.tools.spec.model import ArchitectureSpec, Body, Node, Part
from agentnas.tools.spec.space import SearchSpace

NODE_FIELDS = ("merge", "width", "dropout", "norm", "residual", "activation")
TIED_FIELDS = ("op", "width", "dropout", "norm", "residual", "activation")
STRUCTURE = ("body.op", "body.add_node", "body.remove_node", "body.inputs", "body.outputs")
# What published gains on node tasks come from most often is varied more often.
OFTEN = {
    "recipe.learning_rate": 2.0, "recipe.weight_decay": 2.0, "recipe.consistency_samples": 2.0, "recipe.drop_node": 2.0,
    "input.dropout": 2.0, "body.*.dropout": 2.0, "body.*.width": 2.0, "body.op": 2.0, "body.add_node": 2.0, "body.*.op": 2.0,
    "body.remove_node": 1.5, "body.params.hops": 2.0,
}  # fmt: skip
SELDOM = {
    "recipe.optimiser": 0.5,
    "recipe.schedule": 0.5,
    "recipe.warmup": 0.5,
    "recipe.gradient_clip": 0.5,
    "recipe.ema_decay": 0.5,
    "recipe.patience": 0.5,
}


@lru_cache(maxsize=1)
def searched_values() -> dict[str, tuple[Any, ...]]:
    """The values that samplers try, by factor, as the language's fields give them."""
    values: dict[str, tuple[Any, ...]] = {}
    for part, model in PARTS.items():
        values |= {f"{part}.{name}": found for name, found in _searched(model)}
    values |= {f"body.{name}": found for name, found in (*_searched(Node), *_searched(Body))}
    return {**values, "input.encodings": ("degree", "laplacian", "random_walk")}


def _searched(model: type[Part]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for name, info in model.model_fields.items():
        extra = info.json_schema_extra
        if isinstance(extra, dict) and isinstance(extra.get("search"), list):
            yield name, tuple(extra["search"])  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def parameters() -> dict[str, Param]:
    """The parameters of all operators, by both names: ``gat.heads``."""
    return {f"{op.name}.{param.name}": param for op in operators().values() for param in op.params}


def nearest(factor: str) -> str:
    """In words, the factor that was meant: one of the operator's parameters where an operator is named, else a field."""
    of_op = [name for name in parameters() if name.startswith(f"{factor.partition('.')[0]}.")]
    return suggest(factor, of_op or searched_values())


def _param(node: Node, name: str) -> Value:
    param = parameters()[name]
    return node.params.get(param.name, param.default)


@dataclass(frozen=True)
class BoundedSpace(SearchSpace):
    """Specs whose operators, sizes and field values lie within bounds.

    ``values`` overrides the values of single fields, by factor (``{"recipe.optimiser": ("adam",)}``); numbers are allowed anywhere
    between the least and the greatest of theirs. ``operators`` None means all that are registered. ``kind`` is that of the tasks: node,
    graph or link; ``offers`` what their graphs have (``directions``, ``types``). An operator's parameter is named by both:
    ``{"gat.heads": (4, 8)}``. ``locks`` are parts that every design keeps. In a ``strict`` space a parent outside has no children outside
    either; what is locked, children keep in any space. Raises UsageError for unknown names.
    """

    name: str = "default"
    operators: tuple[str, ...] | None = None
    max_nodes: int = 10
    max_depth: int = 8
    max_inputs: int = 4
    values: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    kind: str = "node"
    offers: tuple[str, ...] = ()
    min_depth: int = 1
    locks: Locks = field(default_factory=lambda: Locks({}))
    strict: bool = False

    def __post_init__(self) -> None:
        for name in self.operators or ():
            operator(name)
        for name, values in self.values.items():
            if name not in searched_values() and name not in parameters():
                raise UsageError(f"space {self.name}: unknown factor {name!r} in values; {nearest(name)}")
            if not values and name != "input.encodings":
                raise UsageError(f"space {self.name}: {name} has no values; give at least one")
        if self.max_nodes < 1 or self.max_depth < 1 or self.max_inputs < 1:
            raise UsageError(f"space {self.name}: max_nodes, max_depth and max_inputs must be at least 1")
        if not 1 <= self.min_depth <= min(self.max_depth, self.max_nodes):
            most = min(self.max_depth, self.max_nodes)
            raise UsageError(f"space {self.name}: min_depth is {self.min_depth}; allowed: 1 to {most}, the most nodes in a row")

    def for_task(self, kind: str, target: str, offers: tuple[str, ...] = ()) -> BoundedSpace:
        """The space for tasks of a kind and a target; values that it has of its own stay, where they have a meaning there.

        ``offers``: what the task's graph has for operators that need it, as ``Task.offers``.
        """
        of_kind = values_for(kind, target, offers)
        own = {name: tuple(v for v in values if v in of_kind.get(name, values)) for name, values in self.values.items()}
        return replace(
            self,
            kind=kind,
            offers=offers,
            values={**of_kind, **{name: values for name, values in own.items() if values or name not in of_kind}},
        )

    def allowed_operators(self) -> tuple[str, ...]:
        """Names of the operators, in alphabetical order; those that are not named one by one do without what the graphs do not offer."""
        if self.operators is not None:
            return tuple(sorted(self.operators))
        return tuple(name for name, found in operators().items() if found.needs in ("", *self.offers))

    def values_of(self, factor: str) -> tuple[Any, ...]:
        """The values that are tried for a field; the one that it is locked to."""
        if factor in self.locks.fields:
            return () if factor == "input.encodings" else (self.locks.fields[factor],)
        return tuple(self.values.get(factor, searched_values()[factor]))

    def params_of(self, op: str) -> dict[str, tuple[Value, ...]]:
        """The values that are tried for an operator's parameters."""
        return {param.name: tuple(self.values.get(f"{op}.{param.name}", param.search)) for param in operator(op).params}

    def factors(self) -> list[str]:
        settings = self._free_settings()
        if self.locks.body is not None:
            return settings
        nodes = [f"body.{name}" for name in NODE_FIELDS if len(self.values_of(f"body.{name}")) > 1]
        tied = [f"body.*.{name}" for name in TIED_FIELDS if name == "op" or len(self.values_of(f"body.{name}")) > 1]
        params = sorted({name for op in self.allowed_operators() for name, values in self.params_of(op).items() if len(values) > 1})
        shared = [f"body.*.params.{name}" for name in params]
        return [*STRUCTURE, *nodes, "body.jump", *tied, *(f"body.params.{name}" for name in params), *shared, *settings]

    def _free_settings(self) -> list[str]:
        """The fields outside of the body that there is a choice of."""
        return [name for name in searched_values() if not name.startswith("body.") and self._can_vary(name)]

    def _can_vary(self, factor: str) -> bool:
        """False where the field has one value, or where no value of its governor switches it on."""
        part, name = factor.split(".")
        governor, off = OFF_WHILE.get(factor, ("", ()))
        if governor:
            known = f"{part}.{governor}"
            governing = self.values_of(known) if known in searched_values() else (self._settled(part, governor),)
            return any(value not in off for value in governing) and len(self.values_of(factor)) > 1
        return len(self.values_of(factor)) > (0 if name == "encodings" else 1)

    def _settled(self, part: str, name: str) -> Any:
        """The value of a field that is not searched."""
        return self.kind if (part, name) == ("head", "kind") else PARTS[part].model_fields[name].default

    def log10_size(self) -> float:
        per_node = sum(math.prod(len(values) for values in self.params_of(op).values()) for op in self.allowed_operators())
        per_node *= math.prod(len(self.values_of(f"body.{name}")) for name in NODE_FIELDS)
        inputs = [sum(math.comb(place, k) for k in range(1, self.max_inputs + 1)) for place in range(1, self.max_nodes + 1)]
        # A locked node is chosen already; where it stands is not.
        chosen = self.locks.nodes
        bodies = sum(
            per_node ** max(0, nodes - len(chosen)) * math.prod(inputs[:nodes]) for nodes in range(max(1, len(chosen)), self.max_nodes + 1)
        )
        bodies = 1 if self.locks.body is not None else bodies
        return math.log10(bodies) + sum(math.log10(len(self.values_of(name))) for name in self._free_settings())

    def options(self, spec: ArchitectureSpec, factor: str) -> list[ArchitectureSpec]:
        return moves.options(self, spec, factor)

    def weight(self, factor: str) -> float:
        return OFTEN.get(factor, SELDOM.get(factor, 1.0))

    def violations(self, spec: ArchitectureSpec) -> dict[str, float]:
        spec = canonical(spec)
        found = dict(self._size_violations(spec.body))
        for part in PARTS:
            for name, value in getattr(spec, part):
                locked = f"{part}.{name}" in self.locks.fields  # which says itself whether it is kept
                if not locked and not is_off(part, name, getattr(spec, part)) and not self._allows(f"{part}.{name}", value):
                    found[f"{part}.{name}"] = 1.0
        if spec.recipe.patience == 0 and max(self.values_of("recipe.patience")) >= spec.recipe.epochs:
            found.pop("recipe.patience", None)  # a patience of the space that never ends a training so short is written as 0
        broken = {f"{LOCK}{path}": 1.0 for path in self.locks.broken(spec)} if self.locks else {}
        return found | (self._node_violations(spec) if self.locks.body is None else {}) | broken

    def _size_violations(self, body: Body) -> Iterator[tuple[str, float]]:
        sizes = {
            "max_nodes": len(body.nodes),
            "max_depth": moves.depth(body),
            "max_inputs": max((len(n.inputs) for n in body.nodes), default=1),
        }
        for bound, size in sizes.items():
            if size > getattr(self, bound):
                yield bound, float(size - getattr(self, bound))
        if not body.nodes:
            yield "body.nodes", 1.0
        elif moves.depth(body) < self.min_depth:
            yield "min_depth", float(self.min_depth - moves.depth(body))

    def _node_violations(self, spec: ArchitectureSpec) -> dict[str, float]:
        found: dict[str, float] = {}
        settled = self.locks.settled(spec) if self.locks else {}
        for node in spec.body.nodes:
            locked = settled.get(node.id, frozenset())  # what is locked is not chosen here
            broken = ["body.op"] if node.op not in self.allowed_operators() and "op" not in locked else []
            # A width that only repeats the input's, or that the task gives, was not chosen here.
            free = [name for name in NODE_FIELDS if not (name == "width" and not isinstance(node.width, int))]
            free = [name for name in free if name not in locked and not (name == "merge" and len(node.inputs) == 1)]
            broken += [f"body.{name}" for name in free if not self._allows(f"body.{name}", getattr(node, name))]
            params = [name for name in self._bounded_params(node.op) if "params" not in locked]
            broken += [name for name in params if not self._allows(name, _param(node, name))]
            for bound in broken:
                found[bound] = found.get(bound, 0.0) + 1.0
        if len(spec.body.outputs) > 1 and "body.jump" not in self.locks.fields and not self._allows("body.jump", spec.body.jump):
            found["body.jump"] = 1.0
        return found

    def _bounded_params(self, op: str) -> list[str]:
        """Parameters of the operator that the space has values of its own for, by both names."""
        return [name for name in self.values if name.partition(".")[0] == op] if self.values else []

    def allows(self, factor: str, value: Any) -> bool:
        """Whether a field or a parameter may have this value."""
        if factor == "input.encodings":
            return value in self.values_of(factor)
        if factor in parameters() and factor not in self.values:
            return True
        return self._allows(factor, value)

    def _allows(self, factor: str, value: Any) -> bool:
        if factor == "input.encodings":
            return all(encoding.kind in self.values_of(factor) for encoding in value)
        if factor == "head.kind":
            return bool(value == self.kind)
        values = self.values_of(factor) if factor in searched_values() else tuple(self.values[factor])
        numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
        if numbers and isinstance(value, (int, float)) and not isinstance(value, bool):
            return min(numbers) <= value <= max(numbers)
        return value in values

    @property
    def guarded(self) -> bool:
        return self.strict or bool(self.locks)

    def refuses(self, spec: ArchitectureSpec) -> str | None:
        if self.strict or not self.locks:
            return super().refuses(spec)
        broken = self.locks.broken(spec)
        return self.explain(spec, f"{LOCK}{broken[0]}") if broken else None

    def tolerated(self, outside: dict[str, float]) -> dict[str, float]:
        return {} if self.strict else {bound: amount for bound, amount in outside.items() if not bound.startswith(LOCK)}

    def widened(self, spec: ArchitectureSpec) -> BoundedSpace:
        """The space with the spec's own values of settings added to those that are tried; operators and sizes stay."""
        form, values = canonical(spec), dict(self.values)
        for factor in self.violations(form):
            part, _, name = factor.partition(".")
            if factor in searched_values() and factor not in ("input.encodings", "body.jump"):
                held = [getattr(node, name) for node in form.body.nodes] if part == "body" else [getattr(getattr(form, part), name)]
                values[factor] = tuple(dict.fromkeys([*self.values_of(factor), *(v for v in held if v is not None and v != "out")]))
        return replace(self, values=values)

    def explain(self, spec: ArchitectureSpec, bound: str) -> str:
        spec = canonical(spec)
        if bound == "body.nodes":
            return f"space {self.name}: the body has no node that does anything; allowed: 1 to {self.max_nodes}"
        if bound.startswith(LOCK):
            return f"space {self.name}: {self.locks.told(bound.removeprefix(LOCK))} is locked, the spec has it otherwise; leave it as it is"
        if bound.startswith(("max_", "min_")):
            sizes = {"max_nodes": len(spec.body.nodes), "max_depth": moves.depth(spec.body), "min_depth": moves.depth(spec.body)}
            return f"space {self.name}: {bound} is {getattr(self, bound)}, the spec has {sizes.get(bound, 'more')}"
        part, name = bound.split(".", 1)
        if bound in parameters():
            seen = [_param(node, bound) for node in spec.body.nodes if node.op == part]
            wrong = next((value for value in seen if not self._allows(bound, value)), None)
            return f"space {self.name}: {bound} is {wrong!r}; allowed: {', '.join(map(str, self.values[bound]))}"
        held = (
            [getattr(node, name) for node in spec.body.nodes] if part == "body" and name != "jump" else [getattr(getattr(spec, part), name)]
        )
        allowed = self.allowed_operators() if bound == "body.op" else (self.kind,) if bound == "head.kind" else self.values_of(bound)
        seen = next((value for value in held if value not in allowed and (bound == "body.op" or not self._allows(bound, value))), held[0])
        return f"space {self.name}: {bound} is {seen!r}; allowed: {', '.join(map(str, allowed))}"

    def sample(self, rng: random.Random) -> ArchitectureSpec:
        return sampling.sample(self, rng)

    def crossover(self, a: ArchitectureSpec, b: ArchitectureSpec, rng: random.Random) -> ArchitectureSpec:
        return sampling.crossover(self, a, b, rng)

    def adopt(self, spec: ArchitectureSpec) -> ArchitectureSpec | None:
        """The design with the locked settings written into it; None where the space refuses it even so."""
        made = self.locks.imposed(spec) if self.locks else spec
        return made if made is not None and self.refuses(made) is None else None

    def vector(self, spec: ArchitectureSpec) -> list[float]:
        return vectors.vector(spec)

    def vector_names(self) -> list[str]:
        return list(vectors.vector_names())

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "operators": list(self.allowed_operators()),
            **{bound: getattr(self, bound) for bound in ("max_nodes", "max_depth", "max_inputs")},
            "values": {name: list(values) for name, values in sorted(self.values.items())},
            **({} if self.kind == "node" else {"kind": self.kind}),
            **({"offers": list(self.offers)} if self.offers else {}),
            **({} if self.min_depth == 1 else {"min_depth": self.min_depth}),
            **({"lock": dict(self.locks.held)} if self.locks else {}),
            **({"strict": True} if self.strict else {}),
        }


def small_space() -> BoundedSpace:
    """The space ``small``; see ``SearchSpace.small``."""
    wanted = ("appnp", "gat", "gcn", "identity", "mlp", "sage", "sgc")
    return BoundedSpace(
        "small",
        operators=tuple(name for name in wanted if name in operators()),
        max_nodes=4,
        max_depth=4,
        max_inputs=2,
        values={
            "input.encodings": (),
            "body.norm": ("none", "batch"),
            "body.activation": ("none", "relu"),
            "body.merge": ("sum", "concat"),
            "body.jump": ("concat", "sum"),
            "recipe.optimiser": ("adam",),
            "recipe.schedule": ("none",),
            "recipe.warmup": (0,),
            "recipe.gradient_clip": (0.0,),
            "recipe.self_training_rounds": (0,),
            "recipe.epochs": (200, 300),
            "post.kind": ("none",),
        },
    )
