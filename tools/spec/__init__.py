"""The spec language: the model, its canonical form and hash, its texts, and the spaces that search it.

The names below are imported when they are first asked for; each module can also be imported by itself.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentnas.tools.spec.canonical import canonical_json, spec_hash
    from agentnas.tools.spec.model import ArchitectureSpec, parse_spec

__all__ = ["ArchitectureSpec", "canonical_json", "parse_spec", "spec_hash"]

_HOMES = {"ArchitectureSpec": "model", "canonical_json": "canonical", "parse_spec": "model", "spec_hash": "canonical"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"agentnas.tools.spec.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'agentnas.tools.spec' has no attribute {name!r}")
