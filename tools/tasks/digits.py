"""scikit-learn's handwritten digits as a nearest-neighbour graph: real data that needs no download."""

from __future__ import annotations

import numpy as np

from agentnas.tools.tasks.base import GraphData, sorted_edges

NEIGHBOURS = 5


def digits_data() -> GraphData:
    """1797 images of 8 x 8 pixels in 0..1, ten classes; each is joined to its 5 nearest (Euclidean) in both directions."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    # Pixels are whole numbers 0..16, so squared distances are exact integers and the graph is the same on every machine.
    pixels = images.astype(np.int64)
    norms = (pixels**2).sum(axis=1)
    distance = norms[:, None] + norms[None, :] - 2 * (images @ images.T).astype(np.int64)
    np.fill_diagonal(distance, np.iinfo(np.int64).max)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBOURS]
    edges = np.stack([np.repeat(np.arange(len(images)), NEIGHBOURS), nearest.ravel()]).astype(np.int64)
    x = (images / 16.0).astype(np.float32)
    return GraphData(x, sorted_edges(edges, len(x), undirected=True), labels.astype(np.int64), 10)
