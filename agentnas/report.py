"""The report of a run: the answer first, then why. Everything in it is derived from the journal."""

from __future__ import annotations

import shlex
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from agentnas.agents.statistics import paired_difference
from agentnas.busy import busy_line
from agentnas.memory.events import Proposal
from agentnas.memory.view import JournalView
from agentnas.report_agents import agents_section, cost_line
from agentnas.report_baselines import baseline_lines, baselines_section, baselines_summary
from agentnas.report_front import front_section
from agentnas.report_quality import quality_section
from agentnas.report_search import factors_section, order_text, progress_text, race_section, rungs_section
from agentnas.report_verdicts import anchor_rows, change_text, cut_anywhere, notes, of_winner, time_lines, verdict
from agentnas.run import Run
from agentnas.scores import asked, item_of, items_of, repeat_of, repeats, repeats_of_winner, scores_summary, with_error
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.spec.render import shortened
from agentnas.words import markdown_table, plural

REPORT_FILE = "report.md"
PAGE_FILE = "report.html"
FAULT_FILE = "report-error.txt"
LEADERS = 10
OTHER_MEMORY = "with another memory the search takes another way, with `--memory-dir none` it starts without"


def write_report(run: Run) -> None:
    """Write ``report.md`` and ``report.html`` into the run directory, replacing an earlier state of them.

    A fault in drawing one of them is kept in ``report-error.txt`` and fails no run; raises RunError where the disk takes no file.
    """
    faults = [fault for name, draw in ((REPORT_FILE, Run.report), (PAGE_FILE, Run.page)) if (fault := _write(run, name, draw))]
    if faults:
        run.directory.write_text(FAULT_FILE, "\n".join(faults))
    else:
        (run.path / FAULT_FILE).unlink(missing_ok=True)


def _write(run: Run, name: str, draw: Callable[[Run], str]) -> str:
    """Write one form of the report; what went wrong in drawing it, as a traceback."""
    try:
        text = draw(run)
    # An edge: hours of search are not lost to a picture of them.
    except Exception:  # noqa: BLE001
        (run.path / name).unlink(missing_ok=True)  # what an earlier state said is no longer so
        return traceback.format_exc()
    run.directory.write_text(name, text)
    return ""


def render_report(run: Run) -> str:
    """The report as Markdown; also of a run that is unfinished or failed."""
    view = run.view
    if view.started is None:
        return f"# {run.name}\n\nThe run was killed before it began; nothing was evaluated.\n"
    sections = [
        f"# {run.name}", _answer(run), _against_anchors(view), baselines_section(view), quality_section(view), _architecture(run),
        _why(view), _choices(run), _task(view), _search(view), factors_section(view), agents_section(view), rungs_section(view),
        race_section(view), front_section(view), _failures(view), _cost(run), _reproduce(run),
    ]  # fmt: skip
    return "\n\n".join(section for section in sections if section) + "\n"


def summarise(run: Run) -> dict[str, Any]:
    """The outcome as plain data. Scores in percent, times in seconds, cost in US dollars; unknown is None."""
    view = run.view
    return {
        "run": run.name,
        "path": str(run.path),
        "task": view.started.task if view.started else None,
        "protocol": view.started.protocol if view.started else None,
        "metric": view.started.metric if view.started else None,
        "outcome": view.finished.outcome if view.finished else "interrupted" if view.interrupted else "unfinished",
        "message": view.finished.message if view.finished else "",
        "winner": _winner_summary(view),
        "validation": _validation_summary(view),
        "test": _test_summary(view),
        "anchors": view.test.comparison if view.test else {},
        "baselines": baselines_summary(view),
        "trials": view.num_tried,
        "rejected": len(view.rejected),
        "failed": len(view.failed_trials()),
        "evaluations": view.num_evaluations,
        "seconds": view.active_seconds,
        "cost_usd": view.calls.total.known_cost,
    }


def _winner_summary(view: JournalView) -> dict[str, Any] | None:
    if view.winner is None:
        return None
    proposal = view.proposals[view.winner.trial]
    profile = view.profiles.get(proposal.trial, {})
    return {
        "trial": proposal.trial, "name": proposal.name, "author": proposal.author, "architecture": proposal.text, "spec": proposal.spec,
        "spec_hash": proposal.spec_hash, "profile": profile, "reason": view.winner.reason,
        "cut": of_winner(view)["cut"],
    }  # fmt: skip


def _validation_summary(view: JournalView) -> dict[str, Any] | None:
    if view.winner is None:
        return None
    return with_error({"mean": view.winner.val_mean, "sd": view.winner.val_sd, "seeds": view.winner.seeds}, view.scale)


