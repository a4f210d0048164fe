"""Which rows and which columns of theirs are predicted."""

from __future__ import annotations

from agentnas.tools.errors import UsageError
from agentnas.tools.own.answers import CLEAR, LEAST, Answer, candidates, several, told
from agentnas.tools.own.guessing import Guess, Wishes
from agentnas.tools.own.looking import Column, Seen
from agentnas.tools.own.roles import Roles


def items_of(roles: Roles, wishes: Wishes) -> Seen | None:
    """The table whose rows are predicted."""
    if roles.smiles or roles.graphs:
        graphs_only = wishes.kind == "graph" or wishes.kind is None
        in_nodes = roles.nodes is not None and wishes.label and wishes.label[0] in roles.nodes.columns
        return roles.nodes if (not graphs_only or in_nodes) and roles.nodes is not None else roles.graphs
    return roles.nodes


def answers_of(guess: Guess, roles: Roles, items: Seen | None, wishes: Wishes) -> list[Column]:
    """The columns that are predicted; none: links are."""
    if items is None or wishes.kind == "link":
        return []
    if wishes.label:
        missing = [name for name in wishes.label if name not in items.columns]
        if missing:
            raise UsageError(f"--label {missing[0]}: {items.file.name}, whose rows are predicted, has no such column; {_such(items)}")
        return [items.columns[name] for name in wishes.label]
    taken = [roles.id, roles.owner, roles.graph_id, roles.smiles, *wishes.ignore]
    found = candidates(items, taken)
    if many := several(found):
        return [items.columns[name] for name in many]
    if items is roles.graphs and (not found or found[0].score < LEAST):
        return [_only(items, taken)]
    return _likeliest(guess, items, found, taken)


def _such(seen: Seen) -> str:
    return f"allowed: {', '.join(list(seen.columns)[:12])}"


def _only(graphs: Seen, taken: list[str | None]) -> Column:
    """The one column of a table of graphs that can be a label; UsageError where there are several, or none."""
    left = [column for name, column in graphs.columns.items() if name not in taken and not column.is_parts and not column.is_number_of_row]
    fit = [column for column in left if column.holds in ("numbers", "yes or no", "categories") and len(column.values) > 1]
    if len(fit) == 1:
        return fit[0]
    could = f" (those that could be: {', '.join(column.name for column in fit[:6])})" if fit else ""
    raise UsageError(f"{graphs.file.name} holds one graph a row, and no column of it looks like a label{could}; say which: --label COLUMN")


def check_level(roles: Roles, items: Seen | None, answers: list[Column], wishes: Wishes) -> None:
    """Raise UsageError where the label of nodes, or what may be one, is the same all over each graph: it is one of graphs."""
    if items is None or items is not roles.nodes or roles.owner is None or wishes.kind in ("node", "link"):
        return
    owner = items.columns[roles.owner]
    left = [column for name, column in items.columns.items() if name not in (roles.owner, *wishes.ignore)]
    others = [column for column in left if len(column.values) > 1]
    for column in answers or others:
        if 1 < len(owner.values) < items.rows and len(set(zip(owner.texts, column.texts, strict=True))) == len(owner.values):
            raise UsageError(
                f"{column.name} of {items.file.name} is the same for all nodes of a {owner.name}, as a label of graphs is; put one row a"
                f" graph in a file of its own ({owner.name}, {column.name}), or say --kind {'node' if answers else 'link'}"
            )


def _likeliest(guess: Guess, items: Seen, found: list[Answer], taken: list[str | None]) -> list[Column]:
    if not found or found[0].score < LEAST:
        could = _could(items, taken)
        what = f"no column of {items.file.name} looks like a label" + (f" (those that could be: {', '.join(could[:4])})" if could else "")
        guess.doubt("label", f"{what}: links are predicted", "--label COLUMN", ("", *could))
        return []
    close = [answer for answer in found[1:] if answer.score > found[0].score - CLEAR]
    if close:
        others = ", ".join(f"{answer.column.name} ({told(answer.column)})" for answer in close[:3])
        text = f"{found[0].column.name} is taken; it could also be {others}"
        guess.doubt("label", text, f"--label {close[0].column.name}", [answer.column.name for answer in (found[0], *close)])
    return [found[0].column]


def _could(items: Seen, taken: list[str | None]) -> list[str]:
    """Columns of few values that may be labels, though nothing says so."""
    columns = [column for name, column in items.columns.items() if name not in taken and not column.is_parts]
    fit = [column for column in columns if column.holds in ("categories", "yes or no") or (column.whole and len(column.values) <= 20)]
    return [column.name for column in fit if 2 <= len(column.values) <= max(20, len(items.table) // 20)]
