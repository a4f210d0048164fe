"""Whatever lies in the data folder, loading it ends in data or in one line that names the file; nothing in it is executed."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.tasks import load_task
from agentnas.tools.tasks.catalog import DATA_SETS, raw_files, raw_folders
from agentnas.tools.tasks.pickles import read_pickle

FUZZED = {"cora": None, "citeseer": "geom-gcn", "texas": None, "actor": None, "minesweeper": None, "photo": None}


def raw(root: Path, name: str, split: str | None = None) -> Path:
    return root / raw_folders(DATA_SETS[name], split or DATA_SETS[name].splits[0])[0]


@pytest.fixture(scope="module")
def copies(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A writable copy of the raw files, shared: each test puts back what it breaks."""
    root = tmp_path_factory.mktemp("data")
    for name, split in FUZZED.items():
        folder = raw(root, name, split)
        folder.mkdir(parents=True)
        for file in raw_files(DATA_SETS[name], split or DATA_SETS[name].splits[0]):
            shutil.copyfile(raw(data_dir, name, split) / file.name, folder / file.name)
    return root


@contextmanager
def replaced(path: Path, content: bytes) -> Iterator[None]:
    original = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(original)


def load_or_one_line(root: Path, name: str, path: Path) -> None:
    """Load; only a one-line DataError about that file (or the folder it lies in) may come out."""
    text = error_of(lambda: load_task(name, data_dir=root, split=FUZZED[name], download=False))
    assert text is None or ("\n" not in text and str(path.parent) in text)


def error_of(action: Callable[[], object]) -> str | None:
    """The message of the DataError that came out, or None; any other exception passes through and fails the test."""
    try:
        action()
    except DataError as error:
        return str(error)
    return None


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_truncated_and_flipped_files_give_only_our_errors(copies: Path, data: st.DataObject) -> None:
    # Photo takes longest to read, so it is drawn as rarely as the others together allow.
    name = data.draw(st.sampled_from([*list(FUZZED)[:-1] * 4, "photo"]))
    described = DATA_SETS[name]
    file = data.draw(st.sampled_from([file.name for file in raw_files(described, FUZZED[name] or described.splits[0])][:12]))
    path = raw(copies, name, FUZZED[name]) / file
    content = bytearray(path.read_bytes())
    # Headers decide how the rest is read: half of all damage falls there.
    place = st.one_of(st.integers(0, min(400, len(content) - 1)), st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[data.draw(place) :]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(place)] ^= data.draw(st.integers(1, 255))
    with replaced(path, bytes(content)):
        load_or_one_line(copies, name, path)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda tail: b"\x80\x02" + tail)))
def test_any_bytes_read_as_a_pickle_give_data_or_our_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    text = error_of(lambda: read_pickle(path, "a graph"))
    assert text is None or (text.startswith(str(path)) and "\n" not in text)


class _Attack:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (os.mkdir, (str(self.target),))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("file", ["ind.cora.graph", "ind.cora.allx", "ind.cora.ty"])
def test_a_malicious_pickle_is_not_executed(copies: Path, tmp_path: Path, protocol: int, file: str) -> None:
    path, target = raw(copies, "cora") / file, tmp_path / "executed"
    with replaced(path, pickle.dumps(_Attack(target), protocol)), pytest.raises(DataError, match="nothing was executed") as caught:
        load_task("cora", data_dir=copies, download=False)
    assert not target.exists()
    assert str(path) in str(caught.value)
    # The same file does execute where it is simply unpickled, so the test attacks for real.
    pickle.loads(pickle.dumps(_Attack(target), protocol))  # noqa: S301
    assert target.exists()


def test_object_arrays_hidden_in_an_archive_are_not_unpickled(copies: Path, tmp_path: Path) -> None:
    path, target = raw(copies, "minesweeper") / "minesweeper.npz", tmp_path / "executed"
    arrays = dict(np.load(path))
    arrays["node_labels"] = np.array([_Attack(target)], dtype=object)
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, **arrays)
    with replaced(path, stream.getvalue()), pytest.raises(DataError, match="only numbers are allowed"):
        load_task("minesweeper", data_dir=copies, download=False)
    assert not target.exists()


def test_a_pickle_that_claims_a_huge_memo_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\x80\x02Nr\xff\xff\xff\x7f.")  # None, remembered at place 2^31 - 1
    assert read_pickle(path, "anything") is None


def test_a_damaged_name_is_refused_without_a_warning(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\x80\x02cnum\\py\nndarray\n.")
    with pytest.raises(DataError, match=r"which is not plain data; expected a graph, nothing was executed"):
        read_pickle(path, "a graph")
    assert not recwarn.list


def test_an_archive_that_claims_a_huge_array_is_refused(copies: Path) -> None:
    path = raw(copies, "texas") / "texas_split_0.6_0.2_0.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|b1", "fortran_order": False, "shape": (2**50,)})
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("train_mask.npy", header.getvalue())
    with replaced(path, stream.getvalue()), pytest.raises(DataError, match="does not fit its shape"):
        load_task("texas", data_dir=copies, download=False)


