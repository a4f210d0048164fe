"""Which table holds nodes, which edges, which graphs; and which columns tie them together. By names, and by which cells are found where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agentnas.tools.errors import UsageError
from agentnas.tools.own.keys import check_spelling, id_columns, id_score, joined_tables, share_of
from agentnas.tools.own.looking import Seen

ENDS = (
    ("source", "target"), ("src", "dst"), ("src", "dest"), ("from", "to"), ("sender", "receiver"), ("payer", "payee"),
    ("follower", "followee"), ("citing", "cited"), ("head", "tail"), ("start", "end"), ("u", "v"), ("a", "b"), ("i", "j"),
    ("node1", "node2"), ("id1", "id2"), ("left", "right"), ("subject", "object"), ("caller", "callee"), ("buyer", "seller"), ("1", "2"),
    ("user", "friend"), ("origin", "destination"), ("parent", "child"), ("protein1", "protein2"),
)  # fmt: skip
DIRECTED = {
    "from", "sender", "payer", "follower", "citing", "head", "subject", "caller", "buyer",
}  # fmt: skip
EDGE_FILES = {
    "edge", "link", "transfer", "transaction", "interaction", "friend", "friendship", "bond", "cite", "citation", "relation", "follow",
    "payment", "call", "message", "connection", "network", "tie",
}  # fmt: skip
NODE_FILES = {"node", "vertice", "vertex", "account", "user", "paper", "person", "people", "profile", "atom", "feature", "member", "page"}
MEASURES = {"quantity", "amount", "count", "number", "price", "cost", "age", "year", "weight", "score", "rating", "seconds", "duration"}
GRAPH_FILES = {"graph", "molecule", "compound", "label", "set"}
FEW_NAMES = 10  # different cells from which two columns of the same names may be ends, and not marks or answers
FOUND = 0.5  # share of ends that are ids of nodes, from which two tables belong together


@dataclass(frozen=True)
class Ends:
    """Columns of a table of edges that name nodes."""

    source: str
    target: str
    why: str


@dataclass(frozen=True, eq=False)
class Roles:
    """Tables by what they hold; ``ids`` and the rest are names of columns, None where rows are counted or there is none."""

    nodes: Seen | None = None
    edges: Seen | None = None
    graphs: Seen | None = None
    id: str | None = None
    ends: Ends | None = None
    graph_id: str | None = None
    owner: str | None = None
    smiles: str | None = None
    found: float = 1.0  # share of ends that are ids of nodes
    within: bool = False  # whether ids are unique within their graph only
    others: tuple[Seen, ...] = ()


def pairs_by_name(seen: Seen) -> Iterator[tuple[str, str, str]]:
    """Two columns whose names are a known pair, alone or beside the same words: ``from_account``, ``to_account``."""
    words = {name: column.words for name, column in seen.columns.items()}
    for one, other in ENDS:
        for name, said in words.items():
            if one not in said and "".join(said) != one:
                continue
            wanted = tuple(other if word == one else word for word in said) if one in said else (other,)
            match = next(
                (rival for rival, theirs in words.items() if rival != name and (theirs == wanted or "".join(theirs) == other)), None
            )
            if match:
                yield name, match, f"named {name} and {match}"


def find_roles(tables: Sequence[Seen], given: dict[str, str | None]) -> Roles:
    """What each table holds. ``given``: what the person said: id, source, target, owner, smiles; None where nothing.

    Raises UsageError where edges join rows of two tables, or name nodes otherwise than the table of nodes does.
    """
    smiles = _smiles(tables, given.get("smiles"))
    if smiles is not None:
        seen, column = smiles
        others = tuple(table for table in tables if table is not seen)
        return Roles(graphs=seen, smiles=column, graph_id=_own_id(seen, given.get("id"), column), others=others)
    best = max((_tied(edges, tables, given) for edges in tables), key=lambda found: found.score, default=_Tie())
    for joined in joined_tables(tables):
        if best.ends is None or (best.edges is joined.seen and {best.ends.source, best.ends.target} == set(joined.columns)):
            raise UsageError(str(joined))
    edges, nodes = best.edges, best.home.nodes
    if edges is None:
        return Roles(others=tuple(tables))
    rest = [table for table in tables if table not in (edges, nodes)]
    if nodes is None and best.ends is not None:
        check_spelling([edges.columns[name] for name in (best.ends.source, best.ends.target)], rest)
    graphs, graph_id, owner = _graphs(nodes, rest, {**given, "owner": given.get("owner") or best.home.owner})
    left = tuple(table for table in rest if table is not graphs)
    return Roles(nodes, edges, graphs, best.home.id, best.ends, graph_id, owner, None, best.home.found, best.home.owner is not None, left)


def _smiles(tables: Sequence[Seen], given: str | None) -> tuple[Seen, str] | None:
    columns = [(seen, column) for seen in tables for column in seen.columns.values()]
    if given:
        return next(((seen, given) for seen, column in columns if column.name == given), None)
    named = [(seen, column.name) for seen, column in columns if "smiles" in column.words and column.is_smiles]
    return next(iter(named or [(seen, column.name) for seen, column in columns if column.is_smiles]), None)


def _own_id(seen: Seen, given: str | None, taken: str | None) -> str | None:
    if given:
        return given
    likely = [column.name for column in id_columns(seen) if column.name != taken and id_score(column, seen) >= 2]
    return likely[0] if likely else None


class _Home(NamedTuple):
    """The column of a table that names the ends of edges, and the share of them that it names; ``owner``: ids are unique within it only."""

    nodes: Seen | None = None
    id: str | None = None
    found: float = 0.0
    owner: str | None = None


class _Tie(NamedTuple):
    """How well a table serves as edges, by which columns, of which nodes."""

    score: float = 0.0
    edges: Seen | None = None
    ends: Ends | None = None
    home: _Home = _Home()


def _tied(edges: Seen, tables: Sequence[Seen], given: dict[str, str | None]) -> _Tie:
    """How well this table serves as the edges, of which nodes, by which columns."""
    best, said = _Tie(), bool(given.get("source"))
    for source, target, why in _candidates(edges, tables, given):
        sure = bool(why)
        if not _plausible(edges, source, target, sure):
            continue
        for home in _homes(edges, (source, target), tables, given.get("id"), sure):
            nodes = home.nodes
            named = sure + 0.5 * bool(edges.words & EDGE_FILES) + 0.3 * bool(nodes and nodes.words & NODE_FILES)
            score = 5.0 * said + 2.0 * home.found + named + (1.0 if nodes and home.found >= FOUND else 0.0)
            if (sure or home.found >= FOUND) and score > best.score:
                best = _Tie(score, edges, Ends(source, target, why or "their cells are ids of nodes"), home)
    return best


def _plausible(edges: Seen, source: str, target: str, named: bool) -> bool:
    """Ends repeat, in all but the sparsest graphs; measurements and decimals are no ends."""
    kinds = [edges.columns[name] for name in (source, target)]
    if not named and any(column.empty or set(column.words) & MEASURES for column in kinds):
        return False
    return all(column.whole or column.holds in ("names", "categories", "yes or no", "text") for column in kinds)


def _candidates(edges: Seen, tables: Sequence[Seen], given: dict[str, str | None]) -> Iterator[tuple[str, str, str]]:
    source, target = given.get("source"), given.get("target")
    if source and target:
        if source in edges.columns and target in edges.columns:
            yield source, target, "you said so"
        return
    yield from pairs_by_name(edges)
    if len(tables) == 1:
        yield from _same_names(edges)
    names = [column.name for column in edges.columns.values() if column.whole or column.holds in ("names", "categories")]
    if len(tables) > 1 or edges.words & EDGE_FILES:
        yield from ((one, other, "") for at, one in enumerate(names[:6]) for other in names[at + 1 : 6])


def _same_names(edges: Seen) -> Iterator[tuple[str, str, str]]:
    """The first two columns of a table that stands alone, where both name the same things and neither names the rows."""
    ends = list(edges.columns.values())[:2]
    if len(ends) < 2 or any(column.unique or column.empty for column in ends):
        return
    one, other = (column.values for column in ends)
    if min(len(one), len(other)) >= FEW_NAMES and len(one & other) >= FOUND * min(len(one), len(other)):
        yield ends[0].name, ends[1].name, "both hold the same names"


def _homes(edges: Seen, pair: tuple[str, str], tables: Sequence[Seen], given: str | None, sure: bool) -> Iterator[_Home]:
    """Tables of which a column names the ends; and none at all, for edges that stand alone."""
    yield _Home()
    ends = [edges.columns[name].values for name in pair]
    for nodes in tables:
        if nodes is edges:
            continue
        named = [nodes.columns[given]] if given in nodes.columns else id_columns(nodes)
        for column in named[:4]:
            share = share_of(ends[0] | ends[1], column.values)
            if share > 0 and (sure or all(share_of(values, column.values) >= FOUND for values in ends)):
                yield _Home(nodes, column.name, share)
        yield from _homes_within(edges, pair, nodes, given)


def _homes_within(edges: Seen, pair: tuple[str, str], nodes: Seen, given: str | None) -> Iterator[_Home]:
    """The table of nodes that are numbered anew in each graph, by a column of graphs that edges have too."""
    owners = [name for name, column in nodes.columns.items() if name in edges.columns and name not in pair and not column.unique]
    for owner in owners[:2]:
        wanted = frozenset(key for name in pair for key in _keys(edges, owner, name))
        for column in _numbered(nodes, owner, given):
            known = set(_keys(nodes, owner, column))
            share = share_of(wanted, known)
            if len(known) == nodes.rows and share >= FOUND:
                yield _Home(nodes, column, share, owner)


def _keys(seen: Seen, owner: str, column: str) -> Iterator[tuple[str, str]]:
    return zip(seen.columns[owner].texts, seen.columns[column].texts, strict=True)


def _numbered(nodes: Seen, owner: str, given: str | None) -> list[str]:
    """Columns that may name nodes within a graph."""
    if given in nodes.columns:
        return [str(given)]
    fit = [
        column for column in nodes.columns.values() if (column.whole or column.holds == "names") and not column.unique and not column.empty
    ]
    return [column.name for column in fit if column.name != owner][:3]


def _graphs(nodes: Seen | None, rest: Sequence[Seen], given: dict[str, str | None]) -> tuple[Seen | None, str | None, str | None]:
    """The table of graphs, its ids, and the column of nodes that names them."""
    if nodes is None:
        return None, None, None
    owners = [nodes.columns[given["owner"] or ""]] if given.get("owner") in nodes.columns else list(nodes.columns.values())
    best: tuple[float, Seen | None, str | None, str | None] = (0.0, None, None, None)
    for table in rest:
        for column in id_columns(table)[:3]:
            for owner in owners:
                share = len(owner.values & column.values) / max(1, len(owner.values))
                alike = owner.name == column.name or bool(set(owner.words) & {"graph", "molecule", "compound"})
                if share >= 0.9 and not owner.unique and len(owner.values) > 1 and (share + alike) > best[0]:
                    best = share + alike, table, column.name, owner.name
    if best[1] is None and given.get("owner"):
        return None, None, given["owner"]
    return best[1], best[2], best[3]


def no_edges(tables: Sequence[Seen]) -> str:
    """Why no edges were found, and which options name them."""
    seen = tables[0]
    told = ", ".join(f"{table.file.name} ({', '.join(list(table.columns)[:5])})" for table in tables[:3])
    if len(tables) == 1:
        return (
            f"{seen.file.name} seems to hold one thing a row and no edges between them (columns {', '.join(list(seen.columns)[:6])}); give"
            " the file of edges too, or say which columns join two nodes: --source COLUMN --target COLUMN"
        )
    return f"no two columns of {told} name nodes of another table; say which join two nodes: --source COLUMN --target COLUMN"
