"""AgentNAS: agents that design graph neural networks.

``agentnas.design(task="cora")`` is the command ``agentnas design --task cora``; it returns the finished run.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentnas.api import design
    from agentnas.run import Run

__version__ = "0.6.0"
__all__ = ["Run", "__version__", "design"]
_HOMES = {"Run": "agentnas.run", "design": "agentnas.api"}


def __getattr__(name: str) -> Any:
    """Import ``design`` and ``Run`` when they are first asked for: they need more than the standard library."""
    if name not in _HOMES:
        raise AttributeError(f"module 'agentnas' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
