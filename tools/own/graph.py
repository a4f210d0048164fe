"""Tables of nodes, edges and graphs as one ``GraphData``, every name looked up and every edge checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.own.edges import sorted_all
from agentnas.tools.own.encoders import Encoded, encode
from agentnas.tools.own.labels import Labels, read_labels
from agentnas.tools.own.schema import Edges, Graphs, Nodes, TaskFile
from agentnas.tools.own.tables import Objects, Table
from agentnas.tools.spelling import meant
from agentnas.tools.tasks.base import GraphData, Index, Kind, Matrix, compact, one_hot
from agentnas.tools.tasks.graph_sets import degree_features
from agentnas.tools.tasks.pairs import identity_features

if TYPE_CHECKING:
    import pandas as pd

SOURCES, TARGETS = ("source", "src", "from", "u", "node1"), ("target", "dst", "to", "v", "node2")
NODE_IDS, GRAPH_IDS = ("id", "node", "node_id"), ("id", "graph", "graph_id")
GRAPHS_OF = ("graph", "graph_id")
MOST_TYPES = 100
MOST_NODES = 200_000_000  # two of them and a type are one number of 64 bits
BETWEEN = "\x1f"  # stands between the name of a graph and that of a node; texts of tables hardly hold it


class Tables(NamedTuple):
    """What was read. ``directed``: as the source says; None where it does not."""

    nodes: Table | None = None
    edges: Table | None = None
    graphs: Table | None = None
    directed: bool | None = None


class Built(NamedTuple):
    """Data; the table whose rows are its items, None where they are pairs; and the names of its nodes, or of its graphs as items."""

    data: GraphData
    items: Table | None
    names: tuple[str, ...] = ()


class _Ends(NamedTuple):
    """Edges as they stand in their table: the rows of nodes that each joins [2, rows], features and types."""

    joined: Index
    attr: NDArray[np.float32] | None = None
    type: Index | None = None
    types: tuple[str, ...] = ()


def kind_of(file: TaskFile) -> Kind:
    """What is predicted: as the file says, else by where the label is."""
    if file.kind is not None:
        return file.kind
    if file.graphs is not None and (file.graphs.label or file.graphs.smiles):
        return "graph"
    return "node" if file.nodes is not None and file.nodes.label else "link"


def build(file: TaskFile, tables: Tables, where: str, labelled: bool = True) -> Built:
    """The data of a task file's tables, without labels where those are not asked for; DataError names file, row and column."""
    kind, file = kind_of(file), filled_in(file, tables)
    if kind == "graph":
        return _graphs(file, tables, where, labelled)
    part = file.nodes or Nodes()
    if kind == "node" and (tables.nodes is None or not part.label):
        raise UsageError(f"{where}: kind node needs nodes: label, the column that is predicted")
    if tables.edges is None:
        raise UsageError(f"{where}: edges are missing; give edges: file, source and target")
    edges = file.edges or Edges()
    in_graphs = _text_pair(part, edges, tables)
    names = _node_names(part, tables, edges, in_graphs[0])
    ends = _ends(edges, tables.edges, names, in_graphs[1])
    directed = _directed(file, tables)
    if kind == "link" and (directed or ends.type is not None):
        what = "directed" if directed else "edges: type"
        raise UsageError(f"{where}: {what} does not fit kind link, which predicts whether two nodes are joined; leave it out")
    labels = _labels(_given(tables.nodes), part.label, file, "nodes: label", labelled) if kind == "node" else None
    data = _joined(part, tables.nodes, len(names), ends, directed, labels, kind)
    return Built(data, tables.nodes, tuple(map(_plain, names)))


def filled_in(file: TaskFile, tables: Tables) -> TaskFile:
    """The file with the columns that it leaves to their usual names, so that none of them is taken for a feature; nor is a split."""
    update: dict[str, Any] = {}
    if tables.nodes is not None:
        part = file.nodes or Nodes()
        graph = part.graph or (first_of(GRAPHS_OF, tables.nodes.names) if kind_of(file) == "graph" else None)
        update["nodes"] = part.model_copy(
            update={"id": part.id or first_of(NODE_IDS, tables.nodes.names), "graph": graph, **_apart(file, part, tables.nodes)}
        )
    if tables.edges is not None:
        edges = file.edges or Edges()
        source, target = end_columns(edges, tables.edges.names, tables.edges.where)
        features = edges.features if edges.weight is None else (*edges.features, edges.weight)
        update["edges"] = edges.model_copy(update={"source": source, "target": target, "features": features, "weight": None})
    if tables.graphs is not None:
        of = file.graphs or Graphs()
        update["graphs"] = of.model_copy(
            update={"id": of.id or first_of(GRAPH_IDS, tables.graphs.names), **_apart(file, of, tables.graphs)}
        )
    return file.model_copy(update=update)


