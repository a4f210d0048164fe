"""The trace of a run or of a trial as text that fits a terminal of 80 columns, and a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from agentnas.tools.scale import Scale
from agentnas.words import money, plural, wrap

# Deeper descendants are not moved further to the right.
DEEPEST = 10
SHORT_HASH = 8
# Columns of the table of calls, the one that is missed least first.
SPARE = ("prompt", "s", "round", "in/out/cached")


def run_text(data: dict[str, Any], width: int) -> str:
    """What ``trace_run`` gave."""
    faults, scale = _faults(data["faults"], width) or "  none", Scale(data["metric"], data["unit"])
    family = "\n".join(_relative(node, width, scale) for node in data["family"]) or "  nothing was proposed yet"
    return "\n\n".join((f"Calls\n{calls_text(data['calls'], width)}", f"Faults\n{faults}", f"Proposals and what came of them\n{family}"))


def trial_text(data: dict[str, Any], width: int) -> str:
    """What ``trace_trial`` gave."""
    last, scale = data["steps"][-1], Scale(data["metric"], data["unit"])
    parts = [
        wrap(f"run {data['run']}, round {data['round']}: {result_text(last['result'], scale)}", width, lead=f"{data['trial']}  "),
        "How it came about\n" + "\n".join(line for step in data["steps"] for line in _step(step, width, scale)),
        "\n".join(_plans(data, width)),
        f"Calls behind it\n{calls_text(data['calls'], width)}",
        f"What the models were told, and what failed\n{_faults(data['faults'], width)}" if data["faults"] else "",
        "What the analyst said of it\n" + ("\n".join(_findings(data["findings"], width)) or "  nothing yet"),
    ]
    return "\n\n".join(part for part in parts if part)


def result_text(result: dict[str, Any], scale: Scale) -> str:
    """``81.20 ± 0.30 on validation (full, 3 seeds), rank 2``, or why there is no score."""
    if result["validation"] is not None:
        score = scale.told(result["validation"], result["sd"])
        return f"{score} on validation ({result['rung']}, {plural(result['seeds'], 'seed')}), rank {result['rank']}"
    return f"{result['state']}: {result['reason']}" if result["reason"] else result["state"]


def _step(step: dict[str, Any], width: int, scale: Scale) -> Iterator[str]:
    origin = f" from {step['parent']}" if step["parent"] else ""
    way = f", direction {step['direction']}" if step["direction"] else ""
    yield wrap(f"{step['change']}{origin}; round {step['round']}, {step['author']}{way}", width, 2, f"{step['trial']}  ")
    yield wrap(step["architecture"], width, 4)
    if step["hypothesis"]:
        yield wrap(step["hypothesis"], width, 4, "because  ")
    yield wrap(_expectation(step, scale), width, 4, "result   ")
    for evidence in step["evidence"]:
        yield wrap(evidence_text(evidence), width, 4, "cites    ")


def _expectation(step: dict[str, Any], scale: Scale) -> str:
    """What was expected against what came, in points of the metric, or in the unit of an error."""
    expected = "" if step["expected_gain"] is None else f"; expected {scale.gap(step['expected_gain'])}"
    gain = step["gain"]
    came = (
        "" if gain is None else f"; came {scale.gap(gain['difference'])} against {step['parent']} on {plural(gain['seeds'], 'shared seed')}"
    )
    return f"{result_text(step['result'], scale)}{expected}{came}"


def evidence_text(evidence: dict[str, Any]) -> str:
    """The id, what stands there, and what is known of it."""
    if evidence["text"] is None:
        return f"{evidence['id']}: not in memory any more"
    return f"{evidence['id']}: {evidence['text']} ({evidence['why']})"


def _plans(data: dict[str, Any], width: int) -> Iterator[str]:
    for plan in data["plans"]:
        review = plan["review"]
        said = f", {review['decision']} by a person{': ' + review['reason'] if review['reason'] else ''}" if review else ""
        yield wrap(f"by {plan['author']}{said}; {plan['reason']}", width, lead=f"Plan of round {data['round']}  ")
        for direction in plan["directions"]:
            yield direction_text(direction, width, "> " if direction["is_of_trial"] else "- ", Scale(data["metric"], data["unit"]))
    for text in data["told"]:
        yield wrap(text, width, 2, "told by a person  ")


def direction_text(direction: dict[str, Any], width: int, lead: str, scale: Scale) -> str:
    """Name, share, mode, expectation and hypothesis of one direction of a plan."""
    gain = direction.get("expected_gain")
    expected = "" if gain is None else f", expected {scale.gap(gain)}"
    origin = f", from {', '.join(direction['parents'])}" if direction.get("parents") else ""
    head = f"{direction['name']}, {direction['share']:.0%}, {direction.get('mode', 'exploit')}{origin}{expected}"
    return wrap(f"{head}: {direction.get('hypothesis') or 'no hypothesis'}", width, 2, lead)


def _findings(findings: Sequence[dict[str, Any]], width: int) -> Iterator[str]:
    for finding in findings:
        yield wrap(f"(round {finding['round']}, {finding['author']}) {finding['text']}", width, 2, f"{finding['id']}  ")


def _faults(faults: Sequence[dict[str, Any]], width: int) -> str:
    return "\n".join(wrap(fault["text"], width, 2, f"{fault['call'] + ' ' if fault['call'] else ''}{fault['kind']}: ") for fault in faults)


def _relative(node: dict[str, Any], width: int, scale: Scale) -> str:
    """A place in the family tree, folded under itself where it is longer than a line."""
    depth = min(node["depth"], DEEPEST)
    result = node["result"]
    score = result["state"] if result["validation"] is None else scale.spread(result["validation"], result["sd"])
    lead = f"{'└ ' if depth else ''}{node['trial']} {score}  "
    return wrap(f"{node['change']} ({node['author']})", width, 2 + 2 * depth, lead)


def calls_text(calls: Sequence[dict[str, Any]], width: int) -> str:
    """A table of calls; unknown figures are ``?``. A model is named above, with its role, unless a role asked several.

    On a narrow terminal the columns that say least are left out.
    """
    if not calls:
        return "  no language model was asked"
    pairs = list(dict.fromkeys((call["role"], call["model"]) for call in calls))
    head = ["call", "round", "role", "prompt", "in/out/cached", "cost", "s", "outcome", "taken"]
    rows = [_call_cells(call) for call in calls]
    if len(pairs) == len({role for role, _ in pairs}):
        return "\n".join([*(f"  {role}: {model}" for role, model in pairs), *_narrowed([head, *rows], width)])
    named = [[*row, call["model"]] for row, call in zip(rows, calls, strict=True)]
    return "\n".join(_narrowed([[*head, "model"], *named], width))


def _narrowed(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The table without as many of the spare columns as it takes to fit."""
    for spare in range(len(SPARE) + 1):
        kept = [i for i, name in enumerate(rows[0]) if name not in SPARE[:spare]]
        lines = _aligned([[row[i] for i in kept] for row in rows])
        if max(map(len, lines)) <= width:
            break
    return lines


def _call_cells(call: dict[str, Any]) -> list[str]:
    repair = "" if not call["step"] else f" r{call['step']}"
    return [
        call["call"],
        str(call["round"]),
        call["role"] + repair,
        call["prompt_hash"][:SHORT_HASH],
        "/".join(_known(call[f"{kind}_tokens"]) for kind in ("input", "output", "cached")),
        money(call["cost"]),
        "?" if call["seconds"] is None else f"{call['seconds']:.1f}",
        call["outcome"],
        "-" if call["items"] is None else f"{call['taken']}/{call['items']}",
    ]


def _known(count: int | None) -> str:
    return "?" if count is None else str(count)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in rows]
