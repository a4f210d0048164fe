"""The graph of agents: one LangGraph StateGraph whose nodes are short functions.

    card -> recall -> plan -> review -> draft -> check -> evaluate -> analyse -> remember -+-> recall (another round)
                       ^        |                                                          |
                       +--------+ rejected                                                 |
    report <- export <- baselines <- open_test <- choose <- confirm <----------------------+

A person who asks to stop ends it in review, or after evaluate, remember or confirm; resuming enters at the round that is still open, or at
confirm.

The graph's state is a round number and a verdict, checkpointed in SQLite. What happened lies in the journal: each node first looks there
for its own work, so a node that runs again after a crash repeats no evaluation and asks no question twice. Trainings are handed out and
journalled by the house's feeder, in a run bounded by time also beside the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypedDict

from agentnas.agents import climbing
from agentnas.agents.baselines import measure_baselines
from agentnas.agents.checking import accept, price
from agentnas.agents.house import House
from agentnas.agents.outcomes import nothing_to_choose
from agentnas.agents.people import decide, hear, is_planned, note_unheard
from agentnas.agents.roles import Direction, Plan
from agentnas.agents.selection import best_confirmed, choose_smoothed, comparison, eligible, finalists, screened
from agentnas.agents.selection import choose as choose_by_validation
from agentnas.memory import events as ev
from agentnas.memory.memory import finding_records, trial_records
from agentnas.prompts import load as load_prompt
from agentnas.tools.evaluate.base import CONFIRM, Request
from agentnas.tools.evaluate.ladder import spearman
from agentnas.tools.spec.narrowing import within

# Rounds in a row without one acceptable trial, after which the search gives up.
EMPTY_ROUNDS = 5
UNTRAINED = "the search trained no design in full"


class State(TypedDict):
    round: int
    verdict: str


def build_graph(house: House) -> Any:
    """The uncompiled StateGraph over a house; compile it with a checkpointer."""
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(State)
    nodes: Sequence[Callable[[House, State], dict[str, Any]]] = (
        card, recall, plan, review, draft, check, evaluate, analyse, remember, confirm, choose, open_test, baselines, export,
        report,
    )  # fmt: skip
    for node in nodes:
        graph.add_node(node.__name__, partial(_synced, node, house))
    for first, second in (
        ("card", "recall"), ("recall", "plan"), ("plan", "review"), ("draft", "check"), ("check", "evaluate"),
        ("analyse", "remember"), ("choose", "open_test"), ("open_test", "baselines"), ("baselines", "export"), ("export", "report"),
        ("report", END),
    ):  # fmt: skip
        graph.add_edge(first, second)
    graph.add_conditional_edges(START, partial(enter, house), {"another": "card", "confirm": "confirm", "halt": END})
    graph.add_conditional_edges("review", partial(after_review, house), {"plan": "plan", "draft": "draft"})
    graph.add_conditional_edges("evaluate", partial(after_evaluation, house), {"analyse": "analyse", "confirm": "confirm", "halt": END})
    graph.add_conditional_edges("remember", partial(after_round, house), {"another": "recall", "confirm": "confirm", "halt": END})
    graph.add_conditional_edges("confirm", partial(after_confirm, house), {"choose": "choose", "halt": END})
    return graph


def _synced(node: Callable[[House, State], dict[str, Any]], house: House, state: State) -> dict[str, Any]:
    """The journal is on disk before the checkpoint that relies on it."""
    changes = node(house, state)
    house.journal.sync()
    return changes


def enter(house: House, state: State) -> str:
    """Where a run begins, or goes on after it had ended: in the round that is still open, else where its last closed round leads."""
    view = house.view
    if view.finalists is not None or view.winner is not None:
        return "confirm"
    if not view.findings or view.has(ev.EvidenceRecalled, state["round"]):
        return "another"
    return after_round(house, state)


def card(house: House, state: State) -> dict[str, Any]:
    """Facts about the task, computed once."""
    if house.view.card is None:
        house.journal.append(ev.TaskCarded(card=house.make_card().model_dump(mode="json")))
    return {}


def recall(house: House, state: State) -> dict[str, Any]:
    """Evidence for this round: what earlier trials, findings and papers say about a task like this."""
    round_ = state["round"]
    if not house.view.has(ev.EvidenceRecalled, round_):
        question = _question(house)
        found = house.recalled(round_, question)
        house.journal.append(ev.EvidenceRecalled(round=round_, question=question, evidence=tuple(e.model_dump() for e in found)))
    return {}


def plan(house: House, state: State) -> dict[str, Any]:
    """Directions for this round, each with its share of the trials; the planner first hears what people told it."""
    round_ = state["round"]
    if not is_planned(house.view, round_):
        hear(house, round_)
        made = house.planner.plan(house.situation(round_))
        directions = tuple(direction.as_dict() for direction in made.directions)
        house.journal.append(ev.PlanMade(round=round_, author=made.author, directions=directions, reason=made.reason,
                                      bounds=dict(made.bounds)))  # fmt: skip
    return {}


def review(house: House, state: State) -> dict[str, Any]:
    """Stand still until a person has said what they think of the plan, where they asked for it."""
    from langgraph.types import interrupt

    round_ = state["round"]
    if house.review and round_ not in house.view.reviews and not house.view.has(ev.ProposalsDrafted, round_):
        decide(house, round_, interrupt(round_))
    return {}


def after_review(house: House, state: State) -> str:
    return "draft" if is_planned(house.view, state["round"]) else "plan"


def draft(house: House, state: State) -> dict[str, Any]:
    """Proposals for this round: new specs only, citing evidence that exists."""
    round_, view = state["round"], house.view
    if not view.has(ev.ProposalsDrafted, round_):
        event = view.plans[round_]
        made = Plan(event.author, tuple(map(Direction.from_dict, event.directions)), event.reason)
        situation = house.situation(round_)
        situation = replace(situation, space=within(situation.space, event.bounds))
        drafts = house.coder.draft(situation, made, house.round_size(round_))
        proposals, problems = accept(drafts, view.trial_of, len(view.proposals) + 1, house.memory, house.room, situation.space)
        for problem in problems:
            house.journal.append(ev.Noted(level="warning", message=problem))
        house.journal.append(ev.ProposalsDrafted(round=round_, proposals=tuple(proposals)))
    return {}


def check(house: House, state: State) -> dict[str, Any]:
    """Price each proposal and reject what breaks a limit, before anything is trained."""
    view = house.view
    unpriced = [t for t in view.rounds[state["round"]] if t not in view.profiles]
    records = [house.record(trial) for trial in unpriced]
    for record, (profile, broken) in zip(records, price([r.spec for r in records], house.evaluator, house.limits, house.room), strict=True):
        if broken:
            house.journal.append(ev.TrialRejected(trial=record.trial, reason="; ".join(broken)))
        house.journal.append(ev.TrialPriced(trial=record.trial, profile=profile))
    return {}


def evaluate(house: House, state: State) -> dict[str, Any]:
    """Climb the ladder: cheap rungs for all, dear ones for the promising. The last trainings may run on while the agents think."""
    house.feeder.climb(state["round"])
    return {}


def after_evaluation(house: House, state: State) -> str:
    """A round that was asked to stop, or whose time ended before any score, stays open: a resumed run finishes it before it is analysed."""
    if house.stop_requested.is_set():
        return "halt"
    return "confirm" if house.search_over() and not eligible(house.situation_of_scores()) else "analyse"


def analyse(house: House, state: State) -> dict[str, Any]:
    """What the round taught: rank correlation between rungs, findings, a verdict."""
    round_ = state["round"]
    if not house.view.has(ev.FindingsMade, round_):
        _log_correlations(house, round_)
        analysis = house.analyst.analyse(house.situation(round_))
        findings = tuple(finding.as_dict() for finding in analysis.findings)
        house.journal.append(ev.FindingsMade(round=round_, author=analysis.author, findings=findings, verdict=analysis.verdict,
                                             reason=analysis.reason, falsify=analysis.falsify))  # fmt: skip
    return {"verdict": house.view.findings[round_].verdict}


def remember(house: House, state: State) -> dict[str, Any]:
    """Hand the round's trials and findings to memory, then count the round."""
    round_, vector = state["round"], house.card().vector()
    with house.journal.reading():
        records = list(trial_records(house.view, house.view.rounds[round_], vector, run=house.name))
    house.memory.add_trials(records)
    house.memory.add_findings(finding_records(house.view, round_, vector, run=house.name))
    return {"round": round_ + 1}


