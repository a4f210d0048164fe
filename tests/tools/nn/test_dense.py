"""Dense products by the CPU's fast kernel, and dropout of the positive part, equal the plain ones in values and gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from agentnas.tools.nn import dense
from agentnas.tools.nn.dense import _product, affine
from agentnas.tools.nn.dropout import dropout_mask, dropped, relu_dropped


def _gradients(out: Tensor, *inputs: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad((out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum(), inputs))


@pytest.mark.parametrize("shape", [(700, 64, 64), (500, 300, 7), (300, 7, 200), (1, 2000, 200), (4000, 1, 100)])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("transposed", [True, False])
def test_affine_equals_linear(shape: tuple[int, int, int], with_bias: bool, transposed: bool) -> None:
    torch.manual_seed(0)
    rows, width_in, width_out = shape
    x = torch.randn(rows, width_in, requires_grad=True)
    weight = (torch.randn(width_in, width_out).t() if transposed else torch.randn(width_out, width_in)).div_(width_in**0.5).requires_grad_()
    bias = torch.randn(width_out, requires_grad=True) if with_bias else None
    inputs = [x, weight] if bias is None else [x, weight, bias]
    ours, plain = affine(x, weight, bias), F.linear(x, weight, bias)
    assert dense._by_onednn(x, weight), "large enough for the other kernel"
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=1e-5)
    for mine, theirs in zip(_gradients(ours, *inputs), _gradients(plain, *inputs), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


def test_only_the_gradients_that_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    products: list[torch.Size] = []

    def counted(*factors: Any) -> Tensor:
        out = _product(*factors)
        products.append(out.shape)
        return out

    monkeypatch.setattr(dense, "_product", counted)
    x, weight = torch.randn(2000, 64), torch.randn(64, 64, requires_grad=True)
    affine(x, weight).sum().backward()  # type: ignore[no-untyped-call]
    assert products == [(2000, 64), (64, 64)], "the result, and the gradient of the weights"
    assert x.grad is None
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, x.sum(0).expand(64, 64), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("x", [torch.zeros(0, 4), torch.zeros(3, 4, dtype=torch.float64), torch.zeros(2, 3, 4), torch.zeros(5, 4)])
def test_what_the_kernel_does_not_take_is_left_to_torch(x: Tensor) -> None:
    weight = torch.ones(2, 4, dtype=x.dtype)
    assert not dense._by_onednn(x, weight)
    torch.testing.assert_close(affine(x, weight), F.linear(x, weight))


def test_shapes_that_pass_leave_no_prepared_kernel() -> None:
    x, weight = torch.randn(2000, 64), torch.randn(64, 64)
    with dense.for_passing_shapes():
        assert not dense._by_onednn(x, weight)
        torch.testing.assert_close(affine(x, weight), F.linear(x, weight))
    assert dense._by_onednn(x, weight)


def test_relu_and_dropout_in_one_draw_and_give_the_same() -> None:
    x = torch.randn(300, 40, requires_grad=True)
    torch.manual_seed(3)
    ours = relu_dropped(x, 0.4)
    torch.manual_seed(3)
    plain = dropped(x.relu(), 0.4)
    torch.testing.assert_close(ours, plain, atol=0, rtol=0)
    torch.testing.assert_close(_gradients(ours, x), _gradients(plain, x), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_masks_keep_their_share(p: float) -> None:
    mask = dropout_mask(torch.empty(100_003), p)
    assert torch.unique(mask).tolist() == [0.0, pytest.approx(1 / (1 - p))]
    assert (mask > 0).float().mean().item() == pytest.approx(1 - p, abs=0.01)
