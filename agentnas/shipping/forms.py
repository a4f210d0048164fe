"""The forms in which a winner is shipped, each a function that fills a folder: python, pt2, onnx, state."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnas.run import Run
from agentnas.tools.errors import RunError, UsageError, suggest

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram

    from agentnas.shipping.trained import Trained
    from agentnas.shipping.verify import Deviation

CARD, DESCRIPTION, EXAMPLE = "MODEL_CARD.md", "model.json", "example.py"


@dataclass(frozen=True)
class Written:
    """What a form put into its folder: its main file, how it compares with the trained model, and what a person must know."""

    file: str
    deviation: Deviation | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exported:
    """The folder, its files, and lines to tell."""

    folder: Path
    files: tuple[str, ...]
    deviation: Deviation | None
    notes: tuple[str, ...]


def export(run: Run, form: str, out: Path, data_dir: Path | None = None, allow_code: bool | None = None) -> Exported:
    """Write the run's winner to the new folder ``out``, which appears whole.

    Raises UsageError for an unknown form, a folder that exists and what the form cannot hold; RunError without a winner.
    """
    from agentnas.shipping.trained import require_winner

    check_form(form, out)
    require_winner(run)
    if out.exists():
        raise UsageError(f"--out {out} exists; give a folder that does not exist yet")
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        draft.mkdir(parents=True)
        written = _fill(run, form, draft, data_dir, allow_code)
        draft.rename(out)
    except OSError as error:
        raise RunError(f"cannot write {out}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Exported(out, tuple(sorted(path.name for path in out.iterdir())), written.deviation, written.notes)


def check_form(form: str, out: Path) -> None:
    """Raise UsageError for a form that does not exist; --to was once the folder."""
    if form in FORMS:
        return
    if "/" in form or "." in form or Path(form).is_dir() or suggest(form, FORMS).startswith("allowed"):
        raise UsageError(f"--to {form} is no form; --to takes {', '.join(FORMS)}, and the folder to write is --out {form}")
    raise UsageError(f"--to {form} is no form; {suggest(form, FORMS)}")


def _fill(run: Run, form: str, draft: Path, data_dir: Path | None, allow_code: bool | None) -> Written:
    from agentnas.shipping.card import write_card
    from agentnas.shipping.description import describe, describe_table
    from agentnas.shipping.table import write_table
    from agentnas.shipping.trained import Trained, is_table

    if form == "python" and is_table(run):
        written = write_table(run, draft)
        described = describe_table(run)
    else:
        trained = Trained(run, data_dir, allow_code)
        written = FORMS[form](trained, draft)
        written = _with_encodings(trained, draft, form, written)
        described = describe(trained, form, written)
    (draft / DESCRIPTION).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    (draft / CARD).write_text(write_card(run, form, described, written), encoding="utf-8")
    return written


def _with_encodings(trained: Trained, draft: Path, form: str, written: Written) -> Written:
    """The program that computes what a new graph's encodings are, where the model takes any."""
    if not trained.spec.input.encoding_channels:
        return written
    from agentnas.tools.codegen import encodings_source

    (draft / "graph_encodings.py").write_text(encodings_source(trained.spec), encoding="utf-8")
    kinds = ", ".join(f"{encoding.kind} ({encoding.dim})" for encoding in trained.spec.input.encodings)
    note = f"the model also takes encodings of the graph: {kinds}; graph_encodings.py computes them for a new graph (torch, numpy, scipy)"
    return replace(written, notes=(*written.notes, note))


def _post_note(trained: Trained) -> tuple[str, ...]:
    if not trained.posted:
        return ()
    kind = trained.spec.post.kind
    return (f"{kind} is part of the model: it takes the known labels of the graph (y_train, train_index), which may be none",)


def _one_graph_note(trained: Trained) -> tuple[str, ...]:
    return ("it takes one graph at a time",) if trained.kind == "graph" else ()


def write_python(trained: Trained, draft: Path) -> Written:
    """Code, weights and the run's prepared data, as in the run's winner folder."""
    from agentnas.winner import FOLDER

    shutil.copytree(trained.run.path / FOLDER, draft, dirs_exist_ok=True)
    return Written("model.py", None, _post_note(trained))


