"""How busy a run's workers were, and what the race spared them: from what each evaluation took and when it ended, both in the journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agentnas.memory import events as ev
from agentnas.memory.view import JournalView
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.evaluate.race import behind
from agentnas.words import plural

# A result is journalled a moment after its worker was free again.
SLACK_S = 0.05
SHOWN = 12


@dataclass(frozen=True)
class Span:
    """An evaluation on one of the workers, in active seconds since the run began."""

    worker: int
    start: float
    end: float
    trial: str
    rung: str
    seed: int
    failed: bool = False


@dataclass(frozen=True)
class Utilisation:
    """Share of the workers' time that went into evaluations, from the first draft to the choice of finalists, and during confirmation.

    ``workers`` is the number that ran at a time at most; None where a part did not take place. Starting the workers is in the time.
    """

    workers: int
    search: float | None
    confirmation: float | None


def spans(events: Iterable[ev.AnyEvent]) -> list[Span]:
    """Evaluations by their start, each on the first worker that was free then: which process did it is not in the journal, how many were
    busy is. Look-ups, which take no time, are left out."""
    found = [event for event in events if isinstance(event, ev.EvaluationFinished | ev.EvaluationFailed) and event.seconds > 0]
    free: list[float] = []
    placed = []
    for event in sorted(found, key=lambda event: (event.t - event.seconds, event.t)):
        start = max(0.0, event.t - event.seconds)
        worker = next((i for i, since in enumerate(free) if since <= start + SLACK_S), len(free))
        free[worker : worker + 1] = [event.t]
        failed = isinstance(event, ev.EvaluationFailed)
        placed.append(Span(worker, start, event.t, event.trial, event.rung, event.seed, failed))
    return placed


def utilisation(events: Sequence[ev.AnyEvent], workers: int | None = None) -> Utilisation | None:
    """See ``Utilisation``; with ``workers`` as their number. None for a run that trained nothing."""
    placed = spans(events)
    if not placed:
        return None
    count = workers or 1 + max(span.worker for span in placed)
    searched = [span for span in placed if span.rung != CONFIRM]
    confirmed = [span for span in placed if span.rung == CONFIRM]
    drafted = min((event.t for event in events if isinstance(event, ev.ProposalsDrafted)), default=0.0)
    chosen = [event.t for event in events if isinstance(event, ev.FinalistsChosen)]
    until = min(chosen) if chosen else max(event.t for event in events)
    return Utilisation(
        count, _share(searched, drafted, until, count), _share(confirmed, until, max((s.end for s in confirmed), default=until), count)
    )


def _share(busy: Sequence[Span], since: float, until: float, workers: int) -> float | None:
    if not busy or until <= since:
        return None
    return min(1.0, sum(min(s.end, until) - max(s.start, since) for s in busy if s.end > since) / (workers * (until - since)))


def busy_line(view: JournalView, events: Sequence[ev.AnyEvent]) -> str:
    """How much of their time the workers trained, in a sentence; empty for a run that trained nothing."""
    config = view.started.config if view.started else {}
    found = utilisation(events, config.get("workers"))
    if found is None:
        return ""
    parts = [f"{100 * share:.0f} % {when}" for share, when in ((found.search, "of the search"), (found.confirmation, "of the confirmation"))
             if share is not None]  # fmt: skip
    return f"{plural(found.workers, 'worker')} trained for {' and '.join(parts)}, their start included" if parts else ""


def race_lines(view: JournalView) -> list[str]:
    """Who was stopped in the race for seeds and why, and what that spared."""
    stopped = [event for by_rung in view.stopped.values() for event in by_rung.values()]
    if not stopped:
        return []
    trained = {(event.trial, event.rung): _seeds(view, event) for event in stopped}
    spared = sum(max(0, event.planned - trained[event.trial, event.rung]) for event in stopped)
    who = f"{plural(len(stopped), 'race')} for seeds {'was' if len(stopped) == 1 else 'were'} ended early"
    lines = [f"{who}, which spared {plural(spared, 'training')}: more seeds would not have turned the decision."]
    lines += [f"- {e.trial}, {e.rung}: {trained[e.trial, e.rung]} of {e.planned} seeds, {_behind(e, view)}" for e in stopped[:SHOWN]]
    return lines + ([f"- and {len(stopped) - SHOWN} more in events.jsonl"] if len(stopped) > SHOWN else [])


def _behind(event: ev.SeedsStopped, view: JournalView) -> str:
    """Why, as the metric is shown: the event's own words have percent of any metric."""
    return behind(event.rival, view.scale.lead(-event.difference, event.se), event.seeds)


def _seeds(view: JournalView, event: ev.SeedsStopped) -> int:
    """Seeds that a trial got: of the confirmation alone, or of all rungs that train in full."""
    rungs = (CONFIRM,) if event.rung == CONFIRM or view.started is None else view.started.full
    return len({evaluation.seed for evaluation in view.evaluations(event.trial) if evaluation.rung in rungs})
