"""What a run was made with: enough to reproduce it, and nothing that identifies a person or holds a key."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

PACKAGES = (
    "torch", "torch_geometric", "numpy", "scipy", "scikit-learn", "pydantic", "langgraph", "langgraph-checkpoint-sqlite",
    "nas-bench-graph", "chromadb", "anthropic", "openai",
)  # fmt: skip


def environment() -> dict[str, Any]:
    """Python, platform, processor and package versions; imports none of the others' packages, reads no environment variable."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "packages": {"agentnas": _own_version()} | {name: version for name in PACKAGES if (version := _version(name)) is not None},
    }


def _own_version() -> str:
    """That of the code that runs: what was noted when it was installed may be of an earlier state."""
    return str(sys.modules[__name__.partition(".")[0]].__version__)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """The model's name where Linux tells it; ``platform.processor()`` is empty on many Linux machines."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()
