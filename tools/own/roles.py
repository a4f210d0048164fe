"""Which table holds nodes, which edges, which graphs; and which columns tie them together. By names, and by which cells are found where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentnas.tools.own.looking import Column, Seen

ENDS = (
    ("source", "target"), ("src", "dst"), ("src", "dest"), ("from", "to"), ("sender", "receiver"), ("payer", "payee"),
    ("follower", "followee"), ("citing", "cited"), ("head", "tail"), ("start", "end"), ("u", "v"), ("a", "b"), ("i", "j"),
    ("node1", "node2"), ("id1", "id2"), ("left", "right"), ("subject", "object"), ("caller", "callee"), ("buyer", "seller"), ("1", "2"),
)  # fmt: skip
DIRECTED = {
    "from", "sender", "payer", "follower", "citing", "head", "subject", "caller", "buyer",
}  # fmt: skip
EDGE_FILES = {
    "edge", "link", "transfer", "transaction", "interaction", "friend", "friendship", "bond", "cite", "citation", "relation", "follow",
    "payment", "call", "message", "connection", "network", "tie",
}  # fmt: skip
NODE_FILES = {"node", "vertice", "vertex", "account", "user", "paper", "person", "people", "profile", "atom", "feature", "member", "page"}
GRAPH_FILES = {"graph", "molecule", "compound", "label", "set"}
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
    others: tuple[Seen, ...] = ()


def id_columns(seen: Seen) -> list[Column]:
    """Columns that could name the rows: every cell is there and differs. The likeliest by its name first."""
    unique = [column for column in seen.columns.values() if column.unique and not column.empty and column.holds != "dates"]
    return sorted(unique, key=lambda column: -_id_score(column, seen))


def _id_score(column: Column, seen: Seen) -> float:
    first = next(iter(seen.columns)) == column.name
    named = column.words[-1:] in (("id",), ("key",), ("uid",), ("name",), ("node",), ("index",), ("no",)) or column.words[:1] == ("id",)
    decimals = column.holds == "numbers" and not column.whole
    return 2.0 * named + 1.0 * first + 0.5 * (column.holds == "names") - 5.0 * decimals


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
    """What each table holds. ``given``: what the person said: id, source, target, owner, smiles; None where nothing."""
    smiles = _smiles(tables, given.get("smiles"))
    if smiles is not None:
        seen, column = smiles
        others = tuple(table for table in tables if table is not seen)
        return Roles(graphs=seen, smiles=column, graph_id=_own_id(seen, given.get("id"), column), others=others)
    best = max((_tied(edges, tables, given) for edges in tables), key=lambda found: found[0], default=None)
    if best is None or best[1] is None or best[0] <= 0:
        return Roles(others=tuple(tables))
    _, edges, ends, nodes, name, found = best
    graphs, graph_id, owner = _graphs(nodes, [table for table in tables if table not in (edges, nodes)], given)
    left = tuple(table for table in tables if table not in (edges, nodes, graphs))
    return Roles(nodes, edges, graphs, name, ends, graph_id, owner, None, found, left)


def _smiles(tables: Sequence[Seen], given: str | None) -> tuple[Seen, str] | None:
    columns = [(seen, column) for seen in tables for column in seen.columns.values()]
    if given:
        return next(((seen, given) for seen, column in columns if column.name == given), None)
    named = [(seen, column.name) for seen, column in columns if "smiles" in column.words and column.is_smiles]
    return next(iter(named or [(seen, column.name) for seen, column in columns if column.is_smiles]), None)


def _own_id(seen: Seen, given: str | None, taken: str | None) -> str | None:
    if given:
        return given
    likely = [column.name for column in id_columns(seen) if column.name != taken and _id_score(column, seen) >= 2]
    return likely[0] if likely else None


Tied = tuple[float, Seen | None, Ends | None, Seen | None, str | None, float]


def _tied(edges: Seen, tables: Sequence[Seen], given: dict[str, str | None]) -> Tied:
    """How well this table serves as the edges, of which nodes, by which columns."""
    best: Tied = (0.0, None, None, None, None, 1.0)
    for source, target, why in _candidates(edges, tables, given):
        ends = edges.columns[source].values | edges.columns[target].values
        for nodes, name, share in _homes(ends, edges, tables, given.get("id")):
            named = bool(why) + 0.5 * bool(edges.words & EDGE_FILES) + 0.3 * bool(nodes and nodes.words & NODE_FILES)
            said = 5.0 if given.get("source") else 0.0
            score = said + 2.0 * share + named + (1.0 if nodes and share >= FOUND else 0.0)
            if (why or said or share >= FOUND) and score > best[0] and _plausible(edges, source, target, bool(why or said)):
                best = score, edges, Ends(source, target, why or "their cells are ids of nodes"), nodes, name, share
    return best


def _plausible(edges: Seen, source: str, target: str, named: bool) -> bool:
    """Ends repeat, in all but the sparsest graphs; measurements and decimals are no ends."""
    kinds = [edges.columns[name] for name in (source, target)]
    if any(column.empty for column in kinds) and not named:
        return False
    return all(column.whole or column.holds in ("names", "categories", "yes or no", "text") for column in kinds)


def _candidates(edges: Seen, tables: Sequence[Seen], given: dict[str, str | None]) -> Iterator[tuple[str, str, str]]:
    source, target = given.get("source"), given.get("target")
    if source and target:
        if source in edges.columns and target in edges.columns:
            yield source, target, "you said so"
        return
    yield from pairs_by_name(edges)
    names = [column.name for column in edges.columns.values() if column.whole or column.holds in ("names", "categories")]
    if len(tables) > 1 or edges.words & EDGE_FILES:
        yield from ((one, other, "") for at, one in enumerate(names[:6]) for other in names[at + 1 : 6])


def _homes(ends: frozenset[str], edges: Seen, tables: Sequence[Seen], given: str | None) -> Iterator[tuple[Seen | None, str | None, float]]:
    """Tables of which a column names the ends; and none at all, for edges that stand alone."""
    yield None, None, 0.0
    for nodes in tables:
        if nodes is edges:
            continue
        named = [nodes.columns[given]] if given in nodes.columns else id_columns(nodes)
        for column in named[:4]:
            share = len(ends & column.values) / max(1, len(ends))
            if share > 0:
                yield nodes, column.name, share


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
