"""Sets of graphs in training: what is said of a graph depends on it alone, encodings are exact, costs and memory follow the batches."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from agentnas.tools.anchors import Anchor
from agentnas.tools.anchors_of_kinds import graph_anchors
from agentnas.tools.evaluate.fitting import Room
from agentnas.tools.metrics import metric
from agentnas.tools.nn.features import laplacian_encoding, prepare_features, random_walk_encoding
from agentnas.tools.nn.flops import count_flops
from agentnas.tools.operators.base import operators
from agentnas.tools.profiling import profile
from agentnas.tools.sizes import Sizes
from agentnas.tools.spec.bounded import BoundedSpace
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks.base import GraphData, Task, sorted_with_attributes
from agentnas.tools.tasks.folds import folds
from agentnas.tools.train.choice import FEW_ITEMS_WINDOW
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.resident import Scale, resident
from agentnas.tools.train.trainer import Session, network_for, predict, train
from agentnas.tools.train.views import GraphView

GRAPHS, FEATURES, ATTRIBUTES = 40, 5, 3
SIZES = [3 + number % 7 for number in range(GRAPHS)]


def made() -> GraphData:
    """Rings with chords; the class is whether the ring's attributes point one way, which only edges tell."""
    rng = np.random.Generator(np.random.PCG64(0))
    y = rng.integers(0, 2, GRAPHS)
    starts = np.concatenate([[0], np.cumsum(SIZES)])
    ends, attr = [], []
    for graph, (start, size) in enumerate(zip(starts, SIZES, strict=False)):
        for a in range(size):
            for b in ((a + 1) % size, (a + 2) % size):
                if a != b:
                    ends.append((start + a, start + b))
                    attr.append(rng.standard_normal(ATTRIBUTES) + 2 * y[graph])
    edges, kept = sorted_with_attributes(np.array(ends).T, np.array(attr, np.float32), int(starts[-1]))
    x = rng.standard_normal((int(starts[-1]), FEATURES)).astype(np.float32)
    return GraphData(x, edges, y.astype(np.int64), 2, kept, np.repeat(np.arange(GRAPHS), SIZES))


@pytest.fixture(scope="module")
def task() -> Task:
    data = made()
    splits = folds(data.y, data.labelled, 4)
    return Task("rings", metric("accuracy"), "4 folds", 4, data.fingerprint(), "folds", data, splits)


@pytest.fixture(scope="module")
def prepared(task: Task) -> PreparedTask:
    return PreparedTask.from_task(task)


def spec(op: str = "gcn", recipe: dict[str, Any] | None = None, **head: Any) -> ArchitectureSpec:
    nodes = [{"id": "a", "op": op, "inputs": ["input"], **({"width": 8} if operators()[op].has_width else {})}]
    more = {"batching": "minibatch", "batch_size": 16, "epochs": 30, "learning_rate": 0.02, **(recipe or {})}
    encoded = {"encoder": "linear", "width": 8}
    return parse_spec({"input": encoded, "body": {"nodes": nodes, "outputs": ["a"]}, "head": {"kind": "graph", **head}, "recipe": more})


@pytest.mark.parametrize("op", list(operators()))
def test_what_is_said_of_a_graph_does_not_depend_on_its_batch(prepared: PreparedTask, op: str) -> None:
    design = spec(op, pooling="attention", virtual_node=True)
    torch.manual_seed(0)
    network = network_for(design, prepared, prepared.features(design.input)).eval()
    view = GraphView(network, prepared)
    with torch.no_grad():
        together = view.outputs(network)
        alone = torch.cat([view.outputs(network, torch.tensor([number])) for number in range(GRAPHS)])
        some = view.outputs(network, torch.tensor([3, 8, 21]))
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together[[3, 8, 21]], some, atol=1e-5, rtol=1e-4)


def test_pieces_are_kept_of_the_graphs_that_are_asked_for_again(prepared: PreparedTask) -> None:
    design, val = spec(), prepared.labels(0).val
    network = network_for(design, prepared, prepared.features(design.input)).eval()
    view = GraphView(network, prepared)
    for items in (val, None, val, None):
        view.outputs(network, items)
    assert list(view._kept) == [id(val)]


@pytest.mark.parametrize("norm", ["layer", "pair", "graph"])
@pytest.mark.parametrize("pooling", ["mean", "sum", "max"])
def test_norms_and_readouts_keep_graphs_apart(prepared: PreparedTask, norm: str, pooling: str) -> None:
    nodes = [{"id": "a", "op": "gin", "inputs": ["input"], "width": 8, "norm": norm}]
    head = {"kind": "graph", "pooling": pooling, "decoder": "mlp"}
    design = parse_spec({"body": {"nodes": nodes, "outputs": ["a"]}, "head": head, "recipe": {"batching": "minibatch"}})
    network = network_for(design, prepared, prepared.features(design.input)).eval()
    view = GraphView(network, prepared)
    with torch.no_grad():
        alone = torch.cat([view.outputs(network, torch.tensor([number])) for number in range(GRAPHS)])
        torch.testing.assert_close(view.outputs(network), alone, atol=1e-3, rtol=1e-3)


