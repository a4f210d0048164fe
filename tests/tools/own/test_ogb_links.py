"""Links of the Open Graph Benchmark: the publishers' pairs, part by part, judged as they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.tasks.pairs import training_edges
from agentnas.tools.train.data import PreparedTask
from tests.tools.own.test_ogb import instead_of_ogb, loaded, source


def _edges() -> np.ndarray:
    """Different pairs of forty nodes, [120, 2]; the first is a node with itself, which no link is."""
    first, second = np.triu_indices(40, 1)
    chosen = np.random.default_rng(0).permutation(len(first))[:119]
    return np.concatenate([[[3, 3]], np.stack([first[chosen], second[chosen]], axis=1)])


class Pairs:
    """A hundred edges to train on, ten each to choose by and to test on, 15 and 25 pairs beside them; the split is a pickle in a file."""

    eval_metric, meta_info = "hits@20", {"split": "target"}

    def __init__(self, name: str, root: str) -> None:
        self.folder = Path(root)

    def __getitem__(self, number: int) -> dict[str, Any]:
        trained = _edges()[:100].T
        return {"edge_index": np.concatenate([trained, trained[::-1]], 1), "node_feat": None, "edge_feat": None, "num_nodes": 40}

    def get_edge_split(self) -> dict[str, Any]:
        import torch

        edges, others = _edges(), np.stack(np.triu_indices(40, 1)).T
        others = others[~(others[:, None] == edges[None]).all(axis=2).any(axis=1)]
        made = {
            "train": {"edge": edges[:100], "weight": np.ones(100)},
            "valid": {"edge": edges[100:110], "edge_neg": others[:15]},
            "test": {"edge": edges[110:], "edge_neg": others[15:40].astype(np.int32)},
        }
        torch.save(made, self.folder / "split.pt")
        found: dict[str, Any] = torch.load(self.folder / "split.pt")
        return found


class Repeated(Pairs):
    """As ogbl-collab, where training has edges several times, in either order of their ends."""

    def get_edge_split(self) -> dict[str, Any]:
        made = super().get_edge_split()
        edges = made["train"]["edge"]
        return {**made, "train": {"edge": np.concatenate([edges, edges[:30], edges[:20, ::-1]])}}


class Ranked(Pairs):
    """As ogbl-citation2, where each edge has pairs of its own."""

    def get_edge_split(self) -> dict[str, Any]:
        return {part: {"source_node": np.arange(3), "target_node": np.arange(3)} for part in ("train", "valid", "test")}


def test_links_of_ogb_are_the_pairs_of_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "OGB").mkdir()
    instead_of_ogb(monkeypatch, Pairs)
    task, again = (loaded(source(tmp_path, "ogbl-ddi"), data_dir=tmp_path) for _ in range(2))
    assert (task.kind, task.metric.name, again.fingerprint) == ("link", "hits@20", task.fingerprint)
    assert task.protocol == "1 split of the source by target, 99/10/10 edges, 15 and 25 pairs without one in validation and test"
    data, split = task.data, task.split(0)
    assert data is not None
    assert data.pairs is not None
    assert split.sizes == (198, 25, 35)
    assert data.pairs[:, split.test[data.y[split.test] == 1]].T.tolist() == _edges()[110:].tolist()
    assert {tuple(pair) for pair in training_edges(data, split).T if pair[0] < pair[1]} == {tuple(pair) for pair in _edges()[1:100]}
    codes = data.pairs.min(axis=0) * 40 + data.pairs.max(axis=0)
    assert len(np.unique(codes)) == len(codes), "no pair is in two parts, drawn ones among them"


def test_an_edge_that_training_has_several_times_is_there_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a step that learns it would take one of several out of the messages and see the others."""
    (tmp_path / "OGB").mkdir()
    instead_of_ogb(monkeypatch, Repeated)
    task = loaded(source(tmp_path, "ogbl-ddi"), data_dir=tmp_path)
    assert task.protocol == "1 split of the source by target, 99/10/10 edges, 15 and 25 pairs without one in validation and test"
    prepared = PreparedTask.from_task(task)
    assert prepared.messages(0).num_edges == len(set(prepared.messages(0).pattern.keys.tolist())) == 2 * 99


def test_links_have_no_direction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "OGB").mkdir()
    instead_of_ogb(monkeypatch, Pairs)
    with pytest.raises(UsageError, match="directed does not fit kind link"):
        loaded(source(tmp_path, "ogbl-ddi", "directed: true\n"), data_dir=tmp_path)


def test_other_splits_of_links_are_drawn_where_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "OGB").mkdir()
    instead_of_ogb(monkeypatch, Pairs)
    drawn = loaded(source(tmp_path, "ogbl-ddi", "metric: roc_auc\nsplit: {count: 2, val: 0.1}\n"), data_dir=tmp_path)
    assert (drawn.metric.name, drawn.num_splits) == ("roc_auc", 2)
    with pytest.raises(UsageError, match=r"seed has nothing to draw.*kind: links, seed: 2"):
        loaded(source(tmp_path, "ogbl-ddi", "split: {seed: 2}\n"), data_dir=tmp_path)


def test_sets_that_rank_each_edge_among_pairs_of_its_own_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_ogb(monkeypatch, Ranked)
    with pytest.raises(DataError, match=r"source ogb:ogbl-citation2: .*it ranks each edge among pairs of its own"):
        loaded(source(tmp_path, "ogbl-citation2"), data_dir=tmp_path)
