"""The screen of a run: what its events add up to, as lines of exactly the width and height that a terminal has.

Nothing here reads a file or a clock: a state and a size give the same lines every time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from agentnas.config import format_duration
from agentnas.memory import events as ev
from agentnas.memory.view import JournalView, Standing
from agentnas.progress import tell
from agentnas.scores import task_line
from agentnas.tools.evaluate.base import PLANNED
from agentnas.tools.spec.render import shortened
from agentnas.watching_curve import curve_lines
from agentnas.words import money, plural, wrap

# Lines told last that are kept, trials of the leaderboard, and lines that a section takes where there is no end of room.
KEPT_EVENTS = 100
MOST_TRIALS = 10
LONGEST_SECTION = 15
CURVE_ROWS = 8
BAR_CELLS = 16
# From this width on the sections stand in two columns.
TWO_COLUMNS = 110
# What a terminal without UTF-8 shows instead.
ASCII = str.maketrans(
    {"±": "+-", "·": "-", "…": "~", "─": "-", "│": "|", "░": ".", "→": "->", "≤": "<=", "≥": ">=", "×": "x"}
    | dict.fromkeys("▁▂▃", ".")
    | dict.fromkeys("▄▅▆▇█", "#")
)
STAGE_STYLES = {"running": "green", "replay": "cyan", "finished": "bold green", "failed": "bold red", "no design": "red"}


@dataclass(frozen=True)
class Moment:
    """What the events do not say: how the run stands, its active seconds now, and the command that answers a plan which waits."""

    stage: str
    active: float
    review: str = "agentnas runs review"

    @property
    def is_end(self) -> bool:
        """Whether nothing more comes."""
        return self.stage not in ("running", "replay")


class Watched:
    """A run as far as its events were applied: its view, its settings, the leader's score over evaluations, and what was told last."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.view = JournalView()
        self.settings: dict[str, Any] = {}
        self.leading: list[float] = []
        self.told: deque[tuple[float, str]] = deque(maxlen=KEPT_EVENTS)

    def apply(self, event: ev.AnyEvent) -> None:
        """Fold one event in."""
        self.view.apply(event)
        if isinstance(event, ev.RunStarted | ev.RunResumed):
            self.settings = event.config or self.settings
        if isinstance(event, ev.EvaluationFinished) and self.view.best:
            self.leading.append(self.view.best.val_mean)
        self.told.extend((event.t, line.strip()) for line in (_told(event, self.view) or "").splitlines())


@dataclass(frozen=True)
class Section:
    """A heading and its lines; of a section that gets less room the first lines stay, or the last ones."""

    title: str
    lines: Sequence[Text]
    keep_last: bool = False

    def fitted(self, width: int, height: int) -> list[Text]:
        """``height`` lines of ``width`` cells; none where there is no room for the heading and a line."""
        if height < 2:
            return []
        body = self.lines[-(height - 1) :] if self.keep_last else self.lines[: height - 1]
        return [_heading(self.title, width), *body, *[Text()] * (height - 1 - len(body))]


def screen(watched: Watched, moment: Moment, width: int, height: int | None = None, *, utf8: bool = True) -> list[Text]:
    """Lines of at most ``width`` cells: ``height`` of them, or as many as there is to say where it is None."""
    top = header(watched, moment, width)
    if height is None:
        sections = _sections(watched, width, CURVE_ROWS)
        body = [line for section in sections for line in [Text(), *section.fitted(width, min(len(section.lines), LONGEST_SECTION) + 1)]]
    else:
        top = top[:height]
        body = _body(watched, width, height - len(top))
    return [_finished(line, width, utf8) for line in top + body]


def header(watched: Watched, moment: Moment, width: int) -> list[Text]:
    """Which run, how far it is, what a person is asked, and what is left of its budget."""
    view = watched.view
    first = Text.assemble((moment.stage, STAGE_STYLES.get(moment.stage, "yellow")), " · ", (watched.name, "bold"))
    task = task_line(view) if view.started else "waiting for its first event"
    how_far = Text.assemble((_bar(_share(watched, moment)), "cyan"), "  ", _line(_doing(view)))
    doing = _line(_outcome(view)) if moment.is_end else how_far
    asked = f"the plan of round {view.awaiting} waits for you: {moment.review}" if view.awaiting is not None and not moment.is_end else ""
    question = [_line(line, "yellow") for line in wrap(asked, width).splitlines()]
    return [first, _line(task, "dim"), doing, *question, *_packed(list(budget(watched, moment)), width)]


def budget(watched: Watched, moment: Moment) -> Iterable[str]:
    """Trials, time, and, where language models were asked, calls, tokens and cost: what was used and what is left."""
    view, settings, spent, ended = watched.view, watched.settings, watched.view.calls.total, moment.is_end
    yield _used("trials", view.num_tried, settings.get("trials"), str, ended)
    yield plural(view.num_evaluations, "evaluation")
    yield _used("time", round(moment.active), settings.get("time_s"), lambda seconds: format_duration(round(seconds)), ended)
    if spent.calls:
        yield _used("calls", spent.calls, settings.get("max_llm_calls"), str, ended)
        yield _used("tokens", spent.tokens, settings.get("max_tokens"), "{:,}".format, ended)
        yield _used("cost", spent.known_cost, settings.get("max_cost"), money, ended)