def after_round(house: House, state: State) -> str:
    """Another round while there is budget and hope; confirmation otherwise."""
    if house.stop_requested.is_set():
        return "halt"
    view = house.view
    last = [view.rounds[r] for r in sorted(view.rounds)][-EMPTY_ROUNDS:]
    hopeless = len(last) == EMPTY_ROUNDS and all(trial in view.rejected for trials in last for trial in trials)
    over = house.trials_left() == 0 or house.search_over()
    return "confirm" if over or hopeless or state["verdict"] == "stop" or not last[-1] else "another"


def confirm(house: House, state: State) -> dict[str, Any]:
    """Train the finalists and the best anchors with fresh seeds, keeping their weights; who is behind for good gets no more of them."""
    house.feeder.finish()
    situation = house.situation_of_scores()
    if house.view.finalists is None and not eligible(situation) and not screened(situation):
        raise nothing_to_choose(house)
    if house.evaluator.confirm_seeds and not house.view.winner:
        if house.view.finalists is None:
            _choose_finalists(house)
        if _is_untrained(house, house.chosen_finalists().finalists):
            _confirm_one(house)  # the best of them first, whatever the time
        confirmed = house.chosen_finalists().all()
        house.feeder.run(climbing.confirmation(house.situation_of_scores(), confirmed, house.evaluator.confirm_seeds), house.confirm_over)
        _confirm_one(house)
    return {}


