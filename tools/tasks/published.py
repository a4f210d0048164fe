"""Statistics of the graphs behind table tasks, whose data is not needed: numbers as commonly reported."""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "as commonly reported"


@dataclass(frozen=True)
class PublishedGraph:
    """Counts of a public graph; ``edges`` as its publishers count them (directed, except ogbn-proteins); None where not reported.

    ``split``: training, validation and test nodes of the table's protocol; where it is random, the test scores of the table have these
    denominators (Photo and Computers without the nodes outside the largest component).
    """

    title: str
    nodes: int
    edges: int
    features: int
    classes: int
    edge_homophily: float | None
    split: tuple[int, int, int] | None
    note: str = ""

    @property
    def mean_degree(self) -> float:
        return (2 if self.note else 1) * self.edges / self.nodes


PUBLISHED: dict[str, PublishedGraph] = {
    "cora": PublishedGraph("Cora", 2708, 10556, 1433, 7, 0.81, (140, 500, 1000)),
    "citeseer": PublishedGraph("CiteSeer", 3327, 9104, 3703, 6, 0.74, (120, 500, 1000)),
    "pubmed": PublishedGraph("PubMed", 19717, 88648, 500, 3, 0.80, (60, 500, 1000)),
    "cs": PublishedGraph("Coauthor CS", 18333, 163788, 6805, 15, 0.81, (300, 450, 17583)),
    "physics": PublishedGraph("Coauthor Physics", 34493, 495924, 8415, 5, 0.93, (100, 150, 34243)),
    "photo": PublishedGraph("Amazon Photo", 7650, 238162, 745, 8, 0.83, (160, 240, 7087)),
    "computers": PublishedGraph("Amazon Computers", 13752, 491722, 767, 10, 0.78, (200, 300, 12881)),
    "arxiv": PublishedGraph("ogbn-arxiv", 169343, 1166243, 128, 40, 0.65, (90941, 29799, 48603)),
    "proteins": PublishedGraph(
        *("ogbn-proteins", 132534, 39561252, 8, 112, None, None),
        note="edges are undirected, features are those of edges, labels are 112 binary ones",
    ),
}
