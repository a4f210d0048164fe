"""An exported model.py runs where this package does not exist, and computes what the network computed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from agentnas.tools.codegen import export_source, model_source, portable_source, write_data
from agentnas.tools.errors import ConfigError, UsageError
from agentnas.tools.nn.data import pack_data
from agentnas.tools.nn.network import Network, build_network
from agentnas.tools.operators.base import operators
from agentnas.tools.spec import model
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks import load_task
from tests.tools.nn.making import FEATURES, NODES, features, graph, sparse

CLASSES = 3

CHECK = """
import importlib.util, sys, torch
sys.modules["agentnas"] = None  # importing it raises ImportError, installed or not
for source, weights, data, wanted in zip(*[iter(sys.argv[1:])] * 4):
    spec = importlib.util.spec_from_file_location("model", source)
    module = importlib.util.module_from_spec(spec)
    sys.modules["model"] = module
    spec.loader.exec_module(module)
    scores = module.predict(module.load(weights), torch.load(data, weights_only=True))
    gap = (scores - torch.load(wanted, weights_only=True)).abs().max().item()
    print(source.split("/")[-2], gap)
    assert gap <= 1e-6, (source, gap)
"""


def everything() -> list[dict[str, Any]]:
    """Specs that between them use every operator, merge, norm, jump, activation, encoder, head and post-processing."""
    specs: list[dict[str, Any]] = []
    merges, norms, jumps = get_args(model.Merge), get_args(model.Norm), get_args(model.Jump)
    activations, posts = get_args(model.Activation), ("none", "correct_and_smooth", "label_propagation")
    for k, (name, described) in enumerate(operators().items()):
        width: dict[str, Any] = {"width": 8} if described.has_width else {}
        first = {"id": "a", "op": name, **width, "norm": norms[k % 5], "residual": k % 2 == 0, "activation": activations[k % 8]}
        second = {"id": "b", "op": name, "inputs": ["a", "input"], "merge": merges[k % 5], "dropout": 0.3}
        encodings = [{"kind": "degree", "dim": 4}] if k % 3 == 0 else []
        encoder = {"encoder": ("none", "linear", "mlp")[k % 3], "width": 6, "encodings": encodings}
        post = {"kind": posts[k % 3], "hops": 3}
        decoder = {"decoder": ("linear", "mlp")[k % 2], "width": 5}
        body = {"nodes": [first, second], "outputs": ["a", "b"], "jump": jumps[k % 5]}
        specs.append({"input": encoder, "body": body, "post": post, "head": decoder})
    gat = {"nodes": [{"id": "a", "op": "gat", "width": 8, "norm": "graph"}], "outputs": ["a"]}
    heads: list[dict[str, Any]] = [{"kind": "link", "decoder": d} for d in ("dot", "mlp", "common_neighbour")]
    heads += [{"kind": "link", "decoder": d, "pair_features": "structure"} for d in ("dot", "mlp")]
    heads += [{"kind": "graph", "pooling": p, "virtual_node": p == "sum"} for p in ("mean", "sum", "max", "attention")]
    return specs + [{"body": gat, "head": head} for head in heads]


def outputs(spec: ArchitectureSpec) -> int:
    return 1 if spec.head.kind == "link" else CLASSES


def built(spec: ArchitectureSpec) -> Network:
    torch.manual_seed(0)
    net = build_network(spec, in_channels=FEATURES, out_channels=outputs(spec), encoding_channels=spec.input.encoding_channels)
    for name, value in net.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_()
    return net.eval()


def wanted_scores(spec: ArchitectureSpec, net: Network, packed: dict[str, torch.Tensor]) -> torch.Tensor:
    from agentnas.tools.nn import post

    g, encodings = graph(), packed.get("encodings")
    with torch.no_grad():
        scores: torch.Tensor = net(sparse(features()), g, encodings, packed["batch"], packed["edge_label_index"])
    if spec.post.kind == "none" or spec.head.kind != "node":
        return (torch.stack([torch.zeros_like(scores), scores], 1) if spec.head.kind == "link" else scores).softmax(1)
    settings = {"alpha": spec.post.alpha, "hops": spec.post.hops, "weight": spec.post.weight}
    after: torch.Tensor = getattr(post, spec.post.kind)(scores.softmax(1), g, packed["y_train"], packed["train_index"], **settings)
    return after


def test_everything_of_the_language_runs_alone_and_gives_the_same(tmp_path: Path) -> None:
    arguments: list[str] = []
    more = {"y_train": torch.tensor([0, 1, 2]), "train_index": torch.tensor([0, 5, 9]), "batch": torch.arange(NODES) // 6}
    more["edge_label_index"] = torch.tensor([[0, 1, 2], [3, 4, 5]])
    for k, data in enumerate(everything()):
        spec = parse_spec(data)
        folder = tmp_path / f"{k:02d}-{'-'.join(node.op for node in spec.body.nodes)}-{spec.head.kind}"
        folder.mkdir()
        net = built(spec)
        encodings = torch.rand(NODES, spec.input.encoding_channels) if spec.input.encoding_channels else None
        packed = pack_data(sparse(features()), graph(), encodings, **more)
        source = model_source(spec, FEATURES, outputs(spec))
        (folder / "model.py").write_text(source)
        torch.save(net.state_dict(), folder / "weights.pt")
        torch.save(packed, folder / "data.pt")
        torch.save(wanted_scores(spec, net, packed), folder / "wanted.pt")
        arguments += [str(folder / name) for name in ("model.py", "weights.pt", "data.pt", "wanted.pt")]
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", CHECK, *arguments], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert len(done.stdout.splitlines()) == len(everything())


@pytest.fixture(scope="module")
def sources() -> list[str]:
    return [model_source(parse_spec(data), FEATURES, CLASSES) for data in everything()]


def test_sources_import_torch_and_the_standard_library_only(sources: list[str]) -> None:
    for source in sources:
        imported = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add((node.module or "").split(".")[0])
        assert imported - set(sys.stdlib_module_names) == {"torch"}


def test_sources_name_nothing_that_they_lack(sources: list[str], tmp_path: Path) -> None:
    """A definition that moves to a file of its own must be found there, in branches too that no prediction takes."""
    portable = [portable_source(spec, FEATURES, CLASSES) for spec in map(parse_spec, everything()) if spec.head.kind == "node"]
    for k, source in enumerate([*sources, *portable]):
        (tmp_path / f"model_{k:03d}.py").write_text(source)
    ruff = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--no-cache",
        "--select",
        "F821",
        "--output-format",
        "concise",
        str(tmp_path),
    ]
    done = subprocess.run(ruff, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_sources_hold_nothing_that_is_not_used(sources: list[str]) -> None:
    for source in sources:
        assert "agentnas" not in source
        assert "OPERATOR" not in source
        for statement in ast.parse(source).body:
            if isinstance(statement, (ast.ClassDef, ast.FunctionDef)):
                uses = len(re.findall(rf"\b{statement.name}\b", source))
                assert uses > 1 or statement.name in ("main", "predict", "load"), statement.name


def test_model_has_one_line_a_node() -> None:
    nodes = [
        {"id": "a", "op": "gcn", "width": 16, "activation": "relu", "dropout": 0.5},
        {"id": "b", "op": "appnp", "inputs": ["a"]},
    ]
    source = model_source(parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}}), 1433, 7)
    wanted = """
        self.input = RawFeatures(0.0)
        self.n1 = Block(GCN(1433, 16), dropout=0.5, activation=nn.ReLU())
        self.n2 = Block(APPNP(16, 16, hops=10, alpha=0.1))
        self.head = Perceptron([16, 7])
