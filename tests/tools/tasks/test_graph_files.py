"""Sets of the TU collection: equal to PyTorch Geometric's, folds that are honest, and files that are damaged in any way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.tasks import load_task
from agentnas.tools.tasks.catalog import DataSet
from agentnas.tools.tasks.folds import folds
from agentnas.tools.tasks.graph_sets import read_graph_set

PARTS = ("A", "graph_indicator", "graph_labels", "edge_labels", "node_labels")
SMALL = {
    "A": "1, 2\n2, 1\n2, 3\n3, 2\n4, 5\n5, 4\n",
    "graph_indicator": "1\n1\n1\n2\n2\n",
    "graph_labels": "-1\n1\n",
    "edge_labels": "0\n0\n1\n1\n2\n2\n",
    "node_labels": "0\n1\n0\n2\n2\n",
}
DESCRIBED = DataSet("small", "tu", "TUDataset/S", "S", 5, 6, 3, 2, ("folds",), "accuracy", 2, tuple(f"S_{part}.txt" for part in PARTS))


def written(folder: Path, **changed: str | bytes) -> Path:
    for part in PARTS:
        text = changed.get(part, SMALL[part])
        (folder / f"S_{part}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_a_small_set_is_read_as_it_is_written(tmp_path: Path) -> None:
    data = read_graph_set(DESCRIBED, written(tmp_path))
    assert data.graph_of is not None
    assert data.edge_attr is not None
    assert data.graph_of.tolist() == [0, 0, 0, 1, 1]
    assert data.y.tolist() == [0, 1]
    assert data.edge_index.tolist() == [[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]]
    assert data.edge_attr.argmax(1).tolist() == [0, 0, 1, 1, 2, 2]
    x = data.x.toarray() if hasattr(data.x, "toarray") else data.x
    assert x.argmax(1).tolist() == [0, 1, 0, 2, 2]


@pytest.mark.parametrize("name", ["MUTAG", "ENZYMES"])
def test_equal_to_pyg(data_dir: Path, name: str) -> None:
    from torch_geometric.io import read_tu_data

    data = load_task(name.lower(), data_dir=data_dir, download=False).data
    theirs, slices, _ = read_tu_data(str(data_dir / "TUDataset" / name / "raw"), name)
    assert data is not None
    assert data.graph_of is not None
    x = data.x.toarray() if hasattr(data.x, "toarray") else data.x
    np.testing.assert_allclose(x, theirs.x.numpy(), rtol=1e-6)
    assert np.array_equal(data.y, theirs.y.numpy())
    starts = slices["x"].numpy()
    assert np.array_equal(np.bincount(data.graph_of), np.diff(starts))
    counts = np.diff(slices["edge_index"].numpy())
    source, target = theirs.edge_index.numpy() + np.repeat(starts[:-1], counts)
    order = np.lexsort((target, source))
    assert np.array_equal(data.edge_index, np.stack([source, target])[:, order])
    if data.edge_attr is not None:
        assert np.array_equal(data.edge_attr, theirs.edge_attr.numpy()[order])


@pytest.mark.parametrize(
    ("part", "text", "told"),
    [
        ("A", "1, 2\n2, 9\n", r"S_A\.txt: an edge names node 9; expected 1\.\.5"),
        ("A", "1, 2\n2, 4\n", r"S_A\.txt: line 2 joins two graphs"),
        ("A", "1, 2, 3\n", r"S_A\.txt: rows have 3 columns; expected 2"),
        ("A", "", r"S_A\.txt: holds no rows"),
        ("graph_indicator", "1\n2\n1\n2\n2\n", "rising from 1 without gaps"),
        ("graph_labels", "1\n", "holds 1 labels for 2 graphs"),
        ("edge_labels", "1\n", "holds 1 labels for 6 edges"),
        ("node_labels", "1\n", "holds 1 rows for 5 nodes"),
        ("node_labels", "nan\n" * 5, "not finite"),
        ("node_labels", "é\n" * 5, "expected numbers"),
        ("node_labels", b"\x80\x04\x95pickle", "expected numbers"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_file(tmp_path: Path, part: str, text: str | bytes, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        read_graph_set(DESCRIBED, written(tmp_path, **{part: text}))
    assert "\n" not in str(caught.value)
    assert f"S_{part}.txt" in str(caught.value)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(part=st.sampled_from(PARTS), at=st.integers(0, 60), cut=st.booleans(), byte=st.integers(0, 255))
def test_damaged_files_give_data_or_one_clear_line(
    tmp_path_factory: pytest.TempPathFactory, part: str, at: int, cut: bool, byte: int
) -> None:
    content = SMALL[part].encode()
    at %= len(content)
    damaged = content[:at] if cut else content[:at] + bytes([byte]) + content[at + 1 :]
    folder = written(tmp_path_factory.mktemp("set"), **{part: damaged})
    try:
        data = read_graph_set(DESCRIBED, folder)
    except DataError as error:
        told = str(error)
    else:
        told = ""
        assert data.num_items == 2
    assert "\n" not in told


def test_each_item_is_tested_once_and_classes_are_spread() -> None:
    y = np.repeat([0, 1], [130, 58])
    made = folds(y, np.ones(188, bool))
    assert sorted(np.concatenate([split.test for split in made]).tolist()) == list(range(188))
    for number, split in enumerate(made):
        assert np.array_equal(split.val, made[(number + 1) % 10].test)
        assert sorted(np.concatenate([split.train, split.val, split.test]).tolist()) == list(range(188))
        assert 5 <= int(y[split.test].sum()) <= 6
    with pytest.raises(UsageError, match="10 folds need at least 20 labelled items; there are 12"):
        folds(y[:12], np.ones(12, bool))
