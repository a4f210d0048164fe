"""Generated graphs: what their settings promise, and one line for settings that cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from agentnas.tools.errors import UsageError
from agentnas.tools.tasks import check_task, find_data, load_task
from agentnas.tools.tasks.locate import where
from agentnas.tools.tasks.powerlaw import parse
from agentnas.tools.tasks.powerlaw_graph import data_mib, powerlaw_data


@pytest.mark.parametrize(
    ("name", "shortest"),
    [("powerlaw:2000", "powerlaw:2e3"), ("powerlaw:1e4", "powerlaw:1e4"), ("powerlaw:10000,degree=10", "powerlaw:1e4"),
     ("powerlaw:2e3,edges=8e3,seed=7", "powerlaw:2e3,degree=4,seed=7"),
     ("powerlaw:2e3,signal=0.25,classes=3", "powerlaw:2e3,classes=3,signal=0.25")],
)  # fmt: skip
def test_equal_settings_have_one_name(name: str, shortest: str) -> None:
    assert parse(name).name == shortest
    assert parse(parse(name).name) == parse(name)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("powerlaw:", "nodes is '', expected a number"),
        ("powerlaw:10", "nodes is 10, allowed: 200 to 100,000,000"),
        ("powerlaw:1e4,foo=1", "no setting 'foo'; allowed: classes"),
        ("powerlaw:1e4,homophilly=1", "no setting 'homophilly'; did you mean homophily?"),
        ("powerlaw:1e4,classes=500", "classes is 500, allowed for 10,000 nodes: at most 100"),
        ("powerlaw:1e3,degree=500", "degree is 500, allowed for 1,000 nodes: at most 99.9"),
        ("powerlaw:1e4,edges=5e4,degree=3", "edges and degree say the same"),
        ("powerlaw:1e4,edges=1e9", "degree (edges / nodes) is 100000, allowed: 1 to 1,000"),
        ("powerlaw:1e4,seed=1,seed=2", "seed is given twice"),
        ("powerlaw:1e4,seed=1.5", "seed is 1.5, expected a whole number"),
        ("powerlaw:1e4,homophily=nan", "homophily is nan, allowed: 0 to 1"),
        ("powerlaw:1e4,words=100", "words is 100, allowed: at most features, which is 64"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(name: str, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_task(name)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_graph_is_what_its_settings_say() -> None:
    task = load_task("powerlaw:4000,degree=12,classes=4,homophily=0.6,features=8,seed=3")
    data = task.data
    assert data is not None
    assert (data.num_nodes, data.num_edges, data.num_features, data.num_classes) == (4000, 48_000, 8, 4)
    source, target = data.edge_index
    codes = source * 4000 + target
    assert (np.diff(codes) > 0).all()
    assert not (source == target).any()
    assert np.array_equal(np.sort(target * 4000 + source), codes)
    assert abs(float((data.y[source] == data.y[target]).mean()) - 0.6) < 0.03
    assert not [problem for problem in check_task(task) if problem.severity != "note"]
    assert (where(task.name, None), find_data(task.name)) == ("generated", None)


def test_degrees_have_a_heavy_tail() -> None:
    degrees = np.bincount(powerlaw_data(parse("powerlaw:20000")).edge_index[0], minlength=20_000)
    light = np.bincount(powerlaw_data(parse("powerlaw:20000,exponent=10")).edge_index[0], minlength=20_000)
    assert degrees.max() > 40 * np.median(degrees)
    assert light.max() < 5 * np.median(light)
    # Clauset et al. (2009): the tail's exponent by maximum likelihood.
    tail = degrees[degrees >= 20]
    assert 2.1 < 1 + len(tail) / np.log(tail / 19.5).sum() < 2.9


def test_a_seed_gives_one_graph_and_another_seed_another() -> None:
    first, again, other = (load_task(f"powerlaw:1000,degree=4,seed={seed}").fingerprint for seed in (1, 1, 2))
    assert first == again != other


def test_sparse_features_hold_so_many_words() -> None:
    data = powerlaw_data(parse("powerlaw:1000,features=500,words=12"))
    assert 11 * 1000 < data.nnz <= 12 * 1000
    assert set(data.x.data.tolist()) == {1.0}


def test_labels_are_carried_by_neighbours_more_than_by_features() -> None:
    from agentnas.tools.tasks.probes import probe

    found = probe(load_task("powerlaw:4000"))
    assert found.majority + 3 < found.features < found.linear_propagation - 20


def test_a_graph_that_does_not_fit_is_refused_before_it_is_made() -> None:
    settings = parse("powerlaw:1e6")
    assert 500 < data_mib(settings) < 1500
    with pytest.raises(UsageError, match=r"powerlaw:1e6 needs \d+ MiB of memory to be made, 300 MiB are available; give fewer nodes"):
        powerlaw_data(settings, available=300.0)


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_a_million_nodes_are_made_in_the_memory_that_was_said() -> None:
    settings = parse("powerlaw:1e6")
    data = powerlaw_data(settings)
    assert (data.num_nodes, data.num_edges) == (1_000_000, 10_000_000)
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))
    assert peak < data_mib(settings) + 600