def write_state(trained: Trained, draft: Path) -> Written:
    """The weights alone, as a state_dict that is read without pickled code, and the code that they belong to; no data of the run."""
    import torch

    from agentnas.shipping.examples import state_example
    from agentnas.tools.codegen import model_source

    torch.save({name: value.contiguous() for name, value in trained.weights.items()}, draft / "state.pt")
    metric = trained.view.started.metric if trained.view.started else "accuracy"
    constants = trained.constants
    source = model_source(
        trained.spec, trained.num_features, trained.num_classes, edge_channels=trained.sizes["edge_channels"], types=trained.types,
        metric=metric, target=trained.target, scale=(constants["centre"], constants["spread"]), degree_unit=constants["degree_unit"],
    )  # fmt: skip
    (draft / "model.py").write_text(source, encoding="utf-8")
    example = state_example(trained)
    (draft / EXAMPLE).write_text(example, encoding="utf-8")
    return Written("state.pt", None, _post_note(trained))


def write_pt2(trained: Trained, draft: Path) -> Written:
    """One program by ``torch.export`` that torch alone loads and runs."""
    import torch

    from agentnas.shipping.examples import PT2, traced_example
    from agentnas.shipping.verify import sample, verify

    torch.export.save(_traced(trained, "pt2"), draft / "model.pt2")
    program = torch.export.load(draft / "model.pt2").module()
    with torch.no_grad():
        deviation = verify(trained, "pt2", lambda inputs: program(**inputs))
    small = sample(trained)
    torch.save(small.inputs(trained) | {"expected": small.expected(trained)}, draft / "sample.pt")
    (draft / EXAMPLE).write_text(traced_example(PT2, trained), encoding="utf-8")
    return Written("model.pt2", deviation, (*_one_graph_note(trained), *_post_note(trained)))


def write_onnx(trained: Trained, draft: Path) -> Written:
    """One ONNX file; compared by onnxruntime."""
    import numpy as np
    import torch

    from agentnas.shipping.description import output_name
    from agentnas.shipping.examples import ONNX, traced_example
    from agentnas.shipping.portable import UNTRACEABLE, refuse, trace_alone
    from agentnas.shipping.verify import sample, verify

    runtime = _require_onnx()
    program = _traced(trained, "onnx")
    try:
        content = _converted(program, output_name(trained))
    except UNTRACEABLE as error:
        raise refuse(trained, "onnx", error, lambda spec: _converted(trace_alone(spec), "probabilities")) from None
    (draft / "model.onnx").write_bytes(content)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1  # ScatterND of several threads loses additions to one node now and then
    session = runtime.InferenceSession(str(draft / "model.onnx"), options, providers=["CPUExecutionProvider"])

    def run(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.from_numpy(session.run(None, {name: value.numpy() for name, value in inputs.items()})[0])

    deviation = verify(trained, "onnx", run)
    small = sample(trained)
    arrays: dict[str, Any] = {name: value.numpy() for name, value in small.inputs(trained).items()}
    np.savez_compressed(draft / "sample.npz", expected=small.expected(trained).numpy(), **arrays)
    (draft / EXAMPLE).write_text(traced_example(ONNX, trained), encoding="utf-8")
    return Written("model.onnx", deviation, (*_one_graph_note(trained), *_post_note(trained)))


def _traced(trained: Trained, form: str) -> ExportedProgram:
    from agentnas.shipping.portable import UNTRACEABLE, Portable, refuse, require_portable, tiny_inputs, trace, trace_alone

    require_portable(trained, form)
    try:
        return trace(Portable(trained), tiny_inputs(trained))
    except UNTRACEABLE as error:
        raise refuse(trained, form, error, trace_alone) from None


def _converted(program: ExportedProgram, output: str) -> bytes:
    """The program as a serialised ONNX model."""
    import torch

    from agentnas.shipping.portable import quiet

    names = [spec.arg.name for spec in program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"]
    with quiet():
        made = torch.onnx.export(program, dynamo=True, verbose=False, input_names=names, output_names=[output])
    assert made is not None
    content: bytes = made.model_proto.SerializeToString()
    return content


def _require_onnx() -> Any:
    try:
        import onnx  # noqa: F401  # the exporter imports it
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UsageError(f"--to onnx needs {error.name}; install it with pip install 'agentnas[onnx]', or use --to pt2") from None
    return onnxruntime


FORMS: dict[str, Callable[[Trained, Path], Written]] = {
    "python": write_python, "pt2": write_pt2, "onnx": write_onnx, "state": write_state,
}  # fmt: skip
