"""The tables equal the package's own reader, and cells hash as its authors hash them."""

from __future__ import annotations

import hashlib
import importlib
import itertools
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.spec.cells import OPS, cell_from_key, cell_key
from agentnas.tools.tasks import NasBenchTable, load_task, make_card
from agentnas.tools.tasks.catalog import TABLES
from agentnas.tools.tasks.structure import homophily

LINK_CHOICES = list(itertools.product((0,), (0, 1), (0, 1, 2), (0, 1, 2, 3)))


@pytest.fixture(scope="module")
def theirs() -> Any:
    return importlib.import_module("nas_bench_graph")


@pytest.fixture(scope="module")
def cora() -> NasBenchTable:
    return NasBenchTable("cora")


def test_every_cell_hashes_as_the_package_hashes_it(theirs: Any) -> None:
    for links in LINK_CHOICES:
        for ops in itertools.product(OPS, repeat=4):
            assert cell_key(links, ops) == theirs.Arch(list(links), list(ops)).valid_hash(), (links, ops)


@pytest.mark.parametrize("name", TABLES)
def test_tables_equal_the_packages_reader(theirs: Any, name: str) -> None:
    table, bench = NasBenchTable(name), theirs.light_read(name)
    assert table.keys() == tuple(bench)
    for key, row in bench.items():
        assert table.validation(key) == 100 * row["valid_perf"]
        assert table.test(key) == 100 * row["perf"]
        assert table.profile(key) == {"parameters": round(1e6 * row["para"]), "latency_ms_p50": 1e3 * row["latency"]}


def test_keys_and_cells_go_both_ways(cora: NasBenchTable) -> None:
    assert len(cora) == 26206
    keys = cora.keys()
    for key in keys:
        links, ops = cell_from_key(key)
        assert cell_key(links, ops) == key


@given(links=st.sampled_from(LINK_CHOICES), ops=st.tuples(*[st.sampled_from(OPS)] * 4))
def test_every_cell_but_all_skips_is_in_the_table(cora: NasBenchTable, links: tuple[int, ...], ops: tuple[str, ...]) -> None:
    assert (cell_key(links, ops) in cora) == (ops != ("skip",) * 4)


def test_tables_load_without_torch_or_the_packages_code() -> None:
    code = (
        "import sys; from agentnas.tools.tasks import load_task, make_card; t = load_task('nasbench:cora'); make_card(t).text();"
        "assert not {'torch', 'nas_bench_graph', 'sklearn'} & set(sys.modules), sorted(sys.modules)"
    )
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, env=os.environ | {"PYTHONPATH": str(root)})


@pytest.mark.parametrize("name", TABLES)
def test_table_tasks_have_a_card_from_published_numbers(name: str) -> None:
    task = load_task(f"nasbench:{name}")
    card = make_card(task)
    assert task.data is None
    assert task.metric.name == ("roc_auc" if name == "proteins" else "accuracy")
    assert "as commonly reported" in card.source
    assert card.probe_features is None
    assert "source: " in card.text()
    with pytest.raises(UsageError, match="is a table and has no splits"):
        task.split(0)


def edge_homophily(name: str, data_dir: Path) -> float | None:
    data = load_task(name, data_dir=data_dir).data
    assert data is not None
    return homophily(data, np.arange(data.num_nodes))["edge_homophily"]


def test_the_published_counts_of_data_sets_at_hand_agree_with_the_data(data_dir: Path) -> None:
    for name in ("cora", "citeseer", "photo", "cs"):
        published, computed = make_card(load_task(f"nasbench:{name}")), make_card(load_task(name, data_dir=data_dir))
        for field in ("nodes", "edges", "features", "classes"):
            assert getattr(published, field) == getattr(computed, field)
        assert published.published_homophily == pytest.approx(edge_homophily(name, data_dir), abs=0.006)


def test_the_fingerprint_is_that_of_the_file(theirs: Any, cora: NasBenchTable) -> None:
    file = Path(theirs.__file__).parent / "light" / "cora.bench"
    assert cora.fingerprint == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_cell_that_was_not_trained_is_a_clear_error(cora: NasBenchTable) -> None:
    with pytest.raises(UsageError, match="cell 88888 is not in the table cora, which holds 26206 cells"):
        cora.validation(88888)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated or damaged"),
        (pickle.dumps({}, 3), "expected a table"),
        (pickle.dumps({1: {"perf": 0.5}}, 3), "the row of cell 1 does not hold valid_perf"),
        (pickle.dumps({1: {"valid_perf": float("nan"), "perf": 0.5, "para": 1.0, "latency": 1.0}}, 3), "the row of cell 1"),
        (pickle.dumps(os.getcwd, 3), "nothing was executed"),
    ],
)
def test_damaged_tables_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "cora.bench"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        NasBenchTable("cora", path)
    assert str(path) in str(caught.value)


def test_a_table_cut_anywhere_is_an_error(theirs: Any, tmp_path: Path) -> None:
    content = (Path(theirs.__file__).parent / "light" / "proteins.bench").read_bytes()
    path = tmp_path / "proteins.bench"
    for length in (1, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match="truncated or damaged"):
            NasBenchTable("proteins", path)
