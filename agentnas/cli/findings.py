"""Findings of a check as people read them: how bad, what, what it means, and what to do."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

import typer

from agentnas.cli.output import counted

NARROW, WIDE = 60, 110  # columns that text is broken at; where nobody looks, the wider
SEVERITIES = ("error", "warning", "note")
_COLOURS = {"error": typer.colors.RED, "warning": typer.colors.YELLOW, "note": typer.colors.CYAN}


def findings_text(problems: Sequence[Any]) -> str:
    """One block a finding: severity, code and what was seen; under it what that means, and behind an arrow what to do."""
    width = shutil.get_terminal_size((WIDE, 24)).columns if sys.stdout.isatty() else WIDE
    margin = max((len(problem.code) for problem in problems), default=0) + len("warning") + 4
    margin = margin if width - margin >= NARROW else 4
    return "\n".join(line for problem in problems for line in _block(problem, margin, min(width, WIDE + margin)))


def tallied(problems: Sequence[Any]) -> str:
    """``2 errors, 1 warning, no notes``: what is wrong is not counted with what is only worth knowing."""
    found = [problem.severity for problem in problems]
    return ", ".join(counted(found.count(severity), severity) for severity in SEVERITIES)


def _block(problem: Any, margin: int, width: int) -> list[str]:
    severity = typer.style(problem.severity, fg=_COLOURS[problem.severity], bold=True) + " " * (len("warning") - len(problem.severity))
    head = f"{severity}  {typer.style(problem.code, bold=True)}"
    seen = _wrapped(problem.text, margin, width)
    beside = len("warning") + 2 + len(problem.code) + 2 <= margin
    lines = [head + " " * (margin - len("warning") - 2 - len(problem.code)) + seen[0].lstrip(), *seen[1:]] if beside else [head, *seen]
    return [*lines, *_wrapped(problem.means, margin, width), *_wrapped("→ " + problem.todo, margin, width, "  ")]


def _wrapped(text: str, margin: int, width: int, hang: str = "") -> list[str]:
    indent = " " * margin
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent + hang, break_on_hyphens=False) if text else []
