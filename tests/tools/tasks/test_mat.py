"""MATLAB files of graphs: what is damaged is refused in one line of ours, whatever the damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from agentnas.tools.errors import DataError
from agentnas.tools.tasks.catalog import DATA_SETS
from agentnas.tools.tasks.pairs import read_mat

USAIR = DATA_SETS["usair"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("mat") / "USAir.mat"
    ring = sp.coo_matrix((np.ones(60), (np.arange(60), (np.arange(60) + 1) % 60)), shape=(60, 60))
    savemat(path, {"net": ring.tocsc()})
    return path.read_bytes()


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_damage_is_an_error_of_ours(sound: bytes, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(sound)
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 12))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "USAir.mat").write_bytes(bytes(content))
    try:
        read_mat(USAIR, tmp_path)
    except DataError as error:
        assert str(error).startswith(str(tmp_path))
        assert "\n" not in str(error)


def test_a_sound_file_is_a_graph_whose_nodes_are_their_own_features(sound: bytes, tmp_path: Path) -> None:
    (tmp_path / "USAir.mat").write_bytes(sound)
    data = read_mat(USAIR, tmp_path)
    assert (data.num_nodes, data.num_edges, data.num_features) == (60, 120, 60)


@pytest.mark.parametrize(
    ("held", "said"),
    [({"net": np.ones((3, 4))}, "3 x 4"), ({"net": np.zeros((3, 3))}, "with 0 entries"), ({"other": np.ones(2)}, "KeyError")],
)
def test_a_matrix_that_is_no_graph_is_refused(held: dict[str, Any], said: str, tmp_path: Path) -> None:
    savemat(tmp_path / "USAir.mat", held)
    with pytest.raises(DataError, match=said):
        read_mat(USAIR, tmp_path)
