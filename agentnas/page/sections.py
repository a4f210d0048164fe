"""What each section of the page tells, as plain data for its template; all of it comes from the journal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from agentnas.busy import busy_line, race_lines, spans
from agentnas.memory.events import MEMORY_NOTE, Proposal
from agentnas.memory.view import JournalView
from agentnas.page.markup import anchor, joined, tag
from agentnas.page.reliability import reliability
from agentnas.page.timeline import timeline
from agentnas.report import OTHER_MEMORY, ancestry, command_again, profile_text, reading, summarise
from agentnas.report_agents import SPENDING_HEAD, cost_line, spending_rows
from agentnas.report_baselines import baseline_head, baseline_lines, baseline_rows
from agentnas.report_quality import pooled_bins, quality_tables
from agentnas.report_verdicts import anchor_rows, change_text, notes, time_lines, verdict
from agentnas.scores import OF, predicted, repeats, repeats_of_winner
from agentnas.tools.evaluate.base import Limits
from agentnas.words import plural

if TYPE_CHECKING:
    from agentnas.memory.memory import Evidence
    from agentnas.run import Run

ROWS = 300  # trials in the table: the leaders, then the winner's family
FAMILY = 60
FEW = 30  # trials behind a finding
ANSWER = 4000  # characters of a model's answer
OUTCOMES = {"designed": "finished", "failed": "failed", "no_design_fits": "no design fits", "budget_ended": "budget ended"}


class Page:
    """One run as its page sees it: which trials have rows, which evidence is quoted, and links to both."""

    def __init__(self, run: Run) -> None:
        self.run, self.view = run, run.view
        self.winner = run.leader
        self.line = ancestry(self.view, self.winner) if self.winner else []
        self.rows = _rows(self.view, [proposal.trial for proposal in self.line])
        self.evidence = _evidence(self.view, self.line)

    def link(self, name: str) -> Markup:
        """A trial's id, or an id of evidence, as a link to where the page tells of it; a plain word where it does not."""
        kind, _, rest = name.partition(":")
        trial = rest if kind == "trial" else name
        if trial in self.rows:
            return tag("a", name, href=f"#{anchor('trial', trial)}")
        if name in self.evidence:
            return tag("a", name, href=f"#{anchor('evidence', name)}")
        return tag("code", name)

    def links(self, names: Iterable[str]) -> Markup:
        return Markup(", ").join(map(self.link, names))

    def few_links(self, names: Sequence[str]) -> Markup:
        """The first ``FEW`` as links, and how many more there are: a long run's findings rest on hundreds of trials, in every round."""
        more = f", {len(names) - FEW} more" if len(names) > FEW else ""
        return self.links(names[:FEW]) + more

    def score(self, trial: str) -> str:
        standing = self.view.standing(trial)
        return self.view.scale.spread(standing.val_mean, standing.val_sd) if standing else self.view.state(trial)


def _rows(view: JournalView, line: list[str]) -> dict[str, None]:
    """Trials that the table shows, best first; those without a score stand last."""
    ranked = [standing.trial for standing in view.leaderboard(ROWS)]
    others = [trial for trial in view.proposals if view.rank(trial) is None]
    shown = dict.fromkeys(line + ranked + others[: max(0, ROWS - len(ranked))])
    return dict.fromkeys(sorted(shown, key=lambda trial: view.rank(trial) or math.inf))


def _evidence(view: JournalView, line: list[Proposal]) -> dict[str, Evidence]:
    """What the winner's ancestors and the plans cite and memory holds, by its id; trials of this run have rows of their own."""
    from agentnas.memory.memory import InMemory

    memory = InMemory(view)
    planned = [name for plan in view.plans.values() for direction in plan.directions for name in direction.get("evidence") or ()]
    cited = dict.fromkeys([name for proposal in line for name in proposal.evidence] + planned)
    return {name: found for name in cited if name.partition(":")[2] not in view.proposals and (found := memory.get(name)) is not None}


def choices(page: Page) -> dict[str, Any] | None:
    """What the winner loses without each of its choices, where that was measured."""
    from agentnas.ablation import HEAD, rows
    from agentnas.page.plots import Bar, bars

    found, scale = rows(page.run), page.view.scale
    gaps = [(row.change, row.gap) for row in found or () if row.gap]
    drawn = [Bar(change, scale.size(gap["difference"]), scale.width(gap["se"]), gap["seeds"]) for change, gap in gaps]
    if not found or not drawn:
        return None
    words = f"{scale.name} of validation added without it" if scale.is_error else "validation score lost without it, points"
    figure = bars(drawn, words, scale.digits, "Validation score lost without each choice")
    return {"head": [*HEAD[:-1], "verdict"], "rows": [row.cells(scale) for row in found], "figure": figure}


