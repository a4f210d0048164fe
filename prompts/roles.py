"""The prompts of the three roles of a run, and of the conversation: shipped files, of which a person's own folder may replace any.

A role's file has a part ``# System`` and a part ``# User``. ``{include:NAME}`` puts the partial ``_NAME.md`` in; ``{name}`` is filled with
facts when the model is asked. Partials are files too, and can be replaced by themselves.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from agentnas.prompts.templates import Template, check, versioned
from agentnas.tools.errors import ConfigError, suggest

# What each role may be told, and what its template must use, because the role cannot do its work without it.
_SHARED = frozenset({"language", "numbers", "task", "limits", "noise", "trouble"})
ROLES: dict[str, frozenset[str]] = {
    "planner": _SHARED | {"metric", "left", "factors", "evidence", "results", "effects", "forecasts", "earlier", "told", "round"},
    "coder": _SHARED | {"form", "evidence", "designs", "tried", "plan", "count"},
    "analyst": _SHARED | {"metric", "left", "results", "effects", "curves", "tradeoffs", "plan", "forecasts", "earlier", "round"},
    "chat": frozenset({"tasks", "plan", "run", "said"}),
}
REQUIRED: dict[str, frozenset[str]] = {
    "planner": frozenset({"task", "factors", "evidence", "results", "told"}),
    "coder": frozenset({"form", "task", "limits", "plan", "count", "designs"}),
    "analyst": frozenset({"task", "noise", "results", "effects"}),
    "chat": frozenset({"plan", "run", "said"}),
}
PARTIALS: dict[str, frozenset[str]] = {
    "evidence": frozenset(),
    "data": frozenset(),
    "seeds": frozenset(),
    "lookups": frozenset(),
    "specs": frozenset({"operators"}),
    "cells": frozenset({"shapes", "operators", "before", "after", "width", "recipe"}),
    "graphs": frozenset(),
    "pairs": frozenset(),
    "values": frozenset(),
    "labels": frozenset(),
    "diff": frozenset({"edits"}),
    "full": frozenset({"values"}),
    "bounds": frozenset(),
    "locked": frozenset({"locked"}),
    "batching": frozenset(),
}
# Partials that become the value of a placeholder, one of the first two, and after it what the task asks for;
# the others are included by name.
CHOSEN: dict[str, tuple[str, ...]] = {
    "language": ("specs", "cells", "locked", "graphs", "pairs", "values", "labels"),
    "told": ("bounds",),
    "form": ("diff", "full", "batching"),
    "numbers": ("seeds", "lookups"),
}
_INCLUDE = re.compile(r"\{include:([^{}]*)\}")
_PARTS = re.compile(r"# System\n(?P<system>.*?)\n# User\n(?P<user>.*)", re.DOTALL)


@dataclass(frozen=True)
class RolePrompt:
    """The prompt of one role, checked. ``source`` is ``shipped``, or the person's file."""

    role: str
    version: str
    source: str
    system: Template
    user: Template
    included: tuple[str, ...]
    """Partials by name and version: ``data@1``."""

    @property
    def placeholders(self) -> frozenset[str]:
        return self.system.placeholders | self.user.placeholders

    def fill(self, values: Mapping[str, str]) -> tuple[str, str]:
        """System and user text; values that this template does not use are left out."""
        system, user = (part.fill(**{name: values[name] for name in part.placeholders}) for part in (self.system, self.user))
        return system.strip() + "\n", user.strip() + "\n"


class Prompts:
    """All prompts, read and checked at once, so that a wrong file is found before anything is spent.

    ``folder`` holds a person's own files, which replace shipped ones of the same name. Raises ConfigError, one line, for a folder or file
    that cannot be read, a name that no prompt has, a missing version or part, an unknown partial or placeholder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._own = _own_files(folder) if folder is not None else {}
        self._pieces = {name: self._piece(name) for name in PARTIALS}
        self.roles: dict[str, RolePrompt] = {role: self._role(role) for role in ROLES}

    def piece(self, name: str) -> Template:
        """A partial by itself."""
        return self._pieces[name][1]

    def versions(self) -> dict[str, str]:
        """For the journal: each role's version and a fingerprint of all texts that it may be told with, such as ``1-0a1b2c3d``."""
        return {role: f"{prompt.version}-{_digest(*self._texts(prompt))}" for role, prompt in self.roles.items()}

    def _texts(self, prompt: RolePrompt) -> list[str]:
        chosen = [name for placeholder, names in CHOSEN.items() if placeholder in prompt.placeholders for name in names]
        return [prompt.system.text, prompt.user.text, *(self.piece(name).text for name in chosen)]

    def _piece(self, name: str) -> tuple[str, Template]:
        shown, text, _ = self._read(f"_{name}")
        version, body = versioned(shown, text)
        return version, check(shown, body, PARTIALS[name])

    def _role(self, role: str) -> RolePrompt:
        shown, text, source = self._read(role)
        version, body = versioned(shown, text)
        match = _PARTS.fullmatch(body.lstrip("\n"))
        if match is None:
            raise ConfigError(f"prompt {shown}: lacks a part; write the lines # System and # User, each with its text below")
        included = tuple(dict.fromkeys(_INCLUDE.findall(body)))
        system, user = (check(shown, self._expanded(shown, match[part]), ROLES[role]) for part in ("system", "user"))
        found = RolePrompt(role, version, source, system, user, tuple(f"{name}@{self._pieces[name][0]}" for name in included))
        if missing := REQUIRED[role] - found.placeholders:
            raise ConfigError(f"prompt {shown}: lacks {{{min(missing)}}}, without which the {role} cannot work; put it in")
        return found

    def _expanded(self, shown: str, text: str) -> str:
        """The text with its partials in place."""
        plain = [name for name in PARTIALS if name not in sum(CHOSEN.values(), ())]

        def partial(match: re.Match[str]) -> str:
            if match[1] not in plain:
                raise ConfigError(f"prompt {shown}: unknown partial {match[0]}; {suggest(match[1], plain)}")
            return self._pieces[match[1]][1].text.strip()

        return _INCLUDE.sub(partial, text)

    def _read(self, stem: str) -> tuple[str, str, str]:
        """The name for messages, the text, and where it comes from; the person's own file first."""
        own = self._own.get(stem)
        if own is None:
            return stem, resources.files("agentnas.prompts").joinpath(f"{stem}.md").read_text(encoding="utf-8"), "shipped"
        try:
            return str(own), own.read_text(encoding="utf-8"), str(own)
        except OSError as error:
            raise ConfigError(f"prompt {own}: cannot be read: {error.strerror}; mend the file or take it away") from None
        except UnicodeDecodeError as error:
            raise ConfigError(f"prompt {own}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _own_files(folder: Path) -> dict[str, Path]:
    """The person's files by stem; a misspelt one would be ignored without a word, so it is an error. A README may lie beside them."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".md" and path.stem.lower() != "readme")
    except OSError as error:
        raise ConfigError(f"prompts folder {folder}: {error.strerror}; give a folder with files such as planner.md") from None
    known = [*ROLES, *(f"_{name}" for name in PARTIALS)]
    for path in files:
        if path.stem not in known:
            raise ConfigError(f"{path} is no prompt; {suggest(path.stem, known)} (with .md)")
    return {path.stem: path for path in files}


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]
