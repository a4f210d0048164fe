"""What is exported runs where AgentNAS is not, and says what the trained model says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agentnas.run import Run
from agentnas.shipping import forms
from agentnas.shipping.forms import FORMS, check_form, export
from agentnas.shipping.scaling import scaling_of
from agentnas.shipping.trained import Trained
from agentnas.tools.errors import RunError, UsageError
from agentnas.tools.nn.features import prepare_features
from agentnas.tools.nn.graph import Graph
from agentnas.tools.operators.base import operators
from agentnas.tools.spec.model import Input, parse_spec
from tests.shipping.crafted import with_winner

FILES = {
    "python": ["MODEL_CARD.md", "README.md", "data.pt", "example.py", "figures.json", "model.json", "model.py", "spec.json", "weights.pt"],
    "pt2": ["MODEL_CARD.md", "example.py", "model.json", "model.pt2", "sample.pt"],
    "onnx": ["MODEL_CARD.md", "example.py", "model.json", "model.onnx", "sample.npz"],
    "state": ["MODEL_CARD.md", "example.py", "model.json", "model.py", "state.pt"],
}
# As on a machine that has torch (for onnx: onnxruntime) and nothing else that could help.
ALONE = """
import sys, runpy
for name in sys.argv[1:]:
    sys.modules[name] = None