def _apart(file: TaskFile, part: Nodes | Graphs, table: Table) -> dict[str, Any]:
    """Columns of splits and other labels are no features."""
    return {"ignore": (*part.ignore, *(name for name in file.split.column if name in table.names))}


def _text_pair(part: Nodes, edges: Edges, tables: Tables) -> tuple[Objects | None, Objects | None]:
    """The graph of each node and of each edge, where names of nodes are unique within their graph only."""
    if edges.graph is None:
        return None, None
    if part.graph is None or tables.nodes is None:
        raise UsageError("edges: graph needs nodes: graph, the graph of each node")
    return tables.nodes.texts(part.graph, "nodes: graph"), _given(tables.edges).texts(edges.graph, "edges: graph")


def _given(table: Table | None) -> Table:
    assert table is not None
    return table


def _directed(file: TaskFile, tables: Tables) -> bool:
    return bool(tables.directed) if file.directed is None else file.directed


def _joined(
    part: Nodes, nodes: Table | None, count: int, ends: _Ends, directed: bool, labels: Labels | None, kind: Kind,
    graph_of: Index | None = None, more: Encoded | None = None,
) -> GraphData:  # fmt: skip
    """All that was read as one graph of ``count`` nodes; ``more``: features beside those of the nodes' table."""
    edge_index, attr, edge_type = sorted_all(ends.joined, ends.attr, ends.type, count, directed)
    node_type, types = _types(nodes, part.type, "nodes: type") if nodes is not None else (None, ())
    found = [
        None if node_type is None else Encoded(one_hot(node_type), types), None if nodes is None else encode(nodes, part, "nodes"), more,
    ]  # fmt: skip
    blocks = [block for block in found if block is not None]
    x = _side_by_side([block.matrix for block in blocks]) if blocks else without_features(kind, edge_index, count)
    columns = tuple(name for block in blocks for name in block.names)
    y, classes, names = labels or Labels(np.full(count, -1, np.int64), 1)
    return GraphData(x, edge_index, y, classes, attr, graph_of, None, node_type, edge_type, types, ends.types, names, columns)


def _side_by_side(blocks: list[Matrix]) -> Matrix:
    from scipy.sparse import csr_matrix, hstack

    return compact(hstack([csr_matrix(block) for block in blocks], format="csr"))


def without_features(kind: Kind, edge_index: Index, count: int) -> Matrix:
    """What stands for nodes that nothing is known of: themselves where links are predicted, else their degrees."""
    return identity_features(count) if kind == "link" else compact(degree_features(edge_index, count))


def _node_names(part: Nodes, tables: Tables, edges: Edges, of_graph: Objects | None) -> pd.Index:
    """The name of each node in its row; those of the edges where there is no table of nodes."""
    import pandas as pd

    if tables.nodes is None:
        return pd.Index(_named_by_edges(_given(tables.edges), edges), dtype=object)
    if part.id is None:
        return pd.Index([str(row) for row in range(len(tables.nodes))], dtype=object)
    cells = tables.nodes.texts(part.id, "nodes: id")
    return _unique(cells if of_graph is None else of_graph + BETWEEN + cells, tables.nodes, part.id)


def _unique(names: Objects, table: Table, column: str) -> pd.Index:
    import pandas as pd

    found = pd.Index(names, dtype=object)
    empty = table.texts(column, "id") == ""
    if empty.any():
        raise DataError(f"{table.at(int(empty.argmax()), column)}: is empty; every row needs its name")
    if found.has_duplicates:
        row = int(found.duplicated().argmax())
        name = _plain(names[row])[:40]
        raise DataError(f"{table.at(row, column)}: {name!r} stands twice, first in row {int((names == names[row]).argmax()) + 1}")
    return found


def first_of(names: tuple[str, ...], header: Sequence[str]) -> str | None:
    """The first of these names that a header has, in any case."""
    lower = {name.lower(): name for name in reversed(header)}
    return next((lower[name] for name in names if name in lower), None)


def end_columns(part: Edges, header: Sequence[str], where: str) -> tuple[str, str]:
    """The columns of both ends of an edge: as said, else by their usual names, else the first two."""
    if len(header) < 2:
        raise DataError(f"{where}: one column, {header[0]!r}; edges need two, a source and a target; or give edges: separator")
    source, target = part.source or first_of(SOURCES, header), part.target or first_of(TARGETS, header)
    if source is None:
        source = next(name for name in header if name != target)
    if target is None:
        target = next(name for name in header if name != source)
    if source == target:
        raise UsageError(f"{where}: column {source!r} is both source and target of edges; name two")
    return source, target


