"""Markup in which every text is escaped, names as anchors of the page, and data for its script."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup, escape
from pydantic_core import to_json

# What ends a script element or a JavaScript line, whatever surrounds it.
UNSAFE = {letter: f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


def tag(name: str, *children: Any, **attributes: Any) -> Markup:
    """An element; texts are escaped, attributes that are None left out: ``tag("a", "x", href="#t", class_="dot", data_trial="t1")``."""
    pairs = ((key.rstrip("_").replace("_", "-"), _figure(value)) for key, value in attributes.items() if value is not None)
    told = joined(Markup(' {}="{}"').format(key, value) for key, value in pairs)
    return Markup("<{0}{1}>{2}</{0}>").format(name, told, joined(children))


def _figure(value: Any) -> Any:
    return f"{value:.1f}" if isinstance(value, float) else value


def joined(parts: Any) -> Markup:
    """The parts one after the other, escaped where they are not markup."""
    return Markup("").join(escape(part) for part in parts)


def anchor(kind: str, name: str) -> str:
    """The id of an element for this name; different names have different ids, whatever letters they hold."""
    return f"{kind}-" + re.sub(r"[^A-Za-z0-9.-]", lambda found: f"_{ord(found[0]):x}_", name)


def script_data(data: Any) -> Markup:
    """Plain data as JSON that no text in it can break out of; numbers that are not finite are null."""
    text = to_json(data, inf_nan_mode="null", fallback=str).decode()
    return Markup("".join(UNSAFE.get(letter, letter) for letter in text))
