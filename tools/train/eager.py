"""Optimisers for code that is run as it stands, never compiled."""

from __future__ import annotations

from functools import cache
from inspect import unwrap
from typing import Any, TypeVar

import torch
from torch.optim import Optimizer

Kind = TypeVar("Kind", bound=Optimizer)


def eager(kind: type[Kind]) -> type[Kind]:
    """The same optimiser without the wrappers that let ``torch.compile`` look into a step; its numbers are the same to the bit.

    The wrappers import torch._dynamo at the first step: two seconds of a worker's start and 70 MiB of its memory, used for nothing.
    """
    hashable: Any = kind  # mypy takes a class by its instances
    made: type[Kind] = _without_wrappers(hashable)
    return made


@cache
def _without_wrappers(kind: Any) -> Any:
    methods = {name: unwrap(getattr(kind, name)) for name in ("step", "zero_grad", "add_param_group")}
    return type(kind.__name__, (kind,), {**methods, "step": torch.no_grad()(methods["step"])})
