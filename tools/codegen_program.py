"""The parts of an exported model.py that are the same for every architecture: its docstring, loading, predicting, and the program."""

from __future__ import annotations

from agentnas.tools.metrics import ERRORS, Target
from agentnas.tools.nn.layout import Layout
from agentnas.tools.spec.model import ArchitectureSpec

LOAD = '''def load(path: str, device: str = "cpu") -> Model:
    """The model with the weights stored at ``path`` (a state_dict), ready to predict."""
    model = Model()
    model.load_state_dict(torch.load(path, map_location=device, weights_only=True))
    return model.to(device).eval()'''


def predict_source(spec: ArchitectureSpec, target: Target, scale: tuple[float, float], degree_unit: float | None) -> str:
    """Source of ``predict``: probabilities, after the spec's post-processing; or values in the unit of the target."""
    post = spec.post
    posted = spec.head.kind == "node" and post.kind != "none" and target == "classes"
    lines = [
        "@torch.no_grad()",
        "def predict(model: Model, packed: dict[str, Tensor]) -> Tensor:",
        f'    """{predicted_words(spec.head.kind, target)}{f" after {post.kind}" if posted else ""}, for data as it is in data.pt."""',
        "    x, graph, encodings = unpack_data(packed)",
        *([f"    graph.mean_log_degree = torch.tensor({degree_unit!r})  # of the graphs it was trained on"] if degree_unit else []),
        '    scores = model(x, graph, encodings, packed.get("batch"), packed.get("edge_label_index"))',
    ]
    if posted:
        settings = f"alpha={post.alpha!r}, hops={post.hops!r}, weight={post.weight!r}"
        lines.append('    known = (packed["y_train"], packed["train_index"])')
        return "\n".join([*lines, f"    return {post.kind}(scores.softmax(1), graph, *known, {settings})"])
    if spec.head.kind == "link":
        return "\n".join([*lines, "    return torch.stack([torch.zeros_like(scores), scores], 1).softmax(1)"])
    done = {"classes": "scores.softmax(1)", "labels": "scores.sigmoid()", "value": f"scores * {scale[1]!r} + {scale[0]!r}"}
    return "\n".join([*lines, f"    return {done[target]}"])


def predicted_words(kind: str, target: Target) -> str:
    """What ``predict`` returns, in words, with its shape."""
    if kind == "link":
        return "Probabilities [pairs, 2] of no edge and of an edge"
    what = {"classes": "Probabilities [{}s, classes]", "labels": "Probabilities [{}s, labels]", "value": "Values [{}s, 1]"}
    return what[target].format(kind)


def main_source(metric: str, target: Target) -> str:
    """Source of the program: the test score of the weights and data beside the file."""
    error = metric in ERRORS
    return f'''def main() -> None:
    """Print the test {metric} ({"in the unit of the target" if error else "percent"}) of weights.pt on data.pt, both beside this file."""
    here = Path(__file__).parent
    packed = torch.load(here / "data.pt", weights_only=True)
    scores = predict(load(str(here / "weights.pt")), packed)
    test = packed["test_index"]
    score = {_score_call(metric, target)}
    print(f"test {metric} {{score:{".9g" if error else ".6f"}}}")


if __name__ == "__main__":
    main()'''


def _score_call(metric: str, target: Target) -> str:
    """Source of the call that scores: functions of ``tools.nn.score`` have the names of the metrics."""
    name, _, k = metric.partition("@")
    if target == "labels":
        return f'over_labels({name}, packed["y"][test], scores[test])'
    return f'{name}(packed["y"][test], scores[test]{f", {k}" if k else ""})'


def docstring_source(spec: ArchitectureSpec, layout: Layout, target: Target) -> str:
    nodes = " -> ".join(["input", *(node.op for node in spec.body.nodes), f"{spec.head.kind} head"])
    edges = f", {layout.edge_channels} features of an edge" if layout.edge_channels else ""
    return f'''"""A graph neural network, designed by AgentNAS: {nodes}.

{layout.in_channels} input features{edges}, {_outputs(layout.out_channels)}. Needs torch only.

    model = load("weights.pt")
    data = torch.load("data.pt", weights_only=True)
    {"values" if target == "value" else "probabilities"} = predict(model, data)
"""'''


def _outputs(count: int) -> str:
    return "1 output" if count == 1 else f"{count} outputs"
