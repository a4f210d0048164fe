"""NAS-Bench-Graph's cells: keys equal to the benchmark's own, one spec for each cell, and a space to search them."""

from __future__ import annotations

import random
import subprocess
import sys
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnas.tools.errors import UsageError
from agentnas.tools.spec import cells
from agentnas.tools.spec.canonical import canonical, spec_hash
from agentnas.tools.spec.cells import LINKS, OPS, SETTINGS, Cell, all_cells, cell_from_key, cell_key, cell_to_spec, settle, spec_to_cell
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.tasks.nasbench import NasBenchTable
from tests.tools.spec.strategies import renamed

datasets = st.sampled_from(sorted(SETTINGS))
seeds = st.integers(0, 10**6)


@cache
def every_cell() -> tuple[Cell, ...]:
    return tuple(all_cells())


def test_there_are_26206_cells_with_as_many_keys() -> None:
    keys = {cell_key(*cell) for cell in every_cell()}
    assert len(every_cell()) == len(keys) == 26206
    assert keys == set(NasBenchTable("cora").keys())


def test_the_cells_of_proteins_are_those_of_its_table() -> None:
    assert {cell_key(*cell) for cell in all_cells("proteins")} == set(NasBenchTable("proteins").keys())


def test_keys_are_the_benchmarks_own_for_every_cell() -> None:
    from nas_bench_graph.architecture import Arch

    rng = random.Random(0)
    for links, ops in product(LINKS, rng.sample(list(product(OPS, repeat=4)), 1500)):
        assert cell_key(links, ops) == Arch(list(links), list(ops)).valid_hash()


@given(
    st.tuples(st.just(0), st.integers(0, 1), st.integers(0, 2), st.integers(0, 3)),
    st.lists(st.sampled_from([*OPS, *["skip"] * 8]), min_size=4, max_size=4),
)
def test_keys_are_the_benchmarks_own_for_any_way_to_write_a_cell(links: tuple[int, ...], ops: list[str]) -> None:
    from nas_bench_graph.architecture import Arch

    assert cell_key(links, ops) == Arch(list(links), list(ops)).valid_hash()
    assert settle(*settle(links, ops)) == settle(links, ops)


@given(st.sampled_from(every_cell()))
def test_a_key_names_its_cell(cell: Cell) -> None:
    assert cell_from_key(cell_key(*cell)) == cell


@given(datasets, st.data(), st.randoms(use_true_random=False))
def test_cells_and_specs_translate_into_each_other(dataset: str, data: st.DataObject, rng: random.Random) -> None:
    cell = data.draw(st.sampled_from(every_cell()))
    spec = cell_to_spec(*cell, dataset)
    assert cells.located(spec) == (dataset, cell)
    assert spec_to_cell(canonical(spec)) == cell
    assert spec_to_cell(renamed(spec, rng)) == cell


@given(datasets, st.sampled_from(every_cell()), st.sampled_from(every_cell()))
def test_different_cells_are_different_specs(dataset: str, first: Cell, second: Cell) -> None:
    assert (spec_hash(cell_to_spec(*first, dataset)) == spec_hash(cell_to_spec(*second, dataset))) == (first == second)


def test_a_cell_of_cora_is_the_network_that_the_benchmark_trained() -> None:
    spec = canonical(cell_to_spec((0, 0, 1, 2), ("gcn", "fc", "graph", "skip"), "cora"))
    assert [(node.op, node.width, node.dropout, node.norm, node.activation, node.inputs) for node in spec.body.nodes] == [
        ("gcn", 256, 0.0, "batch", "relu", ("input",)),
        ("mlp", 256, 0.0, "none", "relu", ("input",)),
        ("graphconv", 256, 0.7, "none", "relu", ("n1",)),
        ("mlp", 256, 0.0, "none", "none", ("n2", "n3")),
    ]
    assert spec.input.dropout == 0.7
    recipe = spec.recipe
    assert (recipe.optimiser, recipe.learning_rate, recipe.momentum, recipe.weight_decay, recipe.epochs, recipe.patience) == (
        "sgd", 0.1, 0.0, 5e-4, 400, 0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("dataset", "features", "classes"), [("cora", 1433, 7), ("citeseer", 3703, 6), ("photo", 745, 8), ("computers", 767, 10)]
)
def test_networks_have_the_parameters_that_the_table_counts(dataset: str, features: int, classes: int) -> None:
    """But for batch norms, of which the benchmark makes four of 2 x width whatever the cell needs, and biases that only one side has."""
    from agentnas.tools.nn.network import build_network, count_parameters

    width = SETTINGS[dataset].width
    for cell in (
        ((0, 1, 2, 3), ("skip", "skip", "fc", "fc")),
        ((0, 0, 0, 1), ("fc", "fc", "fc", "gcn")),
        ((0, 0, 1, 2), ("cheb", "sage", "gcn", "fc")),
    ):
        own = count_parameters(build_network(cell_to_spec(*cell, dataset), in_channels=features, out_channels=classes))
        table = NasBenchTable(dataset).profile(cell_key(*cell))["parameters"]
        assert abs(table - 8 * width - own) <= 8 * width


