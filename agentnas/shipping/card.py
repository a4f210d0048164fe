"""``MODEL_CARD.md``: what the model is, how good it is and how sure that is, what it is for, and what it is not for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agentnas.memory.view import JournalView
from agentnas.report import command_again, profile_text, reading
from agentnas.report_quality import calibration_error, pooled_bins
from agentnas.report_verdicts import cut_short, unread_edges, verdict
from agentnas.run import Run
from agentnas.scores import item_of, items_of, kind_words, repeats
from agentnas.winner import shipped
from agentnas.words import plural

if TYPE_CHECKING:
    from agentnas.shipping.forms import Written

NEW_GRAPH = "of the graph of {}, of later states of that graph, or of graphs that are made in the same way from the same features."
NEW_GRAPHS = "like those of {}, made in the same way from the same features."
USES = {
    ("node", "classes"): f"Classifying nodes {NEW_GRAPH}", ("node", "labels"): f"Labelling nodes {NEW_GRAPH}",
    ("node", "value"): f"Predicting a value of nodes {NEW_GRAPH}", ("graph", "classes"): f"Classifying graphs {NEW_GRAPHS}",
    ("graph", "labels"): f"Labelling graphs {NEW_GRAPHS}", ("graph", "value"): f"Predicting a value of graphs {NEW_GRAPHS}",
    ("link", "classes"): f"Judging which pairs of nodes may be edges that are missing: {NEW_GRAPH}",
}  # fmt: skip
SETTINGS = {
    "node": "The setting is transductive: the features and edges of the nodes that the model was tested on were there while it was trained."
    " On another graph it was not measured; graphs with other features, degrees or homophily may be predicted badly.",
    "graph": "Graphs of the test were not there while it was trained. On graphs of another origin it was not measured; those with other"
    " features, sizes or degrees may be predicted badly.",
    "pair": "The nodes of the graph were all there while it was trained. Of the pairs it was tested on as many are edges as are none, which"
    " is not so among all pairs of nodes. On another graph it was not measured.",
}
HOW = {
    "python": "`model.py` is the model's whole code and needs torch alone: `python example.py`.",
    "pt2": '`model.pt2` is a program of torch.export: `torch.export.load("model.pt2").module()`, see `example.py`; it needs torch alone.',
    "onnx": "`model.onnx` runs in onnxruntime and other runtimes of ONNX, see `example.py`. "
    "Give onnxruntime one thread (`intra_op_num_threads = 1`): with several, sums over a large graph now and then lose an addition.",
    "state": "`state.pt` holds the weights (a state_dict, read with `weights_only=True`), `model.py` the code: `python example.py`.",
}


def write_card(run: Run, form: str, described: dict[str, Any], written: Written) -> str:
    """The card as Markdown with a head of YAML, as model hubs read it. All of it comes from the journal."""
    licence = "## Licence\n\nYours to choose: fill in `license` above."
    parts = [_front(run, form), f"# {_flat(run.name)}", _what(run), _use(form, described, written), _data(run), _metrics(run),
             _intended(run), _limits(run, described), _made(run, described), licence]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _flat(text: str) -> str:
    """The text on one line, with nothing that Markdown would take for markup of a page."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")


def _front(run: Run, form: str) -> str:
    """YAML whose texts are quoted as in JSON, which YAML contains."""
    started, test = run.view.started, run.summary()["test"]
    assert started is not None
    lines = ["---", "license: unknown  # yours to choose", f"library_name: {'onnx' if form == 'onnx' else 'pytorch'}",
             "pipeline_tag: graph-ml", f"tags: [graph-neural-network, {_tag(run)}, agentnas]",
             f"datasets: [{json.dumps(started.task)}]", f"metrics: [{json.dumps(started.metric)}]"]  # fmt: skip
    if test is not None:
        dataset = f"{{name: {json.dumps(started.task)}, type: {json.dumps(started.task)}, config: {json.dumps(started.protocol)}}}"
        result = f"{{type: {json.dumps(started.metric)}, value: {run.view.scale.number(test['mean'])}}}"
        lines += ["model-index:", f"  - name: {json.dumps(run.name)}", "    results:", f"      - task: {{type: {_tag(run)}}}",
                  f"        dataset: {dataset}", f"        metrics: [{result}]"]  # fmt: skip
    return "\n".join([*lines, "---"])


def _what(run: Run) -> str:
    proposal = run.view.proposals[str(run.winner)]
    size = profile_text(run.view.profiles.get(proposal.trial, {}), run.view)
    what = "neural network that reads no edges," if unread_edges(run.view) else "graph neural network"
    return f"A {what} for {kind_words(run.view)}, designed by a search:\n\n`{proposal.text}`" + (f"\n\n{size}." if size else "")


def _use(form: str, described: dict[str, Any], written: Written) -> str:
    rows = [f"- `{part['name']}` {part['dtype']} {_shape(part)}: {part['meaning']}" for part in described["inputs"]]
    out = described["outputs"][0]
    lines = ["## Use", "", HOW[form] if described["trained"] else "`model.py` is the code of the untrained model.", "", "It takes:", "",
             *rows, "", f"and gives `{out['name']}` {out['dtype']} {_shape(out)}. `model.json` says the same for programs."]  # fmt: skip
    scaling = described.get("scaling", {"kind": "none"})
    if scaling["kind"] != "none":
        lines += ["", f"Features are scaled ({scaling['kind']}: {scaling.get('rule', 'see model.json')}) by {scaling['done_by']}."]
    notes = [_sentence(note) for note in written.notes]
    if written.deviation is not None:
        notes.append(_sentence(written.deviation.text()))
    return "\n".join(lines + ([""] + [f"- {note}" for note in notes] if notes else []))


