"""What memory and models are asked: one Markdown template a purpose, and the loader that checks its placeholders."""

from __future__ import annotations

if __name__ != "agentnas.prompts":
    raise ImportError(f"import agentnas.prompts, not {__name__}; another package of that name is found from outside this repository's root")

import string
from dataclasses import dataclass
from functools import cache
from importlib import resources

from agentnas.tools.errors import ConfigError, suggest

# The placeholders of each template; a template that uses others, or not all of these, does not load.
PLACEHOLDERS: dict[str, frozenset[str]] = {"recall": frozenset({"task", "tried"})}


@dataclass(frozen=True)
class Template:
    """A checked template. ``fill`` puts values in as they are: braces inside a value mean nothing."""

    name: str
    text: str

    def fill(self, **values: str) -> str:
        """The text with every placeholder replaced; raises ConfigError unless exactly the template's placeholders are given."""
        if set(values) != PLACEHOLDERS[self.name]:
            raise ConfigError(f"prompt {self.name}: got {sorted(values)}, its placeholders are {sorted(PLACEHOLDERS[self.name])}")
        return self.text.format_map(values)


@cache
def load(name: str) -> Template:
    """The template of this name; raises ConfigError if there is none, or if its placeholders are not the expected ones."""
    if name not in PLACEHOLDERS:
        raise ConfigError(f"no prompt named {name!r}; {suggest(name, PLACEHOLDERS)}")
    text = resources.files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    return check(name, text)


def check(name: str, text: str) -> Template:
    """A template from text; raises ConfigError that names the placeholders which are missing or unknown."""
    try:
        found = {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
    except ValueError as error:
        raise ConfigError(f"prompt {name}: {error}; write a literal brace twice") from None
    if found != PLACEHOLDERS[name]:
        raise ConfigError(f"prompt {name}: placeholders are {sorted(found)}, allowed: {sorted(PLACEHOLDERS[name])}")
    return Template(name, text)
