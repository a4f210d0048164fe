"""What models are asked: everything they need in bounded space, the same words for the same journal."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from agentnas.agents.briefing import Briefing
from agentnas.agents.briefing_designs import language
from agentnas.agents.llm.base import Message
from agentnas.agents.planner import RulePlanner, groups_of
from agentnas.agents.roles import Direction, Plan
from agentnas.agents.situation import Left, Situation
from agentnas.memory.cards import shipped_cards
from agentnas.memory.events import FindingsMade
from agentnas.memory.memory import Evidence
from agentnas.prompts import Prompts
from agentnas.tools.evaluate.base import Limits
from agentnas.tools.spec.cells import settle
from agentnas.tools.spec.edits import cell_text, difference
from agentnas.tools.spec.render import shortened_change
from agentnas.tools.spec.space import SearchSpace
from tests.agents.prompting import BRIEFING, prompts_of, texts
from tests.agents.searching import many, searched

# About 6,000 tokens of 4 characters.
LONGEST_PROMPT = 26_000


def spoken(found: Situation) -> Situation:
    """The situation with long findings of a model in every round but the last."""
    made = {}
    for round_ in range(found.round):
        told = [
            {"id": f"r{round_}-{i}", "text": f"finding {i} of {round_}: " + "x" * 500, "trials": ["t0001"], "author": "analyst/openai:x"}
            for i in range(1, 7)
        ]
        made[round_] = FindingsMade(
            round=round_, author="analyst/openai:x", findings=tuple(told), verdict="go_on", reason="y" * 400, falsify="z" * 400
        )
    return replace(found, findings=made)


def section(messages: tuple[Message, ...], heading: str) -> list[str]:
    """The lines below a heading of the user's part."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=\n\n## |\n\n[A-Z]|\Z)", messages[1].content, re.MULTILINE | re.DOTALL)
    assert found is not None, heading
    return found[1].splitlines()


def test_where_code_chose_the_batches_the_coder_is_told_so() -> None:
    """And nowhere else: on most tasks there is nothing to choose."""
    usual = searched()
    spec = usual.records[0].spec
    batched = replace(usual.records[0], spec=spec.model_copy(update={"recipe": spec.recipe.model_copy(update={"batching": "cluster"})}))
    told = texts(prompts_of(replace(usual, records=(batched, *usual.records[1:]))))
    line = "recipe.batching is no choice of yours, leave it as it is: code trains on the whole graph"
    assert [name for name, text in told.items() if line in text] == ["coder", "coder, whole designs"]
    assert not any(line in text for text in texts(prompts_of(usual)).values())


@pytest.mark.parametrize("table", [False, True])
def test_prompts_are_system_then_user_with_every_placeholder_filled(table: bool) -> None:
    for name, messages in prompts_of(searched(table=table)).items():
        assert [message.role for message in messages] == ["system", "user"], name
        assert not re.search(r"\{(?:include:)?[a-z]+\}", messages[1].content), name


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("count", [30, 10_000])
def test_prompts_stay_below_a_bound(table: bool, count: int) -> None:
    found = spoken(many(searched(table=table), count))
    cited = tuple(f"finding:r{found.round - 1}-{i}" for i in range(1, 7))
    plan = Plan("planner/x", tuple(Direction(str(i), (), 0.25, "y" * 400, 0.1, cited) for i in range(4)), "z" * 400)
    sizes = {name: len(text) for name, text in texts(prompts_of(found, plan)).items()}
    assert max(sizes.values()) <= LONGEST_PROMPT, sizes


def test_the_same_situation_gives_the_same_words() -> None:
    assert prompts_of(searched(seed=3)) == prompts_of(searched(seed=3))


def test_seconds_and_cents_do_not_change_a_prompt() -> None:
    asked = [prompts_of(searched(left=Left(20, seconds, cost))) for seconds, cost in ((412.0, 0.83), (371.2, 0.8), (360.0, 0.89))]
    assert asked[0] == asked[1] == asked[2]
    assert section(asked[0]["planner"], "Limits and budget")[1] == "Left: 20 trials, about 6 minutes, about $0.8 for language models."


