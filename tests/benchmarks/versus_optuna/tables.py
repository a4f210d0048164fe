"""The Markdown tables of both parts, and the plot of part ``end``, from the rows of a results file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from agentnas.words import markdown_table
from tests.benchmarks.figures import panels
from tests.benchmarks.versus_optuna.results import Results, Row

Cells = dict[str, str]
NAMES = {"usual": "usual", "optuna": "Optuna + PyG", "ours": "AgentNAS"}
COLOURS = {"optuna": "#b45309", "ours": "#1d4ed8"}


def render(results: Results) -> str:
    """All tables that the rows allow, each under its heading."""
    parts: dict[str, Callable[[list[Row]], list[Cells]]] = {"list": of_list, "end": of_sides, "difference": of_differences}
    heads = {
        "list": "The same list of designs: full trainings an hour, median (least-greatest) over rounds",
        "end": "End to end at equal wall time",
        "difference": "Honest test: AgentNAS minus Optuna + PyG, paired over seeds or splits",
    }
    found = []
    for name, make in parts.items():
        if cells := make(results.of("end" if name == "difference" else name)):
            found.append(f"### {heads[name]}\n\n{_table(cells)}")
    return "\n\n".join([*found, *_problems(results)]) or "no results yet"


def _table(rows: list[Cells]) -> str:
    heads = list(dict.fromkeys(name for row in rows for name in row))
    return markdown_table(heads, [[row.get(head, "") for head in heads] for row in rows])


def _problems(results: Results) -> list[str]:
    """What did not end as it should, said below the tables."""
    return [f"{row['task']}, round {row['round']}, {NAMES[row['side']]}: {row['problem']}" for row in results.rows if row.get("problem")]


def of_list(rows: list[Row]) -> list[Cells]:
    """One row a task and rule: medians over the rounds, in brackets their least and greatest."""
    groups = dict.fromkeys((row["task"], row["rule"]) for row in rows)
    return [_list_row([row for row in rows if (row["task"], row["rule"]) == group]) for group in groups]


def _list_row(rows: list[Row]) -> Cells:
    sides = {side: {row["round"]: row for row in rows if row["side"] == side} for side in ("usual", "ours")}
    common = sorted(set(sides["usual"]) & set(sides["ours"]))
    ratios = [sides["ours"][number]["an_hour"] / sides["usual"][number]["an_hour"] for number in common]

    def both(name: str, key: str, digits: int, show: Callable[[list[float], int], str]) -> Cells:
        return {f"{side}: {name}": show([row[key] for row in sides[side].values()], digits) for side in sides}

    return {
        "task": rows[0]["task"], "at most": rows[0]["rule"], "rounds": str(len(common)), **both("trainings/h", "an_hour", 0, spread),
        "ratio": spread(ratios, 1), **both("epochs/s", "epochs_s", 1, middle), **both("validation", "val", 2, middle),
        **both("worker MiB", "peak_mib", 0, middle),
    }  # fmt: skip


def of_sides(rows: list[Row]) -> list[Cells]:
    """One row a task and side: medians over the rounds; the test over all seeds of all rounds."""
    groups = dict.fromkeys((row["task"], row["rule"], row["side"]) for row in rows if not row["problem"])
    return [
        _side_row([row for row in rows if (row["task"], row["rule"], row["side"]) == group and not row["problem"]])
        for group in sorted(groups, key=lambda group: [one[0] for one in groups].index(group[0]))
    ]


def _side_row(rows: list[Row]) -> Cells:
    def hourly(key: str) -> str:
        return spread([3600 * row[key] / row["wall_s"] for row in rows], 0)

    return {
        "task": rows[0]["task"], "side": NAMES[rows[0]["side"]], "time": rows[0]["rule"], "rounds": str(len(rows)),
        "wall s": middle([row["wall_s"] for row in rows], 0), "trials/h": hourly("trials"), "full trainings/h": hourly("full"),
        "stopped early/h": hourly("stopped"), "epochs/s": middle([row["epochs"] / row["wall_s"] for row in rows], 1),
        "best validation": middle([row["curve"][-1][1] for row in rows if row["curve"]], 2),
        "final validation": mean_sd([one for row in rows for one in row["val"].values()]),
        "honest test": mean_sd([one for row in rows for one in row["test"].values()]),
        "seeds": str(sum(len(row["test"]) for row in rows)), "MiB": middle([row["peak_mib"] for row in rows], 0),
    }  # fmt: skip


def of_differences(rows: list[Row]) -> list[Cells]:
    """One row a task: difference of the final test over the seeds that both sides have, with its standard error."""
    tasks = dict.fromkeys((row["task"], row["rule"]) for row in rows if not row["problem"])
    found = []
    for task, rule in tasks:
        own = [row for row in rows if (row["task"], row["rule"]) == (task, rule) and not row["problem"]]
        by_round = {number: _paired([row for row in own if row["round"] == number]) for number in sorted({row["round"] for row in own})}
        differences = [one for pairs in by_round.values() for one in pairs]
        if not differences:
            continue
        error = stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else math.nan
        mean = fmean(differences)
        verdict = "higher" if mean > error else "lower" if mean < -error else "equal within the error"
        found.append({
            "task": task, "time": rule, "pairs": str(len(differences)), "difference": f"{mean:+.2f} ± {error:.2f}",
            "AgentNAS is": verdict if math.isfinite(error) else "?",
            "by round": ", ".join(f"{fmean(pairs):+.2f}" for pairs in by_round.values() if pairs),
        })  # fmt: skip
    return found


def _paired(rows: list[Row]) -> list[float]:
    """Differences in the test of one round over the seeds (splits) that both sides have."""
    tests = {row["side"]: row["test"] for row in rows}
    if set(tests) != {"ours", "optuna"}:
        return []
    return [score - tests["optuna"][seed] for seed, score in tests["ours"].items() if seed in tests["optuna"]]


def middle(values: Iterable[float], digits: int) -> str:
    """The median."""
    values = list(values)
    return f"{median(values):,.{digits}f}" if values else "-"


def spread(values: Iterable[float], digits: int) -> str:
    """The median, with the least and the greatest where there are several."""
    values = list(values)
    return middle(values, digits) + (f" ({min(values):,.{digits}f}-{max(values):,.{digits}f})" if len(values) > 1 else "")


def mean_sd(values: list[float]) -> str:
    """Mean ± sample standard deviation."""
    if not values:
        return "-"
    return f"{fmean(values):.2f} ± {stdev(values):.2f}" if len(values) > 1 else f"{values[0]:.2f}"


def plot(results: Results, path: Path) -> bool:
    """Best validation (lines) and what that incumbent scored on test (dots) over time, an SVG with one panel a task; False without rows."""
    rows = [row for row in results.of("end") if row["curve"]]
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    if not tasks:
        return False
    with panels(path, len(tasks), (max(4.6, 3.2 * len(tasks)), 3.4), "yardstick", font_size=9) as (figure, grid):
        for axes, task in zip(grid, tasks, strict=True):
            _panel(axes, task, [row for row in rows if row["task"] == task])
        grid[0].set_ylabel("accuracy, %")
        legend = {label: handle for axes in grid for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(legend.values(), legend.keys(), fontsize=7, loc="outside lower center", ncols=min(3, 2 * len(tasks)))
    return True


def _panel(axes: Any, task: str, rows: list[Row]) -> None:
    shown = set[str]()
    for row in rows:
        side, colour = row["side"], COLOURS[row["side"]]
        for key, style in (("curve", "-"), ("test_curve", ":")):
            label = f"{NAMES[side]}: {'best validation' if key == 'curve' else 'its test'}"
            times = [point[0] / 60 for point in row[key]] + [row["wall_s"] / 60]
            scores = [point[1] for point in row[key]] + [point[1] for point in row[key][-1:]]
            axes.step(times[: len(scores)], scores, style, where="post", color=colour, lw=1.2, marker="." if style == ":" else None, ms=4,
                      label=None if label in shown else label)  # fmt: skip
            shown.add(label)
        if row["test"]:
            axes.plot(row["wall_s"] / 60, fmean(row["test"].values()), "*", color=colour, ms=9,
                      label=None if (label := f"{NAMES[side]}: final test") in shown else label)  # fmt: skip
            shown.add(f"{NAMES[side]}: final test")
    axes.set(title=task, xlabel="minutes")
    axes.grid(alpha=0.25)
