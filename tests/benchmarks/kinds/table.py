"""The Markdown table of a results file, and what it comes to: bars met and missed, and where a winner is behind an anchor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentnas.agents.statistics import held, is_beyond
from agentnas.scores import gap_text
from agentnas.tools.scale import Scale
from agentnas.words import markdown_table, plural
from tests.benchmarks.kinds.outcome import QUICK, SEED
from tests.benchmarks.kinds.tasks import BARS, SHARED_NEIGHBOURS, TASKS, Bar
from tests.benchmarks.versus_optuna.results import Row

HEAD = (
    "task and protocol", "kind", "winner", "test", "minus best plain anchor", "minus best strong anchor", "minus best without a network",
    "bar", "took",
)  # fmt: skip
READING = (
    "Scores are mean ± standard deviation over seeds or splits, differences mean ± standard error, paired (corrected where splits overlap);"
    " inside the noise: zero lies in the 95 % interval. Which anchor, and which method without a network, is best was said by validation."
)
# A task's tests are of ten splits or ten seeds, unless the time did not allow them.
USUAL_SEEDS = 10


def render(rows: Sequence[Row]) -> str:
    """A table for each rule, with what it comes to below it, then what did not end as it should."""
    rules = dict.fromkeys(row["rule"] for row in rows if not row["problem"])
    parts = [_of_rule(rule, [row for row in _ordered(rows) if row["rule"] == rule and not row["problem"]]) for rule in rules]
    parts += [f"{row['task']} ({row['rule']}): {row['problem']}" for row in _ordered(rows) if row["problem"]]
    return "\n\n".join(parts) or "no results yet"


def _ordered(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: TASKS.index(row["task"]) if row["task"] in TASKS else len(TASKS))


def _of_rule(rule: str, rows: Sequence[Row]) -> str:
    table = markdown_table(HEAD, [cells(row) for row in rows])
    below = () if rule == QUICK else filter(None, (bars_line(rows), anchors_line(rows)))
    return "\n\n".join([f"### {rule}", _setting(rule, rows), table, *below])


def _setting(rule: str, rows: Sequence[Row]) -> str:
    """How the rows came to be."""
    if rule == QUICK:
        return "Whether everything runs: anchors trained for a moment. No figure here says anything."
    time, _, rest = rule.partition(", ")
    machines = dict.fromkeys(
        f"AgentNAS {one['version']} on {one['processor']}, {one['cpus']} processors" for one in (row["machine"] for row in rows)
    )
    command = f"`agentnas design --task TASK --time {time} --workers {rest.split()[0]} --seed {SEED}`"
    shared = f"; {rest.partition(', ')[2]}" if ", " in rest else ""
    return f"{command} by rules, with an empty memory{shared}; {'; '.join(machines)}. {READING}"


def cells(row: Row) -> list[str]:
    """One line of the table."""
    return [
        f"{row['task']}, {row['protocol']}", row["kind"], _winner(row["winner"]), _test(row),
        *(_against(row["anchors"].get(kind, {}), scale_of(row)) for kind in ("plain", "strong")), _without_network(row), _bar(row),
        f"{row['wall_s']:.0f} s, {plural(row['trials'], 'trial')}",
    ]  # fmt: skip


def scale_of(row: Row) -> Scale:
    """How the row's scores are shown."""
    return Scale(row["metric"], row["unit"])


def _winner(winner: Mapping[str, Any]) -> str:
    anchor = f"the {winner['anchor']} anchor, " if winner["anchor"] else ""
    return f"{anchor}`{winner['design']}`"


def _test(row: Row) -> str:
    scale, test = scale_of(row), row["test"]
    counted = "" if is_whole(row) else f" ({plural(test['seeds'], 'seed')})"
    return f"{scale.name} {scale.spread(test['mean'], test['sd'])}{counted}"


def _against(pair: Mapping[str, Any] | None, scale: Scale) -> str:
    if not pair:
        return "none was confirmed" if pair is None else "none was tried"
    return "itself" if pair["is_winner"] else f"{pair['name']} {_gap(pair, scale)}"


