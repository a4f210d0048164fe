"""A graph as the networks see it: sorted edges, with normalised adjacencies made once and kept."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from agentnas.tools.nn.segments import collect
from agentnas.tools.nn.sparse import Pattern, SparseMatrix, _pointers


class Graph:
    """Directed graph; messages flow from ``edge_index[0]`` (sources) to ``edge_index[1]`` (targets).

    Edges are sorted by (target, source) at construction, so ``edge_index``, ``edge_weight`` [E] and ``edge_attr`` [E, k] read back in that
    order. Rows of ``pattern`` are targets, columns are sources. Everything derived is made on first use and kept.
    """

    def __init__(self, edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None, edge_attr: Tensor | None = None) -> None:
        order = torch.argsort(edge_index[1] * num_nodes + edge_index[0], stable=True)
        source, target = edge_index[0][order], edge_index[1][order]
        self._fill(
            Pattern(target, source, (num_nodes, num_nodes)),
            None if edge_weight is None else edge_weight[order],
            None if edge_attr is None else edge_attr[order],
        )

    @classmethod
    def of_sorted(cls, pattern: Pattern, edge_attr: Tensor | None = None) -> Graph:
        """The graph of a pattern whose entries are sorted by row, then column; sorts nothing."""
        return cls.__new__(cls)._fill(pattern, None, edge_attr)

    def _fill(self, pattern: Pattern, edge_weight: Tensor | None, edge_attr: Tensor | None) -> Graph:
        self.pattern, self.edge_weight, self.edge_attr = pattern, edge_weight, edge_attr
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
        node's other incoming edges."""
        if self._within is not None:
            whole, keep = self._within
            kept = torch.zeros(whole.looped.num_edges, dtype=torch.bool, device=self.device)
            kept[whole._position_in_looped] = keep
            kept = kept | (whole.looped.pattern.row == whole.looped.pattern.column)
            return whole.looped._select(kept) if self.pattern.keep is None else whole.looped._mask(kept)
        is_loop = self.pattern.row == self.pattern.column
        weight, attr = self._loop_values(is_loop)
        nodes = torch.arange(self.num_nodes, device=self.device)
        edge_index = torch.cat([self.edge_index[:, ~is_loop], torch.stack([nodes, nodes])], 1)
        return Graph(edge_index, self.num_nodes, weight, attr)

    def _loop_values(self, is_loop: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Weights and attributes of the other edges followed by those of one loop a node."""
        weight = attr = None
        if self.edge_weight is not None:
            loops = self.edge_weight.new_ones(self.num_nodes)
            loops[self.pattern.row[is_loop]] = self.edge_weight[is_loop]
            weight = torch.cat([self.edge_weight[~is_loop], loops])
        if self.edge_attr is not None:
            others = (~is_loop).to(self.edge_attr.dtype)[:, None]
            mean = collect(self.pattern, self.edge_attr * others) / collect(self.pattern, others).clamp(min=1)
            attr = torch.cat([self.edge_attr[~is_loop], mean])
        return weight, attr

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
        ``laplacian``: the same by out-degree and without self-loops, so that I minus it is the symmetric Laplacian.
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
        scale = _total(pattern.by_column if norm == "laplacian" else pattern.by_row, weight).pow(-0.5)
        scale = scale.masked_fill(torch.isinf(scale), 0.0)
        return scale[pattern.row] * weight * scale[pattern.column]

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
        graph = Graph.__new__(Graph)._fill(
            self.pattern.select(keep),
            None if self.edge_weight is None else self.edge_weight[keep],
            None if self.edge_attr is None else self.edge_attr[keep],
        )
        graph._within = (self, keep)
        return graph

    def _mask(self, keep: Tensor) -> Graph:
        """The graph where only some edges (bool [E]) count; ``edge_index`` and ``num_edges`` are those of all of them."""
        weight = keep.float() if self.edge_weight is None else self.edge_weight * keep
        graph = Graph.__new__(Graph)._fill(self.pattern.masked(keep), weight, self.edge_attr)
        graph._within = (self, keep)
        return graph

    def subgraph(self, nodes: Tensor) -> Graph:
        """The graph among ``nodes`` (long [n]), renumbered in that order."""
        number = torch.full((self.num_nodes,), -1, device=self.device)
        number[nodes] = torch.arange(nodes.numel(), device=self.device)
        edges, counts = self.pattern.entries_of(nodes)
        source, target = number[self.pattern.column[edges]], number[nodes].repeat_interleave(counts)
        keep = source >= 0
        kept = edges[keep]
        weight = None if self.edge_weight is None else self.edge_weight[kept]
        attr = None if self.edge_attr is None else self.edge_attr[kept]
        return Graph(torch.stack([source[keep], target[keep]]), nodes.numel(), weight, attr)

    def to(self, device: torch.device | str) -> Graph:
        weight = None if self.edge_weight is None else self.edge_weight.to(device)
        attr = None if self.edge_attr is None else self.edge_attr.to(device)
        return Graph.__new__(Graph)._fill(self.pattern.to(device), weight, attr)


def _total(summing: Tensor, weight: Tensor) -> Tensor:
    return (summing @ weight[:, None]).squeeze(1)