sys.path.insert(0, ".")
runpy.run_path("example.py", run_name="__main__")
"""
HIDDEN = {"python": ("agentnas",), "pt2": ("agentnas", "torch_geometric"), "state": ("agentnas",), "onnx": ("agentnas", "torch", "scipy")}


def run_example(folder: Path, form: str) -> str:
    command = [sys.executable, "-I", "-B", "-W", "ignore", "-c", ALONE, *HIDDEN[form]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr[-1500:]
    return done.stdout


@pytest.fixture(scope="module", params=list(FORMS))
def shipped(request: pytest.FixtureRequest, live_run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, forms.Exported]:
    form: str = request.param
    folder = tmp_path_factory.mktemp("shipped") / form
    return form, folder, export(live_run, form, folder)


def test_a_form_is_a_folder_with_its_card_and_description(shipped: tuple[str, Path, forms.Exported], live_run: Run) -> None:
    form, folder, exported = shipped
    assert sorted(path.name for path in folder.iterdir()) == FILES[form] == list(exported.files)
    assert [path for path in folder.parent.iterdir() if path.name.startswith(".")] == []
    described = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert (described["form"], described["task"], described["classes"]) == (form, "digits", list(range(10)))
    assert (folder / described["file"]).is_file()
    assert [part["name"] for part in described["inputs"]] == ["x", "edge_index"]
    assert described["inputs"][0]["shape"] == ["nodes", 64]
    assert (described["deviation"] is not None) == (form in ("pt2", "onnx"))


def test_the_example_runs_without_agentnas(shipped: tuple[str, Path, forms.Exported], tmp_path: Path) -> None:
    form, folder, _ = shipped
    printed = run_example(Path(shutil.copytree(folder, tmp_path / "moved")), form)
    if form in ("pt2", "onnx"):
        assert float(printed.split()[-1]) <= 1e-5
        assert len(re.findall(r"^node \d: class \d with probability [01]\.\d\d$", printed, re.MULTILINE)) == 5
    elif form == "python":
        assert len(re.findall(r"^node \d+: class \d", printed, re.MULTILINE)) == 5
    else:
        assert "tensor(" in printed
        assert re.search(r"^n1\.\S+: \[\d+", printed, re.MULTILINE)


def test_the_card_holds_the_figures_of_the_journal(shipped: tuple[str, Path, forms.Exported], live_run: Run) -> None:
    _, folder, exported = shipped
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    summary = live_run.summary()
    fingerprint = json.loads((live_run.path / "config.json").read_text(encoding="utf-8"))["data_fingerprint"]
    for wanted in (fingerprint, summary["protocol"], f"**{summary['test']['mean']:.2f} ± {summary['test']['sd']:.2f}**", "transductive"):
        assert wanted in card
    assert card.startswith("---\nlicense: unknown")
    assert all(f"## {part}" in card for part in ("Use", "Data", "Metrics", "Intended use", "Limits", "How it was made", "Licence"))
    assert str(live_run.path) not in card
    if exported.deviation is not None:
        assert f"{exported.deviation.whole:.1e} on the graph of the run (1,797 nodes)" in card


def test_the_head_of_the_card_is_yaml(live_run: Run, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    export(live_run, "state", tmp_path / "out")
    head = yaml.safe_load((tmp_path / "out" / "MODEL_CARD.md").read_text(encoding="utf-8").split("---\n")[1])
    assert (head["datasets"], head["metrics"], head["license"]) == (["digits"], ["accuracy"], "unknown")
    assert head["model-index"][0]["results"][0]["metrics"][0]["value"] == round(live_run.summary()["test"]["mean"], 2)


def spec_of(op: str, number: int, deep: bool = False) -> dict[str, Any]:
    """A spec of this operator in surroundings that take turns: scaling, norms, jumps, encodings, post-processing.

    ``deep``: twice, with its own number of hops or layers, and a merge before the second; else once with two.
    """
    described = operators()[op]
    width: dict[str, Any] = {"width": 8} if described.has_width else {}
    few = {param.name: 2 for param in described.params if param.name in ("hops", "layers") and not deep}
    norms, merges = ("none", "batch", "layer", "pair", "graph"), ("sum", "mean", "max", "concat", "gate")
    first = {"id": "a", "op": op, **width, "params": few, "norm": norms[number % 5], "activation": "relu"}
    second = {"id": "b", "op": op, "inputs": ["a", "input"], "merge": merges[number % 5], **width}
    part = {"encoder": "linear", "width": 8, "scale": ("none", "row", "standard")[number % 3]}
    kind = {1: "correct_and_smooth", 2: "label_propagation"}.get(number % 7, "none")  # it makes programs long
    encodings = [{"kind": "degree", "dim": 4}] if number % 4 == 0 else []
    nodes = [first, second] if deep else [first]
    body = {"nodes": nodes, "outputs": ["a", "b" if deep else "input"], "jump": ("concat", "sum", "mean", "max", "attention")[number % 5]}
    return {"input": {**part, "encodings": encodings}, "body": body, "post": {"kind": kind, "hops": 3}}


@pytest.mark.parametrize("form", ["pt2", "onnx"])
@pytest.mark.parametrize("number", range(len(operators())), ids=list(operators()))
def test_every_operator_of_the_language_goes_through_each_form(number: int, form: str, live_run: Run, tmp_path: Path) -> None:
    """Compared on the whole graph and on a changed one at export; ``verify`` raises beyond 1e-5."""
    require_equal(with_winner(live_run, tmp_path, spec_of(list(operators())[number], number)), form, tmp_path / "out")


@pytest.mark.prove
@pytest.mark.parametrize("form", ["pt2", "onnx"])
@pytest.mark.parametrize("number", range(len(operators())), ids=list(operators()))
def test_deeper_networks_go_through_each_form(number: int, form: str, live_run: Run, tmp_path: Path) -> None:
    require_equal(with_winner(live_run, tmp_path, spec_of(list(operators())[number], number, deep=True)), form, tmp_path / "out")


def require_equal(run: Run, form: str, out: Path) -> None:
    exported = export(run, form, out)
    assert exported.deviation is not None
    assert 0.0 <= max(exported.deviation.whole, exported.deviation.changed) <= 1e-5
    assert (exported.deviation.nodes, exported.deviation.changed_nodes) == (1797, 898)


def test_the_traced_program_takes_graphs_of_any_size(live_run: Run, tmp_path: Path) -> None:
    """One node, no edge, only self-loops: sizes that tracers like to take for constants."""
    run = with_winner(live_run, tmp_path, spec_of("gat", 0))
    export(run, "pt2", tmp_path / "out")
    program = torch.export.load(tmp_path / "out" / "model.pt2").module()
    trained = Trained(run)
    for nodes, edges in ((1, []), (2, []), (1, [[0], [0]]), (3, [[0, 1], [1, 1]]), (3000, [[0, 2999], [2999, 0]])):
        edge_index = np.array(edges, dtype=np.int64).reshape(2, -1)
        x = np.random.default_rng(0).random((nodes, 64), dtype=np.float32)
        wanted = trained.probabilities(x, edge_index)
        encodings = trained.encodings(Graph(torch.from_numpy(edge_index), nodes))
        got = program(x=torch.from_numpy(x), edge_index=torch.from_numpy(edge_index), encodings=encodings)
        assert torch.allclose(got, wanted, atol=1e-5), nodes


def test_encodings_and_known_labels_are_inputs_and_are_told(live_run: Run, tmp_path: Path) -> None:
    data = spec_of("gcn", 1)
    data["input"]["encodings"] = [{"kind": "laplacian", "dim": 4}, {"kind": "random_walk", "dim": 4}]
    run = with_winner(live_run, tmp_path, data)
    exported = export(run, "state", tmp_path / "out")
    assert "graph_encodings.py" in exported.files
    assert any("laplacian (4)" in note for note in exported.notes)
    assert any("correct_and_smooth is part of the model" in note for note in exported.notes)
    described = json.loads((tmp_path / "out" / "model.json").read_text(encoding="utf-8"))
    assert [part["name"] for part in described["inputs"]] == ["x", "edge_index", "encodings", "y_train", "train_index"]
    assert described["scaling"] == {
        "kind": "row", "done_by": "the caller, before the model", "rule": "x / sum of the absolute values of its row",
    }  # fmt: skip
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Laplacian encodings differ in sign" in card
    assert "without known labels" in card
    assert "tensor(" in run_example(tmp_path / "out", "state")


def test_encodings_are_computed_without_agentnas_as_they_were_at_training(live_run: Run, tmp_path: Path) -> None:
    data = spec_of("gcn", 0)
    data["input"]["encodings"] = [{"kind": kind, "dim": 4} for kind in ("laplacian", "random_walk", "degree")]
    run = with_winner(live_run, tmp_path, data)
    export(run, "state", tmp_path / "out")
    edge_index = torch.tensor([[0, 1, 1, 2, 2, 3, 4, 5], [1, 0, 2, 1, 3, 2, 5, 4]])
    torch.save(edge_index, tmp_path / "out" / "edges.pt")
    program = (
        "import sys; sys.modules['agentnas'] = None; sys.path.insert(0, '.'); import torch; from graph_encodings import encodings;"
        "torch.save(encodings(torch.load('edges.pt', weights_only=True), 7), 'got.pt')"
    )
    subprocess.run([sys.executable, "-I", "-c", program], cwd=tmp_path / "out", check=True, capture_output=True, timeout=100)
    wanted = Trained(run).encodings(Graph(edge_index, 7))
    assert wanted is not None
    assert torch.equal(torch.load(tmp_path / "out" / "got.pt", weights_only=True), wanted)


@pytest.mark.parametrize("kind", ["none", "row", "standard"])
@pytest.mark.parametrize("density", [0.02, 0.6])
def test_scaling_is_that_of_training(kind: Any, density: float) -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(50, 30)) * (rng.random((50, 30)) < density)).astype(np.float32)
    prepared, _ = prepare_features(Input(scale=kind), x, Graph(torch.tensor([[0], [1]]), 50))
    wanted = prepared if isinstance(prepared, torch.Tensor) else prepared.dense
    assert np.allclose(scaling_of(kind, x)(x), wanted.numpy(), atol=1e-6)


OWN_OPERATOR = """
import torch
from torch import Tensor, nn
from agentnas.tools.operators.base import Operator

