from __future__ import annotations

import numpy as np
import pytest
import torch

from agentnas.tools.metrics import metric
from agentnas.tools.nn import score


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "roc_auc"])
@pytest.mark.parametrize("seed", range(5))
def test_equals_the_metric_of_the_same_name(name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    classes = 2 if name == "roc_auc" else 4
    y = np.concatenate([np.arange(2), random.integers(classes, size=40)])
    scores = random.integers(3, size=(42, classes)).astype(np.float32)  # many ties
    ours = getattr(score, name)(torch.from_numpy(y), torch.from_numpy(scores))
    assert ours == pytest.approx(metric(name).score(y, scores), abs=1e-9)
