"""Milliseconds of a training step on Cora: our GCN, GAT, SAGE and GIN beside PyTorch Geometric's own with dense features.

    python -m tests.benchmarks.steps --data-dir DATA

Both train the same two-layer architecture with the same recipe on one thread; their epochs alternate, so that a busy machine slows both. A
step is forward, backward and optimiser. Accuracy is the test accuracy at the epoch that validation chooses.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agentnas.tools.nn.features import prepare_features
from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.network import build_network
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks import load_task

LEAST_RATIO = {"gcn": 3.0, "sage": 3.0, "gin": 3.0}
WIDTH = {"gcn": 64, "gat": 64, "sage": 64, "gin": 64}
DROPOUT = {"gcn": 0.5, "gat": 0.6, "sage": 0.5, "gin": 0.5}
WARM = 3


class PyG(nn.Module):
    """Dropout, convolution, activation, dropout, convolution, as in PyTorch Geometric's examples."""

    def __init__(self, kind: str, features: int, classes: int) -> None:
        import torch_geometric.nn as pyg

        super().__init__()
        self.first, self.second = _pyg_convolutions(pyg, kind, features, WIDTH[kind], classes)
        self.activation = nn.ELU() if kind == "gat" else nn.ReLU()
        self.dropout = DROPOUT[kind]
        self._start_like_ours()

    def _start_like_ours(self) -> None:
        """Glorot weights and zero biases: SAGE and GIN would start from other distributions, and end at other accuracies."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        h = self.activation(self.first(F.dropout(x, self.dropout, self.training), edge_index))
        out: Tensor = self.second(F.dropout(h, self.dropout, self.training), edge_index)
        return out


def _pyg_convolutions(pyg: Any, kind: str, features: int, width: int, classes: int) -> tuple[nn.Module, nn.Module]:
    if kind == "gat":
        first = pyg.GATConv(features, width // 8, heads=8, dropout=0.6)
        return first, pyg.GATConv(width, classes, heads=1, concat=False, dropout=0.6)
    if kind == "gin":
        return pyg.GINConv(_mlp(features, width)), pyg.GINConv(_mlp(width, classes))
    convolution = pyg.GCNConv if kind == "gcn" else pyg.SAGEConv
    return convolution(features, width), convolution(width, classes)


def _mlp(width_in: int, width_out: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width_in, width_out), nn.ReLU(), nn.Linear(width_out, width_out))


def our_spec(kind: str) -> ArchitectureSpec:
    """The same architecture in the spec language."""
    heads: list[dict[str, Any]] = [{}, {}]
    if kind == "gat":
        heads = [{"heads": 8, "attention_dropout": 0.6}, {"heads": 1, "attention_dropout": 0.6, "join": "mean"}]
    activation = "elu" if kind == "gat" else "relu"
    common = {"op": kind, "dropout": DROPOUT[kind]}
    first = {**common, "id": "a", "width": WIDTH[kind], "params": heads[0], "activation": activation}
    second = {**common, "id": "b", "width": "out", "params": heads[1], "inputs": ["a"]}
    return parse_spec({"input": {"scale": "row"}, "body": {"nodes": [first, second], "outputs": ["b"]}, "head": {"decoder": "none"}})


@dataclass
class Data:
    """Labels and split that both sides share."""

    y: Tensor
    train: Tensor
    val: Tensor
    test: Tensor


class Training:
    """One training of one side; ``epoch`` times a step and keeps the test accuracy of the best validation epoch."""

    def __init__(self, network: nn.Module, inputs: tuple[Any, ...], data: Data) -> None:
        self.network, self.inputs, self.data = network, inputs, data
        self.optimiser = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=5e-4)
        self.times: list[float] = []
        self.best = (-1.0, 0.0)

    def epoch(self) -> None:
        self.network.train()
        start = time.perf_counter()
        self.optimiser.zero_grad()
        loss: Any = F.cross_entropy(self.network(*self.inputs)[self.data.train], self.data.y[self.data.train])
        loss.backward()
        self.optimiser.step()
        self.times.append(1000 * (time.perf_counter() - start))

    def evaluate(self) -> None:
        self.network.eval()
        with torch.no_grad():
            right = (self.network(*self.inputs).argmax(1) == self.data.y).float()
        val, test = (100 * right[index].mean().item() for index in (self.data.val, self.data.test))
        if val > self.best[0]:
            self.best = (val, test)


@dataclass
class Row:
    """What one architecture gave: median milliseconds, and test accuracies over seeds, of both sides."""

    kind: str
    ours_ms: float
    theirs_ms: float
    ours: list[float]
    theirs: list[float]

    @property
    def ratio(self) -> float:
        return self.theirs_ms / self.ours_ms

    def __str__(self) -> str:
        ours, theirs = (f"{statistics.mean(a):.1f} ± {statistics.stdev(a) if len(a) > 1 else 0:.1f}" for a in (self.ours, self.theirs))
        return f"{self.kind:5} {self.ours_ms:8.2f} {self.theirs_ms:8.2f} {self.ratio:6.1f}x   {ours:>12}   {theirs:>12}"


def compare(kind: str, sides: Callable[[str], tuple[Training, Training]], seeds: int, epochs: int) -> Row:
    """Train both sides, epoch by epoch in turn, for each seed."""
    times: tuple[list[float], list[float]] = ([], [])
    scores: tuple[list[float], list[float]] = ([], [])
    for seed in range(seeds):
        torch.manual_seed(seed)
        pair = sides(kind)
        for number in range(epochs):
            for training in pair if number % 2 else pair[::-1]:
                training.epoch()
                training.evaluate()
        for side, training in enumerate(pair):
            times[side].extend(training.times[WARM:])
            scores[side].append(training.best[1])
    return Row(kind, statistics.median(times[0]), statistics.median(times[1]), *scores)


def prepare(data_dir: Path | None) -> Callable[[str], tuple[Training, Training]]:
    """Load Cora once; the result makes our and PyG's training of an architecture."""
    task = load_task("cora", data_dir=data_dir, download=False)
    assert task.data is not None
    cora, split = task.data, task.split(0)
    graph = Graph(torch.from_numpy(cora.edge_index), cora.num_nodes)
    edge_index = torch.from_numpy(cora.edge_index)
    sparse, _ = prepare_features(our_spec("gcn").input, cora.x, graph)
    dense = sparse if isinstance(sparse, Tensor) else sparse.dense
    index = [torch.from_numpy(np.asarray(part)) for part in (split.train, split.val, split.test)]
    data = Data(torch.from_numpy(cora.y), *index)

    def sides(kind: str) -> tuple[Training, Training]:
        network = build_network(our_spec(kind), in_channels=cora.num_features, out_channels=cora.num_classes)
        theirs = PyG(kind, cora.num_features, cora.num_classes)
        return Training(network, (sparse, graph), data), Training(theirs, (dense, edge_index), data)

    return sides


def main() -> int:
    """Print the table; 1 if a ratio is below what is promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="folder with the raw files of Cora (default: $AGENTNAS_DATA_DIR)")
    parser.add_argument("--kinds", nargs="+", default=list(WIDTH), choices=list(WIDTH))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument(
        "--no-dropout", action="store_true", help="without feature dropout, which alone is most of a step on dense features"
    )
    given = parser.parse_args()
    if given.no_dropout:
        DROPOUT.update(dict.fromkeys(DROPOUT, 0.0))
    torch.set_num_threads(1)
    sides = prepare(given.data_dir)
    print(f"Cora, public split, one thread, {given.seeds} seeds x {given.epochs} epochs; milliseconds a step, medians")
    print(f"{'':5} {'ours':>8} {'PyG':>8} {'':7}   {'ours, test %':>12}   {'PyG, test %':>12}")
    rows = []
    for kind in given.kinds:
        rows.append(compare(kind, sides, given.seeds, given.epochs))
        print(rows[-1], flush=True)
    return int(any(row.ratio < LEAST_RATIO.get(row.kind, 0) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