def test_a_batch_holds_its_graphs_with_their_edges_and_attributes(prepared: PreparedTask, task: Task) -> None:
    data = task.data
    assert data is not None
    assert data.graph_of is not None
    assert data.edge_attr is not None
    design = spec()
    view = GraphView(network_for(design, prepared, prepared.features(design.input)), prepared)
    labels = prepared.labels(1)
    view.set_labels(labels.train, labels.y_train)
    seen = 0
    for batch in view:
        seen += batch.y.numel()
        assert batch.graph_of is not None
        assert batch.graph.edge_attr is not None
        source, target = batch.graph.edge_index
        assert torch.equal(batch.graph_of[source], batch.graph_of[target])
        x = torch.as_tensor(batch.data.x)
        for number in range(batch.y.numel()):
            rows = x[batch.graph_of == number]
            (whole,) = [g for g in range(GRAPHS) if np.array_equal(data.x[data.graph_of == g], rows.numpy())]
            assert int(batch.y[number]) == data.y[whole]
            mine = batch.graph.edge_attr[batch.graph_of[target] == number]
            theirs = data.edge_attr[data.graph_of[data.edge_index[1]] == whole]
            assert sorted(map(tuple, mine.tolist())) == sorted(map(tuple, theirs.tolist()))
    assert seen == len(task.split(1).train)


@pytest.mark.parametrize("op", ["gine", "pna", "transformer"])  # attention and gates alone weigh neighbours, which here are all alike
def test_a_class_that_only_edges_tell_is_learned_by_operators_that_read_them(prepared: PreparedTask, op: str) -> None:
    done = train(spec(op, {"batch_size": 8, "epochs": 60}, decoder="mlp"), prepared, split=0, seed=0)
    assert done.val >= 90
    scores = predict(spec(op, {"batch_size": 8, "epochs": 60}, decoder="mlp"), prepared, 0, done.state_dict)
    assert prepared.val_score(scores, 0) == pytest.approx(done.val)


def test_a_class_that_only_edges_tell_is_not_learned_without_them(prepared: PreparedTask) -> None:
    done = train(spec("gin", {"batch_size": 8, "epochs": 60}, decoder="mlp"), prepared, split=0, seed=0)
    assert done.train_score < 100
    assert done.val < 90