@pytest.mark.parametrize(
    ("left", "line"),
    [
        (Left(), "No limit on trials or time."),
        (Left(trials=0, seconds=12.0), "Left: 0 trials, about a minute or less."),
        (Left(seconds=7260.0, cost=0.0), "Left: about 100 minutes, about $0 for language models."),
    ],
)
def test_what_is_left(left: Left, line: str) -> None:
    assert section(BRIEFING.planner(searched(left=left)), "Limits and budget")[1] == line


def test_limits_are_words() -> None:
    found = searched(limits=Limits(max_params=50_000, max_latency_ms=2.5))
    line = "A design has at most 50,000 parameters, at most 2.5 ms for one inference on the whole graph (median)."
    assert [section(prompts["coder"], "Limits") for prompts in [prompts_of(found)]] == [[line]]


def test_results_are_sorted_and_say_how_sure_they_are() -> None:
    found = searched()
    lines = section(BRIEFING.planner(found), "Results")
    ranked = found.ranked()
    assert lines[0] == f"- 30 trials proposed, {len(ranked)} trained in full. Best first:"
    shown = [line.split(":")[0].removeprefix("- ") for line in lines[1:9]]
    assert shown == [record.trial for record in ranked[:8]]
    assert re.fullmatch(r"- t0007: \d\d\.\d\d ± 0\.\d\d \(3\), [\d,]+ parameters, round 0, strong anchor dagnn: mlp64 > .*", lines[1])


def test_every_factor_is_named() -> None:
    """``body.{op*, jump}`` names body.op, body.*.op and body.jump."""
    *lines, _ = section(BRIEFING.planner(searched()), "Factors")
    named = set()
    for part, held in re.findall(r"([\w.]+)\.(\{[^}]*\}|\w+\*?)", "\n".join(lines)):
        named |= {f"{part}.{name}" for name in held.strip("{}").split(", ")}
    starred = {f"body.*.{name.removeprefix('body.').rstrip('*')}" for name in named if name.endswith("*")}
    assert {name.rstrip("*") for name in named} | starred == set(searched().space.factors())


def test_cells_are_shown_as_links_and_operators() -> None:
    found = searched(table=True)
    system, user = BRIEFING.coder(found, RulePlanner().plan(found), 10, "diff")
    assert re.search(r"^t\d{4}: .* parameters, plain anchor (\w+): 0,1,2,3 skip,skip,\1,\1$", user.content, re.MULTILINE)
    assert "gcn256" not in user.content
    assert "sgd, learning rate 0.1, weight decay 0.0005, 400 epochs, width 256, dropout 0.7" in system.content
    assert "0,0,1,3" in system.content


def test_the_coder_sees_parents_whole_and_the_shares_of_the_plan() -> None:
    found = searched()
    directions = (
        Direction("wider", ("body.width", "body.*.width"), 0.7, "capacity is short", 0.4, ("card:gcn",)),
        Direction("anything", (), 0.3, "who knows", None, (), "explore"),
    )
    user = BRIEFING.coder(found, Plan("planner/x", directions, "because"), 10, "diff")
    assert section(user, "Plan") == [
        "- Why: «because»",
        "- 7 of 10: «wider», exploit, factors body.width*, expected gain +0.40, evidence card:gcn: «capacity is short»",
        "- 3 of 10: «anything», explore, any factor: «who knows»",
    ]
    best = found.ranked()[0]
    far = found.ranked()[-1].trial
    from_far = Plan("planner/x", (replace(directions[0], parents=(far,)), directions[1]), "because")
    told = BRIEFING.coder(found, from_far, 10, "diff")
    assert f"expected gain +0.40, from {far}, evidence card:gcn" in section(told, "Plan")[1]
    assert any(line.startswith(f"{far}: ") for line in section(told, "Designs that you may start from"))
    whole = section(user, "Designs that you may start from")
    assert whole[0].startswith(f"{best.trial}: ")
    assert whole[1] == "    input: raw features"
    assert user[1].content.endswith("\nWrite 10 proposals.\n")


