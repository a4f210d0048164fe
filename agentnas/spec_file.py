"""Spec files: the JSON that ``winner/spec.json`` holds and that ``train`` and ``profile`` read."""

from __future__ import annotations

from pathlib import Path

from agentnas.tools.errors import SpecError, UsageError
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec


def read_spec(path: Path) -> ArchitectureSpec:
    """The spec in a file; raises UsageError if it cannot be read, SpecError (with the file's name) if the language does not allow it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read: {error.strerror}; give the JSON file of a spec, such as a run's winner/spec.json"
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8 text; give the JSON file of a spec, such as a run's winner/spec.json") from None
    try:
        return parse_spec(text)
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from None
