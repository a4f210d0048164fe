"""``agentnas watch``: the live screen of a run, or the replay of one that ended."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentnas.cli.options import RunsDir
from agentnas.cli.output import say
from agentnas.cli.shell import COMMANDS, command_app
from agentnas.tools.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.text import Text

    from agentnas.following import Beat
    from agentnas.memory.rundir import RunDirectory
    from agentnas.watching import Moment, Watched

app = command_app()

RunName = Annotated[str, typer.Argument(help="A run: its name, a prefix of it, a path, or latest.")]
Speed = Annotated[float, typer.Option(help="Replay what has happened, so many times as fast; 0: show where it led.")]
Once = Annotated[bool, typer.Option("--once", help="Print how the run stands now, and end.")]
Inline = Annotated[bool, typer.Option("--inline", help="Draw below the prompt, not on the whole terminal.")]


@app.command(help=COMMANDS["watch"].help)
def watch(run: RunName = "latest", speed: Speed = 0.0, once: Once = False, inline: Inline = False, runs_dir: RunsDir = None) -> None:
    with suppress(KeyboardInterrupt):  # Ctrl-C is how one stops watching; the run has nothing to do with it
        from agentnas.cli.runs_found import found
        from agentnas.following import checked_speed, not_begun
        from agentnas.watching import Watched

        if checked_speed(speed) and once:
            raise UsageError(f"--once and --speed {speed:g} exclude each other; give one of them")
        directory = found(run, runs_dir)
        if not once:
            _draw(directory, Watched(directory.name), speed, inline, runs_dir)
        # Read anew: who stops a replay half-way wants to know how the run ended all the same.
        watched = _now(directory)
        if once and not watched.view.num_events:
            raise not_begun(directory)
        _print(_console(), watched, _moment(directory, watched, None, runs_dir))
        for line in _how_to_go_on(directory, watched, runs_dir):
            say(line)


def _now(directory: RunDirectory) -> Watched:
    from agentnas.following import Tail
    from agentnas.watching import Watched

    watched = Watched(directory.name)
    for event in Tail(directory).read():
        watched.apply(event)
    return watched


def _draw(directory: RunDirectory, watched: Watched, speed: float, inline: bool, runs_dir: Path | None) -> None:
    """Draw until the run ends or a person has seen enough; without a terminal, just read along until then."""
    from agentnas.following import follow

    console = _console()
    is_drawn = sys.stdout.isatty() and not console.is_dumb_terminal
    with suppress(KeyboardInterrupt), _drawing(console, inline, is_drawn) as draw:
        for beat in follow(directory, speed if is_drawn else 0.0):
            for event in beat.events:
                watched.apply(event)
            draw(watched, _moment(directory, watched, beat, runs_dir))


@contextmanager
def _drawing(console: Console, inline: bool, is_drawn: bool) -> Iterator[Callable[[Watched, Moment], None]]:
    if not is_drawn:
        yield lambda watched, moment: None
        return
    from rich.console import Group
    from rich.live import Live

    from agentnas.watching import screen

    with Live(console=console, screen=not inline, auto_refresh=False, transient=True) as live:
        shown: list[Text] = []

        def draw(watched: Watched, moment: Moment) -> None:
            # One line less below the prompt: the cursor needs a place, and a terminal that scrolls cannot be drawn over.
            size = console.size
            lines = screen(watched, moment, size.width, size.height - inline, utf8=_has_utf8(console))
            if lines != shown:  # over a slow line only what is new is sent
                shown[:] = lines
                live.update(Group(*lines), refresh=True)

        yield draw


def _console() -> Console:
    from rich.console import Console

    from agentnas.cli.runs_found import width

    return Console(highlight=False, markup=False, emoji=False) if sys.stdout.isatty() else Console(width=width(), no_color=True)


def _has_utf8(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")


def _print(console: Console, watched: Watched, moment: Moment) -> None:
    from agentnas.watching import screen

    for line in screen(watched, moment, console.width, utf8=_has_utf8(console)):
        console.print(line, soft_wrap=True)


def _moment(directory: RunDirectory, watched: Watched, beat: Beat | None, runs_dir: Path | None) -> Moment:
    from agentnas.cli.runs_state import stage
    from agentnas.watching import Moment

    stands = "replay" if beat and beat.is_replay else stage(watched.view, is_running=directory.writer() is not None)
    active = beat.active if beat else watched.view.active_seconds
    return Moment(stands, active, f"agentnas runs review {directory.name}{_where(runs_dir)}")


def _how_to_go_on(directory: RunDirectory, watched: Watched, runs_dir: Path | None) -> Iterator[str]:
    """The commands that open the report, and that resume the run where that would change something."""
    from agentnas.cli.runs_found import resume_command

    if directory.writer() is not None:
        yield f"the run goes on; to look again: agentnas watch {directory.name}{_where(runs_dir)}"
        return
    yield f"its report: agentnas report {directory.name}{_where(runs_dir)}"
    end = watched.view.finished
    if end is None or end.outcome in ("failed", "budget_ended"):
        yield f"to go on: {resume_command(directory, runs_dir)}"


def _where(runs_dir: Path | None) -> str:
    return f" --runs-dir {shlex.quote(str(runs_dir))}" if runs_dir else ""