OPERATOR = Operator(name="picky", kind="pointwise", module="Picky", doc="d", source="s", has_width=False)

class Picky(nn.Module):
    def __init__(self, a: int, b: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, graph: object) -> Tensor:
        return x * float(x.sum() > 0)
"""


@pytest.mark.parametrize("form", ["pt2", "onnx"])
def test_an_operator_that_cannot_be_traced_is_named(form: str, live_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "picky.py").write_text(OWN_OPERATOR, encoding="utf-8")
    monkeypatch.setenv("AGENTNAS_OPERATORS", str(tmp_path / "ops"))
    nodes = [{"id": "a", "op": "gcn", "width": 8}, {"id": "b", "op": "picky", "inputs": ["a"]}]
    run = with_winner(live_run, tmp_path, {"body": {"nodes": nodes, "outputs": ["b"]}})
    with pytest.raises(
        UsageError, match=rf"^--to {form} cannot hold operator picky \(.*\); the forms python and state hold every"
    ) as caught:
        export(run, form, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert export(run, "state", tmp_path / "out").files


def test_a_program_that_deviates_is_not_shipped(live_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnas.shipping.verify.TOLERANCE", 1e-30)
    with pytest.raises(RunError, match=r"largest difference from the trained model: .* nothing was written, --to python is exact"):
        export(live_run, "pt2", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_onnx_without_its_packages_is_one_line(live_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"--to onnx needs onnxruntime; install it with pip install 'agentnas\[onnx\]', or use --to pt2"):
        export(live_run, "onnx", tmp_path / "out")


def test_the_sealed_test_is_left_alone(live_run: Run, tmp_path: Path) -> None:
    before = (live_run.path / "events.jsonl").read_bytes()
    listed = sorted(path.name for path in live_run.path.rglob("*"))
    export(live_run, "pt2", tmp_path / "out")
    assert (live_run.path / "events.jsonl").read_bytes() == before
    assert sorted(path.name for path in live_run.path.rglob("*")) == listed
    sample = torch.load(tmp_path / "out" / "sample.pt", weights_only=True)
    assert sorted(sample) == ["edge_index", "expected", "x"]  # no labels


def test_a_table_has_spec_and_code_and_says_what_it_lacks(table_run: Run, tmp_path: Path) -> None:
    exported = export(table_run, "python", tmp_path / "out")
    assert {"spec.json", "model.py", "MODEL_CARD.md", "model.json", "example.py"} <= set(exported.files)
    assert exported.notes == (
        "nasbench:cora is a table: nothing was trained, so there are no weights; README.md says how to train the spec",
    )
    assert "tensor(" in run_example(tmp_path / "out", "python")
    assert "± ?" in (tmp_path / "out" / "MODEL_CARD.md").read_text(encoding="utf-8")
    for form in ("pt2", "onnx", "state"):
        with pytest.raises(
            UsageError, match=r"looked nasbench:cora up in a table and trained nothing.*agentnas train spec\.json --task cora"
        ):
            export(table_run, form, tmp_path / form)


@pytest.mark.parametrize(
    ("word", "said"), [("export", "--out export"), ("models/cora", "--out models/cora"), ("onx", "did you mean onnx?")]
)
def test_the_old_use_of_to_is_told_what_to_write(word: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_form(word, Path("export"))
    assert str(caught.value).startswith(f"--to {word} is no form; ")
    assert said in str(caught.value)


def test_a_copy_is_whole_and_overwrites_nothing(live_run: Run, tmp_path: Path) -> None:
    export(live_run, "python", tmp_path / "copy")
    assert (tmp_path / "copy" / "weights.pt").read_bytes() == (live_run.path / "winner" / "weights.pt").read_bytes()
    with pytest.raises(UsageError, match="exists; give a folder that does not exist yet"):
        export(live_run, "python", tmp_path / "copy")
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot write"):
        export(live_run, "python", tmp_path / "file" / "copy")


def test_weights_that_are_damaged_are_one_line(live_run: Run, tmp_path: Path) -> None:
    run = with_winner(live_run, tmp_path, spec_of("gcn", 0))
    (run.path / "winner" / "weights.pt").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(RunError, match=r"weights.pt cannot be read: \w+; delete"):
        export(run, "pt2", tmp_path / "out")


def test_specs_of_the_test_are_those_of_the_language() -> None:
    assert all(parse_spec(spec_of(op, number)) for number, op in enumerate(operators()))
