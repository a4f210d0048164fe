"""The programs ``example.py`` that lie beside an exported model and run without AgentNAS."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentnas.shipping.trained import Trained

WINNER = '''"""Predict with the shipped model: python example.py, in this folder, with torch alone."""

import torch

from model import load, predict

data = torch.load("data.pt", weights_only=True)
#LINES
'''
CLASSES = """probabilities = predict(load("weights.pt"), data)  # [#ITEMS, num_classes]
for #ITEM in data["test_index"][:5].tolist():
    confidence, label = probabilities[#ITEM].max(0)
    print(f"#ITEM {#ITEM}: class {label.item()} with probability {confidence.item():.2f}, labelled {data['y'][#ITEM].item()}")"""
LABELS = """probabilities = predict(load("weights.pt"), data)  # [#ITEMS, num_labels]
for #ITEM in data["test_index"][:5].tolist():
    likely, known = (probabilities[#ITEM] > 0.5).nonzero().flatten(), (data["y"][#ITEM] == 1).nonzero().flatten()
    print(f"#ITEM {#ITEM}: labels {likely.tolist()} with probability above 0.5, labelled {known.tolist()}")"""
VALUES = """values = predict(load("weights.pt"), data)  # [#ITEMS, 1], in the unit of the target
for #ITEM in data["test_index"][:5].tolist():
    print(f"#ITEM {#ITEM}: value {values[#ITEM].item():.4g}, measured {data['y'][#ITEM].item():.4g}")"""
PAIRS = """probabilities = predict(load("weights.pt"), data)  # [pairs, 2]: of no edge, and of an edge
test = data["test_index"]
for pair in test[:: max(1, len(test) // 5)].tolist():
    source, target = data["edge_label_index"][:, pair].tolist()
    known = "there is one" if data["y"][pair] == 1 else "there is none"
    print(f"nodes {source} and {target}: an edge with probability {probabilities[pair, 1].item():.2f}, {known}")"""

PT2 = '''"""Predict with the exported program: python example.py, in this folder, with torch alone."""

from pathlib import Path

import torch

here = Path(__file__).parent
model = torch.export.load(here / "model.pt2").module()
sample = torch.load(here / "sample.pt", weights_only=True)  # a small part of the training graph
expected = sample.pop("expected")
with torch.no_grad():
    predicted = model(**sample)  # [num_nodes, num_classes]
#SHOW
print(f"largest difference from the trained model: {(predicted - expected).abs().max().item():.1e}")
'''

ONNX = '''"""Predict with the ONNX model: python example.py, in this folder, with onnxruntime and numpy alone."""

from pathlib import Path

import numpy as np
import onnxruntime

here = Path(__file__).parent
# One thread: several add up one node's messages at the same time, and now and then lose one.
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(str(here / "model.onnx"), options, providers=["CPUExecutionProvider"])
with np.load(here / "sample.npz", allow_pickle=False) as arrays:  # a small part of the training graph
    sample = dict(arrays)
expected = sample.pop("expected")
(predicted,) = session.run(None, sample)  # [num_nodes, num_classes]
#SHOW
print(f"largest difference from the trained model: {np.abs(predicted - expected).max():.1e}")
'''

STATE = '''"""Load the weights into the model's code: python example.py, in this folder, with torch alone."""

from pathlib import Path

import torch

from model import load, predict

path = str(Path(__file__).parent / "state.pt")
for name, tensor in torch.load(path, weights_only=True).items():
    print(f"{name}: {list(tensor.shape)}")
graph = {
    "x": torch.rand(4, #FEATURES),
    "edge_index": torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]),#EXTRA
}
print(predict(load(path), graph))  # probabilities [4, num_classes] for a made-up graph of four nodes
'''
STATE_ENCODINGS = '\n    "encodings": torch.zeros(4, {columns}),'
STATE_KNOWN = '\n    "y_train": torch.tensor([0]), "train_index": torch.tensor([0]),'

TABLE = '''"""Run the untrained model: python example.py, in this folder, with torch alone."""

import torch

from model import Model, predict

torch.manual_seed(0)
graph = {
    "x": torch.rand(4, #FEATURES),
    "edge_index": torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]),
}
print(predict(Model().eval(), graph))  # the weights are random: nothing was trained
'''


def winner_example(kind: str, target: str) -> str:
    """The program for what is predicted of the items of a task."""
    lines = PAIRS if kind == "link" else {"classes": CLASSES, "labels": LABELS, "value": VALUES}[target]
    return WINNER.replace("#LINES", lines).replace("#ITEMS", f"num_{kind}s").replace("#ITEM", kind)


LOOP = "for #ITEM, row in enumerate(predicted[:5].tolist()):"
SHOWN = {
    "classes": f"""{LOOP}
    print(f"#ITEM {{#ITEM}}: class {{row.index(max(row))}} with probability {{max(row):.2f}}")""",
    "labels": f"""{LOOP}
    print(f"#ITEM {{#ITEM}}: labels {{[label for label, share in enumerate(row) if share > 0.5]}}")""",
    "value": f"""{LOOP}
    print(f"#ITEM {{#ITEM}}: value {{row[0]:.4g}}")""",
    "link": """for (source, target), row in zip(sample["pairs"].T.tolist()[:5], predicted.tolist()):
    print(f"nodes {source} and {target}: an edge with probability {row[1]:.2f}")""",
}


def traced_example(program: str, trained: Trained) -> str:
    """``PT2`` or ``ONNX`` for what this model predicts."""
    show = SHOWN["link" if trained.kind == "link" else trained.target].replace("#ITEM", trained.kind)
    rows = {"link": "pairs", "graph": "1", "node": "num_nodes"}[trained.kind]
    return program.replace("#SHOW", show).replace("[num_nodes, num_classes]", f"[{rows}, {trained.columns}]")


def state_example(trained: Trained) -> str:
    """``STATE`` for this model, with what else it takes."""
    extra = f'\n    "edge_attr": torch.rand(6, {trained.edge_channels}),' if trained.edge_channels else ""
    if trained.typed:
        extra += '\n    "edge_type": torch.zeros(6, dtype=torch.long), "node_type": torch.zeros(4, dtype=torch.long),'
    extra += STATE_ENCODINGS.format(columns=columns) if (columns := trained.spec.input.encoding_channels) else ""
    extra += '\n    "edge_label_index": torch.tensor([[0, 0], [2, 3]]),' if trained.kind == "link" else ""
    rows = {"link": "two pairs", "graph": "one made-up graph", "node": "a made-up graph of four nodes"}[trained.kind]
    what = "values" if trained.target == "value" else "probabilities"
    text = STATE.replace("#EXTRA", extra + (STATE_KNOWN if trained.posted else "")).replace("#FEATURES", str(trained.num_features))
    return text.replace("probabilities [4, num_classes] for a made-up graph of four nodes", f"{what} for {rows}")


def table_example(features: int) -> str:
    """``TABLE`` for a model of so many features."""
    return TABLE.replace("#FEATURES", str(features))
