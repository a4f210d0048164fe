"""The winner of a run over a table: its spec and the code of the untrained model. Nothing was trained, so there are no weights."""

from __future__ import annotations

import shutil
from pathlib import Path

from agentnas.run import Run
from agentnas.shipping.examples import table_example
from agentnas.shipping.forms import EXAMPLE, Written
from agentnas.tools.spec.model import parse_spec
from agentnas.winner import FOLDER


def write_table(run: Run, draft: Path) -> Written:
    """spec.json and, where the card tells the sizes of the data, model.py with an example that runs it."""
    from agentnas.tools.codegen import model_source

    shutil.copytree(run.path / FOLDER, draft, dirs_exist_ok=True)
    card = run.view.card
    task = run.view.started.task if run.view.started else "?"
    note = f"{task} is a table: nothing was trained, so there are no weights; README.md says how to train the spec"
    if card is None:
        return Written("spec.json", None, (note,))
    spec = parse_spec(run.view.proposals[str(run.winner)].spec)
    (draft / "model.py").write_text(model_source(spec, card["features"], card["classes"]), encoding="utf-8")
    (draft / EXAMPLE).write_text(table_example(card["features"]), encoding="utf-8")
    return Written("model.py", None, (note,))