def _gap(gap: Mapping[str, Any] | None, scale: Scale) -> str:
    """``+0.52 ± 1.10, inside the noise``."""
    if gap is None:
        return "on other splits"
    return f"{gap_text(gap, scale)}, {('a gain' if gap['difference'] > 0 else 'a loss') if is_beyond(gap) else held(gap)}"


def _without_network(row: Row) -> str:
    """The best by validation, which comes first, and on pairs Adamic-Adar by name."""
    shown = [one for place, one in enumerate(row["baselines"]) if place == 0 or one["name"] == SHARED_NEIGHBOURS]
    return "; ".join(_baseline(one, scale_of(row)) for one in shown) or "not measured"


def _baseline(one: Mapping[str, Any], scale: Scale) -> str:
    return f"{one['told']} was left out" if "left_out" in one else f"{one['told']} {_gap(one['winner_gains'], scale)}"


def _bar(row: Row) -> str:
    bar = BARS.get(row["task"])
    if bar is None:
        return ""
    asked = f"{'≤' if scale_of(row).is_error else '≥'} {bar.value:g}"
    if row["rule"] == QUICK:
        return asked
    above = f"; above {_told(row, bar.above)} by more than the noise: {_word(is_above(row, bar.above))}" if bar.above else ""
    partly = "" if is_whole(row) else f" on {plural(row['test']['seeds'], 'seed')}, not on {USUAL_SEEDS}"
    return f"{asked}: {_word(reaches(row, bar))}{partly}{above}"


def _word(met: bool) -> str:
    return "met" if met else "missed"


def _told(row: Row, name: str) -> str:
    return next((str(one["told"]) for one in row["baselines"] if one["name"] == name), name)


def is_whole(row: Row) -> bool:
    """Whether the test is of all splits: an easy few of them are no bar met."""
    return bool(row["test"]["seeds"] >= USUAL_SEEDS)


def reaches(row: Row, bar: Bar) -> bool:
    """Whether the mean of the test is as good as the bar, or better."""
    scale, mean = scale_of(row), scale_of(row).natural(row["test"]["mean"])
    return mean <= bar.value if scale.is_error else mean >= bar.value


def is_above(row: Row, name: str) -> bool:
    """Whether the winner is better than this method without a network by more than the noise; not if it was not measured."""
    gaps = [one.get("winner_gains") for one in row["baselines"] if one["name"] == name]
    return any(gap and is_beyond(gap) and gap["difference"] > 0 for gap in gaps)


def bars_line(rows: Sequence[Row]) -> str:
    """How many bars are met, and on which tasks they are not; nothing where no task has one."""
    asked = {row["task"]: (row, BARS[row["task"]]) for row in rows if row["task"] in BARS}
    met = [task for task, (row, bar) in asked.items() if _meets(row, bar)]
    if not asked:
        return ""
    return f"Bars: {len(met)} of {len(asked)} met; not met: {', '.join(task for task in asked if task not in met) or 'none'}."


def _meets(row: Row, bar: Bar) -> bool:
    return is_whole(row) and reaches(row, bar) and (not bar.above or is_above(row, bar.above))


def anchors_line(rows: Sequence[Row]) -> str:
    """On how many tasks the winner's test is at least as good as that of both anchors, and where not, or where that is not known."""
    pairs_of = {row["task"]: [pair for pair in row["anchors"].values() if pair and not pair["is_winner"]] for row in rows}
    behind = {task: [pair for pair in pairs if pair["difference"] < 0] for task, pairs in pairs_of.items()}
    clear = [task for task, pairs in behind.items() if any(map(is_beyond, pairs))]
    noisy = [task for task, pairs in behind.items() if pairs and task not in clear]
    open_ = [row["task"] for row in rows if None in row["anchors"].values() and row["task"] not in (*clear, *noisy)]
    told = f"At least as good as the best anchors: {len(rows) - len(clear) - len(noisy) - len(open_)} of {plural(len(rows), 'task')}"
    told += f"; behind one inside the noise: {', '.join(noisy) or 'none'}; beyond it: {', '.join(clear) or 'none'}"
    return told + (f"; with no anchor of one kind confirmed: {', '.join(open_)}." if open_ else ".")
