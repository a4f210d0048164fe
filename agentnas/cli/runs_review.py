"""``agentnas runs review``: the plan that waits for a person, and what they decide on it."""

from __future__ import annotations

import json as jsonlib
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentnas.cli.options import Json, RunsDir
from agentnas.cli.output import emit, emit_json, say
from agentnas.cli.runs_found import RunName, found, resume_command, width
from agentnas.cli.runs_tell import has_model, refuse_ended, settings_of
from agentnas.memory.events import PlanMade, ProposalsDrafted
from agentnas.memory.memory import Evidence, InMemory
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.view import JournalView
from agentnas.tools.errors import RunError, UsageError

if TYPE_CHECKING:
    from agentnas.memory.inbox import Decision

Accept = Annotated[bool, typer.Option("--accept", help="Carry the plan out as it is.")]
Reject = Annotated[str | None, typer.Option(help="Plan again, for this reason.", show_default=False)]
Edit = Annotated[Path | None, typer.Option(help="Carry out these directions: JSON as --json prints it.", show_default=False)]

FIXED = "the first round tries the anchors all the same, for comparison; the next plan is the first that can be changed"


@dataclass(frozen=True)
class Waiting:
    """A plan that waits for review, and where."""

    directory: RunDirectory
    view: JournalView
    plan: PlanMade
    then: str

    @property
    def is_of_anchors(self) -> bool:
        """Whether it is the plan of a first round, which nobody can change."""
        from agentnas.agents.planner import ANCHORS

        return [direction["name"] for direction in self.plan.directions] == [ANCHORS]

    def evidence(self, name: str) -> Evidence | None:
        return InMemory(self.view, self.directory.name).get(name)


def review(
    run: RunName = "latest", accept: Accept = False, reject: Reject = None, edit: Edit = None, runs_dir: RunsDir = None, json: Json = False
) -> None:
    """Show the plan that waits for review, and accept, reject or edit it.

    Without an option the plan is shown; on a terminal the decision is asked for.
    """
    if sum((accept, reject is not None, edit is not None)) > 1:
        raise UsageError("--accept, --reject and --edit exclude each other; give one of them")
    waiting = _waiting(found(run, runs_dir), runs_dir)
    if accept:
        _leave(waiting, "accepted", json=json)
    elif reject is not None:
        _reject(waiting, reject, json=json)
    elif edit is not None:
        _leave(waiting, "edited", directions=_read_edited(edit, waiting), json=json)
    elif json:
        emit_json(_as_data(waiting))
    else:
        emit(_as_text(waiting, width()))
        if sys.stdin.isatty() and sys.stdout.isatty():
            _ask(waiting)


def _waiting(directory: RunDirectory, runs_dir: Path | None) -> Waiting:
    """The plan that waits, or will wait when the run goes on; raises RunError where there is none."""
    view = directory.view()
    refuse_ended(directory, view)
    if not settings_of(directory).get("review"):
        raise RunError(f"run {directory.name} carries out its plans at once; start or resume it with --review to see them before")
    round_ = max(view.plans, default=None)
    if round_ is None or round_ in view.reviews or view.has(ProposalsDrafted, round_):
        state = "its first plan is still to come" if round_ is None else f"round {round_} is under way"
        raise RunError(f"no plan of run {directory.name} waits for review: {state}; try again later")
    then = "the run goes on" if directory.writer() else f"it counts when the run goes on: {resume_command(directory, runs_dir)}"
    return Waiting(directory, view, view.plans[round_], then)


def _leave(
    waiting: Waiting, decision: Decision, *, reason: str = "", directions: tuple[dict[str, Any], ...] = (), json: bool = False
) -> None:
    from agentnas.memory.inbox import leave_review

    plan = waiting.plan
    left = leave_review(waiting.directory, plan, decision, reason=reason, directions=directions)
    if json:
        emit_json({
            "run": waiting.directory.name, "round": plan.round, "decision": decision, "reason": left.reason, "item": left.name,
        })  # fmt: skip
    say(f"plan of round {plan.round} {decision}; {waiting.then}")
    if decision != "accepted" and waiting.is_of_anchors:
        say(FIXED)


