"""The parts of a training step: perturbations, losses, schedules, weight-decay groups, the choice of the epoch, pseudo-labels."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from agentnas.tools.metrics import metric
from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.sparse import SparseFeatures, as_dense
from agentnas.tools.spec.model import Recipe, parse_spec
from agentnas.tools.train.choice import CURVE_POINTS, Choice, Validation, thinned
from agentnas.tools.train.data import Labels, PreparedTask
from agentnas.tools.train.loss import disagreement, sharpened, training_loss
from agentnas.tools.train.optimise import LearningRate, clip, make_optimiser
from agentnas.tools.train.perturb import perturb
from agentnas.tools.train.pseudo import pseudo_labels
from agentnas.tools.train.targets import Classes
from agentnas.tools.train.trainer import Session, network_for


def ring(n: int) -> Graph:
    nodes = torch.arange(n)
    return Graph(torch.stack([nodes, (nodes + 1) % n]), n)


def sparse(x: torch.Tensor) -> SparseFeatures:
    csr = x.to_sparse_csr()
    return SparseFeatures.from_csr(csr.crow_indices(), csr.col_indices(), csr.values(), (x.shape[0], x.shape[1]))


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize(("name", "axis"), [("drop_node", 1), ("feature_dropout", 0)])
def test_whole_rows_or_columns_are_dropped_and_the_rest_scaled(kind: str, name: str, axis: int) -> None:
    torch.manual_seed(0)
    ones = torch.ones(400, 300)
    x, graph = perturb(Recipe(**{name: 0.25}), sparse(ones) if kind == "sparse" else ones, ring(400))
    lines = as_dense(x).mean(axis)
    assert graph.num_edges == 400
    assert torch.equal(torch.unique(lines.round(decimals=4)), torch.tensor([0.0, 4 / 3]).round(decimals=4))
    assert float(lines.mean()) == pytest.approx(1.0, abs=0.1)


def test_drop_edge_drops_edges_and_renormalises_them() -> None:
    torch.manual_seed(0)
    whole = ring(1000)
    x, graph = perturb(Recipe(drop_edge=0.3), torch.ones(1000, 2), whole)
    assert graph.num_edges == pytest.approx(700, abs=60)
    assert torch.equal(as_dense(x), torch.ones(1000, 2))
    # Rows of the random-walk matrix still sum to 1 where any edge is left.
    sums = graph.adjacency("row") @ torch.ones(1000, 1)
    assert torch.equal(torch.unique(sums), torch.tensor([0.0, 1.0]))


def test_perturbations_are_for_training_only(prepared: PreparedTask) -> None:
    spec = parse_spec({"recipe": {"drop_edge": 0.5, "drop_node": 0.5, "feature_dropout": 0.5}, "input": {"dropout": 0.5}})
    session = Session(spec, prepared, split=0, epochs=1)
    assert torch.equal(session.scores(), session.scores())
    before = prepared.graph.num_edges
    session.start_optimiser(1)
    session.train_epoch()
    assert prepared.graph.num_edges == before


def test_without_perturbations_the_task_is_passed_through() -> None:
    x, graph = torch.ones(3, 2), ring(3)
    assert perturb(Recipe(), x, graph) == (x, graph)


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=6), st.floats(0.05, 0.9))
def test_sharpening_keeps_the_order_and_raises_the_peak(values: list[float], temperature: float) -> None:
    p = torch.tensor([values], dtype=torch.double)
    p = p / p.sum()
    q = sharpened(p, temperature)
    assert float(q.sum()) == pytest.approx(1)
    assert float(q.max()) >= float(p.max()) - 1e-9
    assert torch.equal(q.argsort(stable=True)[..., -1], p.argsort(stable=True)[..., -1])


def test_sharpening_is_the_power_of_grand() -> None:
    p = torch.tensor([[0.5, 0.3, 0.2]])
    assert torch.allclose(sharpened(p, 0.5), p**2 / (p**2).sum())
    assert torch.allclose(sharpened(p, 1.0), p)


def test_disagreement_by_hand() -> None:
    a, b = torch.tensor([[0.8, 0.2]]), torch.tensor([[0.4, 0.6]])
    mean = (a + b) / 2
    target = mean**2 / (mean**2).sum()
    expected = (((a - target) ** 2).sum() + ((b - target) ** 2).sum()) / 2
    assert float(disagreement([a.log(), b.log()], 0.5)) == pytest.approx(float(expected))


def test_the_target_of_agreement_is_a_constant() -> None:
    sure = torch.tensor([[20.0, -20.0]], requires_grad=True)
    unsure = torch.tensor([[0.1, 0.0]], requires_grad=True)
    torch.autograd.backward(disagreement([sure, unsure], 0.5))
    assert unsure.grad is not None
    assert float(unsure.grad[0, 0]) < 0  # pulled towards the common opinion


def test_training_loss_adds_weighted_disagreement_to_the_mean_over_passes() -> None:
    passes = [torch.randn(5, 3), torch.randn(5, 3)]
    index, y = torch.tensor([1, 3]), torch.tensor([0, 2])
    recipe = Recipe(consistency_samples=2, consistency_weight=0.7, consistency_temperature=0.3)
    labelled = sum(Classes().loss(logits[index], y, 0.0) for logits in passes) / 2
    assert torch.allclose(training_loss(passes, index, y, recipe), labelled + 0.7 * disagreement(passes, 0.3))
    unlabelled = training_loss(passes, index[:0], y[:0], recipe)
    assert torch.allclose(unlabelled, 0.7 * disagreement(passes, 0.3))


def test_label_smoothing_by_hand() -> None:
    logits, y = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
    logs = logits.log_softmax(1)[0]
    expected = -(0.9 + 0.1 / 3) * logs[0] - 0.1 / 3 * (logs[1] + logs[2])
    assert float(Classes().loss(logits, y, 0.1)) == pytest.approx(float(expected))


def rates(epochs: int, better: bool = True, **recipe: Any) -> list[float]:
    weights = [nn.Parameter(torch.zeros(1))]
    rate = LearningRate(torch.optim.SGD(weights, lr=1.0), Recipe(learning_rate=1.0, **recipe), epochs)
    found = []
    for epoch in range(1, epochs + 1):
        found.append(rate.begin(epoch))
        rate.ended(better)
    return found


def test_schedules() -> None:
    assert rates(3) == [1.0, 1.0, 1.0]
    assert rates(4, schedule="step") == pytest.approx([1, 1, 0.1, 0.01])
    assert rates(4, schedule="cosine") == pytest.approx([0.5 * (1 + math.cos(math.pi * k / 4)) for k in range(4)])
    assert rates(5, warmup=3) == pytest.approx([0.25, 0.5, 0.75, 1, 1])
    assert rates(4, warmup=2, schedule="cosine") == pytest.approx([1 / 3, 2 / 3, 1, 0.5])
    assert rates(41, schedule="plateau") == [1.0] * 41
    assert rates(41, better=False, schedule="plateau") == [1.0] * 20 + [0.5] * 20 + [0.25]


@given(st.integers(1, 40), st.integers(0, 50), st.sampled_from(["none", "cosine", "step", "plateau"]), st.booleans())
def test_rates_stay_positive_and_never_exceed_the_recipe(epochs: int, warmup: int, schedule: str, better: bool) -> None:
    assert all(0 < rate <= 1 for rate in rates(epochs, better, warmup=warmup, schedule=schedule))


def test_weight_decay_groups_reach_the_optimiser(prepared: PreparedTask) -> None:
    nodes = [{"id": "a", "op": "gcn", "width": 4}, {"id": "b", "op": "mlp", "inputs": ["a"], "width": 4}]
    recipe = {"weight_decay": 0.1, "weight_decay_conv": 0.2, "weight_decay_out": 0.0}
    spec = parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}, "recipe": recipe})
    network = network_for(spec, prepared, prepared.features(spec.input))
    optimiser = make_optimiser(network, spec.recipe)
    sizes = {group["weight_decay"]: sum(p.numel() for p in group["params"]) for group in optimiser.param_groups}
    assert sizes == {0.2: 24 * 4 + 4, 0.1: 4 * 4 + 4, 0.0: 4 * 3 + 3}


def test_clip_bounds_the_norm_and_zero_leaves_it() -> None:
    layer = nn.Linear(2, 1)
    layer(torch.tensor([[30.0, 40.0]])).sum().backward()
    clip(layer, 0.0)
    assert layer.weight.grad is not None
    assert float(layer.weight.grad.norm()) == pytest.approx(50.0)
    clip(layer, 1.0)
    assert float(layer.weight.grad.norm()) == pytest.approx(1.0, abs=1e-3)


def choose(*seen: tuple[float, float], window: int = 1) -> Choice:
    network, choice = nn.Linear(1, 1), Choice(metric("accuracy"), window)
    for epoch, (score, loss) in enumerate(seen, 1):
        with torch.no_grad():
            network.weight.fill_(epoch)
        choice.add(epoch, 1.0, Validation(score, loss), network)
    return choice


def test_the_best_score_is_chosen_and_ties_go_to_the_lower_loss() -> None:
    choice = choose((50, 1.0), (60, 0.9), (60, 0.8), (60, 0.85), (55, 0.1))
    assert choice.best_epoch == 3
    assert float(choice.state["weight"]) == 3.0


def test_over_a_window_the_epoch_that_ends_the_best_run_of_epochs_is_chosen() -> None:
    seen = ((50, 1.0), (90, 0.5), (60, 1.0), (70, 0.9), (80, 0.8), (84, 0.7), (60, 0.6))
    assert choose(*seen).best_epoch == 2
    steady = choose(*seen, window=3)
    assert steady.best_epoch == 6
    assert float(steady.state["weight"]) == 6.0
    assert steady.best is not None
    assert (steady.best.score, steady.best.loss) == pytest.approx((78.0, 0.8))
    assert steady.curve[1] == (2, 1.0, 90)


def test_a_phase_begins_with_a_window_of_its_own() -> None:
    choice = choose((90, 0.5), (90, 0.5), window=2)
    choice.restart()
    choice.note(3, 1.0, Validation(91, 0.5))
    assert (choice.best_epoch, choice.best) == (3, Validation(91, 0.5))


def test_patience_counts_epochs_better_in_neither() -> None:
    assert choose((50, 1.0), (50, 0.9), (49, 0.8)).waited == 0
    assert choose((50, 1.0), (51, 2.0)).waited == 0
    assert choose((50, 1.0), (50, 1.0), (49, 1.1), (50, 1.5)).waited == 3


@given(st.integers(1, 5000), st.data())
def test_a_thinned_curve_is_short_and_keeps_its_ends_and_the_best(length: int, data: st.DataObject) -> None:
    best = data.draw(st.integers(1, length))
    kept = [epoch for epoch, _, _ in thinned([(i, 1.0, 50.0) for i in range(1, length + 1)], best)]
    assert len(kept) <= CURVE_POINTS
    assert {1, best, length} <= set(kept)
    assert kept == sorted(set(kept))


def pseudo(probabilities: list[list[float]], **recipe: Any) -> tuple[list[int], list[int]]:
    index, none = torch.tensor([0]), torch.tensor([0])
    labels = Labels(index, none, torch.tensor([1]), none, none.numpy(), Classes())
    nodes, y = pseudo_labels(torch.tensor(probabilities), labels, Recipe(self_training_rounds=1, **recipe))
    return nodes.tolist(), y.tolist()


def test_pseudo_labels_are_the_most_confident_outside_of_train_and_val() -> None:
    table = [[1.0, 0.0], [1.0, 0.0], [0.6, 0.4], [0.9, 0.1], [0.7, 0.3], [0.2, 0.8]]
    assert pseudo(table, self_training_per_class=2) == ([3, 4, 5], [0, 0, 1])
    assert pseudo(table, self_training_per_class=9, self_training_confidence=0.75) == ([3, 5], [0, 1])
    assert pseudo(table, self_training_confidence=0.95) == ([], [])


def test_self_training_adds_labels_and_keeps_to_the_epochs(prepared: PreparedTask) -> None:
    nodes = [{"id": "a", "op": "gcn", "width": 8}]
    recipe = {"epochs": 31, "patience": 0, "self_training_rounds": 2, "self_training_per_class": 5}
    session = Session(parse_spec({"body": {"nodes": nodes, "outputs": ["a"]}, "recipe": recipe}), prepared, split=0, epochs=31)
    session.run()
    assert session.epoch == 31
    assert session.pseudo_labels == 15
    (batch,) = session.batches
    assert batch.index.numel() == 12 + 15
    assert set(batch.index.tolist()).isdisjoint(session.labels.val.tolist())
