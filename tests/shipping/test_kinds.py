"""Winners of every kind of task and target: the folder reproduces the score, forms hold the model, predictions are the run's own."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentnas.run import Run
from agentnas.shipping.forms import export
from agentnas.shipping.trained import Trained
from agentnas.tools.errors import DataError, UsageError
from tests.shipping.kinds import KINDS, run_of, spec_for


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    kind, target = request.param
    return run_of(tmp_path_factory.mktemp("kinds"), kind, target)


def figures(run: Run) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((run.path / "winner" / "figures.json").read_text(encoding="utf-8"))
    return loaded


def test_the_exported_model_prints_the_stored_score(run: Run) -> None:
    told = figures(run)
    assert told["reproduced_test"] == pytest.approx(told["shipped_test"], rel=1e-5)
    scale = run.view.scale
    assert told["unit"] == ("of the target" if scale.is_error else "percent")
    assert run.view.test is not None
    stored = run.view.test.scores[str(run.winner)][str(told["shipped_seed"])]
    assert told["shipped_test"] == pytest.approx(scale.natural(stored))


def test_the_example_of_the_winner_runs(run: Run) -> None:
    lines = example(run.path / "winner").splitlines()
    assert len(lines) >= 5
    assert lines[0].split()[0] == {"node": "node", "graph": "graph", "link": "nodes"}[Trained(run).kind]


def test_a_traced_program_says_what_the_trained_model_says(run: Run, tmp_path: Path) -> None:
    done = export(run, "pt2", tmp_path / "pt2")
    assert done.deviation is not None
    assert max(done.deviation.whole, done.deviation.changed) <= 1e-5
    described = json.loads((done.folder / "model.json").read_text(encoding="utf-8"))
    assert described["outputs"][0]["name"] == ("values" if Trained(run).target == "value" else "probabilities")
    assert "largest difference" in example(done.folder)


def test_weights_alone_come_with_code_that_takes_what_the_model_takes(run: Run, tmp_path: Path) -> None:
    done = export(run, "state", tmp_path / "state")
    assert "tensor(" in example(done.folder)
    card = (done.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert ("regression" in card) == (Trained(run).target == "value")


def test_predictions_on_the_own_data_are_those_of_the_trained_model(run: Run) -> None:
    trained, told = Trained(run), run.predict()
    found = trained.predictions(trained.own(), None).numpy()
    assert [row.probabilities for row in told.rows] == [tuple(row) for row in found.tolist()]
    rows = list(csv.DictReader(io.StringIO(told.as_csv())))
    assert len(rows) == len(found)
    if trained.target == "classes" and trained.kind != "link":
        assert {row["class"] for row in rows} <= {"high", "low"}
    if trained.target == "value":
        assert list(rows[0]) == [trained.kind, "value"]


def test_large_graphs_are_predicted_in_pieces(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run.predict()
    monkeypatch.setattr("agentnas.tools.train.layerwise.PIECE_ROWS", 7)
    pieces = run.predict()
    assert [row.node for row in pieces.rows] == [row.node for row in whole.rows]
    assert np.allclose([row.probabilities for row in pieces.rows], [row.probabilities for row in whole.rows], atol=1e-5)


def test_a_file_of_the_same_data_is_predicted_alike(run: Run, tmp_path: Path) -> None:
    trained = Trained(run)
    own = trained.own()
    arrays = {name: value for name in ("x", "edge_index", "edge_attr", "graph_of", "pairs") if (value := getattr(own, name)) is not None}
    np.savez(tmp_path / "same.npz", **arrays)
    again = run.predict(tmp_path / "same.npz")
    assert [row.probabilities for row in again.rows] == [row.probabilities for row in run.predict().rows]


def test_attributes_of_edges_that_the_model_takes_must_be_there(run: Run, tmp_path: Path) -> None:
    own = Trained(run).own()
    np.savez(tmp_path / "without.npz", x=own.x, edge_index=own.edge_index)
    items = "0-1" if Trained(run).kind == "link" else None
    with pytest.raises(DataError, match="the model takes 1 attributes of each edge, and the graph has none"):
        run.predict(tmp_path / "without.npz", nodes=items)


def test_the_report_shows_errors_as_errors_and_what_happened_to_classes(run: Run) -> None:
    text, trained = (run.path / "report.md").read_text(encoding="utf-8"), Trained(run)
    assert not (run.path / "report-error.txt").exists()
    if trained.target == "value":
        assert "metric RMSE (lower is better)" in text
        assert "### Errors of the values" in text
        assert " % over 2 seeds" not in text
    else:
        assert "Expected calibration error" in text
        assert ("### Label by label" if trained.target == "labels" else "### Class by class") in text
    if trained.kind == "link":
        assert "| no edge |" in text


def test_pairs_are_asked_for_by_name(tmp_path: Path) -> None:
    run = run_of(tmp_path, "link", "classes")
    assert [row.ends for row in run.predict(nodes="v0_0-v0_5, v0_3-v0_4").rows] == [("v0_0", "v0_5"), ("v0_3", "v0_4")]
    with pytest.raises(UsageError, match="'5' is no pair of nodes"):
        run.predict(nodes="5")


def test_a_head_of_common_neighbours_is_refused_where_it_cannot_be_traced(tmp_path: Path) -> None:
    run = run_of(tmp_path, "link", "classes", spec_for("link", decoder="common_neighbour"))
    assert figures(run)["reproduced_test"] == pytest.approx(figures(run)["shipped_test"], abs=1e-4)
    with pytest.raises(UsageError, match="--to onnx cannot hold the common-neighbour head"):
        export(run, "onnx", tmp_path / "onnx")


def test_a_head_that_reads_the_surroundings_of_pairs_ships_as_python(tmp_path: Path) -> None:
    run = run_of(tmp_path, "link", "classes", spec_for("link", pair_features="structure"))
    assert figures(run)["reproduced_test"] == pytest.approx(figures(run)["shipped_test"], abs=1e-4)
    with pytest.raises(UsageError, match="--to onnx cannot hold what the head reads of a pair's surroundings"):
        export(run, "onnx", tmp_path / "onnx")


def example(folder: Path) -> str:
    """What the example prints where AgentNAS is not."""
    alone = "import sys, runpy; sys.modules['agentnas'] = None; sys.path.insert(0, '.'); runpy.run_path('example.py', run_name='__main__')"
    done = subprocess.run([sys.executable, "-I", "-B", "-c", alone], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