def header(page: Page) -> dict[str, Any]:
    """Name, task and state of the run."""
    view, summary = page.view, summarise(page.run)
    state = OUTCOMES.get(summary["outcome"], summary["outcome"])
    return {
        "name": page.run.name,
        "task": summary["task"],
        "predicted": "" if predicted(view) == OF["node", "classes"] else predicted(view),
        "state": state,
        "message": summary["message"],
        "begun": view.started is not None,
    }


def answer(page: Page) -> dict[str, Any]:
    """The design, its scores with their noise, the anchors, the limits, and how to read them."""
    view, summary = page.view, summarise(page.run)
    proposal = view.proposals[page.winner] if page.winner else None
    return {
        "proposal": proposal, "chosen": view.winner, "test": summary["test"], "protocol": summary["protocol"],
        "metric": view.scale.with_direction, "scale": view.scale,
        "standing": view.standing(page.winner) if page.winner else None, "drawing": _drawing(page),
        "verdicts": [*time_lines(view), *_against(view), *baseline_lines(view), *notes(view)],
        "baselines": baseline_rows(view), "baseline_head": baseline_head(view),
        "anchors": [[page.link(trial), *cells] for trial, *cells in anchor_rows(view)], "limits": _limits(page),
        "quality": quality_tables(view), "reliability": reliability(bins) if (bins := pooled_bins(view)) else None,
        "size": profile_text(view.profiles.get(page.winner or "", {}), view), "reading": reading(view), "over": partial(repeats, view),
        "each": repeats_of_winner(view),
    }  # fmt: skip


def _against(view: JournalView) -> list[str]:
    return [verdict(kind, pair, view) for kind, pair in view.test.comparison.items()] if view.test else []


def _drawing(page: Page) -> dict[str, Any] | None:
    if page.winner is None:
        return None
    from agentnas.page.drawing import draw, is_wide
    from agentnas.tools.spec.render import render

    return {"svg": draw(page.run.best), "text": render(page.run.best), "wide": is_wide(page.run.best)}


def _limits(page: Page) -> list[dict[str, str]]:
    """Each limit that was asked for, the design's figure, and whether it keeps the limit."""
    config = page.view.started.config if page.view.started else {}
    profile = page.view.profiles.get(page.winner or "", {})
    rows = []
    for name, (key, words) in Limits.NAMES.items():
        if (limit := config.get(name)) is not None:
            value = profile.get(key)
            met = "not measured" if value is None else "met" if value <= limit else "broken"
            rows.append({"words": words, "limit": f"{limit:,}", "value": "?" if value is None else f"{value:,.6g}", "met": met})
    return rows


def why(page: Page) -> dict[str, Any]:
    """The winner's ancestry from its founder on, and the evidence that it and the plans cite."""
    gap = page.view.scale.gap
    steps = [
        {"trial": page.link(p.trial), "author": p.author, "change": change_text(p), "score": page.score(p.trial),
         "hypothesis": p.hypothesis, "expected": None if p.expected_gain is None else gap(p.expected_gain),
         "cited": page.links(p.evidence)}
        for p in reversed(page.line)
    ]  # fmt: skip
    cited = {name for proposal in page.line for name in proposal.evidence}
    quoted = [
        {"id": anchor("evidence", name), "name": name, "text": found.text, "why": found.why, "direct": name in cited}
        for name, found in page.evidence.items()
    ]
    direct, planned = ([item for item in quoted if item["direct"] == wanted] for wanted in (True, False))
    return {"steps": steps, "evidence": direct, "planned": planned}


def trials(page: Page) -> list[dict[str, Any]]:
    """The rows of the table of trials."""
    return [_row(page, page.view.proposals[trial]) for trial in page.rows]


def _row(page: Page, proposal: Proposal) -> dict[str, Any]:
    view, trial = page.view, proposal.trial
    standing, profile = view.standing(trial), view.profiles.get(trial, {})
    return {
        "id": anchor("trial", trial), "trial": trial, "rank": view.rank(trial), "score": page.score(trial), "state": view.state(trial),
        "seeds": standing.seeds if standing else 0, "rung": standing.rung if standing else "", "parameters": profile.get("parameters"),
        "mean": standing.val_mean if standing else None, "change": change_text(proposal), "architecture": proposal.text,
        "author": proposal.author, "parent": page.link(proposal.parent) if proposal.parent else "", "hypothesis": proposal.hypothesis,
        "cited": page.links(proposal.evidence), "winner": trial == page.winner, "anchor": proposal.anchor,
    }  # fmt: skip