def test_the_analyst_reads_whole_groups_of_factors_by_their_name() -> None:
    found = searched()
    group = groups_of(found.space.factors())["augmentation"]
    way = Direction("noise", (*group, "body.op"), 1.0, "views agree", 0.1, ())
    made = found.plans[found.round].model_copy(update={"directions": (way.as_dict(),)})
    told = section(BRIEFING.analyst(replace(found, plans={**found.plans, found.round: made})), "The round's plan")
    assert told == ["- 100 %: «noise», exploit, factors augmentation, body.op, expected gain +0.10: «views agree»"]


def test_every_trial_is_told_once_to_the_coder() -> None:
    found = searched()
    user = BRIEFING.coder(found, RulePlanner().plan(found), 10, "diff")
    lines = section(user, "Designs that you may start from") + section(user, "What else was tried")
    told = re.findall(r"^(?:- )?(t\d{4}): ", "\n".join(lines), re.MULTILINE)
    assert len(told) == len(set(told))
    others = [int(match[1]) for line in lines if (match := re.match(r"- \((\d+) others;", line))]
    assert len(told) + sum(others) == 30


def test_findings_of_models_are_kept_and_those_of_rules_not_said_twice() -> None:
    effect = {"id": "r2-1", "text": "against the average", "trials": ["t0001"], "factor": "body.op", "author": "analyst/rules"}
    claim = {"id": "r2-2", "text": "deep nets smooth", "trials": ["t0002"], "author": "analyst/openai:x"}
    old = {"id": "r1-9", "text": "attention ties", "trials": ["t0003"], "author": "analyst/openai:x"}
    made = {
        1: FindingsMade(round=1, author="analyst/openai:x", findings=(old,), verdict="go_on"),
        2: FindingsMade(
            round=2,
            author="analyst/openai:x",
            findings=(effect, claim),
            verdict="change_direction",
            reason="flat",
            falsify="a 2-layer twin",
        ),
    }
    lines = section(BRIEFING.planner(searched(findings=made)), "Earlier plans and findings")
    assert lines[-4:] == [
        "- verdict of round 2: change_direction, «flat»",
        "- test that would prove the analysis of round 2 wrong: «a 2-layer twin»",
        "- finding:r2-2 (t0002): «deep nets smooth»",
        "- finding:r1-9 (t0003): «attention ties»",
    ]


def test_findings_are_whole_and_the_newest_first_as_far_as_there_is_room() -> None:
    found = spoken(searched())
    told = [line for line in section(BRIEFING.analyst(found), "Earlier plans and findings") if "finding:" in line]
    ids = [re.match(r"- finding:(r\d-\d) ", line) for line in told]
    assert [match[1] for match in ids if match] == ["r2-1", "r2-2", "r2-3", "r2-4"]
    assert all(line.endswith("x»") for line in told)


def test_the_coder_reads_the_findings_that_its_plan_cites_and_their_trials_whole() -> None:
    found = spoken(searched())
    last = found.ranked()[-1].trial
    ways = (Direction("deeper", (), 1.0, "depth pays", 0.1, ("finding:r1-3", f"trial:{last}")),)
    asked = BRIEFING.coder(found, Plan("planner/x", ways, ""), 10, "diff")
    assert section(asked, "Cited evidence")[0].startswith("- finding:r1-3 (t0001): «finding 3 of 1: xxx")
    assert any(line.startswith(f"{last}: ") for line in section(asked, "Designs that you may start from"))
    assert "finding:r1-4" not in asked[1].content


