"""Differentiable gathers, sums, maxima and softmax over the entries of a sparse pattern."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from agentnas.tools.nn.sparse import Pattern


class _Gather(torch.autograd.Function):
    """Rows of ``x`` by index; backwards a CSR product that sums entries, much faster than index_add."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, index: Tensor, collect: Tensor) -> Tensor:
        ctx.collect = collect
        return x.index_select(0, index)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return (ctx.collect @ grad.flatten(1)).view(-1, *grad.shape[1:]), None, None


class _Collect(torch.autograd.Function):
    """Entries summed into their row; backwards each entry takes its row's gradient."""

    @staticmethod
    def forward(ctx: Any, entries: Tensor, pattern: Pattern) -> Tensor:
        ctx.row = pattern.row
        return (pattern.by_row @ entries.flatten(1)).view(-1, *entries.shape[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad.index_select(0, ctx.row), None


class _Softmax(torch.autograd.Function):
    """Softmax of the entries of each row, by the segment kernels."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, pattern: Pattern) -> Tensor:
        ctx.pattern = pattern
        scores = _counted(scores, pattern, -torch.inf)
        raised = (scores - _largest_of_rows(scores, pattern).index_select(0, pattern.row)).exp_()
        total = pattern.by_row @ raised
        if pattern.keep is not None:  # a row of which nothing counts
            total = total.masked_fill(total == 0, 1.0)
        shares = raised.div_(total.index_select(0, pattern.row))
        ctx.save_for_backward(shares)
        return shares

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (shares,) = ctx.saved_tensors
        weighted = shares * grad
        total = (ctx.pattern.by_row @ weighted).index_select(0, ctx.pattern.row)
        return weighted - shares * total, None


def _counted(entries: Tensor, pattern: Pattern, other: float) -> Tensor:
    """``entries`` [nnz, ...], and ``other`` where an entry does not count."""
    if pattern.keep is None:
        return entries
    return entries.masked_fill((pattern.keep == 0).view(-1, *[1] * (entries.dim() - 1)), other)


def _largest_of_rows(entries: Tensor, pattern: Pattern) -> Tensor:
    """Largest of ``entries`` [nnz, k], those that do not count being -inf, in each row; [rows, k], 0 for a row where nothing counts."""
    best = torch.segment_reduce(entries, "max", offsets=pattern.pointers, axis=0, unsafe=True)
    if pattern.keep is None:
        return best.masked_fill((pattern.pointers.diff() == 0)[:, None], 0.0)
    return best.masked_fill(best == -torch.inf, 0.0)


class _Maximum(torch.autograd.Function):
    """Largest value among the columns of each row, 0 for an empty row; ties share the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, pattern: Pattern) -> Tensor:
        gathered = _counted(x.index_select(0, pattern.column), pattern, -torch.inf)
        best = _largest_of_rows(gathered, pattern)
        ctx.pattern = pattern
        ctx.save_for_backward(gathered == best.index_select(0, pattern.row))
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        pattern: Pattern = ctx.pattern
        winners = ctx.saved_tensors[0].to(grad.dtype)
        share = (grad / (pattern.by_row @ winners).clamp(min=1)).index_select(0, pattern.row)
        return pattern.by_column @ (winners * share), None


class _EntryMaximum(torch.autograd.Function):
    """The same of entries that are given one by one."""

    @staticmethod
    def forward(ctx: Any, entries: Tensor, pattern: Pattern) -> Tensor:
        entries = _counted(entries, pattern, -torch.inf)
        best = _largest_of_rows(entries, pattern)
        ctx.pattern = pattern
        ctx.save_for_backward(entries == best.index_select(0, pattern.row))
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        pattern: Pattern = ctx.pattern
        winners = ctx.saved_tensors[0].to(grad.dtype)
        share = (grad / (pattern.by_row @ winners).clamp(min=1)).index_select(0, pattern.row)
        return winners * share, None


def gather_rows(pattern: Pattern, x: Tensor) -> Tensor:
    """``x`` [rows, ...] at the row (target) of each entry; [nnz, ...]."""
    gathered: Tensor = _Gather.apply(x, pattern.row, pattern.by_row)  # type: ignore[no-untyped-call]
    return gathered


def gather_columns(pattern: Pattern, x: Tensor) -> Tensor:
    """``x`` [columns, ...] at the column (source) of each entry; [nnz, ...]."""
    gathered: Tensor = _Gather.apply(x, pattern.column, pattern.by_column)  # type: ignore[no-untyped-call]
    return gathered


def collect(pattern: Pattern, entries: Tensor) -> Tensor:
    """``entries`` [nnz, ...] summed into their rows; [rows, ...]."""
    total: Tensor = _Collect.apply(_counted(entries, pattern, 0.0), pattern)  # type: ignore[no-untyped-call]
    return total


def row_softmax(pattern: Pattern, scores: Tensor) -> Tensor:
    """Softmax over the entries of each row; ``scores`` [nnz, heads]."""
    shares: Tensor = _Softmax.apply(scores, pattern)  # type: ignore[no-untyped-call]
    return shares


def row_max(pattern: Pattern, x: Tensor) -> Tensor:
    """Largest of ``x`` [columns, width] over the columns of each row; [rows, width], 0 where a row is empty."""
    best: Tensor = _Maximum.apply(x, pattern)  # type: ignore[no-untyped-call]
    return best


def entry_max(pattern: Pattern, entries: Tensor) -> Tensor:
    """Largest of ``entries`` [nnz, width] of each row; [rows, width], 0 where a row is empty."""
    best: Tensor = _EntryMaximum.apply(entries, pattern)  # type: ignore[no-untyped-call]
    return best