def _reject(waiting: Waiting, reason: str, *, json: bool = False) -> None:
    from agentnas.memory.inbox import MOST_REJECTIONS

    round_ = waiting.plan.round
    if waiting.view.rejections.get(round_, 0) >= MOST_REJECTIONS:
        raise UsageError(f"{MOST_REJECTIONS} plans of round {round_} were rejected already; accept or edit this one")
    _leave(waiting, "rejected", reason=reason, json=json)
    if not has_model(waiting.directory) and not waiting.is_of_anchors:
        say("its rule-based planner cannot read the reason and will plan the same again; --edit changes the plan")


def _read_edited(file: Path, waiting: Waiting) -> tuple[dict[str, Any], ...]:
    """The directions in a file, checked as the run will check them; raises UsageError naming the file."""
    from agentnas.agents.edited_plan import checked_directions, directions_in
    from agentnas.tools.spec.space import SearchSpace

    task = waiting.directory.task
    space = SearchSpace.named(task if task.startswith("nasbench:") else "default")
    try:
        held = directions_in(file.read_bytes(), waiting.plan.round)
        directions = checked_directions(held, space.factors(), lambda name: waiting.evidence(name) is not None)
    except OSError as error:
        raise UsageError(f"--edit {file}: cannot be read: {error.strerror}") from None
    except UsageError as error:
        raise UsageError(f"--edit {file}: {error}") from None
    return tuple(direction.as_dict() for direction in directions)


def _as_data(waiting: Waiting) -> dict[str, Any]:
    plan = waiting.plan
    cited = dict.fromkeys(name for direction in plan.directions for name in direction["evidence"])
    known = {name: evidence for name in cited if (evidence := waiting.evidence(name)) is not None}
    return {
        "run": waiting.directory.name, "round": plan.round, "author": plan.author, "reason": plan.reason,
        "directions": list(plan.directions),
        "evidence": {name: {"text": evidence.text, "why": evidence.why} for name, evidence in known.items()},
        "rejected_before": waiting.view.rejections.get(plan.round, 0),
    }  # fmt: skip


def _as_text(waiting: Waiting, columns: int) -> str:
    from agentnas.trace_text import direction_text, evidence_text
    from agentnas.words import wrap

    plan, known = waiting.plan, _as_data(waiting)["evidence"]
    lines = [wrap(f"by {plan.author}; {plan.reason}", columns, lead=f"Plan of round {plan.round}  ")]
    for number, direction in enumerate(plan.directions, start=1):
        lines.append(direction_text(direction, columns, f"{number}. ", waiting.view.scale))
        lines.append(wrap(", ".join(direction["factors"]) or "any factor", columns, 5, "varies  "))
        told = [{"id": name, **known.get(name, {"text": None, "why": None})} for name in direction["evidence"]]
        lines += [wrap(evidence_text(evidence), columns, 5, "cites   ") for evidence in told]
    return "\n".join([*lines, "", "Answer with --accept, --reject REASON, or --edit FILE (--json prints what to edit)."])


def _ask(waiting: Waiting) -> None:
    """The decision from the terminal; an empty answer leaves the plan waiting."""
    answer = typer.prompt("accept, edit, reject, or enter to leave it waiting", default="", show_default=False, err=True).strip().lower()
    if not answer:
        return
    if "accept".startswith(answer):
        _leave(waiting, "accepted")
    elif "edit".startswith(answer):
        _edit_by_hand(waiting)
    elif "reject".startswith(answer):
        _reject(waiting, typer.prompt("reason", err=True))
    else:
        raise UsageError(f"{answer!r} is no decision; allowed: accept, edit, reject, or nothing")


def _edit_by_hand(waiting: Waiting) -> None:
    """Open the plan in the person's editor until it is right, or they give up."""
    text = jsonlib.dumps({"directions": list(waiting.plan.directions)}, indent=2, ensure_ascii=False)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan.json"
        file.write_text(text, encoding="utf-8")
        while True:
            _open_editor(file)
            try:
                directions = _read_edited(file, waiting)
            except UsageError as error:
                say(str(error))
                typer.confirm("edit again?", default=True, abort=True, err=True)
            else:
                return _leave(waiting, "edited", directions=directions)


def _open_editor(file: Path) -> None:
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    try:
        subprocess.run([*editor, str(file)], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(f"the editor {shlex.join(editor)} failed ({error}); set $EDITOR, or use --edit FILE") from None
