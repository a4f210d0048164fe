from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from agentnas.tools.nn.dropout import dropout_mask
from agentnas.tools.nn.layers import Linear
from agentnas.tools.nn.ranges import ragged_ranges
from agentnas.tools.nn.segments import collect, gather_columns, gather_rows, row_max, row_softmax
from agentnas.tools.nn.sparse import Pattern, SparseMatrix, spmm, spmm_heads
from tests.tools.nn.making import features, graph, sparse


def dense(pattern: Pattern, values: Tensor) -> Tensor:
    matrix = torch.zeros(pattern.shape)
    matrix[pattern.row, pattern.column] = values
    return matrix


def same_gradients(ours: Tensor, wanted: Tensor, *inputs: Tensor) -> None:
    torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-5)
    direction = torch.randn_like(ours)
    for a, b in zip(torch.autograd.grad(ours, inputs, direction), torch.autograd.grad(wanted, inputs, direction), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_product_and_its_gradients_in_both_factors() -> None:
    pattern = graph().pattern
    values = torch.rand(pattern.nnz, requires_grad=True)
    x = torch.randn(24, 5, requires_grad=True)
    same_gradients(spmm(pattern, values, x), dense(pattern, values) @ x, values, x)


def test_heads_are_separate_products() -> None:
    pattern = graph().pattern
    values = torch.rand(pattern.nnz, 3, requires_grad=True)
    x = torch.randn(24, 3, 5, requires_grad=True)
    wanted = torch.stack([dense(pattern, values[:, k]) @ x[:, k] for k in range(3)], 1)
    same_gradients(spmm_heads(pattern, values, x), wanted, values, x)


def test_gather_and_collect() -> None:
    pattern = graph().pattern
    x = torch.randn(24, 2, 3, requires_grad=True)
    entries = torch.randn(pattern.nnz, 2, 3, requires_grad=True)
    same_gradients(gather_rows(pattern, x), x[pattern.row], x)
    same_gradients(gather_columns(pattern, x), x[pattern.column], x)
    same_gradients(collect(pattern, entries), torch.zeros(24, 2, 3).index_add(0, pattern.row, entries), entries)


def test_row_softmax_with_huge_scores() -> None:
    pattern = graph().pattern
    scores = (100 * torch.randn(pattern.nnz, 2)).requires_grad_()
    wanted = torch.cat([part.softmax(0) for part in torch.split(scores, pattern.pointers.diff().tolist())])
    same_gradients(row_softmax(pattern, scores), wanted, scores)


def test_row_max_is_zero_for_empty_rows_and_negative_elsewhere() -> None:
    pattern = graph().pattern
    x = (-1 - torch.rand(24, 4)).requires_grad_()
    has = dense(pattern, torch.ones(pattern.nnz)) > 0
    best = torch.where(has[:, :, None], x[None], -torch.inf).amax(1)
    wanted = torch.where(has.any(1, keepdim=True), best, 0.0)
    assert (wanted[:22] < 0).any()
    same_gradients(row_max(pattern, x), wanted, x)


def test_linear_on_sparse_features_never_makes_them_dense() -> None:
    x = sparse(features())
    linear = Linear(10, 4)
    same_gradients(linear(x), features() @ linear.weight.t() + linear.bias, linear.weight, linear.bias)
    assert "dense" not in x.__dict__


@given(st.integers(0, 5), st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=40)
def test_rows_columns_scaling_and_selection_agree_with_dense(count: int, n: int, width: int) -> None:
    generator = torch.Generator().manual_seed(count + 10 * n + 100 * width)
    x = torch.rand(n, width, generator=generator) * (torch.rand(n, width, generator=generator) < 0.5)
    thin = sparse(x)
    nodes = torch.randint(n, (count,), generator=generator)
    assert torch.equal(thin.rows(nodes).csr.to_dense(), x[nodes])
    rows, columns = torch.rand(n, generator=generator), torch.rand(width, generator=generator)
    torch.testing.assert_close(thin.scale_rows(rows).dense, rows[:, None] * x)
    torch.testing.assert_close(thin.scale_columns(columns).dense, x * columns)
    extra = torch.rand(n, 3, generator=generator)
    torch.testing.assert_close(thin.with_columns(extra).dense, torch.cat([x, extra], 1))
    torch.testing.assert_close(thin.with_columns(extra).transposed_csr.to_dense(), torch.cat([x, extra], 1).t())


def test_selected_pattern_has_the_transpose_of_its_own_entries() -> None:
    pattern = graph().pattern
    keep = torch.rand(pattern.nnz) < 0.5
    part = pattern.select(keep).select(torch.rand(int(keep.sum())) < 0.7)
    values = torch.rand(part.nnz)
    torch.testing.assert_close(SparseMatrix(part, values).transposed_csr.to_dense(), dense(part, values).t())


def test_dropout_keeps_the_expectation_and_the_seed_decides() -> None:
    like = torch.empty(400, 500)
    torch.manual_seed(3)
    mask = dropout_mask(like, 0.3)
    assert sorted(set(mask.flatten().tolist())) == pytest.approx([0.0, 1 / 0.7])
    assert mask.mean().item() == pytest.approx(1.0, abs=0.01)
    assert abs((mask[:, 1:] * mask[:, :-1]).mean().item() - 1.0) < 0.02  # neighbours are independent
    torch.manual_seed(3)
    assert torch.equal(mask, dropout_mask(like, 0.3))


def test_sparse_dropout_acts_on_non_zeros() -> None:
    x = sparse(torch.ones(100, 50))
    dropped = x.dropout(0.5)
    assert dropped.dense.mean().item() == pytest.approx(1.0, abs=0.1)
    torch.testing.assert_close(dropped.transposed_csr.to_dense(), dropped.dense.t())


def test_ragged_ranges() -> None:
    assert ragged_ranges(torch.tensor([4, 0, 7]), torch.tensor([2, 0, 3])).tolist() == [4, 5, 7, 8, 9]
    assert ragged_ranges(torch.tensor([4]), torch.tensor([0])).tolist() == []


def test_no_warning_reaches_the_person() -> None:
    code = """
import warnings; warnings.simplefilter("error")
import torch
from agentnas.tools.nn.graph import Graph
g = Graph(torch.tensor([[0, 1], [1, 0]]), 2)
print(round((g.adjacency("sym", loops=True) @ torch.ones(2, 1)).sum().item(), 5))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=dict(os.environ), check=False)
    assert (done.stdout.strip(), done.stderr) == ("2.0", "")