def _shape(part: dict[str, Any]) -> str:
    return f"[{', '.join(map(str, part['shape']))}]"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _data(run: Run) -> str:
    started, card = run.view.started, run.view.card or {}
    assert started is not None
    fingerprint = run.directory.read_json("config.json").get("data_fingerprint", "unknown")
    known = {name: card.get(name, "?") for name in ("nodes", "edges", "features")}
    sizes = ", ".join(f"{count:,} {word}" if isinstance(count, int) else f"? {word}" for word, count in known.items())
    sizes = sizes.replace(" edges", " directed edges") + _outputs(run)
    lines = [f"- task: {_flat(started.task)}, {kind_words(run.view)}", f"- split: {_flat(started.protocol)}",
             *([f"- {sizes}"] if card else []), f"- fingerprint (sha256 of features, edges, labels): `{fingerprint}`"]  # fmt: skip
    return "## Data\n\n" + "\n".join(lines)


def _metrics(run: Run) -> str:
    view, summary = run.view, run.summary()
    test, validation, scale = summary["test"], summary["validation"], view.scale
    lines = []
    if test is not None:
        lines.append(
            f"- test {scale.with_direction}: **{scale.spread(test['mean'], test['sd'])}**{scale.sign} over {repeats(view, test['seeds'])}"
        )
    lines.append(
        f"- validation: {scale.spread(validation['mean'], validation['sd'])}{scale.sign} over {repeats(view, validation['seeds'])}"
    )
    lines += [f"- {line}" for line in cut_short(view)]
    lines += [f"- {verdict(kind, pair, view)}" for kind, pair in summary["anchors"].items()]
    lines += _shipped(view, str(run.winner))
    return "## Metrics\n\n" + "\n".join(lines + [f"- {line}" for line in reading(view)])


def _shipped(view: JournalView, trial: str) -> list[str]:
    """Which of the trained weights these are."""
    chosen = shipped(view, trial)
    if chosen is None or chosen.weights is None or view.test is None:
        return []
    test = view.test.scores[trial].get(str(chosen.seed))
    scale = view.scale
    told = "" if test is None else f", test {scale.number(test)}{scale.sign}"
    seen = f"{scale.number(chosen.val)}{scale.sign}"
    return [f"- the shipped weights are those of seed {chosen.seed}, the median on validation ({seen}{told})"]


def _intended(run: Run) -> str:
    task = _flat(run.view.started.task if run.view.started else "")
    started = run.view.started
    key = (started.kind, started.target) if started else ("node", "classes")
    return f"""## Intended use

{USES[key].format(task)}
The figures above hold for the data and the split that they were measured on, and for nothing else."""


def _limits(run: Run, described: dict[str, Any]) -> str:
    items = items_of(run.view) if item_of(run.view) != "pair" else "nodes"
    lines = [
        SETTINGS[item_of(run.view)],
        f"Nothing was measured about fairness between groups of {items}, nor about edges or features that somebody changed on purpose.",
    ]
    if not described["outputs"] or described["outputs"][0]["name"] == "probabilities":
        lines.insert(1, _calibrated(run.view))
    if (described.get("scaling") or {}).get("kind") == "standard":
        lines.append("Features are scaled with the means and deviations of the training graph; another range of values misleads the model.")
    if described.get("post_processing"):
        lines.append(
            f"Its scores were measured with {described['post_processing']['kind']}, which uses the labels of the training nodes; "
            "without known labels in the graph it does less than that."
        )
    if any(encoding["kind"] == "laplacian" for encoding in described.get("encodings") or ()):
        lines.append("Laplacian encodings differ in sign and basis between graphs: what the model learned of them holds for its own graph.")
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _made(run: Run, described: dict[str, Any]) -> str:
    started = run.view.started
    assert started is not None
    packages = started.environment.get("packages", {})
    versions = ", ".join(f"{name} {packages[name]}" for name in ("agentnas", "torch", "torch_geometric", "numpy") if name in packages)
    view = run.view
    counts = f"{plural(view.num_tried, 'trial')}, {plural(view.num_evaluations, 'evaluation')}, {view.active_seconds:.0f} s"
    author = view.proposals[str(run.winner)].author
    exported = f"exported with torch {described['made_with']['torch']}"
    lines = [f"- run {_flat(run.name)}: {counts}; the winner was proposed by {_flat(author)} and chosen on validation",
             f"- `{command_again(view)}`", f"- made with {versions}; Python {started.environment.get('python')}; {exported}",
             f"- {started.environment.get('platform')}, {started.environment.get('processor')}"]  # fmt: skip
    return "## How it was made\n\n" + "\n".join(lines)


def _tag(run: Run) -> str:
    """The kind of task as a tag."""
    return kind_words(run.view).replace(" with several labels", "").replace(" ", "-")


def _outputs(run: Run) -> str:
    started, card = run.view.started, run.view.card or {}
    count = (started.sizes.get("outputs") if started else None) or card.get("classes", "?")
    words = {"classes": f", {count} classes", "labels": f", {count} labels", "value": ""}
    return "" if started is None or started.kind == "link" else words[started.target]


def _calibrated(view: JournalView) -> str:
    """Whether probabilities can be believed, as far as that was measured."""
    bins = pooled_bins(view)
    if not bins:
        return "Probabilities are a softmax and were not calibrated."
    error = 100 * calibration_error(bins)
    return f"Probabilities were not calibrated after training: their expected calibration error on the test is {error:.1f} points."