def names_in(part: Nodes | Edges | Graphs, header: Sequence[str], where: str) -> set[str]:
    """Columns of names, labels and the like, said or by their usual names."""
    said = {name for names in part.used().values() for name in names}
    if isinstance(part, Edges):
        return said | set(end_columns(part, header, where))
    usual = (first_of(NODE_IDS, header), first_of(GRAPHS_OF, header)) if isinstance(part, Nodes) else (first_of(GRAPH_IDS, header),)
    return said | {name for name in usual if name}


def _named_by_edges(table: Table, part: Edges) -> list[str]:
    source, target = end_columns(part, table.names, table.where)
    found = set(table.texts(source, "edges: source")) | set(table.texts(target, "edges: target"))
    return sorted(found - {""}, key=lambda name: (len(name), name) if name.isdecimal() else (MOST_NODES, name))


def _ends(part: Edges, table: Table, names: pd.Index, of_graph: Objects | None = None) -> _Ends:
    source, target = end_columns(part, table.names, table.where)
    places = np.stack([_places(table, column, names, key, of_graph) for column, key in ((source, "source"), (target, "target"))])
    encoded = encode(table, part, "edges")
    edge_type, types = _types(table, part.type, "edges: type")
    return _Ends(places, None if encoded is None else _dense(encoded.matrix), edge_type, types)


def _dense(matrix: Matrix) -> NDArray[np.float32]:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, np.float32)


def _places(table: Table, column: str, names: pd.Index, key: str, of_graph: Objects | None) -> Index:
    cells = table.texts(column, f"edges: {key}")
    found = names.get_indexer(cells if of_graph is None else of_graph + BETWEEN + cells)
    if (found < 0).any():
        row = int((found < 0).argmax())
        told = f"in graph {of_graph[row]!r} " if of_graph is not None else ""
        raise DataError(f"{table.at(row, column)}: {_unknown(cells[row], told, names)}")
    return np.asarray(found, np.int64)


def _unknown(cell: str, told: str, names: pd.Index) -> str:
    if not cell:
        return "is empty; an edge needs both its ends"
    other = meant(cell, map(_plain, names))
    hint = f"; write names alike: there is {other[:40]!r}" if other is not None and other != cell else ""
    return f"node {cell[:40]!r} {told}is none of the {len(names):,} nodes, such as {_such(names)}{hint}"


def _such(names: pd.Index) -> str:
    return ", ".join(repr(_plain(name)[:20]) for name in names[:3])


def _plain(name: object) -> str:
    """The name of a node without that of its graph."""
    return str(name).rsplit(BETWEEN, maxsplit=1)[-1]


def _types(table: Table, column: str | None, key: str) -> tuple[Index | None, tuple[str, ...]]:
    if column is None:
        return None, ()
    cells = table.texts(column, key)
    if (cells == "").any():
        raise DataError(f"{table.at(int((cells == '').argmax()), column)}: is empty; every row needs its type")
    names, numbers = np.unique(cells.astype(str), return_inverse=True)
    if len(names) > MOST_TYPES:
        raise DataError(f"{table.where}: column {column!r} holds {len(names):,} types; allowed: {MOST_TYPES}")
    return numbers.astype(np.int64), tuple(map(str, names))


def _labels(table: Table, columns: tuple[str, ...], file: TaskFile, key: str, labelled: bool) -> Labels:
    if not labelled:
        return Labels(np.full(len(table), -1, np.int64), 1)
    return read_labels(table, columns, file.target, file.metric, key)


def _graphs(file: TaskFile, tables: Tables, where: str, labelled: bool) -> Built:
    part = file.graphs or Graphs()
    if tables.graphs is None or not part.label:
        raise UsageError(f"{where}: kind graph needs graphs: file and label, a table with one graph a row")
    labels = _labels(tables.graphs, part.label, file, "graphs: label", labelled)
    graph_names = _graph_names(part, tables.graphs)
    if part.smiles is not None:
        return Built(_molecules(part, tables.graphs, labels), tables.graphs, tuple(graph_names))
    if tables.edges is None:
        raise UsageError(f"{where}: edges are missing; give edges: file, source and target, or graphs: smiles")
    nodes, edges = file.nodes or Nodes(), file.edges or Edges()
    data = _many(nodes, edges, tables, graph_names, labels, part, _directed(file, tables), where)
    return Built(data, tables.graphs, tuple(graph_names))


def _graph_names(part: Graphs, table: Table) -> pd.Index:
    import pandas as pd

    if part.id is None:
        return pd.Index([str(row) for row in range(len(table))], dtype=object)
    return _unique(table.texts(part.id, "graphs: id"), table, part.id)


