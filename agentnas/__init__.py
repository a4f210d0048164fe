"""AgentNAS: agents that design graph neural networks.

``agentnas.design(task="cora")`` is the command ``agentnas design --task cora``; it returns the finished run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentnas.api import Run, design

__version__ = "0.1.0"
__all__ = ["Run", "__version__", "design"]


def __getattr__(name: str) -> Any:
    """Import ``design`` and ``Run`` when they are first asked for: they need langgraph."""
    if name in {"Run", "design"}:
        from agentnas import api

        return getattr(api, name)
    raise AttributeError(f"module 'agentnas' has no attribute {name!r}")
