"""What lies on the desk of a conversation: the settings of the next run, the run that is spoken of, the person who is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any, Literal

from agentnas.chat.follower import Follower
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.runs import find
from agentnas.tools.errors import RunError, UsageError

Speaker = Literal["person", "model"]


@dataclass
class Desk:
    """``flags`` are where things lie (``runs_dir``, ``data_dir`` ...), the same for every command; ``settings`` are those of the next run.

    ``confirm`` asks the person a question and says whether they agreed; ``note`` shows a line while a tool works.
    """

    flags: Mapping[str, Any]
    confirm: Callable[[str], bool]
    note: Callable[[str], None]
    logs: Path
    settings: dict[str, Any] = field(default_factory=dict)
    speaker: Speaker = "person"
    spent: Callable[[], str] = lambda: "no language model was asked"
    follower: Follower | None = None
    children: list[Popen[bytes]] = field(default_factory=list)

    @property
    def runs_dir(self) -> Path:
        """The folder of run directories."""
        from agentnas.config import resolve

        return resolve({"runs_dir": self.flags.get("runs_dir")}).config.runs_dir

    def look_at(self, path: Path) -> None:
        """Speak of this run from now on; one that is gone or damaged is not spoken of."""
        try:
            self.follower = Follower(RunDirectory.open(path))
            self.follower.refresh()
        except RunError:
            self.follower = None

    def found(self, run: str | None) -> RunDirectory:
        """The run of this name; without one the run that is spoken of, else the latest. Raises UsageError or RunError."""
        if run is None and self.follower is not None:
            return self.follower.directory
        return find(self.runs_dir, run or "latest")

    def named(self, run: str | None) -> str:
        """Its path, as commands take it."""
        return str(self.found(run).path.resolve())

    def reap(self) -> None:
        """Let processes that ended go."""
        self.children = [child for child in self.children if child.poll() is None]


def trial_of(desk: Desk, run: str | None, given: str) -> str:
    """The id of a trial as people say it: 3, t3, t0003, best; raises UsageError for best where there is none."""
    word = given.strip().lower()
    if word in ("best", "winner", "leader"):
        view = desk.found(run).view()
        leader = view.winner or view.best
        if leader is None:
            raise UsageError("no trial has a score yet; /status shows how far the run is")
        return leader.trial
    digits = word.removeprefix("t")
    return f"t{int(digits):04d}" if digits.isdigit() else given.strip()