def _test_summary(view: JournalView) -> dict[str, Any] | None:
    if view.test is None or view.winner is None:
        return None
    return scores_summary(list(view.test.scores[view.winner.trial].values()), view.scale)


def _answer(run: Run) -> str:
    view = run.view
    assert view.started is not None
    scale = view.scale
    where = f"task **{view.started.task}**{asked(view)}, {view.started.protocol}, metric {scale.with_direction}"
    if view.winner is None:
        state = view.finished.message if view.finished else "interrupted" if view.interrupted else "not finished"
        best = view.best
        standing = f" Best so far: {best.trial} with {scale.told(best.val_mean, best.val_sd)} on validation." if best else ""
        chosen = "No design was found" if view.finished else "No design has been chosen yet"
        return f"**{chosen}** ({state}); {where}.{standing} The test is still sealed."
    proposal = view.proposals[view.winner.trial]
    test = _test_summary(view)
    lines = [f"**{proposal.text}**", "", f"- {where}"]
    if test:
        lines.append(
            f"- test: **{scale.spread(test['mean'], test['sd'])}**{scale.sign} over {repeats(view, test['seeds'])},"
            " opened once, after the choice"
        )
    lines += [*_verdicts(view), *(f"- {line}" for line in baseline_lines(view))]
    validation = scale.spread(view.winner.val_mean, view.winner.val_sd)
    shared = " that all compared have" if len(view.evaluations(proposal.trial, CONFIRM)) > view.winner.seeds else ""
    lines.append(f"- validation: {validation}{scale.sign} over {repeats(view, view.winner.seeds)}{shared}")
    lines.append(f"- choice: {proposal.trial}, {view.winner.reason}")
    lines += [f"- time: {line}" for line in time_lines(view)]
    lines += [f"- note: {line}" for line in notes(view)]
    size = profile_text(view.profiles.get(proposal.trial, {}), view)
    return "\n".join([*lines, *([f"- size: {size}"] if size else []), *(f"- {line}" for line in reading(view))])


def reading(view: JournalView) -> list[str]:
    """How to read the numbers above."""
    assert view.started is not None
    noise = "a difference is inside the noise where zero lies in its 95 % interval"
    lines = [f"scores are mean ± standard deviation over {repeats_of_winner(view)}; {noise}"]
    if view.winner is not None and view.winner.seeds > 1:
        lines += _luck(view, view.winner.trial)
    if view.started.test_to_train:
        lines.append("splits overlap: standard errors and p of differences are corrected for it (Nadeau and Bengio, 2003)")
    elif "splits" in view.started.protocol:
        items = items_of(view)
        lines.append(
            f"splits overlap: validation {items} of one are test {items} of another, and differences look more certain than they are"
        )
    return lines


def _luck(view: JournalView, winner: str) -> list[str]:
    """What the choice does to the winner's validation: measured where the test lies behind it by more than the noise, else what is usual;
    nothing where nothing else was confirmed."""
    scores = view.scores(CONFIRM)
    if (excess := _excess(view, winner)) is not None:
        by = view.scale.lead(excess["difference"], excess["se"])
        return [f"validation is better than the test by {by} (standard error): design and epochs were chosen by it; go by the test"]
    most, off = ("lowest", "low") if view.scale.is_error else ("highest", "high")
    if len(scores) < 2:
        return []
    if scores.get(winner) == (max if view.higher_is_better else min)(scores.values()):
        return [f"the winner has the {most} of several confirmed means, so its validation is likely too {off}; the test is not"]
    return [f"the winner was chosen by its validation, which may be too {off} for that; the test is not"]


def _excess(view: JournalView, winner: str) -> Mapping[str, Any] | None:
    """Validation minus test of the winner's confirmations, paired; None where that is inside the noise, or not above it, and where one
    split leaves open whether its validation items are the easier ones."""
    if repeat_of(view) == "seed":
        return None
    tests = {int(seed): score for seed, score in view.test.scores.get(winner, {}).items()} if view.test else {}
    ours = {done.seed: done.val for done in view.evaluations(winner, CONFIRM) if done.seed in tests}
    found = paired_difference(ours, tests, view.started.test_to_train if view.started else 0.0) if ours else None
    return found if found and found["inside_noise"] is False and found["difference"] > 0 else None