def _many(
    nodes: Nodes, edges: Edges, tables: Tables, graph_names: pd.Index, labels: Labels, part: Graphs, directed: bool, where: str
) -> GraphData:  # fmt: skip
    """Graphs side by side, their nodes in the order of the graphs."""
    table = _given(tables.edges)
    if tables.nodes is None and edges.graph is None:
        raise UsageError(f"{where}: which graph an edge belongs to is not said; give edges: graph, or nodes: file and graph")
    if tables.nodes is None:
        cells = _graph_cells(table, edges.graph or "", "edges: graph", graph_names)
        names, owners = _nodes_of_edges(table, edges, cells, graph_names)
        of_edges: Objects | None = cells
    else:
        if nodes.graph is None:
            raise UsageError(f"{where}: which graph a node belongs to is not said; give nodes: graph, a column of {tables.nodes.where}")
        cells = _graph_cells(tables.nodes, nodes.graph, "nodes: graph", graph_names)
        owners = graph_names.get_indexer(cells)
        of_edges = None if edges.graph is None else _graph_cells(table, edges.graph, "edges: graph", graph_names)
        names = _node_names(nodes, tables, edges, cells if of_edges is not None else None)
    ends = _ends(edges, table, names, of_edges)
    _check_inside(ends.joined, owners, table, end_columns(edges, table.names, table.where)[1], graph_names)
    _check_filled(owners, graph_names, _given(tables.graphs))
    order = np.argsort(owners, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    ordered = None if tables.nodes is None else replace(tables.nodes, frame=tables.nodes.frame.iloc[order])
    graph_of = owners[order].astype(np.int64)
    more = _of_graphs(part, _given(tables.graphs), graph_of)
    return _joined(nodes, ordered, len(order), ends._replace(joined=place[ends.joined]), directed, labels, "graph", graph_of, more)


def _graph_cells(table: Table, column: str, key: str, graph_names: pd.Index) -> Objects:
    """The graph of each row, each a known one."""
    cells = table.texts(column, key)
    unknown = graph_names.get_indexer(cells) < 0
    if unknown.any():
        row = int(unknown.argmax())
        raise DataError(
            f"{table.at(row, column)}: graph {cells[row][:40]!r} is none of the {len(graph_names):,} graphs, such as {_such(graph_names)}"
        )
    return cells


def _nodes_of_edges(table: Table, edges: Edges, of_edges: Objects, graph_names: pd.Index) -> tuple[pd.Index, Index]:
    """The nodes that edges name, each within its graph, and the graph of each."""
    import pandas as pd

    columns = end_columns(edges, table.names, table.where)
    named = np.concatenate([of_edges + BETWEEN + table.texts(column, "edges") for column in columns])
    owners = graph_names.get_indexer(np.concatenate([of_edges, of_edges]))
    names, first = np.unique(named.astype(str), return_index=True)
    return pd.Index(names, dtype=object), np.asarray(owners[first], np.int64)


def _check_inside(ends: Index, owners: Index, table: Table, column: str, graph_names: pd.Index) -> None:
    crossing = owners[ends[0]] != owners[ends[1]]
    if crossing.any():
        row = int(crossing.argmax())
        one, other = (str(graph_names[owners[end[row]]])[:40] for end in ends)
        raise DataError(f"{table.at(row, column)}: the edge leads from graph {one!r} into graph {other!r}; edges stay within one")


def _check_filled(owners: Index, graph_names: pd.Index, table: Table) -> None:
    sizes = np.bincount(owners, minlength=len(graph_names))
    if (sizes == 0).any():
        row = int((sizes == 0).argmax())
        raise DataError(f"{table.where}: row {row + 1}: graph {str(graph_names[row])[:40]!r} has no node; leave it out, or add its nodes")


def _of_graphs(part: Graphs, table: Table, graph_of: Index) -> Encoded | None:
    """Features of graphs, which stand on each of their nodes."""
    found = encode(table, part, "graphs")
    return None if found is None else Encoded(found.matrix[graph_of], found.names)


def _molecules(part: Graphs, table: Table, labels: Labels) -> GraphData:
    from agentnas.tools.tasks.molecules import graphs_of_smiles

    column = part.smiles or ""
    made = graphs_of_smiles([str(cell) for cell in table.texts(column, "graphs: smiles")], lambda row: table.at(row, column))
    more = _of_graphs(part, table, made.graph_of)
    x = made.x if more is None else _side_by_side([made.x, more.matrix])
    return GraphData(x, made.edge_index, labels.y, labels.classes, made.edge_attr, made.graph_of, class_names=labels.names)
