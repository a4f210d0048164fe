"""Sampled neighbourhoods and clusters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentnas.tools.nn.graph import Graph
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.train.batching import (
    MOST_DRAWN_ONE_BY_ONE,
    MOST_SAMPLED_HOPS,
    Batches,
    partition,
    receptive_hops,
    sample_neighbours,
)
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.trainer import Session, network_for


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    n = draw(st.integers(1, 12))
    pairs = draw(st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40))
    return Graph(torch.tensor(sorted(pairs), dtype=torch.long).reshape(-1, 2).t(), n)


def edges_of(graph: Graph) -> set[tuple[int, int]]:
    return {(a, b) for a, b in graph.edge_index.t().tolist()}


@given(graphs(), st.integers(0, 3), st.integers(1, 3), st.data())
def test_samples_are_real_edges_within_fanout_and_seeds_come_first(graph: Graph, hops: int, fanout: int, data: st.DataObject) -> None:
    seeds = data.draw(st.lists(st.integers(0, graph.num_nodes - 1), unique=True, min_size=1))
    nodes, sample = sample_neighbours(graph, torch.tensor(seeds), hops, fanout)
    assert nodes[: len(seeds)].tolist() == seeds
    assert len(set(nodes.tolist())) == nodes.numel() == sample.num_nodes
    drawn = [(int(nodes[a]), int(nodes[b])) for a, b in sample.edge_index.t().tolist()]
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= edges_of(graph)
    assert all(sum(target == node for _, target in drawn) <= fanout for node in nodes.tolist())


@given(graphs(), st.data())
def test_with_a_large_fanout_a_sample_is_the_whole_neighbourhood(graph: Graph, data: st.DataObject) -> None:
    """Two rounds of messages give the seeds the same values on the sample as on the whole graph."""
    seeds = torch.tensor(data.draw(st.lists(st.integers(0, graph.num_nodes - 1), unique=True, min_size=1)))
    nodes, sample = sample_neighbours(graph, seeds, 2, 100)
    x = torch.rand(graph.num_nodes, 2, generator=torch.Generator().manual_seed(0))
    whole, part = graph.adjacency("sum"), sample.adjacency("sum")
    assert torch.allclose((whole @ (whole @ x))[seeds], (part @ (part @ x[nodes]))[: seeds.numel()], atol=1e-6)


@pytest.mark.parametrize("one_by_one", [0, MOST_DRAWN_ONE_BY_ONE])
def test_sampling_draws_each_edge_alike(one_by_one: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnas.tools.train.batching.MOST_DRAWN_ONE_BY_ONE", one_by_one)
    star = Graph(torch.stack([torch.arange(1, 11), torch.zeros(10, dtype=torch.long)]), 11)
    torch.manual_seed(0)
    drawn = torch.cat([sample_neighbours(star, torch.tensor([0]), 1, 3)[0][1:] for _ in range(1000)])
    counts = torch.bincount(drawn, minlength=11)[1:]
    assert drawn.numel() == 3000
    assert counts.min() > 240
    assert counts.max() < 360


def test_weights_and_attributes_go_along() -> None:
    edge_index = torch.tensor([[0, 1, 2, 0], [1, 2, 0, 2]])
    graph = Graph(edge_index, 3, torch.tensor([1.0, 12.0, 20.0, 2.0]), torch.tensor([[1.0], [12.0], [20.0], [2.0]]))
    _, sample = sample_neighbours(graph, torch.tensor([2]), 1, 9)
    assert sample.edge_weight is not None
    assert sample.edge_attr is not None
    assert sorted(sample.edge_weight.tolist()) == [2.0, 12.0]
    assert torch.equal(sample.edge_attr[:, 0], sample.edge_weight)


@given(graphs(), st.integers(1, 15))
def test_a_partition_has_every_node_once_in_parts_of_near_equal_size(graph: Graph, parts: int) -> None:
    pieces = partition(graph, parts)
    assert sorted(torch.cat(pieces).tolist()) == list(range(graph.num_nodes))
    sizes = [piece.numel() for piece in pieces]
    assert len(sizes) == min(parts, graph.num_nodes)
    assert max(sizes) - min(sizes) <= 1


def test_a_partition_cuts_far_fewer_edges_than_chance() -> None:
    side = torch.arange(400).reshape(20, 20)
    pairs = torch.cat(
        [torch.stack([side[:, :-1].flatten(), side[:, 1:].flatten()]), torch.stack([side[:-1].flatten(), side[1:].flatten()])], 1
    )
    graph = Graph(torch.cat([pairs, pairs.flip(0)], 1), 400)
    part = torch.empty(400, dtype=torch.long)
    for number, nodes in enumerate(partition(graph, 4)):
        part[nodes] = number
    source, target = graph.edge_index
    assert float((part[source] != part[target]).float().mean()) < 0.15  # chance: 0.75


def spec(recipe: dict[str, Any], op: str = "gcn", params: dict[str, Any] | None = None, layers: int = 2) -> Any:
    names = [f"n{i}" for i in range(layers)]
    nodes = [{"id": name, "op": op, "inputs": [names[i - 1] if i else "input"], "params": params or {}} for i, name in enumerate(names)]
    return parse_spec({"input": {"encoder": "linear", "width": 8}, "body": {"nodes": nodes, "outputs": [names[-1]]}, "recipe": recipe})


@pytest.mark.parametrize(
    ("op", "params", "layers", "hops"),
    [("mlp", {}, 2, 0), ("gcn", {}, 1, 1), ("gcn", {}, 2, 2), ("sgc", {"hops": 3}, 1, 3), ("appnp", {"hops": 10}, 1, MOST_SAMPLED_HOPS),
     ("gat", {"heads": 2}, 2, 2), ("gin", {"layers": 3}, 1, 1)],
)  # fmt: skip
def test_receptive_hops(prepared: PreparedTask, op: str, params: dict[str, Any], layers: int, hops: int) -> None:
    chosen = spec({}, op, params, layers)
    network = network_for(chosen, prepared, prepared.features(chosen.input))
    assert receptive_hops(network, prepared.device) == hops


@pytest.mark.parametrize("recipe", [{}, {"batching": "neighbour", "batch_size": 5}, {"batching": "cluster", "clusters": 7}])
def test_an_epoch_shows_each_label_once(prepared: PreparedTask, recipe: dict[str, Any]) -> None:
    chosen = spec(recipe)
    batches = Batches(network_for(chosen, prepared, prepared.features(chosen.input)), prepared)
    labels = prepared.labels(0)
    batches.set_labels(labels.train, labels.y_train)
    seen = torch.cat([batch.y for batch in batches])
    assert sorted(seen.tolist()) == sorted(labels.y_train.tolist())
    for batch in batches:
        assert batch.data.x.shape[0] == batch.graph.num_nodes
        assert batch.index.numel() > 0


def test_clusters_without_labels_count_where_passes_must_agree(prepared: PreparedTask) -> None:
    def count(**recipe: Any) -> int:
        chosen = spec({"batching": "cluster", "clusters": 60, **recipe})
        batches = Batches(network_for(chosen, prepared, prepared.features(chosen.input)), prepared)
        labels = prepared.labels(0)
        batches.set_labels(labels.train, labels.y_train)
        return len(list(batches))

    assert count() <= 12
    assert count(consistency_samples=2) == 60


@pytest.mark.parametrize(("batching", "passing"), [("full", False), ("cluster", False), ("neighbour", True)])
def test_sampled_batches_alone_ask_for_no_prepared_kernels(
    batching: str, passing: bool, prepared: PreparedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [{"id": "a", "op": "mlp", "width": 3}]
    made = parse_spec({"body": {"nodes": nodes, "outputs": ["a"]}, "recipe": {"batching": batching}})
    session = Session(made, prepared, 0, 1)
    seen: list[bool] = []
    session.network.register_forward_hook(lambda *_: seen.append(not torch.backends.mkldnn.enabled))
    for batch in session.batches:
        session.loss(batch)
    assert seen
    assert set(seen) == {passing}
    assert torch.backends.mkldnn.enabled