def rounds(page: Page) -> list[dict[str, Any]]:
    """What was said in each round: by the person, the planner and the analyst."""
    view = page.view
    return [_round(page, number) for number in sorted({*view.plans, *view.rounds, *view.findings, *view.told})]


def _round(page: Page, number: int) -> dict[str, Any]:
    view = page.view
    recalled, findings = view.evidence.get(number), view.findings.get(number)
    return {
        "number": number, "told": view.told.get(number, ()), "plan": view.plans.get(number), "findings": findings,
        "recalled": page.links(str(item.get("id")) for item in recalled.evidence) if recalled else "",
        "proposed": page.links(view.rounds.get(number, ())), "calls": [_call(call) for call in view.calls.of(round_=number)],
        "supported": [page.few_links(finding.get("trials") or ()) for finding in findings.findings] if findings else [],
        "directions": [(d, page.links(d.get("evidence") or ())) for d in view.plans[number].directions] if number in view.plans else [],
    }  # fmt: skip


def _call(call: Any) -> dict[str, Any]:
    """Who was asked and what came of it, the answer word for word as far as it fits, and what the checks said of it."""
    text = call.answered.text if call.answered else ""
    return {
        "id": anchor("call", call.asked.call), "told": _outcome(call), "problems": call.judged.problems if call.judged else (),
        "text": text if len(text) <= ANSWER else f"{text[:ANSWER]}… ({len(text) - ANSWER:,} more characters in events.jsonl)",
    }  # fmt: skip


def _outcome(call: Any) -> str:
    outcome = call.answered.outcome.replace("_", " ") if call.answered else "never answered"
    taken = f"; {call.judged.taken} of {plural(call.judged.items, 'item')} taken" if call.judged else ""
    return f"{call.asked.role}, {call.asked.model}: {outcome}{taken}"


def failures(page: Page) -> list[tuple[Markup | str, str]]:
    """Trials that were rejected or failed, each with its reason, and warnings."""
    view = page.view
    found: list[tuple[Markup | str, str]] = [(page.link(trial), f"rejected: {reason}") for trial, reason in view.rejected.items()]
    for trial in view.proposals:
        found += [(page.link(trial), f"{f.rung}, seed {f.seed}: {f.kind}: {f.reason}") for f in view.failures(trial)]
    return found + [("warning", note.message) for note in view.notes if note.level == "warning"]


def cost(page: Page) -> dict[str, Any]:
    """Time and money."""
    view = page.view
    numbers = ((view.num_tried, "trial"), (view.num_evaluations, "evaluation"), (len(view.rounds), "round"), (view.resumes, "resume"))
    counts = ", ".join(plural(count, word) for count, word in numbers if count or word != "resume")
    told = {"seconds": view.active_seconds, "counts": counts, "models": cost_line(view), "head": SPENDING_HEAD, "rows": spending_rows(view)}
    return {**told, "busy": busy_line(view, page.run.events), "timeline": timeline(spans(page.run.events)), "race": race_lines(view)}


def environment(page: Page) -> dict[str, Any]:
    """What the run ran on, its files, and the command that starts it again."""
    started = page.view.started
    assert started is not None
    facts: Mapping[str, Any] = {key: value for key, value in started.environment.items() if not isinstance(value, (dict, list))}
    packages = started.environment.get("packages", {})
    files = page.view.exported.files if page.view.exported else ()
    memory = f"{page.view.memory.removeprefix(MEMORY_NOTE)}; {OTHER_MEMORY.replace('`', '')}" if page.view.memory else ""
    return {"command": command_again(page.view), "memory": memory, "facts": facts, "packages": packages, "files": files}


def card_text(page: Page) -> str:
    """The task card: what was known before anything was trained."""
    if page.view.card is None:
        return ""
    from agentnas.tools.tasks import TaskCard

    return TaskCard.model_validate(page.view.card).text()


def tree(page: Page) -> Markup:
    """The winner's family as a nested list; the line that leads to it is marked."""
    if page.winner is None:
        return Markup("")
    from agentnas.page.history import family

    founder, children = family(page.view, page.winner, FAMILY)
    return tag("ul", _branch(page, founder, children, {proposal.trial for proposal in page.line}), class_="tree")


def _branch(page: Page, trial: str, children: Mapping[str, list[str]], line: set[str]) -> Markup:
    told = joined([page.link(trial), f" {change_text(page.view.proposals[trial])} ", tag("b", page.score(trial))])
    below = [_branch(page, child, children, line) for child in children.get(trial, ())]
    return tag("li", tag("span", told, class_="on-line" if trial in line else None), tag("ul", *below) if below else "")
