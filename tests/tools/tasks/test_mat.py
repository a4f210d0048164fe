"""MATLAB files of graphs: only the known ones are read, because the reader of such files is not safe on damaged ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentnas.tools.errors import DataError
from agentnas.tools.tasks.catalog import DATA_SETS
from agentnas.tools.tasks.locate import find_data
from agentnas.tools.tasks.pairs import read_mat


@pytest.fixture(scope="module", params=["usair", "ns"])
def content(request: pytest.FixtureRequest, data_dir: Path) -> tuple[str, bytes]:
    data = DATA_SETS[request.param]
    folder = find_data(data.name, data_dir)
    assert folder is not None
    return data.name, (folder / f"{data.stem}.mat").read_bytes()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_other_byte_is_refused_in_one_line(content: tuple[str, bytes], tmp_path: Path, data: st.DataObject) -> None:
    name, sound = content
    changed = bytearray(sound)
    if data.draw(st.booleans()):
        changed = changed[: data.draw(st.integers(0, len(sound) - 1))]
    else:
        place = data.draw(st.integers(0, len(sound) - 1))
        changed[place] ^= data.draw(st.integers(1, 255))
    (tmp_path / f"{DATA_SETS[name].stem}.mat").write_bytes(bytes(changed))
    with pytest.raises(DataError, match=r"^\S+: truncated, damaged or another file; expected the file \w+\.mat of the SEAL collection"):
        read_mat(DATA_SETS[name], tmp_path)


def test_a_known_file_is_a_graph_whose_nodes_are_their_own_features(content: tuple[str, bytes], tmp_path: Path) -> None:
    described = DATA_SETS[content[0]]
    (tmp_path / f"{described.stem}.mat").write_bytes(content[1])
    read = read_mat(described, tmp_path)
    assert (read.num_nodes, read.num_edges, read.num_features) == (described.nodes, described.edges, described.features)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"USAir\.mat: cannot be read \(No such file or directory\)"):
        read_mat(DATA_SETS["usair"], tmp_path)
