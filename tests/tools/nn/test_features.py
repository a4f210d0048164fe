from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse as sp

from agentnas.tools.nn.features import PROBES, prepare_features, random_walk_encoding
from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.sparse import SparseFeatures, as_dense
from agentnas.tools.spec.model import Encoding, Input
from tests.tools.nn.making import NODES, dense_adjacency, edges, features, graph

THIN = sp.random(NODES, 40, density=0.05, format="csr", dtype=np.float32, random_state=np.random.default_rng(0))


def test_thin_features_stay_sparse_and_thick_ones_become_dense() -> None:
    for given in (THIN, THIN.toarray(), torch.from_numpy(THIN.toarray())):
        x, encodings = prepare_features(Input(), given, graph())
        assert isinstance(x, SparseFeatures)
        assert encodings is None
        assert np.array_equal(x.dense.numpy(), THIN.toarray())
    thick, _ = prepare_features(Input(), sp.csr_matrix(features().numpy()), graph())
    assert isinstance(thick, torch.Tensor)
    assert torch.equal(thick, features())


@pytest.mark.parametrize("given", [THIN, THIN.toarray() + 1], ids=["sparse", "dense"])
def test_rows_sum_to_one(given: object) -> None:
    x, _ = prepare_features(Input(scale="row"), given, graph())
    sums = as_dense(x).abs().sum(1)
    assert torch.allclose(sums[sums > 0], torch.tensor(1.0))


def test_standard_columns() -> None:
    x, _ = prepare_features(Input(scale="standard"), features().numpy(), graph())
    torch.testing.assert_close(as_dense(x).mean(0), torch.zeros(10), atol=1e-5, rtol=0)
    torch.testing.assert_close(as_dense(x).std(0, correction=0), torch.ones(10))
    thin, _ = prepare_features(Input(scale="standard"), THIN, graph())
    used = THIN.toarray().std(0) > 0
    torch.testing.assert_close(as_dense(thin).std(0, correction=0)[used], torch.ones(int(used.sum())))
    assert isinstance(thin, SparseFeatures)


def test_encodings_have_their_columns_whatever_their_order() -> None:
    wanted = (Encoding(kind="degree", dim=4), Encoding(kind="laplacian", dim=5), Encoding(kind="random_walk", dim=3))
    _, one = prepare_features(Input(encodings=wanted), THIN, graph())
    _, two = prepare_features(Input(encodings=wanted[::-1]), THIN, graph())
    assert one is not None
    assert two is not None
    assert one.shape == (NODES, 12)
    assert torch.equal(one, two)


def test_random_walk_returns() -> None:
    g = graph(undirected=True)
    a = (dense_adjacency(g) > 0).double()
    walk = a / a.sum(1, keepdim=True).clamp(min=1)
    wanted = torch.stack([torch.linalg.matrix_power(walk, k).diagonal() for k in (1, 2, 3, 4)], 1)
    torch.testing.assert_close(torch.from_numpy(random_walk_encoding(g, 4)).double(), wanted, atol=1e-5, rtol=1e-4)


def test_estimated_random_walk_returns_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = random_walk_encoding(graph(undirected=True), 4)
    monkeypatch.setattr("agentnas.tools.nn.features.EXACT_WALK_COST", 0)
    assert np.abs(random_walk_encoding(graph(undirected=True), 4) - exact).max() < 6 / np.sqrt(PROBES)


@pytest.mark.parametrize("nodes", [NODES, 300])
def test_laplacian_eigenvectors(nodes: int) -> None:
    path = torch.arange(nodes - 1)
    g = Graph(torch.stack([path, path + 1]), nodes)
    _, encodings = prepare_features(Input(encodings=(Encoding(kind="laplacian", dim=3),)), THIN[:1].toarray().repeat(nodes, 0), g)
    assert encodings is not None
    a = dense_adjacency(g) + dense_adjacency(g).t()
    scale = a.sum(1).pow(-0.5)
    laplacian = torch.eye(nodes) - scale[:, None] * a * scale
    values = torch.linalg.eigvalsh(laplacian)[1:4]
    torch.testing.assert_close(laplacian @ encodings, encodings * values, atol=2e-3, rtol=0)
    torch.testing.assert_close(encodings.pow(2).mean(0), torch.ones(3), atol=1e-3, rtol=0)


def test_laplacian_of_components_and_lonely_nodes() -> None:
    g = Graph(edges(count=12), NODES)
    _, encodings = prepare_features(Input(encodings=(Encoding(kind="laplacian", dim=6),)), THIN, g)
    assert encodings is not None
    assert encodings.isfinite().all()
    assert (encodings[-2:] == 0).all()
