"""Sparse matrices with a stored transpose, and the few differentiable products over them that graph networks need.

Everything is CSR: ``torch``'s product of a CSR matrix and a dense one is several times faster than gather and scatter, forwards and,
thanks to the stored transpose, backwards. Sparse features are never densified on the way through a ``Linear``.
"""

from __future__ import annotations

import copy
import warnings
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from agentnas.tools.nn.dropout import dropped
from agentnas.tools.nn.ranges import ragged_ranges

# Numbers from which the CPU's own ways are taken. Below, steps are those of other devices, whose memory is foreseen on tiny graphs.
LEAST = 2**16
CACHED = 2**18  # numbers that the cache of a core holds
LANES = 8  # numbers that a kernel takes at a time, at least


@cache
def hear_beta_warning() -> None:
    """torch says once a process that CSR support is in beta; hear it here, where that is known."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta", category=UserWarning)
        warnings.filterwarnings("ignore", message="Sparse invariant checks", category=UserWarning)
        torch.sparse_csr_tensor(torch.zeros(2).long(), torch.zeros(0).long(), torch.zeros(0), (1, 1), check_invariants=False)


def _csr(pointers: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    hear_beta_warning()
    # Invariants hold by construction; checking them would cost more than the product.
    return torch.sparse_csr_tensor(pointers, columns, values, shape, check_invariants=False)


def _pointers(sorted_index: Tensor, size: int) -> Tensor:
    pointers = sorted_index.new_zeros(size + 1)
    torch.cumsum(torch.bincount(sorted_index, minlength=size), 0, out=pointers[1:])
    return pointers


def _compact(pointers: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    fits = columns.numel() < 2**31 and pointers.numel() < 2**31
    return (pointers.int(), columns.int()) if fits else (pointers, columns)


class Pattern:
    """Where a sparse matrix of ``shape`` has entries: ``row`` and ``column`` (long [nnz], sorted by row), and its transpose.

    For a graph, rows are targets and columns are sources, and an entry is an edge.
    """

    def __init__(self, row: Tensor, column: Tensor, shape: tuple[int, int], within: tuple[Pattern, Tensor] | None = None) -> None:
        self.row, self.column, self.shape = row, column, shape
        self.keep: Tensor | None = None  # [nnz], 0 or 1: the entries that count; None: all
        self._within = within
        self._widened: dict[int, tuple[Pattern, Tensor]] = {}

    @property
    def nnz(self) -> int:
        return self.row.numel()

    @cached_property
    def pointers(self) -> Tensor:
        """Row r owns entries ``pointers[r]:pointers[r + 1]``; [rows + 1]."""
        return _pointers(self.row, self.shape[0])

    @cached_property
    def keys(self) -> Tensor:
        """``row * columns + column`` of each entry; long [nnz], rising where columns rise within a row, as a graph's do."""
        return self.row * self.shape[1] + self.column

    @cached_property
    def order(self) -> Tensor:
        """Entries sorted by column; long [nnz]."""
        if self._within is None:
            return torch.argsort(self.column, stable=True)
        whole, keep = self._within
        number = torch.cumsum(keep, 0) - 1
        return number[whole.order[keep[whole.order]]]

    @cached_property
    def transposed_pointers(self) -> Tensor:
        return _pointers(self.column[self.order], self.shape[1])

    @cached_property
    def transposed_columns(self) -> Tensor:
        return self.row[self.order]

    @cached_property
    def compact(self) -> tuple[Tensor, Tensor]:
        """Pointers and columns in 32 bits where they fit: what the product's kernel reads without converting them at each call."""
        return _compact(self.pointers, self.column)

    @cached_property
    def compact_transposed(self) -> tuple[Tensor, Tensor]:
        """The same of the transpose."""
        return _compact(self.transposed_pointers, self.transposed_columns)

    @cached_property
    def by_row(self) -> Tensor:
        """[rows, nnz] CSR of ones that sums entries into their row."""
        entries = torch.arange(self.nnz, device=self.row.device)
        ones = torch.ones(self.nnz, device=self.row.device)
        return _csr(*_compact(self.pointers, entries), ones, (self.shape[0], self.nnz))

    @cached_property
    def by_column(self) -> Tensor:
        """[columns, nnz] CSR of ones that sums entries into their column."""
        ones = torch.ones(self.nnz, device=self.row.device)
        return _csr(*_compact(self.transposed_pointers, self.order), ones, (self.shape[1], self.nnz))

    def entries_of(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The entries of ``rows`` (long [n]) one after the other, and how many each has [n]; the work does not grow with other rows."""
        starts = self.pointers[rows]
        counts = self.pointers[rows + 1] - starts
        return ragged_ranges(starts, counts), counts

    def select(self, keep: Tensor) -> Pattern:
        """The pattern of the entries where ``keep`` (bool [nnz]); nothing is sorted again."""
        return Pattern(self.row[keep], self.column[keep], self.shape, (self, keep))

    def masked(self, keep: Tensor) -> Pattern:
        """The pattern where only the entries of ``keep`` (bool [nnz]) count; of fixed shapes, so that no device has to be waited for.

        Sums, maxima and softmax over rows leave the others out; the values of a product must be 0 there. Nothing is sorted again.
        """
        for made_once in ("compact", "compact_transposed", "by_row", "by_column"):
            getattr(self, made_once)
        pattern = copy.copy(self)
        pattern.keep = keep.float() if self.keep is None else keep * self.keep
        return pattern

    def widened(self, count: int) -> tuple[Pattern, Tensor]:
        """The pattern with ``count`` full columns on the right, and where its entries come from: first ours, then the columns' by row."""
        if count not in self._widened:
            n, device = self.shape[0], self.row.device
            row = torch.cat([self.row, torch.arange(n, device=device).repeat_interleave(count)])
            column = torch.cat([self.column, self.shape[1] + torch.arange(count, device=device).repeat(n)])
            order = torch.argsort(row, stable=True)
            self._widened[count] = (Pattern(row[order], column[order], (n, self.shape[1] + count)), order)
        return self._widened[count]

    def to(self, device: torch.device | str) -> Pattern:
        return Pattern(self.row.to(device), self.column.to(device), self.shape)


class SparseMatrix:
    """A constant sparse matrix; ``matrix @ dense`` is differentiable in ``dense`` [columns, width]."""

    def __init__(self, pattern: Pattern, values: Tensor) -> None:
        self.pattern, self.values = pattern, values

    @property
    def shape(self) -> tuple[int, int]:
        return self.pattern.shape

    @property
    def device(self) -> torch.device:
        return self.values.device

    @cached_property
    def csr(self) -> Tensor:
        return _csr(*self.pattern.compact, self.values, self.shape)

    @cached_property
    def transposed_csr(self) -> Tensor:
        values = self.values.index_select(0, self.pattern.order)
        return _csr(*self.pattern.compact_transposed, values, (self.shape[1], self.shape[0]))

    def __matmul__(self, dense: Tensor) -> Tensor:
        product: Tensor = _Product.apply(self.values, dense, self)  # type: ignore[no-untyped-call]
        return product

    def mix(self, start: Tensor, dense: Tensor, share: float) -> Tensor:
        """``start`` + ``share`` * (matrix @ ``dense``), in one pass over memory; differentiable in both.

        ``start``: [rows, width], or [width] for the same in each row.
        """
        mixed: Tensor = _Mix.apply(start, dense, self, share)  # type: ignore[no-untyped-call]
        return mixed


class SparseFeatures(SparseMatrix):
    """Sparse node features [num_nodes, num_features]."""

    @classmethod
    def from_csr(cls, pointers: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> SparseFeatures:
        """From the three CSR arrays (long [N + 1], long [nnz], float [nnz])."""
        rows = torch.repeat_interleave(torch.arange(shape[0], device=columns.device), pointers.diff())
        return cls(Pattern(rows, columns, shape), values)

    def scale_rows(self, factors: Tensor) -> SparseFeatures:
        """Row r times ``factors[r]``."""
        return SparseFeatures(self.pattern, self.values * factors[self.pattern.row])

    def scale_columns(self, factors: Tensor) -> SparseFeatures:
        """Column c times ``factors[c]``."""
        return SparseFeatures(self.pattern, self.values * factors[self.pattern.column])

    def dropout(self, p: float) -> SparseFeatures:
        """Non-zeros set to zero with probability ``p``, the others scaled by 1 / (1 - p)."""
        return SparseFeatures(self.pattern, dropped(self.values, p))

    def relu(self) -> SparseFeatures:
        return SparseFeatures(self.pattern, self.values.relu())

    def rows(self, nodes: Tensor) -> SparseFeatures:
        """The rows of ``nodes`` (long [n]), in that order; [n, num_features]."""
        entries, counts = self.pattern.entries_of(nodes)
        pointers = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return SparseFeatures.from_csr(pointers, self.pattern.column[entries], self.values[entries], (nodes.numel(), self.shape[1]))

    def with_columns(self, dense: Tensor) -> SparseFeatures:
        """``dense`` [num_nodes, k] appended on the right, as entries of the same sparse matrix."""
        pattern, order = self.pattern.widened(dense.shape[1])
        return SparseFeatures(pattern, torch.cat([self.values, dense.flatten()])[order])

    @cached_property
    def dense(self) -> Tensor:
        """The dense matrix, for the few operators that cannot take a sparse one."""
        return self.csr.to_dense()

    def to(self, device: torch.device | str) -> SparseFeatures:
        return SparseFeatures(self.pattern.to(device), self.values.to(device))


Features = Tensor | SparseFeatures


def as_dense(x: Features) -> Tensor:
    """Dense features; the last resort of operators that cannot take sparse ones."""
    return x.dense if isinstance(x, SparseFeatures) else x


class _Product(torch.autograd.Function):
    """values, dense -> sparse @ dense; the gradient of values only where it is asked for."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, dense: Tensor, matrix: SparseMatrix) -> Tensor:
        ctx.matrix = matrix
        if values.requires_grad:
            ctx.save_for_backward(dense)
        return matrix.csr @ dense

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        matrix: SparseMatrix = ctx.matrix
        for_dense = matrix.transposed_csr @ grad if ctx.needs_input_grad[1] else None
        if not ctx.needs_input_grad[0]:
            return None, for_dense, None
        (dense,) = ctx.saved_tensors
        return _products_of_rows(matrix.pattern, grad[:, None], dense[:, None]).squeeze(1), for_dense, None


class _Mix(torch.autograd.Function):
    """start, dense -> start + share * (matrix @ dense)."""

    @staticmethod
    def forward(ctx: Any, start: Tensor, dense: Tensor, matrix: SparseMatrix, share: float) -> Tensor:
        ctx.matrix, ctx.share, ctx.in_each_row = matrix, share, start.dim() == 1
        return torch.addmm(start, matrix.csr, dense, alpha=share)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        for_start = grad.sum(0) if ctx.in_each_row else grad
        if not ctx.needs_input_grad[1]:
            return for_start, None, None, None
        for_dense = ctx.matrix.transposed_csr @ grad
        return for_start, for_dense if ctx.share == 1 else for_dense.mul_(ctx.share), None, None


class _HeadProducts(torch.autograd.Function):
    """values [nnz, heads], dense [columns, heads, width] -> [rows, heads, width]; all heads share one gather backwards."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, dense: Tensor, pattern: Pattern) -> Tensor:
        ctx.pattern = pattern
        ctx.save_for_backward(values, dense)
        return _product_of_heads(*pattern.compact, values, dense, pattern.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        values, dense = ctx.saved_tensors
        pattern: Pattern = ctx.pattern
        shape = (pattern.shape[1], pattern.shape[0])
        by_column = values.index_select(0, pattern.order)
        for_dense = _product_of_heads(*pattern.compact_transposed, by_column, grad, shape)
        if not ctx.needs_input_grad[0]:
            return None, for_dense, None
        return _products_of_rows(pattern, grad, dense), for_dense, None


def _product_of_heads(pointers: Tensor, columns: Tensor, values: Tensor, dense: Tensor, shape: tuple[int, int]) -> Tensor:
    shares = values.t().contiguous()
    if dense.numel() > CACHED or not _large_on_cpu(dense.numel(), dense):
        by_head = zip(shares, dense.transpose(0, 1).contiguous(), strict=True)
        return torch.stack([_csr(pointers, columns, share, shape) @ h for share, h in by_head], 1)
    # What fits into the cache is read and written in strides, so nothing is moved.
    out = dense.new_empty(shape[0], *dense.shape[1:])
    for number, share in enumerate(shares):
        torch.addmm(out[:, number], _csr(pointers, columns, share, shape), dense[:, number], beta=0, out=out[:, number])
    return out


def _products_of_rows(pattern: Pattern, left: Tensor, right: Tensor) -> Tensor:
    """Inner products of ``left`` [rows, heads, width] and ``right`` [columns, heads, width] at each entry; [nnz, heads]."""
    if not _large_on_cpu(pattern.nnz * left[0].numel(), left):
        return left.index_select(0, pattern.row).mul_(right.index_select(0, pattern.column)).sum(-1)
    # The kernel reads rows where they lie, instead of copies of them for each entry, and takes several numbers of a row at a time.
    missing = -left.shape[2] % LANES
    heads, nnz = left.shape[1], pattern.nnz
    by_head = [F.pad(t, (0, missing)).transpose(0, 1).contiguous() for t in (left, right)]
    pointers, columns = (index.expand(heads, -1) for index in pattern.compact)
    where = _csr(pointers, columns, left.new_zeros(heads, nnz), (heads, *pattern.shape))
    products: Tensor = torch.sparse.sampled_addmm(where, by_head[0], by_head[1].transpose(1, 2), beta=0.0)
    return products.values().t().contiguous()


def _large_on_cpu(count: int, x: Tensor) -> bool:
    return x.device.type == "cpu" and count >= LEAST


def spmm(pattern: Pattern, values: Tensor, dense: Tensor) -> Tensor:
    """Product of the matrix with these ``values`` (float [nnz], differentiable) and ``dense`` [columns, width]."""
    product: Tensor = _Product.apply(values, dense, SparseMatrix(pattern, values.detach()))  # type: ignore[no-untyped-call]
    return product


def spmm_heads(pattern: Pattern, values: Tensor, dense: Tensor) -> Tensor:
    """One product a head: ``values`` [nnz, heads], ``dense`` [columns, heads, width] -> [rows, heads, width]."""
    products: Tensor = _HeadProducts.apply(values, dense, pattern)  # type: ignore[no-untyped-call]
    return products


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[N, heads * width] -> [N, heads, width]."""
    return x.view(x.shape[0], heads, x.shape[1] // heads)