def test_encodings_of_a_set_are_exact_and_those_of_each_graph_alone(prepared: PreparedTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnas.tools.nn.features.EXACT_WALK_COST", 20_000)  # far less than the union would cost
    starts = prepared.graph_starts.tolist()
    walks, waves = random_walk_encoding(prepared.graph, 6), laplacian_encoding(prepared.graph, 3)
    for first, last in pairwise(starts):
        alone = prepared.graph.subgraph(torch.arange(first, last))
        steps = _walk(alone.edge_index, last - first)
        powers = [np.linalg.matrix_power(steps, step).diagonal() for step in range(1, 7)]
        np.testing.assert_allclose(walks[first:last], np.stack(powers, 1), atol=1e-5)
        np.testing.assert_allclose(walks[first:last], random_walk_encoding(alone, 6), atol=1e-6)
        np.testing.assert_allclose(waves[first:last], laplacian_encoding(alone, 3), atol=1e-6)


def _walk(edge_index: torch.Tensor, n: int) -> np.ndarray[Any, Any]:
    matrix = np.zeros((n, n))
    matrix[edge_index[0], edge_index[1]] = matrix[edge_index[1], edge_index[0]] = 1
    np.fill_diagonal(matrix, 0)
    walk: np.ndarray[Any, Any] = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    return walk


def test_walks_from_components_one_by_one_or_side_by_side_are_the_same(prepared: PreparedTask, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = random_walk_encoding(prepared.graph, 4)
    monkeypatch.setattr("agentnas.tools.nn.features.MOST_SPREAD", 1)
    assert np.array_equal(random_walk_encoding(prepared.graph, 4), wanted)


def test_scaling_looks_at_features_and_at_no_label(task: Task, prepared: PreparedTask) -> None:
    design = parse_spec({"input": {"scale": "standard"}})
    assert task.data is not None
    x, _ = prepare_features(design.input, task.data.x, prepared.graph)
    assert isinstance(x, torch.Tensor)
    torch.testing.assert_close(x.mean(0), torch.zeros(FEATURES), atol=1e-5, rtol=0)


def test_flops_of_the_readout_count_each_graph() -> None:
    design = spec("mlp", pooling="sum", decoder="mlp", width=16, layers=2)
    nodes, graphs = 100, 7
    found = count_flops(design, num_nodes=nodes, num_edges=50, in_channels=FEATURES, out_channels=2, num_graphs=graphs)
    encoder = 2 * nodes * FEATURES * 8
    body = 2 * nodes * 8 * 8 * (2 if "layers" in design.body.nodes[0].params else 1)
    pooled = nodes * 8
    assert found == pytest.approx(encoder + body + pooled + graphs * 2 * (8 * 16 + 16 * 2), abs=64)


def test_costs_of_a_set_are_profiled(task: Task, prepared: PreparedTask) -> None:
    sizes = Sizes.of(task)
    assert (sizes.num_graphs, sizes.edge_channels) == (GRAPHS, ATTRIBUTES)
    costs = profile(spec("gine"), prepared)
    assert costs.flops > 0
    assert costs.train_memory_mib > 0
    assert costs.epoch_ms > 0


def room(task: Task, mib: float) -> Room:
    found = Room(mib, "are available", task)
    found.__dict__["certain"] = False
    return found


def test_memory_follows_the_largest_minibatch(task: Task) -> None:
    scale = Scale.of(task)
    assert scale.largest[0] == (9, 18)
    assert scale.largest[-1] == (sum(SIZES), task.data.num_edges if task.data else 0)
    big = Scale(**{**scale.__dict__, "num_nodes": 10**7, "num_edges": 10**8, "labelled": 10**5, "num_graphs": 10**5,
                   "largest": tuple((100 * 2**k, 1000 * 2**k) for k in range(18))})  # fmt: skip
    steps = [resident(spec("gine", {"batch_size": size}), big).step for size in (16, 64, 256)]
    assert steps[0] < steps[1] < steps[2]
    assert steps[2] == pytest.approx(4 * steps[1], rel=0.1)
    whole = resident(spec("gine", {"batching": "full"}), big)
    assert whole.step > 1000 * steps[2] / 256
    assert whole.inference < whole.step


def test_a_batch_that_does_not_fit_is_refused_in_one_line_and_full_batches_become_minibatches(task: Task) -> None:
    scale = Scale(**{**Scale.of(task).__dict__, "num_nodes": 10**6, "num_edges": 10**7, "labelled": 10**4, "num_graphs": 10**4,
                     "largest": tuple((min(10**6, 100 * 2**k), min(10**7, 1000 * 2**k)) for k in range(15))})  # fmt: skip
    whole, some = spec("gine", {"batching": "full"}), spec("gine", {"batch_size": 128})
    place = room(task, (resident(whole, scale).total + resident(some, scale).total) / 2)
    place.__dict__["scale"] = scale
    fitted, why = place.fitted(whole)
    assert fitted.recipe.batching == "minibatch"
    assert why is not None
    assert why.startswith("batching full -> minibatches of 128: on all graphs at once it needs ")
    small = room(task, 460)
    small.__dict__["scale"] = scale
    told = small.refusal(spec("gine", {"batch_size": 128}))
    assert told is not None
    assert "\n" not in told
    assert "many graphs" in told or "128 graphs, the largest ones" in told


def test_small_sets_are_certain_to_fit_and_large_ones_are_weighed(task: Task) -> None:
    assert Room(2000, "are available", task).certain
    assert not Room(500, "are available", task).certain


@pytest.mark.parametrize("anchor", graph_anchors(), ids=lambda anchor: anchor.name)
def test_anchors_train_on_a_set_and_lie_in_its_space(prepared: PreparedTask, task: Task, anchor: Anchor) -> None:
    space = BoundedSpace("default").for_task(task.kind, task.target)
    assert space.contains(anchor.spec) is None
    done = train(anchor.spec, prepared, split=0, seed=0, epochs=2)
    assert 0 <= done.val <= 100


@pytest.mark.parametrize(("batching", "passing"), [("full", False), ("minibatch", True)])
def test_minibatches_of_graphs_ask_for_no_prepared_kernels(batching: str, passing: bool, prepared: PreparedTask) -> None:
    batches = Session(spec(recipe={"batching": batching}), prepared, 0, 1).batches
    assert {batch.passing for batch in batches} == {passing}


def test_of_few_graphs_a_run_of_epochs_is_chosen(prepared: PreparedTask) -> None:
    result = train(spec("gin", {"patience": 0}), prepared, split=0, seed=0)
    scores = [score for _, _, score in result.curve]
    steady = [sum(scores[max(0, end - FEW_ITEMS_WINDOW) : end]) / min(end, FEW_ITEMS_WINDOW) for end in range(1, len(scores) + 1)]
    assert len(scores) == 30
    assert result.val == pytest.approx(max(steady), abs=0.01)
    assert steady[result.best_epoch - 1] == pytest.approx(result.val, abs=0.01)