"""
    assert wanted in source
    forward = """
        h = self.input(x)
        n1 = self.n1(graph, h)
        n2 = self.n2(graph, n1)
        scores = self.head(n2)
        return scores
"""
    assert forward in source
    assert all(len(line) <= 140 for line in source.splitlines())


def test_export_of_a_task_prints_its_test_score(tmp_path: Path) -> None:
    task = load_task("digits")
    assert task.data is not None
    spec = parse_spec({"body": {"nodes": [{"id": "a", "op": "sage", "width": "out"}], "outputs": ["a"]}, "head": {"decoder": "none"}})
    torch.manual_seed(0)
    net = build_network(spec, in_channels=task.data.num_features, out_channels=task.data.num_classes)
    torch.save(net.state_dict(), tmp_path / "weights.pt")
    write_data(tmp_path / "data.pt", spec, task)
    (tmp_path / "model.py").write_text(export_source(spec, task))
    done = subprocess.run([sys.executable, "-I", str(tmp_path / "model.py")], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    name, score = re.fullmatch(r"test (\w+) (\d+\.\d{6})\n", done.stdout).groups()  # type: ignore[union-attr]
    net.eval()
    from agentnas.tools.nn.features import prepare_features
    from agentnas.tools.nn.graph import Graph

    g = Graph(torch.from_numpy(task.data.edge_index), task.data.num_nodes)
    with torch.no_grad():
        scores = net(prepare_features(spec.input, task.data.x, g)[0], g).numpy()
    test = np.asarray(task.split(0).test)
    assert name == task.metric.name
    assert float(score) == pytest.approx(task.metric.score(task.data.y[test], scores[test]), abs=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["data.pt", "model.py", "weights.pt"]


def test_a_table_cannot_be_exported() -> None:
    with pytest.raises(UsageError, match="nasbench:cora is a table"):
        export_source(parse_spec({}), load_task("nasbench:cora"))


def test_operators_whose_helpers_share_a_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
from torch import nn
from agentnas.tools.operators.base import Operator
OPERATOR = Operator(name="{name}", kind="pointwise", module="{cls}", doc="d", source="s", has_width=False)
def helper(x):
    return {name!r}
class {cls}(nn.Module):
    def __init__(self, a, b):
        super().__init__()
    def forward(self, x, graph):
        return x if helper(x) else x
"""
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(text.format(name=name, cls=name.capitalize()))
    monkeypatch.setenv("AGENTNAS_OPERATORS", str(tmp_path))
    nodes = [{"id": "a", "op": "one"}, {"id": "b", "op": "two", "inputs": ["a"]}]
    with pytest.raises(ConfigError, match=r"two.py: 'helper' is also defined in .*one.py"):
        model_source(parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}}), 4, 2)