def test_the_coder_reads_what_its_plan_cites_before_what_was_recalled() -> None:
    recalled = Evidence(id="card:gcn", kind="card", similarity=0.3, text="Do: gcn", why="asked")
    nearer = recalled.model_copy(update={"id": "card:gat", "similarity": 0.9, "text": "Do: gat"})
    ways = (Direction("deeper", (), 1.0, "depth pays", 0.1, ("card:gcnii", "trial:t0001", "card:gcn")),)
    found = searched(evidence=(nearer, recalled))
    told = section(BRIEFING.coder(found, Plan("planner/x", ways, ""), 10, "diff"), "Cited evidence")
    assert [line.split(" (similarity")[0] for line in told] == [
        "- card:gcnii", "- card:gcn", "- recalled, not cited by the plan: card:gat"
    ]  # fmt: skip
    assert shipped_cards()["gcnii"].action in told[0], "cited in a round that did not recall it"
    uncited = section(BRIEFING.coder(found, Plan("planner/x", (replace(ways[0], evidence=()),), ""), 10, "diff"), "Cited evidence")
    assert uncited[0] == "- The plan cites no card and no finding."


def test_a_whole_design_is_asked_for_with_the_values_of_its_space() -> None:
    asked = prompts_of(searched())["coder, whole designs"][0].content
    assert "- recipe: optimiser adam|adamw" in asked
    assert "At most 10 nodes, 8 deep, 4 inputs a node." in asked
    assert "recipe: optimiser" not in prompts_of(searched(table=True))["coder, whole designs"][0].content


def test_only_the_test_of_the_last_analysis_is_open() -> None:
    made = {
        round_: FindingsMade(round=round_, author="analyst/openai:x", findings=(), verdict="go_on", falsify=f"test {round_}")
        for round_ in (0, 1, 2)
    }
    lines = section(BRIEFING.planner(searched(findings=made)), "Earlier plans and findings")
    assert [line for line in lines if "test" in line] == ["- test that would prove the analysis of round 2 wrong: «test 2»"]
    answered = {**made, 2: made[2].model_copy(update={"falsify": ""})}
    assert not any("test" in line for line in section(BRIEFING.planner(searched(findings=answered)), "Earlier plans and findings"))


def test_cards_that_cells_cannot_follow_are_left_out() -> None:
    cards = [
        Evidence(
            id=f"card:{name}", kind="card", similarity=0.5, text=f"A Paper, 2020. When: few labels Why: it works. Do: {advice}", why=""
        )
        for name, advice in {
            "gat": "Replace gcn by gat: 2 layers, dropout 0.6.",
            "grand": "Body: propagation averaging orders. Recipe: drop-node 0.5.",
            "label-reuse": "Input: concatenate labels; combine with gat.",
            "mixhop": "Replace gcn by mixhop with powers 0, 1, 2.",
            "gin": "Body gin x3-5 with batch norm, head sum pooling.",
        }.items()
    ]
    cells, specs = (searched(table=table, evidence=tuple(cards)) for table in (True, False))
    told = [re.findall(r"card:([\w-]+) \(", BRIEFING.planner(found)[1].content) for found in (cells, specs)]
    assert told == [["gat", "gin"], ["gat", "grand", "label-reuse", "mixhop", "gin"]]
    only = replace(cells, evidence=tuple(cards[1:2]))
    assert section(BRIEFING.planner(only), "Recalled evidence") == ["- Nothing was recalled that this space can say."]


def test_a_child_is_told_from_its_parent() -> None:
    """In short two designs may read alike; what was changed does not."""
    found = searched()
    told = {line.split(":")[0].removeprefix("- "): line for line in section(BRIEFING.planner(found), "Results")}
    children = [record for record in found.ranked() if record.trial in told and record.proposal.parent]
    assert len(children) >= 3
    for child in children:
        assert f"(= {child.proposal.parent} with {(child.proposal.change or '')[:40]}" in told[child.trial]


def test_a_crossover_is_told_by_what_it_changed() -> None:
    found = searched()
    first, *_, last = (record for record in found.ranked() if record.proposal.parent)
    changes = {"parent": first.trial, "change": f"crossover with {found.ranked()[0].trial}", "factor": None}
    crossed = replace(last, proposal=last.proposal.model_copy(update=changes))
    records = tuple(crossed if record is last else record for record in found.records)
    text = BRIEFING.analyst(replace(found, records=records))[1].content
    told = shortened_change(difference(first.spec, last.spec, found.space)[1], 100)
    assert f"(= {first.trial} with {told})" in text
    assert "crossover" not in text