def shares(room: int, wants: Sequence[int]) -> list[int]:
    """Lines for each section, together at most ``room`` and none more than it wants: first two each, in order, then one each in turn."""
    given = [0] * len(wants)
    for i, want in enumerate(wants):
        if want >= 2 and room - sum(given) >= 2:
            given[i] = 2
    while (rest := room - sum(given)) > 0:
        hungry = [i for i, want in enumerate(wants) if 0 < given[i] < want][:rest]
        if not hungry:
            break
        for i in hungry:
            given[i] += 1
    return given


def _body(watched: Watched, width: int, height: int) -> list[Text]:
    if width < TWO_COLUMNS:
        return _column(_sections(watched, width, max(2, height // 8)), width, height)
    half = (width - 3) // 2
    plan, board, *_ = _sections(watched, half, 0)
    *_, curve, events = _sections(watched, width - 3 - half, max(2, height // 2 - 1))
    left, right = _column([plan, board], half, height), _column([curve, events], width - 3 - half, height)
    return [_beside(first, second, half) for first, second in zip(left, right, strict=True)]


def _column(sections: Sequence[Section], width: int, height: int) -> list[Text]:
    given = shares(height, [len(section.lines) + 1 for section in sections])
    lines = [line for section, room in zip(sections, given, strict=True) for line in section.fitted(width, room)]
    return lines + [Text()] * (height - len(lines))


def _beside(first: Text, second: Text, half: int) -> Text:
    left = first.copy()
    left.truncate(half, overflow="ellipsis", pad=True)
    return Text.assemble(left, (" │ ", "dim"), second)


def _sections(watched: Watched, width: int, curve_rows: int) -> list[Section]:
    view = watched.view
    scale = view.scale
    leading = [scale.natural(score) for score in watched.leading]
    curve = curve_lines(leading, width, curve_rows, higher_is_better=view.higher_is_better and not scale.is_error, digits=scale.digits)
    metric = scale.with_direction if view.started and view.started.metric else "score"
    return [
        Section(_plan_title(view), _plan_lines(view)),
        Section(_clean(f"Leaderboard: validation {metric} ± sd over seeds"), _board_lines(view)),
        Section("Score of the leader, by evaluation", [Text(line, "cyan") for line in curve]),
        Section("Last events", [_event_line(t, text) for t, text in watched.told], keep_last=True),
    ]


def _plan_title(view: JournalView) -> str:
    if not view.plans:
        return "Plan: none yet"
    plan = view.plans[max(view.plans)]
    return _clean(f"Round {plan.round}, plan by {plan.author}{f': {plan.reason}' if plan.reason else ''}")


def _plan_lines(view: JournalView) -> list[Text]:
    """What shares the round, who proposed what and what came of it, then, where there is room, what each direction expects."""
    if not view.plans:
        return [_line("the first plan is still to come", "dim")]
    round_ = max(view.plans)
    directions = view.plans[round_].directions
    shared = ", ".join(f"{d.get('share', 0):.0%} {d.get('name')}" for d in directions)
    proposals = [_proposal_line(view, view.proposals[trial]) for trial in view.rounds.get(round_, ())]
    return [_line(shared), *proposals, *(_line(f"{d.get('name')}: {d.get('hypothesis', '')}", "dim") for d in directions)]


def _proposal_line(view: JournalView, proposal: ev.Proposal) -> Text:
    standing, state = view.standing(proposal.trial), view.state(proposal.trial)
    came = view.scale.spread(standing.val_mean, standing.val_sd) if standing else "to come" if state == "proposed" else state
    style = "red" if state == "failed" else "dim" if state in ("proposed", "rejected") else ""
    return Text.assemble(f"{proposal.trial} ", (f"{came:<13}", style), " ", (_clean(proposal.author), "dim"), " ", _line(_origin(proposal)))


def _origin(proposal: ev.Proposal) -> str:
    """What was proposed, and from what."""
    if proposal.name:
        return f"{'your' if proposal.anchor == 'start' else 'anchor'} {proposal.name}"
    parent = f"{proposal.parent}: " if proposal.parent else ""
    return f"{parent}{proposal.factor or ''} {proposal.change or shortened(proposal.text)}".strip()


def _board_lines(view: JournalView) -> list[Text]:
    board = view.leaderboard(MOST_TRIALS)
    if not board:
        return [_line("no score yet", "dim")]
    rungs = max(len(standing.rung) for standing in board)
    return [_standing_line(view, place, standing, rungs) for place, standing in enumerate(board, start=1)]


def _standing_line(view: JournalView, place: int, standing: Standing, rungs: int) -> Text:
    proposal = view.proposals.get(standing.trial)
    whose = (proposal.name or proposal.author) if proposal else "?"
    chosen = view.winner is not None and view.winner.trial == standing.trial
    score = f"{view.scale.spread(standing.val_mean, standing.val_sd):<13}"
    facts = f"{standing.rung:<{rungs}} {plural(standing.seeds, 'seed'):<8} "
    design = _line(shortened(proposal.text) if proposal else "")
    return Text.assemble(
        f"{place:>2} {standing.trial} ", (score, "bold green" if chosen else "bold"), f" {facts}", (_clean(whose), "dim"), " ", design
    )


def _event_line(t: float, text: str) -> Text:
    bad = any(f" {word}" in text[:40] for word in ("failed", "rejected")) or text.startswith("warning")
    return Text.assemble((f"{format_duration(round(t)):>7} ", "dim"), _line(text, "red" if bad else ""))


def _told(event: ev.AnyEvent, view: JournalView) -> str | None:
    match event:
        case ev.EvaluationFinished():
            took = f", in {event.seconds:.1f} s" if event.seconds >= 0.05 else ""
            cut = f", ended by the time limit after {event.epochs} epochs" if PLANNED in event.details else ""
            return f"{event.trial} {view.scale.number(event.val)} on {event.rung}, seed {event.seed}{took}{cut}"
        case ev.ProposalsDrafted() if event.proposals:
            return f"{plural(len(event.proposals), 'proposal')}: {', '.join(p.trial for p in event.proposals)}"
        case ev.LLMAsked():
            return f"{event.role} asks {event.model}"
        case ev.LLMAnswered() if event.outcome != "answered":
            return f"the model failed ({event.outcome.replace('_', ' ')}): {event.error}"
        case ev.RunInterrupted():
            return f"interrupted: {event.reason}"
        case ev.RunFinished():
            return f"ended: {event.outcome.replace('_', ' ')}{f': {event.message}' if event.message else ''}"
        case _:
            return tell(event, view)


def _doing(view: JournalView) -> str:
    """What the run is at, in words."""
    if view.awaiting is not None:
        return f"round {view.awaiting} stands still"
    thinks = f", {view.calls.waiting} thinks" if view.calls.waiting else ""
    return f"{_phase(view)}{thinks}"


def _outcome(view: JournalView) -> str:
    """What the run found, as far as it came."""
    if view.winner is None:
        best = view.best
        return f"best so far {best.trial}: validation {view.scale.told(best.val_mean, best.val_sd)}" if best else "no score"
    from agentnas.agents.statistics import mean_and_sd

    scores = list(view.test.scores.get(view.winner.trial, {}).values()) if view.test else []
    test = f", test {view.scale.spread(*mean_and_sd(scores))}" if scores else ""
    return f"winner {view.winner.trial}: validation {view.scale.told(view.winner.val_mean, view.winner.val_sd)}{test}"


def _phase(view: JournalView) -> str:
    if view.winner is not None:
        return f"winner {view.winner.trial}, writing it out"
    if view.finalists is not None:
        return f"confirming {', '.join(view.finalists.finalists)} with fresh seeds"
    return f"searching, round {max(view.plans)}" if view.plans else "preparing"


def _share(watched: Watched, moment: Moment) -> float:
    """Of the budget that ends first, what is used: from 0 to 1."""
    used = [(watched.view.num_tried, watched.settings.get("trials")), (moment.active, watched.settings.get("time_s"))]
    return min(1.0, max((amount / limit for amount, limit in used if limit), default=0.0))


def _bar(share: float) -> str:
    full = round(share * BAR_CELLS)
    return f"{'█' * full}{'░' * (BAR_CELLS - full)} {share:4.0%}"


def _used(name: str, used: Any, limit: Any, shown: Any, ended: bool) -> str:
    if limit is None:
        return f"{name} {shown(used)}"
    left = "" if ended or used is None else f" ({shown(max(0, limit - used))} left)"
    return f"{name} {shown(used)} of {shown(limit)}{left}"


def _packed(parts: Sequence[str], width: int) -> list[Text]:
    """The parts on as few lines as hold them, in order, none torn."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]} · {part}" if lines[-1] else part
        if len(longer) > width and lines[-1]:
            lines.append(part)
        else:
            lines[-1] = longer
    return [Text(line) for line in lines]


def _heading(title: str, width: int) -> Text:
    return Text.assemble((title, "bold"), (f" {'─' * max(0, width - len(title) - 1)}", "dim"))


def _line(text: str, style: str = "") -> Text:
    return Text(_clean(text), style)


def _clean(text: str) -> str:
    """One line; what a model or a person wrote may hold anything, and nothing of it may command the terminal."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


def _finished(line: Text, width: int, utf8: bool) -> Text:
    """The line in its width; without UTF-8 in ASCII, and plain."""
    line = line.copy() if utf8 else Text(line.plain.translate(ASCII).encode("ascii", "replace").decode())
    line.truncate(width, overflow="ellipsis" if utf8 else "crop")
    line.no_wrap = True
    return line
