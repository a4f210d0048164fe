"""Products of dense matrices by the kernels that are fastest on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

LEAST_PRODUCTS = 2**18  # multiply-adds from which the other kernel's start is worth it


def affine(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x`` [n, in] @ ``weight``.T [in, out] + ``bias`` [out].

    Large ones on the CPU go to oneDNN in place of MKL, which takes half the time on an AMD EPYC.
    """
    if not _by_onednn(x, weight):
        return F.linear(x, weight, bias)
    out: Tensor = _Affine.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return out


def _by_onednn(x: Tensor, weight: Tensor) -> bool:
    on_cpu = x.device.type == weight.device.type == "cpu" and x.dtype == weight.dtype == torch.float32
    large = x.dim() == 2 and x.numel() * weight.shape[0] >= LEAST_PRODUCTS
    return on_cpu and large and _has_onednn() and bool(torch.backends.mkldnn.enabled)


@cache
def _has_onednn() -> bool:
    return bool(torch.backends.mkldnn.is_available()) and hasattr(torch.ops.mkldnn, "_linear_pointwise")  # type: ignore[no-untyped-call]


@contextmanager
def for_passing_shapes() -> Iterator[None]:
    """Products inside are left to MKL: oneDNN prepares a kernel for each shape and keeps it, half a megabyte for a shape that never comes
    again, and a third of the time of a step on sampled neighbours."""
    switch: Any = torch.backends.mkldnn
    before, switch.enabled = switch.enabled, False
    try:
        yield
    finally:
        switch.enabled = before


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return product


class _Affine(torch.autograd.Function):
    """x, weight, bias -> x @ weight.T + bias."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        return (
            _product(grad, weight.t()) if for_x else None,
            _product(grad.t(), x.t()) if for_weight else None,
            grad.sum(0) if for_bias else None,
        )