@pytest.mark.parametrize(
    ("name", "file", "content", "message"),
    [
        ("cora", "ind.cora.test.index", b"", "expected different node numbers"),
        ("cora", "ind.cora.test.index", b"1708\n1709\n", "do not belong together"),
        ("cora", "ind.cora.test.index", b"1708\nseven\n", "'seven'; expected whole numbers"),
        ("cora", "ind.cora.graph", pickle.dumps([1, 2], 2), "expected a pickled dictionary node -> neighbours"),
        ("cora", "ind.cora.graph", pickle.dumps({0: [1], 1: [99999]}, 2), r"names node 99999; expected 0\.\.2707"),
        ("cora", "ind.cora.graph", pickle.dumps({0: [1], 1: [0]}, 2), "2708 nodes, 2 directed edges"),
        ("cora", "ind.cora.allx", pickle.dumps("text", 2), "expected a CSR matrix"),
        ("texas", "out1_graph_edges.txt", b"node_id\tnode_id\n0\n", "line 2 has 1 columns"),
        ("texas", "out1_graph_edges.txt", b"node_id\tnode_id\n0\t500\n", r"names node 500; expected 0\.\.182"),
        ("texas", "out1_node_feature_label.txt", b"node_id\tfeature\tlabel\n0\t1,x\t0\n", "data row 1 holds '1,x'"),
        ("texas", "out1_node_feature_label.txt", b"<html>404</html>", "expected a heading"),
        ("texas", "out1_node_feature_label.txt", b"\xff\xfe\x00", "is not text"),
        ("actor", "out1_node_feature_label.txt", b"node_id\tfeature\tlabel\n5\t1,2\t0\n", "expected every node 0..0 once"),
        ("minesweeper", "minesweeper.npz", b"not an archive", "truncated or damaged"),
        ("minesweeper", "minesweeper.npz", b"", "truncated or damaged"),
    ],
)
def test_wrong_content_is_named(copies: Path, name: str, file: str, content: bytes, message: str) -> None:
    path = raw(copies, name) / file
    with replaced(path, content), pytest.raises(DataError, match=message) as caught:
        load_task(name, data_dir=copies, download=False)
    assert str(path.parent) in str(caught.value)


def test_files_of_another_data_set_are_noticed(copies: Path) -> None:
    target, source = raw(copies, "texas"), raw(copies, "actor")
    with (
        replaced(target / "out1_graph_edges.txt", (source / "out1_graph_edges.txt").read_bytes()),
        replaced(target / "out1_node_feature_label.txt", (source / "out1_node_feature_label.txt").read_bytes()),
        pytest.raises(DataError, match=r"texas"),
    ):
        load_task("texas", data_dir=copies, download=False)


def test_a_node_in_two_parts_of_a_split_is_noticed(copies: Path) -> None:
    path = raw(copies, "texas") / "texas_split_0.6_0.2_3.npz"
    masks = dict(np.load(path))
    masks["test_mask"] = masks["train_mask"]
    stream = io.BytesIO()
    np.savez(stream, **masks)
    with replaced(path, stream.getvalue()), pytest.raises(DataError, match="a node is in two parts") as caught:
        load_task("texas", data_dir=copies, download=False)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(copies: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _only(monkeypatch, tmp_path)
    path = raw(copies, "cora") / "ind.cora.ally"
    path.rename(path.with_suffix(".away"))
    try:
        with pytest.raises(DataError, match=r"cora: no .*ind\.cora\.ally; give --data-dir"):
            load_task("cora", data_dir=copies, download=False)
    finally:
        path.with_suffix(".away").rename(path)


def test_a_missing_data_folder_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"--data-dir .*nowhere is not a folder"):
        load_task("cora", data_dir=tmp_path / "nowhere", download=False)
    monkeypatch.setenv("AGENTNAS_DATA_DIR", str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match=r"\$AGENTNAS_DATA_DIR .*elsewhere is not a folder"):
        load_task("cora", download=False)


def test_a_file_that_may_not_be_read_is_named(copies: Path) -> None:
    with _readable_by_others() as root:
        shutil.copytree(raw(copies, "texas"), raw(root, "texas"))
        path = raw(root, "texas") / "out1_graph_edges.txt"
        path.chmod(0)
        with _without_root_rights(), pytest.raises(DataError, match=r"out1_graph_edges\.txt: cannot be read \(Permission denied\)"):
            load_task("texas", data_dir=root, download=False)


def test_a_folder_that_may_not_be_read_is_named() -> None:
    with _readable_by_others() as root:
        closed = root / "closed"
        closed.mkdir(mode=0)
        with _without_root_rights(), pytest.raises(DataError, match="closed cannot be read; change its permissions"):
            load_task("texas", data_dir=closed, download=False)


def test_a_folder_where_a_file_should_be_is_named(copies: Path, tmp_path: Path) -> None:
    shutil.copytree(raw(copies, "texas"), raw(tmp_path, "texas"))
    path = raw(tmp_path, "texas") / "texas_split_0.6_0.2_0.npz"
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=r"texas_split_0\.6_0\.2_0\.npz: cannot be read"):
        load_task("texas", data_dir=tmp_path, download=False)


@pytest.mark.parametrize(("name", "message"), [("coar", "did you mean cora"), ("nasbench:corra", "nasbench:cora"), ("", "allowed: actor")])
def test_unknown_tasks_name_the_nearest(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_task(name)


def _only(monkeypatch: pytest.MonkeyPatch, empty: Path) -> None:
    """Let no folder but the given one be searched."""
    monkeypatch.delenv("AGENTNAS_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(empty))
    monkeypatch.chdir(empty)


@contextmanager
def _readable_by_others() -> Iterator[Path]:
    # pytest's own temporary folders are closed to other users, who would then not reach the file that the test is about.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def _without_root_rights() -> Iterator[None]:
    """Root may read everything, so become nobody meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
