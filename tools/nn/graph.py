"""A graph as the networks see it: sorted edges, with normalised adjacencies made once and kept."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from agentnas.tools.nn.segments import collect
from agentnas.tools.nn.sparse import Pattern, SparseMatrix, _pointers


class Graph:
    """Directed graph; messages flow from ``edge_index[0]`` (sources) to ``edge_index[1]`` (targets).

    Edges are sorted by (target, source, type) at construction, so ``edge_index``, ``edge_weight`` [E], ``edge_attr`` [E, k] and
    ``edge_type`` (long [E]) read back in that order. Rows of ``pattern`` are targets, columns are sources. ``node_type``: long [N].
    Everything derived is made on first use and kept.
    """

    def __init__(
        self,
        edge_index: Tensor,
        num_nodes: int,
        edge_weight: Tensor | None = None,
        edge_attr: Tensor | None = None,
        edge_type: Tensor | None = None,
        node_type: Tensor | None = None,
    ) -> None:
        order = torch.argsort(_keys(edge_index, num_nodes, edge_type), stable=True)
        pattern = Pattern(edge_index[1][order], edge_index[0][order], (num_nodes, num_nodes))
        self._fill(pattern, *_taken((edge_weight, edge_attr, edge_type), order), node_type)

    @classmethod
    def of_sorted(
        cls, pattern: Pattern, edge_attr: Tensor | None = None, edge_type: Tensor | None = None, node_type: Tensor | None = None
    ) -> Graph:
        """The graph of a pattern whose entries are sorted by row, then column; sorts nothing."""
        return cls.__new__(cls)._fill(pattern, None, edge_attr, edge_type, node_type)

    def _fill(
        self, pattern: Pattern, edge_weight: Tensor | None, edge_attr: Tensor | None, edge_type: Tensor | None, node_type: Tensor | None
    ) -> Graph:
        self.pattern, self.edge_weight, self.edge_attr = pattern, edge_weight, edge_attr
        self.edge_type, self.node_type = edge_type, node_type
        self._within: tuple[Graph, Tensor] | None = None
        self._adjacencies: dict[tuple[str, bool], SparseMatrix] = {}
        return self

    @property
    def num_nodes(self) -> int:
        return self.pattern.shape[0]

    @property
    def num_edges(self) -> int:
        return self.pattern.nnz

    @property
    def edge_index(self) -> Tensor:
        """Long [2, E]: sources, targets; sorted by target, then source."""
        return torch.stack([self.pattern.column, self.pattern.row])

    @property
    def device(self) -> torch.device:
        return self.pattern.row.device

    def of_edges(self, at: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Weights, attributes and types of some edges (bool [E] or long)."""
        return _taken((self.edge_weight, self.edge_attr, self.edge_type), at)

    @cached_property
    def degree(self) -> Tensor:
        """Number of incoming edges; float [num_nodes]."""
        if self.pattern.keep is not None:
            return _total(self.pattern.by_row, self.pattern.keep)
        return _pointers(self.pattern.row, self.num_nodes).diff().float()

    @cached_property
    def mean_log_degree(self) -> Tensor:
        """Mean over nodes of log(degree + 1), the unit of PNA's degree scalers; a scalar."""
        return (self.degree + 1).log().mean()

    @cached_property
    def looped(self) -> Graph:
        """The graph with a self-loop at each node; old loops keep their weight, new ones weigh 1, their attributes are the mean of the
        node's other incoming edges. All loops are of one more type of edge, the last."""
        if self._within is not None:
            whole, keep = self._within
            kept = torch.zeros(whole.looped.num_edges, dtype=torch.bool, device=self.device)
            kept[whole._position_in_looped] = keep
            kept = kept | (whole.looped.pattern.row == whole.looped.pattern.column)
            return whole.looped._select(kept) if self.pattern.keep is None else whole.looped._mask(kept)
        is_loop = self.pattern.row == self.pattern.column
        values = self._loop_values(is_loop)
        nodes = torch.arange(self.num_nodes, device=self.device)
        edge_index = torch.cat([self.edge_index[:, ~is_loop], torch.stack([nodes, nodes])], 1)
        return Graph(edge_index, self.num_nodes, *values, self.node_type)

    @cached_property
    def reversed(self) -> Graph:
        """The graph whose edges point the other way; edges keep their weights, attributes and types."""
        if self._within is not None:
            whole, keep = self._within
            kept = keep[whole.pattern.order]
            return whole.reversed._select(kept) if self.pattern.keep is None else whole.reversed._mask(kept)
        order = self.pattern.order
        pattern = Pattern(self.pattern.column[order], self.pattern.row[order], self.pattern.shape)
        return Graph.__new__(Graph)._fill(pattern, *self.of_edges(order), self.node_type)

    @cached_property
    def both(self) -> Graph:
        """The graph with each edge in both directions; an edge whose opposite of the same type is there already is not doubled."""
        n, own, back = self.num_nodes, self.edge_index, self.edge_index.flip(0)
        at = torch.arange(self.num_edges, device=self.device)
        at = torch.cat([at, at[~among(_keys(back, n, self.edge_type), _keys(own, n, self.edge_type))]])
        edge_index = torch.cat([own, back[:, at[self.num_edges :]]], 1)
        return Graph(edge_index, n, *self.of_edges(at), self.node_type)

    def pointing(self, edges: str) -> Graph:
        """The graph whose messages flow ``as_given``, ``reversed``, or in ``both`` directions."""
        return self if edges == "as_given" else self.reversed if edges == "reversed" else self.both

    def _loop_values(self, is_loop: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Weights, attributes and types of the other edges followed by those of one loop a node."""
        weight = attr = kind = None
        if self.edge_weight is not None:
            loops = self.edge_weight.new_ones(self.num_nodes)
            loops[self.pattern.row[is_loop]] = self.edge_weight[is_loop]
            weight = torch.cat([self.edge_weight[~is_loop], loops])
        if self.edge_attr is not None:
            others = (~is_loop).to(self.edge_attr.dtype)[:, None]
            mean = collect(self.pattern, self.edge_attr * others) / collect(self.pattern, others).clamp(min=1)
            attr = torch.cat([self.edge_attr[~is_loop], mean])
        if self.edge_type is not None:
            last = self.edge_type.max() + 1 if self.num_edges else self.edge_type.new_zeros(())
            kind = torch.cat([self.edge_type[~is_loop], last.expand(self.num_nodes)])
        return weight, attr, kind

    @cached_property
    def _position_in_looped(self) -> Tensor:
        """Where each edge is among the edges of ``looped``; long [E]. Equal edges stay in order, so keys can be searched."""
        n = self.num_nodes
        own = self.pattern.row * n + self.pattern.column
        there = self.looped.pattern.row * n + self.looped.pattern.column
        first = torch.searchsorted(own, own)
        repeat = torch.arange(own.numel(), device=self.device) - first
        is_loop = self.pattern.row == self.pattern.column
        return torch.searchsorted(there, own) + torch.where(is_loop, 0, repeat)

    def adjacency(self, norm: str = "sum", loops: bool = False) -> SparseMatrix:
        """Matrix that sends features from sources to targets.

        ``sum``: edge weights; ``row``: their rows sum to 1; ``sym``: D^-1/2 A D^-1/2 by weighted in-degree (Kipf and Welling, 2017);
        ``laplacian``: the same by out-degree and without self-loops, so that I minus it is the symmetric Laplacian; ``directed``:
        targets by in-degree and sources by out-degree (Rossi et al., 2023).
        """
        key = (norm, loops)
        if key not in self._adjacencies:
            graph = self.looped if loops else self
            self._adjacencies[key] = SparseMatrix(graph.pattern, graph._normalised(norm))
        return self._adjacencies[key]

    def _normalised(self, norm: str) -> Tensor:
        pattern = self.pattern
        weight = torch.ones(pattern.nnz, device=self.device) if self.edge_weight is None else self.edge_weight
        if norm == "sum":
            return weight
        if norm == "row":
            return weight / _total(pattern.by_row, weight)[pattern.row].clamp(min=1e-12)
        if norm == "laplacian":
            weight = weight * (pattern.row != pattern.column)
        if norm == "directed":
            return _scale(pattern.by_row, weight)[pattern.row] * weight * _scale(pattern.by_column, weight)[pattern.column]
        scale = _scale(pattern.by_column if norm == "laplacian" else pattern.by_row, weight)
        return scale[pattern.row] * weight * scale[pattern.column]

    def relational(self, types: int, norm: str = "sum") -> SparseMatrix:
        """Matrix [N, N * types] that sends what a source says for an edge's type (row ``source * types + type`` of what it is multiplied
        with) to targets. ``row``: the weights of a target's edges of one type sum to 1; ``sum``: as they are.

        An edge without a type is of the first.
        """
        key = (f"{norm} of {types}", False)
        if key not in self._adjacencies:
            self._adjacencies[key] = SparseMatrix(self._relational_pattern(types), self._relational_values(types, norm))
        return self._adjacencies[key]

    def _relational_pattern(self, types: int) -> Pattern:
        if self._within is not None:
            whole, keep = self._within
            pattern = whole.relational(types).pattern
            return pattern.select(keep) if self.pattern.keep is None else pattern.masked(keep)
        column = self.pattern.column * types + (0 if self.edge_type is None else self.edge_type)
        return Pattern(self.pattern.row, column, (self.num_nodes, self.num_nodes * types))

    def _relational_values(self, types: int, norm: str) -> Tensor:
        weight = self._normalised("sum")
        if norm == "sum":
            return weight
        group = self.pattern.row * types + (0 if self.edge_type is None else self.edge_type)
        total = weight.new_zeros(self.num_nodes * types).index_add_(0, group, weight)
        return weight / total[group].clamp(min=1e-12)

    @cached_property
    def two_walk_returns(self) -> Tensor:
        """Diagonal of the square of ``adjacency("sym")``: the share of walks of two steps that end where they began; [num_nodes]."""
        matrix = self.adjacency("sym")
        row, column, n = self.pattern.row, self.pattern.column, self.num_nodes
        keys = row * n + column
        at = torch.searchsorted(keys, column * n + row).clamp(max=max(keys.numel() - 1, 0))
        back = torch.where(keys[at] == column * n + row, matrix.values[at], 0.0)
        return _total(self.pattern.by_row, matrix.values * back)

    def drop_edges(self, p: float, generator: torch.Generator | None = None) -> Graph:
        """The graph without a random share ``p`` of its edges; shares the structure, sorts nothing.

        Outside of the CPU the edges stay in the pattern and do not count: the number that is left would have to be waited for.
        """
        return self.keeping(torch.rand(self.num_edges, generator=generator, device=self.device) >= p)

    def keeping(self, keep: Tensor) -> Graph:
        """The graph with some of its edges (bool [E]); see ``drop_edges``."""
        return self._select(keep) if self.device.type == "cpu" else self._mask(keep)

    def _select(self, keep: Tensor) -> Graph:
        graph = Graph.__new__(Graph)._fill(self.pattern.select(keep), *self.of_edges(keep), self.node_type)
        graph._within = (self, keep)
        return graph

    def _mask(self, keep: Tensor) -> Graph:
        """The graph where only some edges (bool [E]) count; ``edge_index`` and ``num_edges`` are those of all of them."""
        weight = keep.float() if self.edge_weight is None else self.edge_weight * keep
        graph = Graph.__new__(Graph)._fill(self.pattern.masked(keep), weight, self.edge_attr, self.edge_type, self.node_type)
        graph._within = (self, keep)
        return graph

    def subgraph(self, nodes: Tensor) -> Graph:
        """The graph among ``nodes`` (long [n]), renumbered in that order."""
        number = torch.full((self.num_nodes,), -1, device=self.device)
        number[nodes] = torch.arange(nodes.numel(), device=self.device)
        edges, counts = self.pattern.entries_of(nodes)
        source, target = number[self.pattern.column[edges]], number[nodes].repeat_interleave(counts)
        keep = source >= 0
        return Graph(torch.stack([source[keep], target[keep]]), nodes.numel(), *self.of_edges(edges[keep]), self.types_of(nodes))

    def types_of(self, nodes: Tensor) -> Tensor | None:
        """Types of some nodes (long [n])."""
        return None if self.node_type is None else self.node_type[nodes]

    def to(self, device: torch.device | str) -> Graph:
        more = (self.edge_weight, self.edge_attr, self.edge_type, self.node_type)
        return Graph.__new__(Graph)._fill(self.pattern.to(device), *(None if part is None else part.to(device) for part in more))


def _keys(edge_index: Tensor, num_nodes: int, edge_type: Tensor | None) -> Tensor:
    """A number for each edge [2, E], equal for equal edges of one type; in the order of target, source, type."""
    keys = edge_index[1] * num_nodes + edge_index[0]
    return keys if edge_type is None or not keys.numel() else keys * (edge_type.max() + 1) + edge_type


def among(keys: Tensor, known: Tensor) -> Tensor:
    """Whether each key is one of ``known``, which are sorted; bool [n]."""
    if not known.numel():
        return torch.zeros_like(keys, dtype=torch.bool)
    return known[torch.searchsorted(known, keys).clamp(max=known.numel() - 1)] == keys


def _taken(parts: tuple[Tensor | None, Tensor | None, Tensor | None], at: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    weight, attr, kind = (None if part is None else part[at] for part in parts)
    return weight, attr, kind


def _scale(summing: Tensor, weight: Tensor) -> Tensor:
    """One by the square root of each sum; 0 where there is nothing."""
    scale = _total(summing, weight).pow(-0.5)
    return scale.masked_fill(torch.isinf(scale), 0.0)


def _total(summing: Tensor, weight: Tensor) -> Tensor:
    return (summing @ weight[:, None]).squeeze(1)