@pytest.mark.parametrize(
    ("links", "ops", "words"),
    [
        ((0, 1, 2), OPS[:3], "4 links and 4 operators, got 3 and 3"),
        ((0, 2, 0, 0), OPS[:4], "link 2 of the cell is 2; allowed: 0 to 1"),
        ((0, 1, 2, 3), ("gcn", "gcn", "gcn", "gnc"), "unknown operator 'gnc' in the cell; did you mean"),
    ],
)
def test_what_is_no_cell_is_refused(links: tuple[int, ...], ops: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        cell_key(links, ops)


def test_what_is_outside_is_refused() -> None:
    with pytest.raises(UsageError, match="no cell has the key 88888"):
        cell_from_key(88888)
    with pytest.raises(UsageError, match="no NAS-Bench-Graph cell"):
        spec_to_cell(parse_spec({}))
    with pytest.raises(UsageError, match="unknown NAS-Bench-Graph data set 'coral'; did you mean cora"):
        SearchSpace.nasbench("coral")
    space = SearchSpace.nasbench("cora")
    reason = space.contains(cell_to_spec(LINKS[0], OPS[:4], "photo"))
    assert reason is not None
    assert "training settings of photo" in reason
    assert space.contains(parse_spec({})) is not None
    proteins = SearchSpace.nasbench("proteins").contains(cell_to_spec(LINKS[0], ("gat", "gcn", "gcn", "gcn"), "proteins"))
    assert proteins is not None
    assert "allowed: gcn, sage, arma, fc, skip" in proteins


@given(datasets, seeds)
def test_a_mutation_is_another_cell_that_differs_in_one_factor(dataset: str, seed: int) -> None:
    space, rng = SearchSpace.nasbench(dataset), random.Random(seed)
    spec = space.sample(rng)
    mutation = space.mutate(spec, rng)
    assert mutation is not None
    assert space.contains(mutation.spec) is None
    old, new = spec_to_cell(spec), spec_to_cell(mutation.spec)
    assert old != new
    if mutation.factor == "cell.links":
        assert any(settle(links, old[1]) == new for links in LINKS)
    else:
        assert any(settle(old[0], (*old[1][:i], op, *old[1][i + 1 :])) == new for i in range(4) for op in OPS)


@settings(max_examples=40)
@given(datasets, seeds)
def test_crossover_and_neighbours_stay_inside(dataset: str, seed: int) -> None:
    space, rng = SearchSpace.nasbench(dataset), random.Random(seed)
    a, b = space.sample(rng), space.sample(rng)
    assert space.contains(space.crossover(a, b, rng)) is None
    found = [spec_to_cell(mutation.spec) for mutation in space.neighbours(a)]
    assert set(found) == one_step_from(spec_to_cell(a), dataset)
    assert len(found) == len(set(found)) >= 15 - 8 * (dataset == "proteins")  # the least that any cell has
    assert spec_to_cell(a) not in found


def one_step_from(cell: Cell, dataset: str) -> set[Cell]:
    links, ops = cell
    rewired = {settle(other, ops) for other in LINKS}
    changed = {settle(links, (*ops[:i], op, *ops[i + 1 :])) for i in range(4) for op in cells.operators_of(dataset)}
    return {other for other in rewired | changed if other != cell and set(other[1]) != {"skip"}}


@pytest.mark.parametrize(("dataset", "op", "least"), [("cora", "arma", 15), ("proteins", "gcn", 7)])
def test_the_cell_with_the_fewest_neighbours(dataset: str, op: str, least: int) -> None:
    lone = cell_to_spec((0, 1, 2, 3), ("skip", "skip", "skip", op), dataset)
    assert len(list(SearchSpace.nasbench(dataset).neighbours(lone))) == least


def test_samples_reach_all_shapes_evenly() -> None:
    rng = random.Random(0)
    drawn = [cells.sample_cell(rng) for _ in range(3000)]
    shares = {links: sum(cell[0] == links for cell in drawn) / 3000 for links in LINKS}
    true = {links: sum(cell[0] == links for cell in every_cell()) / 26206 for links in LINKS}
    assert all(abs(shares[links] - true[links]) < 0.03 for links in LINKS)


def test_vectors_tell_cells_apart() -> None:
    space = SearchSpace.nasbench("cora")
    chosen = random.Random(0).sample(every_cell(), 200)
    vectors = {tuple(space.vector(cell_to_spec(*cell, "cora"))) for cell in chosen}
    assert len(vectors) == 200
    assert {len(vector) for vector in vectors} == {len(space.vector_names())}


def test_searching_cells_needs_no_torch() -> None:
    code = (
        "import random, sys; from agentnas.tools.spec.space import SearchSpace; s = SearchSpace.nasbench('cora'); r = random.Random(0); "
        "a = s.sample(r); s.mutate(a, r); s.vector(a); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