def test_cells_speak_of_nothing_that_tables_have_not() -> None:
    told = texts(prompts_of(searched(table=True)))
    assert [name for name, text in told.items() if "noise floor" in text or "epochs point" in text or "cell.ops" in text] == []
    assert all("seeds and without curves" in text for text in told.values())
    rejected = replace(searched(table=True).records[-1], rejected="parameters 9 > 8", scores={}, failures={})
    early = texts(prompts_of(searched(table=True, records=(rejected,))))
    said = re.compile(r"\b(?:is trained|train them|before training|trained in full|not trained yet)\b")
    assert [name for name, text in (*told.items(), *early.items()) if said.search(text)] == []
    assert all("standard deviation between seeds" in text for text in texts(prompts_of(searched())).values())


def test_a_cell_is_explained_as_its_table_built_it() -> None:
    told = {name: language(SearchSpace.nasbench(name), Prompts()) for name in ("cora", "physics", "photo")}
    assert "The cell's input is the raw features. Every operator but skip gives 256 numbers a node." in told["cora"]
    assert "are concatenated and go through a linear layer of width 256 to the classifier." in told["cora"]
    assert "The cell's input is what a linear layer of width 256 makes of the features." in told["physics"]
    assert "are concatenated and go to the classifier." in told["photo"]
    links, ops = settle((0, 0, 1, 2), ("gin", "fc", "gcn", "skip"))
    assert f"`0,0,1,2 gin,fc,gcn,skip` comes back as `{cell_text((links, ops))}`" in told["cora"]


@pytest.mark.parametrize(
    ("left", "batch", "line"),
    [
        (Left(trials=15), 10, "Left: 15 trials. This round: 10 trials, then 5 are left."),
        (Left(trials=1), 1, "Left: 1 trials. This round: 1 trial, the last."),
        (Left(), 8, "No limit on trials or time. This round: 8 trials."),
    ],
)
def test_the_planner_knows_the_size_of_its_round(left: Left, batch: int, line: str) -> None:
    assert section(BRIEFING.planner(searched(left=left, batch=batch)), "Limits and budget")[1] == line


def test_the_last_analysis_is_told_so() -> None:
    told = [section(BRIEFING.analyst(searched(left=Left(trials=trials))), "Limits and budget")[1] for trials in (5, 0)]
    assert told == [
        "Left: 5 trials.",
        "Left: 0 trials. This was the last round: write conclusions for the report, and say how sure the leader is; the verdict changes"
        " nothing any more.",
    ]


def test_the_owner_is_heard_by_the_planner_alone() -> None:
    prompts = prompts_of(searched(told=("try attention\nwith fewer «heads»",)))
    assert section(prompts["planner"], "The owner of this run")[1] == "- try attention with fewer <heads>"
    assert [name for name, text in texts(prompts).items() if "fewer" in text and "attention with" in text] == ["planner"]


def test_a_first_round_says_so() -> None:
    blank = replace(searched(), round=0, records=(), plans={}, findings={}, correlations=(), evidence=())
    planner = BRIEFING.planner(blank)
    assert section(planner, "Earlier plans and findings") == ["- This is the first round."]
    assert section(planner, "Results") == ["- Nothing has a full score yet."]
    assert section(planner, "Recalled evidence") == ["- Nothing was recalled."]


def test_own_templates_are_used(tmp_path: Path) -> None:
    (tmp_path / "analyst.md").write_text(
        "---\nversion: 9\n---\n# System\nbrief\n# User\n{task}{noise}{results}{effects}\n", encoding="utf-8"
    )
    system, user = Briefing(Prompts(tmp_path)).analyst(searched())
    assert system.content == "brief\n"
    assert user.content.startswith("task: cora, node classification")
