"""A template: a Markdown file with a version, whose placeholders are checked when it is read."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from functools import cache
from importlib import resources

from agentnas.tools.errors import ConfigError, suggest

# The placeholders that templates outside of roles may and must use.
PLACEHOLDERS: dict[str, frozenset[str]] = {
    "recall": frozenset({"task", "tried"}),
    "reader": frozenset({"topics", "operators", "settings", "papers", "count"}),
}
_FRONT = re.compile(r"---\n(?P<fields>.*?)\n?---\n(?P<text>.*)", re.DOTALL)
_PARTS = re.compile(r"# System\n(?P<system>.*?)\n# User\n(?P<user>.*)", re.DOTALL)
_VERSION = re.compile(r"version:[ \t]*(?P<version>[A-Za-z0-9][A-Za-z0-9._-]{0,31})[ \t]*")


@dataclass(frozen=True)
class Template:
    """A checked text. ``fill`` puts values in as they are: braces inside a value mean nothing."""

    name: str
    text: str
    placeholders: frozenset[str]

    def fill(self, **values: str) -> str:
        """The text with every placeholder replaced; raises ConfigError unless exactly the template's placeholders are given."""
        if set(values) != self.placeholders:
            raise ConfigError(f"prompt {self.name}: got {sorted(values)}, its placeholders are {sorted(self.placeholders)}")
        return self.text.format_map(values)


@cache
def load(name: str) -> Template:
    """The shipped template of this name; raises ConfigError if there is none, or if its placeholders are not the expected ones."""
    if name not in PLACEHOLDERS:
        raise ConfigError(f"no prompt named {name!r}; {suggest(name, PLACEHOLDERS)}")
    _, text = versioned(name, resources.files("agentnas.prompts").joinpath(f"{name}.md").read_text(encoding="utf-8"))
    template = check(name, text, PLACEHOLDERS[name])
    if missing := PLACEHOLDERS[name] - template.placeholders:
        raise ConfigError(f"prompt {name}: lacks {_braced(missing)}")
    return template


def load_parts(name: str) -> tuple[Template, Template]:
    """The parts # System and # User of a shipped template; raises ConfigError as ``load`` does, and where one is missing."""
    match = _PARTS.fullmatch(load(name).text.lstrip("\n"))
    if match is None:
        raise ConfigError(f"prompt {name}: lacks a part; write the lines # System and # User, each with its text below")
    return check(name, match["system"], PLACEHOLDERS[name]), check(name, match["user"], PLACEHOLDERS[name])


def versioned(name: str, text: str) -> tuple[str, str]:
    """Version and text of a file; raises ConfigError where its front matter names no version."""
    match = _FRONT.fullmatch(text.replace("\r\n", "\n").removeprefix("\ufeff"))
    version = match and next(filter(None, map(_VERSION.fullmatch, match["fields"].split("\n"))), None)
    if not match or not version:
        raise ConfigError(f"prompt {name}: no version; let the file begin with three lines: ---, version: 1, ---")
    return version["version"], match["text"].strip("\n") + "\n"


def check(name: str, text: str, allowed: frozenset[str]) -> Template:
    """A template from text; raises ConfigError that names a placeholder which is not allowed."""
    try:
        found = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ConfigError(f"prompt {name}: {error}; write a literal brace twice") from None
    for _, field, spec, conversion in found:
        if field is None:
            continue
        if field not in allowed or spec or conversion:
            raise ConfigError(f"prompt {name}: unknown placeholder {_written(field, spec, conversion)}; {suggest(field, allowed)}")
    return Template(name, text, frozenset(field for _, field, _, _ in found if field is not None))


def _written(field: str, spec: str | None, conversion: str | None) -> str:
    return f"{{{field}{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}}}"


def _braced(names: frozenset[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names))
