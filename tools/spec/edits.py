"""Changes to a parent spec as language models write them: a flat list of paths and values, all texts.

Paths name what the canonical text of the parent (``render``) shows: ``recipe.learning_rate``, ``n2.width``, ``n2.hops``, ``*.dropout`` for
every node, ``n2`` for a whole node, ``+n4`` for a new one, ``-n2`` for one that goes. In a space of cells there are ``cell.links`` and
``cell.op``. Spelling is forgiven; what is not understood is a SpecError with the path, the value seen and what is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agentnas.tools.errors import SpecError, UsageError, suggest
from agentnas.tools.operators.base import operator
from agentnas.tools.spec import cells
from agentnas.tools.spec.canonical import canonical, spec_hash
from agentnas.tools.spec.cells import Cell
from agentnas.tools.spec.cellspace import CellSpace
from agentnas.tools.spec.diff import Change, describe, diff, factor_of
from agentnas.tools.spec.draft import RESERVED, SpecDraft
from agentnas.tools.spec.fields import short
from agentnas.tools.spec.model import ArchitectureSpec, Node
from agentnas.tools.spec.notation import items, plain
from agentnas.tools.spec.precomputed import needs_neighbours
from agentnas.tools.spec.render import cell_text, node_text, value_text
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.spec.vocabulary import edits_help
from agentnas.tools.spec.wire import PARTS

__all__ = ["Edit", "apply_edits", "cell_spec", "cell_text", "difference", "edits_help", "to_edits"]
CELL_PATHS = ("cell.links", "cell.op")
CELL_ALIASES = {"cell.ops": "cell.op", "cell.operators": "cell.op", "cell.link": "cell.links"}


class Edit(BaseModel):
    """One change."""

    # Strict in the schema that models get, forgiving to what they answer.
    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra={"additionalProperties": False})

    path: str = Field(description="what changes, such as recipe.learning_rate, n2.width, +n4, -n2 or body.outputs")
    value: str = Field(description="its new value as text; empty where a node is removed")

    @model_validator(mode="before")
    @classmethod
    def _from_line(cls, data: Any) -> Any:
        """``n2.width = 128`` in one text, as the examples write it."""
        if not isinstance(data, str):
            return data
        path, _, value = data.strip(" []").partition("=")
        return {"path": path.strip(), "value": value.strip()}


def apply_edits(parent: ArchitectureSpec | None, edits: Sequence[Edit], space: SearchSpace) -> ArchitectureSpec:
    """The parent with the edits made, whatever their order: new nodes and operators first, removals last.

    Without a parent they begin at an empty body and default settings; in a space of cells they must then say the whole cell. Raises
    SpecError. Whether the result lies in the space is for the caller to ask.
    """
    paths = [_path(edit.path) for edit in edits]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise SpecError(f"{twice} is edited {paths.count(twice)} times; give each path once")
    given = {path: edit.value for path, edit in zip(paths, edits, strict=True)}
    if isinstance(space, CellSpace):
        return _cell_edited(parent, given, space)
    draft = SpecDraft.of(parent)
    on_rows = draft.data["recipe"]["batching"] == "precomputed" and "recipe.batching" not in given
    if on_rows:
        draft.data["recipe"]["batching"] = "full"
    for path in sorted(given, key=_turn):
        _apply(draft, path, given[path])
    return _on_rows(draft.finished()) if on_rows else draft.finished()


def _on_rows(spec: ArchitectureSpec) -> ArchitectureSpec:
    """The child of a parent that was trained on rows, trained so too, unless its changes ask for neighbours."""
    if needs_neighbours(spec):
        return spec
    return spec.model_copy(update={"recipe": spec.recipe.model_copy(update={"batching": "precomputed"})})


def to_edits(parent: ArchitectureSpec | None, child: ArchitectureSpec, space: SearchSpace) -> list[Edit]:
    """The edits that turn the parent, as it is shown, into the child; ``apply_edits`` undoes this up to the canonical form."""
    if isinstance(space, CellSpace):
        old = _cell_texts(space.cell(parent)) if parent else {}
        return [Edit(path=path, value=text) for path, text in _cell_texts(space.cell(child)).items() if old.get(path) != text]
    first = canonical(parent) if parent else ArchitectureSpec()
    second = canonical(child) if {node.id for node in child.body.nodes} & set(RESERVED) else child
    return list(_written(diff(first, second)))


def difference(parent: ArchitectureSpec, child: ArchitectureSpec, space: SearchSpace) -> tuple[str | None, str]:
    """The one factor of the space that differs (None for none or several), and all differences in words."""
    if isinstance(space, CellSpace):
        wanted = spec_hash(child)
        reaching = (name for name in space.factors() if wanted in map(spec_hash, space.options(parent, name)))
        return next(reaching, None), f"cell {cell_text(space.cell(parent))} -> {cell_text(space.cell(child))}"
    changes = diff(canonical(parent), child)
    return factor_of(changes), describe(changes)


def _cell_texts(cell: Cell) -> dict[str, str]:
    return dict(zip(CELL_PATHS, (",".join(map(str, cell[0])), ",".join(cell[1])), strict=True))


def _cell_edited(parent: ArchitectureSpec | None, given: Mapping[str, str], space: CellSpace) -> ArchitectureSpec:
    for path in given:
        if path not in CELL_PATHS:
            raise SpecError(f"{path}: a cell has no such path; allowed: {', '.join(CELL_PATHS)}")
    missing = [path for path in CELL_PATHS if path not in given]
    if parent is None and missing:
        raise SpecError(f"{missing[0]} is missing; a cell without a parent needs {' and '.join(CELL_PATHS)}")
    links, ops = space.cell(parent) if parent is not None else ((), ())
    links = _links(given["cell.links"]) if "cell.links" in given else links
    ops = tuple(_words(given["cell.op"])) if "cell.op" in given else ops
    return cell_spec(links, ops, space)


def cell_spec(links: Sequence[int], ops: Sequence[str], space: CellSpace) -> ArchitectureSpec:
    """The cell as a spec; raises SpecError for what is no cell that computes."""
    if ops and set(ops) == {"skip"}:
        raise SpecError("cell.op is four skips, which compute nothing; allowed: at least one other operator")
    try:
        return cells.cell_to_spec(links, ops, space.dataset)
    except UsageError as error:
        raise SpecError(str(error)) from None


def _words(text: str) -> list[str]:
    return items(plain(text).strip("()").replace(" ", ","))


def _links(text: str) -> tuple[int, ...]:
    """``0,0,1,3``, ``[0, 0, 1, 3]`` or ``0013``."""
    words = _words(text)
    digits = list(words[0]) if len(words) == 1 else words
    if not all(digit.isascii() and digit.isdigit() and len(digit) == 1 for digit in digits):
        raise SpecError(f"cell.links is {short(text)}; allowed: {cells.SIZE} numbers such as 0,0,1,3: 0 is the input, 1 the first node")
    return tuple(map(int, digits))


def _path(path: str) -> str:
    """The path in small letters, without ``body.nodes.`` in front of a node; outputs and jump under body."""
    text = plain(path).replace(" ", "")
    sign = text[:1] if text[:1] in ("+", "-") else ""
    text = text.removeprefix(sign)
    for prefix in ("body.nodes.", "nodes.", "body."):
        text = text.removeprefix(prefix)
    aliases = {"outputs": "body.outputs", "output": "body.outputs", "jump": "body.jump", **CELL_ALIASES}
    return sign + aliases.get(text, text)


def _turn(path: str) -> int:
    """Whole nodes, then operators, then settings, those of all nodes before those of one, then removals."""
    if path.startswith("-"):
        return 4
    if path.startswith("+") or "." not in path:
        return 0
    return 1 if path.endswith(".op") else 2 if path.startswith("*.") else 3


def _apply(draft: SpecDraft, path: str, text: str) -> None:
    head, _, name = path.partition(".")
    if path.startswith("+"):
        draft.add(path[1:], text)
    elif path.startswith("-"):
        draft.remove(path[1:])
    elif path == "body.outputs":
        draft.set_outputs(text)
    elif path == "body.jump":
        draft.set_jump(text)
    elif head in PARTS and name:
        draft.set_part(path, head, name, text)
    elif head == "*" and name:
        draft.set_all(path, name, text)
    elif head in draft.nodes:
        draft.set_node(path, head, name, text) if name else draft.replace(head, text)
    else:
        raise SpecError(f"{path}: the parent has no {head!r}; {suggest(head, [*PARTS, 'body.outputs', 'body.jump', *draft.nodes, '*'])}")


def _written(changes: Sequence[Change]) -> Iterator[Edit]:
    """The changes as edits; parameters that go with their operator need no word."""
    ops = {change.node: str(change.new) for change in changes if change.factor == "body.op"}
    for change in changes:
        name = change.path.removeprefix("body.nodes.")
        if change.is_node and change.new is None:
            yield Edit(path=f"-{name}", value="")
        elif change.is_node:
            yield Edit(path=f"+{name}", value=node_text(Node.model_validate(change.new)).partition(" = ")[2])
        elif not (change.node in ops and change.new is None and ".params." in name and not _has(ops[change.node], name)):
            yield Edit(path=name, value=_value(change))


def _has(op: str, path: str) -> bool:
    return path.rpartition(".")[2] in {param.name for param in operator(op).params}


def _value(change: Change) -> str:
    new: Any = change.new
    if change.path == "input.encodings":
        return ", ".join(f"{encoding['kind']} {encoding['dim']}" for encoding in new) or "none"
    if isinstance(new, list):
        return ", ".join(new)
    if new is None:
        return "default" if ".params." in change.path else "inherit"
    return value_text(new)
