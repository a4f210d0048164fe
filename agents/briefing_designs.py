"""Designs as a model reads them: whole, in one line, as a table of scores, and the language that they are written in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from agentnas.agents.facts import epochs_of, listed
from agentnas.agents.facts_curves import curve_of
from agentnas.agents.planner import groups_of
from agentnas.agents.proposing import BATCHING
from agentnas.agents.situation import MANY, Record, Situation
from agentnas.agents.statistics import mean_and_sd
from agentnas.prompts import Prompts
from agentnas.tools.evaluate.ladder import TABLE
from agentnas.tools.operators.base import operator, operators
from agentnas.tools.spec import cells
from agentnas.tools.spec.bounded import BoundedSpace
from agentnas.tools.spec.cellspace import CellSpace
from agentnas.tools.spec.edits import cell_text, difference
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.render import render, shortened, shortened_change
from agentnas.tools.spec.space import SearchSpace

# Lines of the tables of results, and of designs written out whole; characters that the latter may take together.
BEST, WORST, STOPPED = 8, 4, 3
# A cell is a short line: more of them are shown.
BEST_CELLS = 30
DESIGNS, DESIGN_CHARACTERS = 10, 5_000
# Lines on what else was tried: the best of them, then the newest.
TRIED_BEST, TRIED_NEWEST = 15, 15
LONGEST_CHANGE = 100
STAR = "body.*."
# How the change of a trial begins that has two parents.
CROSSED = "crossover"


def whole(spec: ArchitectureSpec, space: SearchSpace) -> str:
    """The design as it may be edited: all lines of its canonical text, or links and operators of a cell."""
    return cell_text(space.cell(spec)) if isinstance(space, CellSpace) else render(spec)


def in_short(record: Record, space: SearchSpace) -> str:
    """The design in one line."""
    return whole(record.spec, space) if isinstance(space, CellSpace) else shortened(record.proposal.text)


def language(space: SearchSpace, prompts: Prompts, *, reading: bool = False) -> str:
    """How designs of this space are written; who only reads them is told the operators by name."""
    if isinstance(space, CellSpace):
        return _cells(space, prompts)
    names = space.allowed_operators() if isinstance(space, BoundedSpace) else tuple(operators())
    described = [operator(name) for name in names]
    told = [found.name if reading else f"{found.name} ({found.kind}) {found.doc}" for found in described]
    text = prompts.piece("specs").fill(operators="; ".join(told))
    return text + _locked(space, prompts) if isinstance(space, BoundedSpace) and space.locks else text


def _locked(space: BoundedSpace, prompts: Prompts) -> str:
    """What every design keeps: settings with their values, nodes in the notation of designs."""
    return prompts.piece("locked").fill(locked="; ".join(space.locks.written()))


def is_batched_by_code(situation: Situation) -> bool:
    """Whether designs are trained on batches that the space does not search: code has chosen them for some of the newest trials."""
    space = situation.space
    if not isinstance(space, BoundedSpace):
        return False
    return any(not space.allows(BATCHING, record.spec.recipe.batching) for record in situation.records[-MANY:])


def _cells(space: CellSpace, prompts: Prompts) -> str:
    held = cells.settings_of(space.dataset)
    recipe = (f"{held.optimiser}, learning rate {held.learning_rate:g}, weight decay {held.weight_decay:g}, {held.epochs} epochs,"
              f" width {held.width}, dropout {held.dropout:g}")  # fmt: skip
    return prompts.piece("cells").fill(
        shapes="; ".join(",".join(map(str, links)) for links in cells.LINKS), operators=", ".join(cells.operators_of(space.dataset)),
        before=f"what a linear layer of width {held.width} makes of the features" if held.before else "the raw features",
        after=f"go through a linear layer of width {held.width} to the classifier" if held.after else "go to the classifier",
        width=str(held.width), recipe=recipe,
    )  # fmt: skip


def factor_lines(space: SearchSpace) -> list[str]:
    """What can be varied, by group; names that share their beginning are written once."""
    names = space.factors()
    lines = [f"{group}: {braced(held)}" for group, held in groups_of(names).items()]
    if any(name.startswith(STAR) for name in names):
        lines.append(
            "body.dropout* stands for body.dropout (in one node) and body.*.dropout (the same in all nodes): name one, or both so."
        )
    return lines


def braced(names: Sequence[str]) -> str:
    """``recipe.{momentum, optimiser}, body.params.{heads*}``; a factor of all nodes is a mark on that of one where both are named."""
    known = set(names)
    single = [name for name in names if not (name.startswith(STAR) and f"body.{name.removeprefix(STAR)}" in known)]
    by_part: dict[str, list[str]] = {}
    for name in single:
        part, _, last = name.rpartition(".")
        starred = part.startswith("body") and f"{STAR}{name.removeprefix('body.')}" in known
        by_part.setdefault(part, []).append(last + "*" * starred)
    return ", ".join(f"{part}.{held[0]}" if len(held) == 1 else f"{part}.{{{', '.join(held)}}}" for part, held in by_part.items())


def result_lines(situation: Situation) -> list[str]:
    """The best and the worst trials at full training, and what was stopped before."""
    ranked = situation.ranked()
    if not ranked:
        return ["Nothing has a full score yet.", *(result_line(record, situation) for record in situation.records[:BEST])]
    counted = f"{len(ranked)} with a score" if situation.rungs == TABLE else f"{len(ranked)} trained in full"
    lines = [f"{len(situation.records)} trials proposed, {counted}. Best first:"]
    best = BEST_CELLS if isinstance(situation.space, CellSpace) else BEST
    worst = ranked[best:][-WORST:]
    between = len(ranked) - best - len(worst)
    lines += [result_line(record, situation) for record in ranked[:best]]
    lines += ([f"({between} between these)"] if between > 0 else []) + [result_line(record, situation) for record in worst]
    return lines + list(_stopped(situation))


def result_line(record: Record, situation: Situation) -> str:
    """``t0004: 81.40 ± 0.30 (3), 23,063 parameters, round 1: gcn64 > gcn``."""
    size = record.profile.get("parameters")
    facts = [score_text(record, situation), f"{size:,.0f} parameters" if size else "", f"round {record.round}", _anchor(record)]
    change = f" (= {record.proposal.parent} with {varied(record, situation)})" if _is_told_by_change(record, situation) else ""
    return f"{record.trial}: {', '.join(fact for fact in facts if fact)}: {in_short(record, situation.space)}{change}"


def varied(record: Record, situation: Situation, longest: int = LONGEST_CHANGE) -> str:
    """What differs from the parent: in the words of the journal, of a crossover read from both designs."""
    change = record.proposal.change or record.proposal.factor or "several changes"
    if change.startswith(CROSSED):
        parent = next((other for other in situation.records if other.trial == record.proposal.parent), None)
        change = difference(parent.spec, record.spec, situation.space)[1] if parent is not None else change
    return shortened_change(change, longest)


def _is_told_by_change(record: Record, situation: Situation) -> bool:
    return bool(record.proposal.parent and record.proposal.change) and not isinstance(situation.space, CellSpace)


def score_text(record: Record, situation: Situation) -> str:
    """Mean, deviation and number of seeds at full training, or the look-up; else the rung at which the trial was cut, or its state."""
    score = situation.score(record)
    if score is not None:
        seeds = list(record.full_scores(situation.rungs).values())
        if situation.rungs == TABLE:
            return f"{score:.2f}"
        _, sd = mean_and_sd(seeds)
        return f"{score:.2f} ± {'?' if sd is None else f'{sd:.2f}'} ({len(seeds)})"
    reached = [(rung.name, at) for rung in situation.rungs if (at := record.at(rung.name)) is not None]
    if reached:
        return f"cut at rung {reached[-1][0]} with {reached[-1][1]:.2f}"
    return "rejected" if record.rejected else "failed" if record.failures else "no score yet"


def _anchor(record: Record) -> str:
    outside = ", outside of the space" if record.proposal.reference else ""
    if record.proposal.anchor == "start":
        return f"the owner's own {record.proposal.name}{outside}"
    return f"{record.proposal.anchor} anchor {record.proposal.name}{outside}" if record.proposal.anchor else ""


def _stopped(situation: Situation) -> Iterator[str]:
    """Trials that the lowest rung cut: how many, which of them may be slow starters, and the lowest."""
    rung = situation.rungs[0]
    held = [(at, r.trial, r) for r in situation.records if situation.score(r) is None and (at := r.at(rung.name)) is not None]
    if not held:
        return
    yield (f"{len(held)} trials were cut at rung {rung.name} ({epochs_of(rung)}) and never trained in full: what they would reach is not"
           " known, and a slow starter looks worse there than it is.")  # fmt: skip
    rising = [trial for _, trial, record in held if (curve := curve_of(record, situation)) is not None and curve.is_rising()]
    if rising:
        yield f"Still improving when they were cut: {listed(rising)}."
    yield "The lowest of them:"
    yield from (f"{trial}: {at:.2f}: {in_short(record, situation.space)}" for at, trial, record in sorted(held)[:STOPPED])


def designs(situation: Situation, cited: Collection[str] = ()) -> list[Record]:
    """Trials whose designs are shown whole, as many as fit: the two best, those cited, the best anchor of either kind, the next."""
    ranked = situation.ranked()
    anchors = [next((r for r in ranked if r.proposal.anchor == kind), None) for kind in ("strong", "plain")]
    named = [r for r in ranked if f"trial:{r.trial}" in cited]
    wanted = {r.trial: r for r in (*ranked[:2], *named[:DESIGNS], *anchors, *ranked[2:DESIGNS]) if r is not None}
    chosen: list[Record] = []
    length = 0
    for record in wanted.values():
        length += len(whole(record.spec, situation.space))
        if length > DESIGN_CHARACTERS and chosen:
            break
        chosen.append(record)
    return sorted(chosen, key=ranked.index)


def design_lines(situation: Situation, cited: Collection[str] = ()) -> list[str]:
    """Score, size and whole text of each design that can be a parent."""
    return [_design(record, situation) for record in designs(situation, cited)] or ["None yet."]


def _design(record: Record, situation: Situation) -> str:
    text = whole(record.spec, situation.space)
    size = record.profile.get("parameters")
    head = ", ".join(filter(None, (score_text(record, situation), f"{size:,.0f} parameters" if size else "", _anchor(record))))
    return f"{record.trial}: {head}: {text}" if isinstance(situation.space, CellSpace) else f"{record.trial}: {head}\n{_indented(text)}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def tried_lines(situation: Situation, cited: Collection[str] = ()) -> list[str]:
    """One line a trial beside those shown whole: the best, and the newest whatever became of them; the rest as a number."""
    shown = {record.trial for record in designs(situation, cited)}
    others = [record for record in situation.ranked() if record.trial not in shown]
    newest = [record for record in situation.records if record.trial not in shown][-TRIED_NEWEST:]
    told = {record.trial: record for record in (*others[:TRIED_BEST], *newest)}
    rest = len(situation.records) - len(shown) - len(told)
    lines = [_tried(record, situation) for record in told.values()]
    return lines + ([f"({rest} others; a proposal that repeats one is sent back)"] if rest > 0 else []) or ["Nothing else."]


def _tried(record: Record, situation: Situation) -> str:
    changed = _is_told_by_change(record, situation)
    what = f"{record.proposal.parent} with {varied(record, situation)}" if changed else in_short(record, situation.space)
    return f"{record.trial}: {score_text(record, situation)}: {what}"
