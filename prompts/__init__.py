"""What memory and models are asked: one Markdown template a purpose or role, and the loader that checks versions and placeholders."""

from __future__ import annotations

if __name__ != "agentnas.prompts":
    raise ImportError(f"import agentnas.prompts, not {__name__}; another package of that name is found from outside this repository's root")

from agentnas.prompts.roles import Prompts
from agentnas.prompts.templates import load, load_parts

__all__ = ["Prompts", "load", "load_parts"]