def profile_text(profile: Mapping[str, Any], view: JournalView) -> str:
    """Size, cost and latency of a design, as far as they were measured; a pass is over the whole graph, or over all graphs at once."""
    whole = "all graphs" if item_of(view) == "graph" else "the whole graph"
    known = {
        "parameters": "{:,.0f} parameters", "size_mib": "{:.2f} MiB", "flops": "{:,.0f} FLOPs a pass over " + whole,
        "latency_ms_p50": "{:.2f} ms latency (p50)", "latency_ms": "{:.2f} ms latency", "peak_memory_mib": "{:.1f} MiB peak memory",
    }  # fmt: skip
    return ", ".join(text.format(profile[key]) for key, text in known.items() if profile.get(key) is not None)


def _verdicts(view: JournalView) -> list[str]:
    """One plain sentence for each anchor: a gain, no gain, or the anchor itself won."""
    if view.test is None:
        return []
    return [f"- {verdict(kind, pair, view)}" for kind, pair in view.test.comparison.items()]


def _against_anchors(view: JournalView) -> str:
    if view.test is None or view.winner is None:
        return ""
    return "## Against the anchors\n\n" + markdown_table(["trial", "role", "what", "validation", "test"], anchor_rows(view))


def _architecture(run: Run) -> str:
    if run.view.best is None:
        return ""
    from agentnas.tools.spec.render import render

    return f"## Architecture and recipe\n\n```\n{render(run.best)}\n```\n\n```mermaid\n{mermaid(run)}\n```"


def mermaid(run: Run) -> str:
    """The winner's body as a Mermaid flow chart."""
    spec = run.best
    lines = ["flowchart LR", f'  input["input: {spec.input.encoder}"]']
    for node in spec.body.nodes:
        width = "" if node.width is None else f" {node.width}"
        lines.append(f'  {node.id}["{node.op}{width}"]')
        lines += [f"  {source} --> {node.id}" for source in node.inputs]
    lines.append(f'  head["head: {spec.head.decoder}"]')
    return "\n".join(lines + [f"  {output} --> head" for output in spec.body.outputs])


def _why(view: JournalView) -> str:
    """The winner's ancestry, each step with its hypothesis, what it cost or gained, and the evidence it cited."""
    best = view.winner.trial if view.winner else view.best.trial if view.best else None
    if best is None:
        return ""
    lines = [_step(view, proposal) for proposal in reversed(ancestry(view, best))]
    return "## Why this one\n\n" + "\n".join(lines) + "\n\n" + _cited(view, best)


def _choices(run: Run) -> str:
    """What the winner loses without each of its choices, where that was measured."""
    from agentnas.ablation import HEAD, rows

    if (found := rows(run)) is None:
        return ""
    seeds = max((len(row.scores) for row in found), default=0)
    told = f"The winner, trained without each of its choices on {repeats(run.view, seeds)} of its confirmation; validation alone."
    return "## What each choice is worth\n\n" + told + "\n\n" + markdown_table(HEAD, [row.cells(run.view.scale) for row in found])


def ancestry(view: JournalView, trial: str) -> list[Proposal]:
    """The proposal and its parents, youngest first."""
    chain: list[Proposal] = []
    current: str | None = trial
    while current is not None:
        proposal = view.proposals[current]
        chain.append(proposal)
        current = proposal.parent
    return chain


def _step(view: JournalView, proposal: Proposal) -> str:
    standing = view.standing(proposal.trial)
    score = "rejected" if standing is None else view.scale.spread(standing.val_mean, standing.val_sd)
    change = change_text(proposal)
    cited = f" [{', '.join(proposal.evidence)}]" if proposal.evidence else ""
    return f"1. {proposal.trial} ({proposal.author}): {change}; validation {score}. {proposal.hypothesis}{cited}"


def _cited(view: JournalView, trial: str) -> str:
    from agentnas.memory.memory import InMemory

    memory = InMemory(view)  # cards, and this run's own trials and findings
    wanted = sorted({name for proposal in ancestry(view, trial) for name in proposal.evidence})
    found = [evidence for name in wanted if (evidence := memory.get(name)) is not None]
    return "\n".join(f"- `{evidence.id}`: {_one_line(evidence.text, 900)}" for evidence in found)


def _one_line(text: str, limit: int = 300) -> str:
    flat = " ".join(text.split())
    if len(flat) <= limit:
        return flat
    kept = flat[: limit - 3]
    return f"{kept.rpartition(' ')[0] or kept}..."  # one long word, such as a path, is cut itself


def _task(view: JournalView) -> str:
    """The task card: what was known before anything was trained, simple baselines included."""
    if view.card is None:
        return ""
    from agentnas.tools.tasks import TaskCard

    return f"## The task\n\n```\n{TaskCard.model_validate(view.card).text()}\n```"


