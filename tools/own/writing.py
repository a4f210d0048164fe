"""A guessed task file as YAML that explains itself: every value with its reason behind it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from agentnas.tools.own.guessing import Guess

ORDER = ("name", "kind", "target", "metric", "directed", "source", "nodes", "edges", "graphs", "split")
HEAD = "# A task of your own: docs/own-data.md tells all keys. Guessed from the files; change what is wrong, then\n# {check}\n"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./ -]*[A-Za-z0-9_]|[A-Za-z_]")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "none", "y", "n"}
MARGIN = 36


def task_yaml(plan: dict[str, Any], guess: Guess, check: str) -> str:
    """The text of the file; ``check``: the command that looks at it again."""
    lines = [HEAD.format(check=check)]
    for key in (key for key in ORDER if key in plan):
        value = plan[key]
        lines.append("" if isinstance(value, dict) else _line(f"{key}: {_value(value)}", guess.reasons.get(key, "")))
        if isinstance(value, dict):
            lines.append(f"{key}:")
            lines += [_line(f"  {name}: {_value(inner)}", guess.reasons.get(f"{key}.{name}", "")) for name, inner in value.items()]
    if guess.doubts:
        lines += ["", "# Not sure:", *(f"# - {_one_line(doubt.text)} ({_one_line(doubt.option)})" for doubt in guess.doubts)]
    return "\n".join(lines) + "\n"


def _line(text: str, why: str) -> str:
    return f"{text.ljust(MARGIN)}  # {_one_line(why)}" if why else text


def _one_line(text: str) -> str:
    """Names of columns come from files: no line end of theirs may end a comment."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    return str(value) if isinstance(value, int | float) else _text(str(value))


def _text(text: str) -> str:
    """A text as it is where YAML takes it for one, else in quotes, what no terminal shows as its number."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(_ESCAPES.get(char) or (char if char.isprintable() else f"\\U{ord(char):08x}") for char in text) + '"'


_ESCAPES = {'"': '\\"', "\\": "\\\\"}


def relative(plan: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The plan with paths as the task file in this folder says them."""
    made = {key: dict(value) if isinstance(value, dict) else value for key, value in plan.items()}
    for part in ("nodes", "edges", "graphs"):
        if "file" in made.get(part, {}):
            made[part]["file"] = _from(folder, str(made[part]["file"]))
    if "source" in made and not str(made["source"]).startswith(("ogb:", "python:")):
        made["source"] = _from(folder, str(made["source"]))
    return made


def _from(folder: Path, file: str) -> str:
    return Path(os.path.relpath(file, folder)).as_posix()
