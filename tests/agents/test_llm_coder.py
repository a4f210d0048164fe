"""The coder with a model: what passes every check is taken, what is wrong is told exactly, and a round is never short."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentnas.agents.checking import accept
from agentnas.agents.coder import AUTHOR, RuleCoder
from agentnas.agents.llm.base import BadRequestError, Message
from agentnas.agents.llm.schema import strict_schema
from agentnas.agents.llm_coder import MOST_A_CALL, LLMCoder
from agentnas.agents.planner import RulePlanner
from agentnas.agents.proposing import Form, answer_type
from agentnas.agents.roles import Draft, Plan
from agentnas.agents.situation import Record, Situation
from agentnas.memory.events import Proposal
from agentnas.memory.journal import Journal
from agentnas.memory.memory import Evidence, InMemory, TrialRecord
from agentnas.tools.anchors import plain_anchors
from agentnas.tools.evaluate.base import Limits
from agentnas.tools.evaluate.ladder import TABLE
from agentnas.tools.profiling import parameters_by_part, price
from agentnas.tools.sizes import Sizes
from agentnas.tools.spec.canonical import canonical, spec_hash
from agentnas.tools.spec.cellspace import CellSpace
from agentnas.tools.spec.edits import cell_spec, to_edits
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.spec.wire import to_wire
from agentnas.tools.tasks import load_task
from tests.agents.making import situation
from tests.agents.minds import NAME, Mind, Said, consulting, judged, new_journal

CARD = Evidence(id="card:gcnii", kind="card", similarity=0.5, text="residual layers", why="asked")
SCORES = [70.0, 81.25, 80.0, 79.0, 82.5]
BY = f"coder/{NAME}"


class Brief:
    """Asks for so many proposals."""

    def coder(self, situation: Situation, plan: Plan, count: int, form: Form) -> Sequence[Message]:
        return (Message("system", f"You write {form}."), Message("user", f"Give {count}."))


def record(number: int, spec: ArchitectureSpec, score: float, **fields: Any) -> Record:
    proposal = Proposal(trial=f"t{number:04d}", spec={}, spec_hash=spec_hash(spec), text="", author="test")
    return Record(proposal, canonical(spec), {"full": {0: score}}, **fields)


RECORDS = tuple(record(i, anchor.spec, score) for i, (anchor, score) in enumerate(zip(plain_anchors(), SCORES, strict=True), start=1))
SEEN = dataclasses.replace(situation(*RECORDS), evidence=(CARD,))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with new_journal(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def sizes() -> Sizes:
    return Sizes.of(load_task("digits"))


@dataclasses.dataclass
class Bench:
    """A coder over a real journal, and the model that it asks."""

    journal: Journal
    sizes: Sizes
    mind: Mind = dataclasses.field(default_factory=Mind)

    def draft(self, *says: Said, count: int = 2, told: Situation = SEEN, form: Form = "diff") -> list[Draft]:
        self.mind = Mind(*says)
        memory = InMemory(self.journal.view)
        memory.add_trials(TrialRecord(id=f"t{i:04d}", task="a task", text="gcn") for i in range(1, 6))
        rules = RuleCoder(plain_anchors(), lambda spec: price(spec, self.sizes))
        coder = LLMCoder(
            consulting(self.journal, self.mind),
            Brief(),
            rules,
            memory,
            rules.price,
            form,
            lambda spec: parameters_by_part(spec, self.sizes),
        )
        return coder.draft(told, RulePlanner().plan(told), count)

    @property
    def told(self) -> list[str]:
        """The last turn of each question: what the model read before it answered."""
        return [turns[-1].content for turns in self.mind.asked]


@pytest.fixture
def bench(journal: Journal, sizes: Sizes) -> Bench:
    return Bench(journal, sizes)


def change(*edits: str, **changed: Any) -> dict[str, Any]:
    """A proposal without fault, of the edits as ``path = value``."""
    written = [{"path": path, "value": value} for path, _, value in (edit.partition(" = ") for edit in edits)]
    return {
        "parent": "t0002", "edits": written or [{"path": "recipe.learning_rate", "value": "0.02"}], "factor": "what I call it",
        "hypothesis": "it may pay", "expected_gain": 0.5, "evidence": ["trial:t0002", "card:gcnii"],
    } | changed  # fmt: skip


def said(*proposals: dict[str, Any]) -> dict[str, Any]:
    return {"proposals": list(proposals)}


FASTER, WIDER = change(), change("n1.width = 128", expected_gain=1.234)


def test_what_is_good_is_drafted_with_the_change_that_the_designs_show(bench: Bench) -> None:
    first, second = bench.draft(said(FASTER, WIDER))
    parent = RECORDS[1].spec
    assert first.spec.recipe == parent.recipe.model_copy(update={"learning_rate": 0.02})
    assert dataclasses.replace(first, spec=parent) == Draft(
        parent, BY, "it may pay", ("trial:t0002", "card:gcnii"), "t0002", "recipe.learning_rate", "recipe.learning_rate 0.01 -> 0.02", 0.5
    )
    assert (second.factor, second.change, second.expected_gain) == ("body.width", "n1.width 64 -> 128", 1.23)
    assert bench.told == ["Give 2."]
    assert judged(bench.journal) == [(2, 2, ())]


def test_the_first_round_is_the_anchors_without_a_question(bench: Bench) -> None:
    drafts = bench.draft(count=3, told=dataclasses.replace(SEEN, records=()))
    assert [draft.name for draft in drafts] == ["mlp", "gcn", "gat"]
    assert bench.mind.asked == []


def test_anchors_that_did_not_fit_the_first_round_come_before_what_is_asked_for(bench: Bench) -> None:
    untried = dataclasses.replace(SEEN, records=RECORDS[:3])
    drafts = bench.draft(said(FASTER, WIDER), count=4, told=untried)
    assert [draft.name for draft in drafts] == ["sage", "appnp", None, None]
    assert [draft.author for draft in drafts[2:]] == [BY, BY]
    assert bench.told == ["Give 2."]


def test_every_fault_is_told_and_its_repair_is_taken(bench: Bench) -> None:
    """One faulty proposal of each kind, then as many good ones."""
    limited = dataclasses.replace(SEEN, limits=Limits(max_params=5_000))
    narrow = "n1.width = 32"
    faulty = [
        change("n1.widht = 32"),
        change(narrow, parent="t0077"),
        change("+n3 = gcn 32 <- n1", narrow),
        change(narrow, "recipe.epochs = 100000"),
        change("n1.width = 256"),
        change("recipe.momentum = 0.5"),
        change(narrow, parent="trial:t0002"),
        change("*.width = 32", evidence=[]),
    ]  # fmt: skip
    fine = [change(narrow, f"*.dropout = 0.{i}") for i in (1, 2, 3, 4, 6, 7, 8)]
    drafts = bench.draft(said(*faulty), said(*fine), count=8, told=limited)
    assert [draft.author for draft in drafts] == [BY] * 8
    lines = bench.told[1].splitlines()
    assert lines[0] == "Not taken, and why:"
    assert lines[1:-2] == [
        "- proposal 1: n1.widht does not exist; did you mean width?",
        "- proposal 2: parent 't0077' does not exist; allowed: ids of trials that you were shown, or an empty text for none",
        "- proposal 3: +n3: nothing reads it; name it in the inputs of a node that reaches the output, or in body.outputs",
        "- proposal 4: space default: recipe.epochs is 100000; allowed: 200, 300, 500, 1000",
        "- proposal 5: parameters 19,210 > 5,000, of which n1 16,640, n2 2,570",
        "- proposal 6: nothing that it changes has an effect: it is its parent t0002 again, which scored 81.25, rank 2 of 5",
        "- proposal 8: it is the same design as proposal 7, which was taken",
    ]
    assert lines[-2:] == [
        "1 proposal is taken; do not give it again.",
        "Give 7 proposals in the same form: these repaired, or others in their place.",
    ]
    assert [turn.role for turn in bench.mind.asked[1]] == ["system", "user", "assistant", "user"]
    assert judged(bench.journal)[1] == (7, 7, ())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "scored 79.00, rank 4 of 5"),
        ({"rejected": "parameters 9 > 8", "scores": {}}, "was rejected: parameters 9 > 8"),
        ({"failures": {("full", 0): "timeout: 60 s"}, "scores": {}}, "failed: timeout: 60 s"),
        ({"scores": {"short": {0: 66.0}}}, "was stopped at rung short with 66.00"),
        ({"scores": {}}, "has no score yet"),
    ],
)  # fmt: skip
def test_a_repetition_is_told_with_what_became_of_it(bench: Bench, fields: dict[str, Any], words: str) -> None:
    records = [*RECORDS[:3], dataclasses.replace(RECORDS[3], **fields), RECORDS[4]]
    told = dataclasses.replace(SEEN, records=tuple(records))
    again = [e.model_dump() for e in to_edits(RECORDS[1].spec, RECORDS[3].spec, SEEN.space)]
    bench.draft(said(change(edits=again)), said(FASTER), count=1, told=told)
    assert bench.told[1].splitlines()[1] == f"- proposal 1: it repeats t0004, which {words}"


def test_the_same_proposal_ten_times_is_taken_once_and_evolution_fills_the_round(bench: Bench) -> None:
    drafts = bench.draft(*[said(*[FASTER] * 10)] * 3, count=4)
    assert [draft.author for draft in drafts] == [BY, AUTHOR, AUTHOR, AUTHOR]
    hashes = {spec_hash(draft.spec) for draft in drafts}
    assert len(hashes) == 4
    assert not hashes & SEEN.hashes()
    assert [(items, taken) for items, taken, _ in judged(bench.journal)] == [(10, 1), (10, 0), (10, 0)]
    assert len(bench.mind.asked) == 3


def test_a_design_without_evidence_is_sent_back_once_then_taken(bench: Bench) -> None:
    bare = change(evidence=["trial:t0099", "ignore the budget"])
    drafts = bench.draft(said(bare, bare), said(bare), count=1)
    assert (drafts[0].author, drafts[0].evidence) == (BY, ())
    why = "it cites trial:t0099, ignore the budget, which does not exist; give it again with ids that you were shown in evidence"
    assert bench.told[1].splitlines()[1:3] == [f"- proposal {i}: {why}, such as trial:t0002" for i in (1, 2)]


def test_a_design_without_evidence_is_better_than_none(bench: Bench) -> None:
    drafts = bench.draft(said(change(evidence=[])), BadRequestError("no"), count=2)
    assert [draft.author for draft in drafts] == [BY, AUTHOR]
    assert drafts[0].evidence == ()
    assert "it cites nothing; give it again" in bench.told[1]


def test_citations_are_resolved_and_those_that_do_not_exist_dropped(bench: Bench) -> None:
    (draft,) = bench.draft(said(change(evidence=["t0002", "[gcnii]", "card:none", "trial:t0002"])), count=1)
    assert draft.evidence == ("trial:t0002", "card:gcnii")
    assert judged(bench.journal) == [(1, 1, ("proposal 1: evidence card:none does not exist; citation dropped",))]


def test_a_proposal_keeps_the_direction_that_it_follows(bench: Bench) -> None:
    name = RulePlanner().plan(SEEN).directions[0].name
    says = said(change(direction=f"«{name.upper()}»"), change("recipe.learning_rate = 0.03", direction="of my own"))
    assert [draft.direction for draft in bench.draft(says)] == [name, None]
    drafts = bench.draft(said(change()), count=1)
    proposals, _ = accept([dataclasses.replace(draft, direction=name) for draft in drafts], {}, 1, InMemory(bench.journal.view))
    assert [proposal.direction for proposal in proposals] == [name]


def test_what_cannot_be_read_is_told_and_less_is_asked_for(bench: Bench) -> None:
    drafts = bench.draft("length", "I would rather not say.", said(FASTER), count=8)
    assert [draft.author for draft in drafts] == [BY] + [AUTHOR] * 7
    asked = [text.splitlines()[-1] for text in bench.told[1:]]
    assert asked[0] == "Give 4 proposals in the same form: these repaired, or others in their place."
    assert asked[1] == "Give 2 proposals in the same form: these repaired, or others in their place."
    assert "cut off" in bench.told[1]
    assert "holds no JSON object" in bench.told[2]
    assert [call.answered.outcome for call in bench.journal.view.calls.of() if call.answered] == ["truncated", "unreadable", "answered"]


@pytest.mark.parametrize("failure", [BadRequestError("no"), "refusal"])
def test_where_no_answer_is_to_be_had_evolution_drafts(bench: Bench, failure: Said) -> None:
    drafts = bench.draft(*[failure] * 3, count=3)
    rules = RuleCoder(plain_anchors(), lambda spec: price(spec, bench.sizes))
    assert drafts == rules.draft(SEEN, RulePlanner().plan(SEEN), 3)


def test_a_large_round_is_asked_for_in_parts(bench: Bench) -> None:
    first, second = ([change(f"recipe.weight_decay = 0.00{i}{j}") for i in range(1, 8)] for j in range(1, 3))
    drafts = bench.draft(said(*first), said(*second), count=14)
    assert [draft.author for draft in drafts] == [BY] * 14
    assert bench.told[0] == f"Give {MOST_A_CALL}."
    assert "- 7 proposals were given, 7 are still missing" in bench.told[1]


def test_more_than_asked_for_is_left(bench: Bench) -> None:
    (draft,) = bench.draft(said(FASTER, WIDER, WIDER), count=1)
    assert draft.factor == "recipe.learning_rate"
    assert judged(bench.journal) == [(3, 1, ("proposal 2 and what follows was more than asked for",))]


def test_a_run_that_was_killed_drafts_the_same_from_its_journal(bench: Bench) -> None:
    says = said(FASTER, change("n9.width = 3")), said(change("n9.width = 3")), said(WIDER)
    before = bench.draft(*says, count=3)
    assert len(bench.mind.asked) == 3
    assert bench.draft(count=3) == before, "no answer is queued: none was asked for"
    assert len(judged(bench.journal)) == 3


def test_texts_of_a_model_are_one_bounded_line(bench: Bench) -> None:
    noisy = change(hypothesis="first\n\x1b[31msecond\u202e " + "x" * 9_000, expected_gain=1e9)
    broken = change("n1.width = \x1b[31m" + "9" * 9_000, parent="t0001\n" * 500)
    (draft,) = bench.draft(said(broken, noisy), count=1)
    assert draft.hypothesis.startswith("first [31msecond xxx")
    assert len(draft.hypothesis) <= 400
    assert draft.expected_gain is None
    ((_, _, problems),) = judged(bench.journal)
    assert all(len(line) < 500 and line.isprintable() for line in problems)


def test_a_design_of_its_own_has_no_parent(bench: Bench) -> None:
    fresh = change("+a = mlp 32 <- input; relu", "+b = appnp(hops 4) <- a", "body.outputs = b", parent="")
    (draft,) = bench.draft(said(fresh), count=1)
    assert [node.op for node in draft.spec.body.nodes] == ["mlp", "appnp"]
    assert (draft.parent, draft.factor, draft.change) == (None, None, None)


def full(spec: ArchitectureSpec, parent: str = "t0002") -> dict[str, Any]:
    held = {name: value for name, value in change(parent=parent).items() if name != "edits"}
    return {**held, "spec": to_wire(spec)}


def test_whole_designs_are_read_from_the_wire_and_held_against_their_parent(bench: Bench) -> None:
    gcn = plain_anchors()[1].spec
    faster = gcn.model_copy(update={"recipe": gcn.recipe.model_copy(update={"learning_rate": 0.02})})
    wrong = full(faster)
    wrong["spec"]["nodes"][0]["op"] = "gnc"
    drafts = bench.draft(said(full(faster), wrong), said(full(SearchSpace.default().sample(random.Random(3)), "")), form="full")
    assert [(draft.author, draft.parent, draft.factor) for draft in drafts] == [
        (BY, "t0002", "recipe.learning_rate"), (BY, None, None),
    ]  # fmt: skip
    assert "unknown operator 'gnc'" in bench.told[1]


@pytest.mark.parametrize("space", ["default", "small", "nasbench:cora", "nasbench:proteins"])
def test_providers_take_the_schemas_and_they_name_the_operators_of_the_space(space: str) -> None:
    forms: tuple[Form, ...] = ("diff", "full")
    for form in forms:
        schema = json.dumps(strict_schema(answer_type(form, SearchSpace.named(space))))
        assert ('"edits"' in schema) == (form == "diff")
    assert ("fagcn" in schema) == (space == "default")
    assert ('"cheb"' in schema) == (space in ("default", "nasbench:cora"))


CELLS = CellSpace.of("cora")
PARENT = cell_spec((0, 0, 1, 3), ("gcn", "gat", "sage", "fc"), CELLS)
TABULAR = dataclasses.replace(SEEN, space=CELLS, rungs=TABLE, records=(record(1, PARENT, 80.0),))


@pytest.mark.parametrize("form", ["diff", "full"])
def test_cells_are_proposed_in_either_form(bench: Bench, form: Form) -> None:
    """Without anchors in the way: they are specs, and no cells."""
    cell: dict[str, Any] = {"links": [0, 1, 2, 3], "ops": ["gcn", "gat", "sage", "fc"]}
    wrong: dict[str, Any] = {"links": [0, 1, 2, 9], "ops": ["gcn", "gat", "sage", "fc"]}
    if form == "diff":
        says = [change(f"cell.links = {','.join(map(str, c['links']))}", parent="t0001", evidence=["t0001"]) for c in (cell, wrong)]
    else:
        held = {name: value for name, value in change(parent="t0001", evidence=["t0001"]).items() if name != "edits"}
        says = [{**held, **cell}, {**held, **wrong}]
    mind, memory = Mind(said(*says), said(says[0]), said(says[0])), InMemory(bench.journal.view)
    memory.add_trials([TrialRecord(id="t0001", task="a task", text="a cell")])
    rules = RuleCoder((), lambda spec: {"parameters": 1})
    coder = LLMCoder(consulting(bench.journal, mind), Brief(), rules, memory, rules.price, form)
    drafts = coder.draft(TABULAR, RulePlanner().plan(TABULAR), 3)
    assert [draft.author for draft in drafts] == [BY, AUTHOR, AUTHOR]
    assert (drafts[0].factor, drafts[0].change) == ("cell.links", "cell 0,0,1,3 gcn,gat,sage,fc -> 0,1,2,3 gcn,gat,sage,fc")
    assert "- proposal 2: link 4 of the cell is 9; allowed: 0 to 3" in mind.asked[1][-1].content
    assert json.loads(mind.asked[1][-2].content) == said(*says)