def _choose_finalists(house: House) -> None:
    picked = house.pick_finalists()
    reason = "best smoothed means over seeds of the search, and the best anchors of either kind"
    if _is_untrained(house, picked.finalists):
        reason = f"{UNTRAINED}: the best of its short trainings"
    house.journal.append(ev.FinalistsChosen(finalists=picked.finalists, plain_anchor=picked.plain_anchor,
                                            strong_anchor=picked.strong_anchor, start=picked.start, reason=reason))  # fmt: skip


def _is_untrained(house: House, trials: Sequence[str]) -> bool:
    """Whether the search trained none of them in full."""
    return not any(house.record(trial).full_scores(house.evaluator.rungs) for trial in trials)


def _confirm_one(house: House) -> None:
    """Where time was over before any finalist had a fresh seed, the first one that can be trained gets it all the same: a search does not
    end with nothing for want of one training."""
    chosen = house.chosen_finalists().finalists
    for trial in chosen:
        if not house.stop_requested.is_set() and not any(house.record(known).confirmed() for known in chosen):
            house.feeder.run(climbing.confirmation(house.situation_of_scores(), [trial], 1), house.stop_requested.is_set)


def after_confirm(house: House, state: State) -> str:
    return "halt" if house.stop_requested.is_set() else "choose"


def choose(house: House, state: State) -> dict[str, Any]:
    """One winner, by validation alone."""
    if house.view.winner is None:
        situation = house.situation_of_scores()
        if house.evaluator.confirm_seeds:
            choice = choose_by_validation(situation, house.chosen_finalists().all())
        else:
            choice = choose_smoothed(situation, house.transfer)
        why = f"{UNTRAINED}, and the best of its short trainings were confirmed; " * _is_untrained(house, [choice.trial]) + choice.reason
        house.journal.append(ev.WinnerChosen(trial=choice.trial, val_mean=choice.mean, val_sd=choice.sd, seeds=choice.seeds,
                                             reason=why))  # fmt: skip
        _measure_winner(house, choice.trial)
    return {}


