"""Checks between an agent's draft and a trial: duplicates, evidence that exists, the space, the price under the limits."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentnas.agents.roles import Draft
from agentnas.agents.situation import Record, Situation
from agentnas.memory import events as ev
from agentnas.memory.memory import Memory
from agentnas.tools.errors import SpecError
from agentnas.tools.evaluate.base import Evaluator, Limits
from agentnas.tools.evaluate.fitting import Room
from agentnas.tools.spec.canonical import canonical, spec_hash
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.render import one_line
from agentnas.tools.spec.space import SearchSpace

Price = Callable[[ArchitectureSpec], Mapping[str, Any]]
Weigh = Callable[[ArchitectureSpec], Mapping[str, int]]
KINDS = ("trial", "finding", "card")
MOST_PARTS = 4


def accept(
    drafts: Sequence[Draft], known: dict[str, str], first: int, memory: Memory, room: Room | None = None, space: SearchSpace | None = None
) -> tuple[list[ev.Proposal], list[str]]:
    """Drafts as numbered proposals, and what was wrong with the others. ``known`` maps the hashes of earlier trials to their ids; a draft
    that has no ``room`` as it is goes on as the spec that has, unless the ``space`` refuses that. Whoever made a draft, it is dropped
    where the space refuses it: only references may be tried outside."""
    proposals: list[ev.Proposal] = []
    problems: list[str] = []
    seen = ChainMap({}, known)
    for draft in (_fitted(draft, room, space) for draft in drafts):
        key = spec_hash(draft.spec)
        if space is not None and not draft.reference and (outside := space.refuses(draft.spec)):
            problems.append(f"{draft.author} proposed a design outside of what is searched, skipped: {outside}")
            continue
        if key in seen:
            problems.append(f"{draft.author} proposed {seen[key]} again; skipped")
            continue
        trial = f"t{first + len(proposals):04d}"
        seen[key] = trial
        evidence, unknown = _split_evidence(draft.evidence, memory)
        problems += [f"{trial}: evidence {name} does not exist; citation dropped" for name in unknown]
        proposals.append(_proposal(trial, draft, key, evidence))
    return proposals, problems


def _fitted(draft: Draft, room: Room | None, space: SearchSpace | None) -> Draft:
    spec, why = (draft.spec, None) if room is None else room.fitted(draft.spec)
    if space is not None and not draft.reference and space.refuses(spec) is not None:
        return draft  # it stays as it was meant; where it has no room, the price says so
    return draft if why is None else replace(draft, spec=spec, change="; ".join(filter(None, (draft.change, why))))


def _split_evidence(ids: Sequence[str], memory: Memory) -> tuple[tuple[str, ...], list[str]]:
    distinct = tuple(dict.fromkeys(ids))
    unknown = [name for name in distinct if memory.get(name) is None]
    return tuple(name for name in distinct if name not in unknown), unknown


def _proposal(trial: str, draft: Draft, key: str, evidence: tuple[str, ...]) -> ev.Proposal:
    spec = canonical(draft.spec)
    return ev.Proposal(
        trial=trial, spec=spec.model_dump(mode="json", exclude_defaults=True), spec_hash=key, text=one_line(spec), author=draft.author,
        parent=draft.parent, factor=draft.factor, change=draft.change, hypothesis=draft.hypothesis, expected_gain=draft.expected_gain,
        evidence=evidence, anchor=draft.anchor, name=draft.name, direction=draft.direction, reference=draft.reference,
    )  # fmt: skip


def _priced(spec: ArchitectureSpec, evaluator: Evaluator, limits: Limits) -> tuple[dict[str, object], list[str]]:
    try:
        profile = evaluator.price(spec)
    except SpecError as error:
        return {}, [str(error)]
    return profile, limits.violations(profile)


def price(
    specs: Sequence[ArchitectureSpec], evaluator: Evaluator, limits: Limits, room: Room | None = None
) -> list[tuple[dict[str, object], list[str]]]:
    """Profile and broken limits of each spec, and where there is no ``room`` to train it. Latency and memory are measured only for what
    the arithmetic lets pass."""
    static, broken = map(list, zip(*(_priced(spec, evaluator, limits) for spec in specs), strict=True)) if specs else ([], [])
    refusals = [None if room is None else room.refusal(spec) for spec in specs]
    broken = [[*lines, *([refusal] if refusal else [])] for lines, refusal in zip(broken, refusals, strict=True)]
    if limits.measured:
        passing = [i for i, violations in enumerate(broken) if not violations]
        for i, measured in zip(passing, evaluator.measure([specs[i] for i in passing]), strict=True):
            static[i] = {**static[i], **measured}
            broken[i] = limits.violations(static[i]) or ([str(measured["failure"])] if measured.get("failure") else [])
    return list(zip(static, broken, strict=True))


def resolve(name: str, memory: Memory) -> str | None:
    """The evidence id that a citation means, its kind added where it was left out; None where there is none."""
    bare = name.strip(" []()`'\"")
    ids = [bare] if ":" in bare else [f"{kind}:{bare}" for kind in KINDS]
    return next((known for known in ids if memory.get(known) is not None), None)


def outside(spec: ArchitectureSpec, parent: ArchitectureSpec | None, space: SearchSpace) -> str | None:
    """How the spec breaks the space's bounds, one line; None inside, and where it is no further outside than its parent may be."""
    allowed = space.tolerated(space.violations(parent)) if parent is not None else {}
    broken = sorted(bound for bound, amount in space.violations(spec).items() if amount > allowed.get(bound, 0.0))
    return "; ".join(space.explain(spec, bound) for bound in broken) or None


def overpriced(spec: ArchitectureSpec, limits: Limits, price: Price, weigh: Weigh | None = None) -> str | None:
    """The limits that the spec breaks by arithmetic, one line with both numbers; ``weigh`` adds which parts the parameters are of."""
    try:
        profile = price(spec)
        broken = limits.violations(profile)
        heavy = limits.max_params is not None and profile.get("parameters", 0) > limits.max_params
        parts = weigh(spec) if heavy and weigh is not None else {}
    except SpecError as error:
        return str(error)
    largest = sorted(parts.items(), key=lambda part: -part[1])[:MOST_PARTS]
    shares = f", of which {', '.join(f'{name} {count:,}' for name, count in largest)}" if largest else ""
    return "; ".join(f"{line}{shares}" if line.startswith("parameters") else line for line in broken) or None


def told(record: Record, situation: Situation) -> str:
    """What became of a trial, for who proposes it again: ``scored 84.30, rank 3 of 12``."""
    ranked = [other.trial for other in situation.ranked()]
    if record.trial in ranked:
        return f"scored {situation.score(record):.2f}, rank {ranked.index(record.trial) + 1} of {len(ranked)}"
    if record.rejected:
        return f"was rejected: {record.rejected}"
    if record.failures:
        return f"failed: {next(iter(record.failures.values()))}"
    reached = [(rung.name, at) for rung in situation.rungs if (at := record.at(rung.name)) is not None]
    return f"was stopped at rung {reached[-1][0]} with {reached[-1][1]:.2f}" if reached else "has no score yet"
