"""Trials of one run side by side: scores on seeds that both have, sizes, and what differs in the designs."""

from __future__ import annotations

from collections.abc import Sequence

from agentnas.chat.tool import Result
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.view import JournalView
from agentnas.tools.errors import UsageError
from agentnas.words import plural


def compare_trials(directory: RunDirectory, trials: Sequence[str]) -> Result:
    """Each trial, then each of the others against the first. Raises UsageError for a trial that the run has not."""
    view = directory.view()
    for trial in trials:
        if trial not in view.proposals:
            known = f"allowed: {next(iter(view.proposals))} to {next(reversed(view.proposals))}" if view.proposals else "it has none yet"
            raise UsageError(f"run {directory.name} has no trial {trial!r}; {known}")
    first, *others = dict.fromkeys(trials)
    lines = [_one(view, trial) for trial in (first, *others)]
    return Result("\n".join([*lines, "", *(_against(view, first, other) for other in others)]), plural(len(trials), "trial"))


def _one(view: JournalView, trial: str) -> str:
    proposal, standing, params = view.proposals[trial], view.standing(trial), view.profiles.get(trial, {}).get("params")
    size = f"; {params:,} parameters" if isinstance(params, int) else ""
    if standing is None:
        return f"{trial}  {view.state(trial)}{size}; {proposal.text}"
    where = f"({standing.rung}, {plural(standing.seeds, 'seed')}), rank {view.rank(trial)}"
    score = f"{view.scale.told(standing.val_mean, standing.val_sd)} {where}"
    return f"{trial}  {score}{size}; {proposal.text}"


def _against(view: JournalView, first: str, other: str) -> str:
    from agentnas.tools.spec.diff import describe, diff
    from agentnas.tools.spec.model import parse_spec

    changes = diff(parse_spec(view.proposals[first].spec), parse_spec(view.proposals[other].spec))
    return f"{other} against {first}: {_gap(view, first, other)}; what differs: {describe(changes) or 'nothing'}"


def _gap(view: JournalView, first: str, other: str) -> str:
    """On the highest rung on which both have the same seeds; with the noise of the differences where there are several."""
    from agentnas.agents.statistics import held, paired_difference

    for rung in reversed(view.rungs):
        ours, theirs = ({(e.seed, e.split): e.val for e in view.evaluations(trial, rung)} for trial in (other, first))
        shared = sorted(ours.keys() & theirs.keys())
        if shared:
            found = paired_difference({i: ours[key] for i, key in enumerate(shared)}, {i: theirs[key] for i, key in enumerate(shared)})
            se = "?" if found["se"] is None else view.scale.noise(found["se"])
            noise = "" if found["se"] is None else f", {held(found)}"
            gap = f"{view.scale.named_gap(found['difference'])} ± {se}"
            return f"{gap} (standard error) on {rung}, {plural(len(shared), 'shared seed')}{noise}"
    return "no seed on which both have a score"
