"""``model.json``: what an exported model takes and gives, for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agentnas.memory.environment import environment
from agentnas.run import Run
from agentnas.scores import kind_words

if TYPE_CHECKING:
    from agentnas.shipping.forms import Written
    from agentnas.shipping.trained import Trained

NAMES = {"classes": "probabilities", "labels": "probabilities", "value": "values"}
MEANINGS = {"classes": "of the classes", "labels": "of each label", "value": "in the unit of the target"}
INPUTS = {
    "x": ("float32", "features of the nodes"),
    "edge_index": ("int64", "directed edges: row 0 sources, row 1 targets, numbers of nodes from 0"),
    "edge_attr": ("float32", "attributes of the edges, in their order"),
    "edge_type": ("int64", "type of each edge, from 0"),
    "node_type": ("int64", "type of each node, from 0"),
    "batch": ("int64", "the graph of each node, rising from 0 without gaps; left out for one graph"),
    "edge_label_index": ("int64", "the pairs to judge: numbers of nodes"),
    "pairs": ("int64", "the pairs to judge: numbers of nodes"),
    "encodings": ("float32", "positional and structural encodings, as graph_encodings.py computes them"),
    "y_train": ("int64", "labels of the nodes whose class is known, for post-processing; may be empty"),
    "train_index": ("int64", "the numbers of those nodes"),
}
TRACED = ("pt2", "onnx")


def describe(trained: Trained, form: str, written: Written) -> dict[str, Any]:
    """The description of a trained winner in this form. In the forms python and state the caller scales the features."""
    shapes = {
        "x": ["nodes", trained.num_features], "edge_index": [2, "edges"], "edge_attr": ["edges", trained.edge_channels],
        "edge_type": ["edges"], "node_type": ["nodes"], "batch": ["nodes"], "edge_label_index": [2, "pairs"], "pairs": [2, "pairs"],
        "encodings": ["nodes", trained.spec.input.encoding_channels], "y_train": ["known"], "train_index": ["known"],
    }  # fmt: skip
    names = ["x", "edge_index"]
    names += ["edge_attr"] if trained.edge_channels else []
    names += ["edge_type", "node_type"] if trained.typed else []
    names += ["encodings"] if trained.spec.input.encoding_channels else []
    names += ["batch"] if trained.kind == "graph" and form not in TRACED else []
    names += ["pairs" if form in TRACED else "edge_label_index"] if trained.kind == "link" else []
    names += ["y_train", "train_index"] if trained.posted else []
    return {
        **_common(trained.run, form, written.file),
        "inputs": [{"name": name, "dtype": INPUTS[name][0], "shape": shapes[name], "meaning": INPUTS[name][1]} for name in names],
        "outputs": [output_of(trained, form)],
        "classes": list(trained.class_names) or list(range(trained.columns if trained.target != "value" else 0)),
        "scaling": _scaling(trained, form),
        "encodings": [encoding.model_dump() for encoding in trained.spec.input.encodings],
        "post_processing": trained.spec.post.model_dump() if trained.posted else None,
        "deviation": None if written.deviation is None else asdict(written.deviation),
    }


def output_name(trained: Trained) -> str:
    """``probabilities``, or ``values``."""
    return NAMES[trained.target]


def output_of(trained: Trained, form: str) -> dict[str, Any]:
    """Name, shape and meaning of what the model gives."""
    rows = "pairs" if trained.kind == "link" else 1 if trained.kind == "graph" and form in TRACED else f"{trained.kind}s"
    meaning = "of no edge and of an edge" if trained.kind == "link" else MEANINGS[trained.target]
    return {"name": output_name(trained), "dtype": "float32", "shape": [rows, trained.columns], "meaning": meaning}


def describe_table(run: Run) -> dict[str, Any]:
    """The description of a winner that was looked up and not trained."""
    card = run.view.card or {}
    features, classes = card.get("features"), card.get("classes")
    return {
        **_common(run, "python", "model.py" if card else "spec.json"),
        "trained": False,
        "inputs": [
            {"name": name, "dtype": INPUTS[name][0], "shape": shape, "meaning": INPUTS[name][1]}
            for name, shape in (("x", ["nodes", features]), ("edge_index", [2, "edges"]))
        ],
        "outputs": [{"name": "probabilities", "dtype": "float32", "shape": ["nodes", classes], "meaning": "of the classes"}],
        "classes": list(range(classes or 0)),
    }


def _common(run: Run, form: str, file: str) -> dict[str, Any]:
    started = run.view.started
    packages = environment()["packages"]
    return {
        "schema_version": 1, "run": run.name, "task": started.task if started else None, "kind": kind_words(run.view),
        "form": form, "file": file, "trained": True, "spec": run.view.proposals[str(run.winner)].spec,
        "made_with": {name: packages[name] for name in ("agentnas", "torch", "numpy") if name in packages},
    }  # fmt: skip


def _scaling(trained: Trained, form: str) -> dict[str, Any]:
    """How features are scaled, and who does it; numbers of the training graph where the scaling has any."""
    from agentnas.shipping.trained import scaling_at_hand

    kind = trained.spec.input.scale
    told: dict[str, Any] = {"kind": kind, "done_by": "the model" if form in TRACED else "the caller, before the model"}
    if kind == "standard" and (scaling := scaling_at_hand(trained)) is not None:
        assert scaling.shift is not None
        assert scaling.factor is not None
        told |= {"rule": "(x - shift) * factor", "shift": scaling.shift.tolist(), "factor": scaling.factor.tolist()}
    if kind == "row":
        told["rule"] = "x / sum of the absolute values of its row"
    return told