def open_test(house: House, state: State) -> dict[str, Any]:
    """Read the test scores of the winner and of the anchors it is compared with: once, after the choice is in the journal."""
    if house.view.test is None:
        winner = house.view.winner
        assert winner is not None
        situation = house.situation_of_scores()
        chosen = best_confirmed(situation, house.chosen_finalists()) if house.view.finalists else finalists(situation)
        trials = dict.fromkeys(t for t in (winner.trial, *chosen.compared()) if t)
        scores: dict[str, dict[int, float]] = {}
        for (trial, seed), score in house.evaluator.open_test(_test_requests(house, list(trials))).items():
            scores.setdefault(trial, {})[seed] = score
        house.journal.append(ev.TestOpened(
            scores={trial: {str(seed): score for seed, score in sorted(by_seed.items())} for trial, by_seed in scores.items()},
            comparison=comparison(winner.trial, chosen, scores, house.view.started.test_to_train if house.view.started else 0.0),
            quality={str(seed): found for (trial, seed), found in sorted(house.evaluator.test_quality.items())
                      if trial == winner.trial and found},
        ))  # fmt: skip
    return {}


def baselines(house: House, state: State) -> dict[str, Any]:
    """What methods without a network reach on the same splits: measured last, so that nothing was chosen by them."""
    measure_baselines(house)
    return {}


def export(house: House, state: State) -> dict[str, Any]:
    """Write the winner: spec, weights, code that runs alone."""
    if house.view.exported is None:
        house.journal.append(ev.Exported(files=house.export()))
    return {}


def report(house: House, state: State) -> dict[str, Any]:
    """Hand the run to what outlives it, close the journal with the outcome, then write the report that is derived from it."""
    if house.view.finished is None:
        note_unheard(house)
        house.memory.keep()
        house.journal.append(ev.RunFinished(outcome="designed", exit_code=0))
    house.report()
    return {}


def _measure_winner(house: House, trial: str) -> None:
    """Latency and memory of the winner, where no limit has asked for them yet."""
    if "latency_ms_p50" not in house.view.profiles.get(trial, {}):
        measured = house.evaluator.measure([house.record(trial).spec])[0]
        house.journal.append(ev.TrialPriced(trial=trial, profile=measured))


def _question(house: House) -> str:
    """What memory is asked: the situation in words, from the template."""
    best = house.view.best
    leader = house.view.proposals[best.trial].text if best else "nothing has been tried yet"
    tried = f"best so far {leader}" if best else leader
    return load_prompt("recall").fill(task=house.card().text(), tried=tried)


def _log_correlations(house: House, round_: int) -> None:
    records = house.situation_of_scores().records
    logged = {(c.round, c.lower, c.upper) for c in house.view.correlations}
    for lower, upper in zip(house.evaluator.rungs, house.evaluator.rungs[1:], strict=False):
        pairs = [(a, b) for r in records if (a := r.at(lower.name)) is not None and (b := r.at(upper.name)) is not None]
        if (round_, lower.name, upper.name) not in logged:
            house.journal.append(ev.RungCorrelation(round=round_, lower=lower.name, upper=upper.name, trials=len(pairs),
                                                    spearman=spearman(pairs)))  # fmt: skip


def _test_requests(house: House, trials: Sequence[str]) -> list[Request]:
    made = []
    for trial in trials:
        record = house.record(trial)
        done = house.view.evaluations(trial, CONFIRM if house.evaluator.confirm_seeds else house.evaluator.rungs[-1].name)
        made += [Request(trial, record.spec, e.rung, e.seed, e.split, None, e.weights) for e in done]
    return made
