"""YAML as plain data that knows where it stands: every error names file, line, column and key.

Only plain YAML is read: mappings, lists, texts, numbers, true and false, anchors. Nothing is constructed from tags.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from agentnas.tools.errors import UsageError

LARGEST_BYTES = 1_000_000
MOST_VALUES = 100_000  # aliases of aliases multiply: a page of text can stand for more than fits any memory
LONGEST_INT = 100  # digits; beyond, Python refuses to read a number, and nothing counts that far
_INT = re.compile(r"[-+]?\d+")
_FLOAT = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?")
_WORDS: dict[str, Any] = {"true": True, "false": False, "True": True, "False": False, "null": None, "~": None, "": None}


class Place(NamedTuple):
    """Where something stands in a file, counted from 1."""

    file: str
    line: int
    column: int

    def error(self, message: str) -> UsageError:
        """The error that begins with this place."""
        return UsageError(f"{self.file}:{self.line}:{self.column}: {message}")


class Value(NamedTuple):
    """Plain data, ``Value`` all the way down, and where it stands; ``keys`` are the places of a mapping's keys."""

    data: Any
    place: Place
    keys: Mapping[str, Place] = {}

    @property
    def plain(self) -> Any:
        """The data without places."""
        if isinstance(self.data, dict):
            return {key: value.plain for key, value in self.data.items()}
        return [value.plain for value in self.data] if isinstance(self.data, list) else self.data

    def mapping(self, what: str, allowed: Iterable[str] | None = None) -> dict[str, Value]:
        """The mapping, its keys among those allowed; raises UsageError at the value or the first key that is none."""
        if not isinstance(self.data, dict):
            raise self.place.error(f"{what} is {shown(self.data)}; allowed: keys and values")
        names = self.data if allowed is None else tuple(allowed)
        for key in self.data:
            if key not in names:
                raise self.keys[key].error(f"{what}: unknown key {key!r}; {nearest(key, names)}")
        return self.data

    def items(self, what: str) -> list[Value]:
        """The list; raises UsageError where it is none, or empty."""
        if not isinstance(self.data, list) or not self.data:
            raise self.place.error(f"{what} is {shown(self.data)}; allowed: a list of at least one")
        return self.data


def nearest(seen: str, allowed: Iterable[str]) -> str:
    """The nearest allowed name, else all of them."""
    names = sorted(allowed)
    near = difflib.get_close_matches(seen.replace("-", "_").lower(), names, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"allowed: {', '.join(names)}"


def shown(data: Any) -> str:
    """Seen data in an error: short, whatever it is."""
    if data is None:
        return "empty"
    if isinstance(data, (dict, list)):
        return "a mapping" if isinstance(data, dict) else "a list" if data else "an empty list"
    text = repr(data)
    return text if len(text) <= 60 else f"{text[:57]}..."


class Expected(NamedTuple):
    """What a file should be, in the words of its errors: its name, what it holds, and the page that says more."""

    name: str
    holds: str
    page: str


def read_yaml(path: Path, expected: Expected) -> Value:
    """The one document of a YAML file; raises UsageError for a file that cannot be read or is no YAML."""
    text = _text(path, expected)
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(path, error) from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise UsageError(f"{path}: not a {expected.name}: it is nested too deeply") from None
    if node is None:
        raise UsageError(f"{path}: the file is empty; it needs {expected.holds}")
    return _Reader(str(path), expected.name).value(node)


def _text(path: Path, expected: Expected) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        if len(data) > LARGEST_BYTES:
            raise UsageError(f"{path}: larger than {LARGEST_BYTES:,} bytes; a {expected.name} holds {expected.holds}")
        return data.decode("utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; give a {expected.name}, see {expected.page}") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: a folder; give a {expected.name}, see {expected.page}") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8 text; a {expected.name} is YAML") from None


def _not_yaml(path: Path, error: Any) -> UsageError:
    mark = error.problem_mark or error.context_mark
    where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
    return UsageError(f"{where}: not YAML: {' '.join(str(error.problem or error.context).split())}")


class _Reader:
    """Turns the nodes of a document into values."""

    def __init__(self, file: str, name: str) -> None:
        self.file = file
        self.name = name
        self.count = 0
        self._open: set[int] = set()

    def value(self, node: Any) -> Value:
        place = self.place(node)
        self.count += 1
        if self.count > MOST_VALUES or id(node) in self._open:
            raise place.error(f"an alias leads to itself, or to more values than a {self.name} can hold")
        self._open.add(id(node))
        found = getattr(self, f"_{node.id}")(node, place)
        self._open.discard(id(node))
        return found  # type: ignore[no-any-return]  # one of the three below

    def place(self, node: Any) -> Place:
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _scalar(self, node: Any, place: Place) -> Value:
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        if tag not in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge"):
            raise place.error(f"tag {node.tag!r} is not allowed; a {self.name} holds texts, numbers, true and false")
        return Value(node.value if node.style else _plain(node.value), place)

    def _sequence(self, node: Any, place: Place) -> Value:
        self._only(node, "seq", place)
        return Value([self.value(child) for child in node.value], place)

    def _mapping(self, node: Any, place: Place) -> Value:
        self._only(node, "map", place)
        data: dict[str, Value] = {}
        keys: dict[str, Place] = {}
        merged: dict[str, Value] = {}
        for key, child in node.value:
            name, at = self._key(key), self.place(key)
            if name == "<<":
                merged |= self.value(child).mapping("<<")
            elif name in data:
                raise at.error(f"key {name!r} stands twice, first in line {keys[name].line}; leave one out")
            else:
                data[name], keys[name] = self.value(child), at
        places = {name: value.place for name, value in merged.items()}
        return Value(merged | data, place, places | keys)

    def _only(self, node: Any, kind: str, place: Place) -> None:
        if node.tag != f"tag:yaml.org,2002:{kind}":
            raise place.error(f"tag {node.tag!r} is not allowed; a {self.name} holds texts, numbers, true and false")

    def _key(self, node: Any) -> str:
        if node.id != "scalar":
            raise self.place(node).error("a key is a list or a mapping; allowed: a name")
        return str(node.value)


def _plain(text: str) -> Any:
    """A text without quotes: 07:30 and no are texts here, as in YAML 1.2, not numbers of base 60 and false."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and len(text) < LONGEST_INT:
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