def _search(view: JournalView) -> str:
    if view.best is None:
        return ""
    rows = []
    for standing in view.leaderboard(LEADERS):
        proposal = view.proposals[standing.trial]
        score = view.scale.spread(standing.val_mean, standing.val_sd)
        what = proposal.name or proposal.change or "fresh sample"
        rows.append([standing.trial, score, str(standing.seeds), standing.rung, what, shortened(proposal.text)])
    numbers = ((view.num_tried, "trial"), (view.num_evaluations, "evaluation"), (len(view.rounds), "round"))
    counts = ", ".join(plural(count, word) for count, word in numbers) + "." + cut_anywhere(view) + _space(view)
    header = ["trial", "validation", "seeds", "rung", "what", "architecture"]
    return f"## The search\n\n{counts}\n\n{order_text(view)}:\n\n" + markdown_table(header, rows) + "\n\n" + progress_text(view)


def _space(view: JournalView) -> str:
    """What was searched, what was locked, and which anchors lay outside; nothing for the usual space."""
    from agentnas.searched import told_space

    assert view.started is not None
    lines = told_space(view.started.searched)
    return "\n\n" + "\n".join(f"- {line}" for line in lines) if lines else ""


def _failures(view: JournalView) -> str:
    lines = [f"- {trial} rejected: {_one_line(reason)}" for trial, reason in view.rejected.items()]
    for trial in view.proposals:
        lines += [f"- {trial} {f.rung} seed {f.seed}: {f.kind}: {_one_line(f.reason)}" for f in view.failures(trial)]
    lines += [f"- {note.message}" for note in view.notes if note.level == "warning"]
    shown = lines[:30] + ([f"- and {len(lines) - 30} more in events.jsonl"] if len(lines) > 30 else [])
    return "## Rejections, failures, warnings\n\n" + "\n".join(shown) if lines else ""


def _cost(run: Run) -> str:
    view = run.view
    busy = busy_line(view, run.events)
    resumed = f", {plural(view.resumes, 'resume')}" if view.resumes else ""
    told = f"{view.active_seconds:.0f} s active{resumed}; {cost_line(view)}." + (f" {busy}." if busy else "")
    return f"## Cost\n\n{told}"


def _reproduce(run: Run) -> str:
    view = run.view
    assert view.started is not None
    from agentnas.searched import file_names

    packages = view.started.environment.get("packages", {})
    versions = ", ".join(f"{name} {packages[name]}" for name in ("agentnas", "torch", "torch_geometric") if name in packages)
    lines = [f"- `{command_again(view)}`", f"- {versions}; Python {view.started.environment.get('python')}"]
    lines.append(f"- {view.started.environment.get('processor')}, {view.started.environment.get('cpus')} processors")
    if files := list(file_names(view.started.config)):
        lines.append(f"- {', '.join(files)}: in the run's folder, as its settings hold them")
    if view.memory:
        lines.append(f"- {view.memory}; {OTHER_MEMORY}")
    if view.exported:
        lines.append(f"- files: {', '.join(view.exported.files)}")
    return "## Reproduce\n\n" + "\n".join(lines)


def command_again(view: JournalView) -> str:
    """The command that starts the run again; one that remembered nothing must not begin to."""
    assert view.started is not None
    return command_of(view.started.config) + ("" if view.memory else " --memory-dir none")


def command_of(config: Mapping[str, Any]) -> str:
    """The command that starts a run with this configuration."""
    from agentnas.config import Config, format_duration, usual_trial_time
    from agentnas.searched import file_names

    defaults = Config().model_dump(mode="json")
    # A limit of trials lifts the default limit of time; without one, no limit of time has to be asked for.
    implied = {**defaults, "seed": None, "time_s": defaults["time_s"] if config["trials"] is None else None}
    implied["trial_time_s"] = usual_trial_time(config["time_s"])
    words, files = ["agentnas design"], file_names(config)
    for key, value in config.items():
        if key in ("data_dir", "runs_dir", "memory_dir", "record", "review") or value == implied[key]:
            continue
        if key in ("without_anchor", "lock"):
            words += [f"--{key.replace('_', '-')} {shlex.quote(name)}" for name in value]
        elif key in ("space", "start"):
            named = [value] if isinstance(value, str) else [one for one in value if isinstance(one, str)] if key == "start" else []
            words += [f"--{key} {shlex.quote(name)}" for name in named + [file for file in files if file.startswith(key)]]
        else:
            flag = key.removesuffix("_s").replace("_", "-")
            told = "none" if value is None else format_duration(value) if key.endswith("_s") else value
            words.append(f"--{flag}" if value is True else f"--{flag} {shlex.quote(str(told))}")
    return " ".join(words)
