"""A run as a Python object: what ``design`` returns, and what the command line reads from a run directory."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnas.memory import events as ev
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.view import JournalView
from agentnas.tools.errors import RunError
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec

if TYPE_CHECKING:
    from agentnas.notebook.trials import Trials
    from agentnas.shipping.forms import Exported
    from agentnas.shipping.predicting import Predictions


class Run:
    """One run, read from its directory; nothing here changes it."""

    def __init__(self, directory: RunDirectory) -> None:
        self.directory = directory

    def __repr__(self) -> str:
        if self.winner is None:
            return f"<Run {self.name}: no winner yet>"
        from agentnas.agents.statistics import mean_and_sd

        scores = self.test_scores.get(self.winner)
        test = f", test {self.view.scale.spread(*mean_and_sd(scores))}" if scores else ""
        return f"<Run {self.name}: winner {self.winner}{test}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the answer first."""
        from agentnas.notebook.shown import show_run

        return show_run(self)

    @property
    def path(self) -> Path:
        return self.directory.path

    @property
    def name(self) -> str:
        return self.directory.name

    @cached_property
    def events(self) -> list[ev.AnyEvent]:
        """Every event of the journal, in order."""
        return self.directory.events()

    @cached_property
    def view(self) -> JournalView:
        """The state that the events add up to."""
        return JournalView(self.events)

    @property
    def winner(self) -> str | None:
        """Id of the winning trial; None before the choice."""
        return self.view.winner.trial if self.view.winner else None

    @property
    def leader(self) -> str | None:
        """Id of the winning trial, or of the best so far while there is no winner; None before the first finished trial."""
        return self.winner or (self.view.best.trial if self.view.best else None)

    @property
    def best(self) -> ArchitectureSpec:
        """The winner's spec, or the leader's while there is no winner; raises RunError before the first finished trial."""
        if self.leader is None:
            raise RunError(f"run {self.name} has no finished trial yet")
        return parse_spec(self.view.proposals[self.leader].spec)

    @cached_property
    def trials(self) -> Trials:
        """Every trial in the order in which they were proposed; ``trials.to_pandas()`` is a table."""
        from agentnas.notebook.trials import Trials

        return Trials(self.view)

    @property
    def test_scores(self) -> dict[str, list[float]]:
        """Test scores in percent by trial, one a seed; empty before the test is opened."""
        return {trial: list(scores.values()) for trial, scores in self.view.test.scores.items()} if self.view.test else {}

    @property
    def exit_code(self) -> int:
        """0 a design was found; 130 interrupted; else as the journal says (1 where it ends in the middle)."""
        if self.view.finished is not None:
            return self.view.finished.exit_code
        return 130 if self.view.interrupted is not None else 1

    def export(self, to: str = "python", out: str | Path = "export", data_dir: Path | None = None,
               allow_code: bool | None = None) -> Exported:  # fmt: skip
        """Write the winner to a new folder as ``python``, ``pt2``, ``onnx`` or ``state``, with its model card."""
        from agentnas.shipping.forms import export

        return export(self, to, Path(out), data_dir, allow_code)

    def predict(self, data: str | Path | None = None, nodes: str | None = None, edges: Path | None = None,
                data_dir: Path | None = None, allow_code: bool | None = None) -> Predictions:  # fmt: skip
        """What the winner says of a file, a folder or a task; of the run's own data if none is given. ``nodes``: nodes, graphs or pairs."""
        from agentnas.shipping.predicting import predict

        return predict(self, None if data is None else str(data), edges, nodes, data_dir, allow_code)

    def report(self) -> str:
        """The report as Markdown."""
        from agentnas.report import render_report

        return render_report(self)

    def page(self) -> str:
        """The report as one HTML page that needs no network."""
        from agentnas.page.page import render_page

        return render_page(self)

    def summary(self) -> dict[str, Any]:
        """The outcome as plain data, for ``--json``."""
        from agentnas.report import summarise

        return summarise(self)
