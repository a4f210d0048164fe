"""What was learnt on tasks that predict other things is not told; cards of papers that speak of a kind of task are found for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentnas.memory.library import recall_cards, shipped_library
from agentnas.memory.memory import InMemory, Memory
from agentnas.memory.records import FindingRecord, TaskCardLike, same_aim
from agentnas.memory.store import Store
from agentnas.prompts import load
from agentnas.tools.tasks import TaskCard, load_task, make_card
from tests.memory.conformance import Card
from tests.memory.learning import trial

GRAPHS, LINKS = "graph classification", "link prediction"
QUESTION = "gcn with dropout"


class Aimed(Card):
    """A card that says what is predicted."""

    def __init__(self, aim: str) -> None:
        super().__init__()
        self.aim = aim


@pytest.fixture(params=["in memory", "store"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Memory]:
    held: InMemory | Store = InMemory() if request.param == "in memory" else Store(str(tmp_path / "memory"))
    held.add_trials([
        trial("run-a/t0001", text="gcn dropout"), trial("run-b/t0001", task="mutag", text="gcn dropout", aim=GRAPHS),
        trial("run-c/t0001", task="usair", text="gcn dropout", aim=LINKS),
    ])  # fmt: skip
    held.add_findings([
        FindingRecord(id=f"{run}/r1-1", task=task, text="gcn dropout gained", aim=aim)
        for run, task, aim in (("run-a", "citeseer", ""), ("run-b", "mutag", GRAPHS))
    ])  # fmt: skip
    yield held
    if isinstance(held, Store):
        held.close()


def runs(memory: Memory, card: TaskCardLike | None) -> set[str]:
    return {e.id.partition(":")[2].partition("/")[0] for e in memory.recall(card, QUESTION, 20) if e.kind != "card"}


def test_only_tasks_with_the_same_aim_are_told_of(memory: Memory) -> None:
    assert runs(memory, Card()) == {"run-a"}
    assert runs(memory, Aimed(GRAPHS)) == {"run-b"}
    assert runs(memory, Aimed("graph regression")) == set()
    assert runs(memory, None) == {"run-a", "run-b", "run-c"}


def test_designs_of_another_aim_are_no_drafts(memory: Memory) -> None:
    assert [task.trials[0].task for task in memory.past_trials(Aimed(LINKS))] == ["usair"]
    assert [task.trials[0].task for task in memory.past_trials(Card())] == ["citeseer"]


def test_a_search_can_ask_for_a_kind(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "memory"))
    store.add_trials([trial("run-a/t0001"), trial("run-b/t0001", task="esol", aim="graph regression")])
    assert [e.id for e in store.recall(None, QUESTION, 9, "graph") if e.kind == "trial"] == ["trial:run-b/t0001"]
    assert [e.id for e in store.recall(None, QUESTION, 9, "node") if e.kind == "trial"] == ["trial:run-a/t0001"]
    store.close()


def test_an_aim_its_first_word_and_any() -> None:
    record = trial("a/t0001", aim="graph regression")
    assert [same_aim(asked, record) for asked in (None, "graph", "graph regression", "graph classification", "node")] == [
        True, True, True, False, False,
    ]  # fmt: skip


# For each task some of the cards that a person would want to see among the first ten.
WANTED = {
    "mutag": {"gin", "gine", "egnas", "argnp", "pna", "fair-graph-classification"}, "proteins": {"gin", "sagpool", "diffpool", "pna"},
    "usair": {"ncn", "seal", "link-heuristics", "graph-autoencoder"}, "cora-links": {"ncn", "seal", "link-heuristics", "graph-autoencoder"},
    "texas": {"dir-gnn", "amud-adpa"},
}  # fmt: skip


@pytest.mark.parametrize("name", WANTED)
def test_cards_on_a_kind_of_task_are_found_for_it(name: str, data_dir: Path) -> None:
    assert WANTED[name] <= set(first_cards(make_card(load_task(name, data_dir=data_dir))))


def first_cards(card: TaskCard) -> list[str]:
    question = load("recall").fill(task=card.text(), tried="nothing has been tried yet")
    return [
        evidence.id.removeprefix("card:") for evidence, _ in zip(recall_cards(shipped_library(), card, question), range(10), strict=False)
    ]


def test_cards_on_relations_and_molecules_are_found() -> None:
    usual = {
        "source": "computed",
        "protocol": "own",
        "num_splits": 1,
        "split_sizes": (80, 10, 10),
        "nodes": 900,
        "edges": 2000,
        "features": 9,
    }
    typed = TaskCard.model_validate({**usual, "name": "mine", "metric": "accuracy", "classes": 3, "types": (3, 5)})
    assert {"rgcn", "hgt"} <= set(first_cards(typed)) | set(only_conditions(typed))
    molecules = TaskCard.model_validate({
        **usual, "name": "mine", "metric": "rmse", "aim": "graph regression", "classes": 1, "items": 100, "graph_nodes": (2, 9, 30),
        "edge_attributes": 6, "values": (0.0, 1.0, -3.0, 2.0, 0.1),
    })  # fmt: skip
    assert {"gine", "egnas"} <= set(only_conditions(molecules))


def only_conditions(card: TaskCard) -> list[str]:
    return [evidence.id.removeprefix("card:") for evidence, _ in zip(recall_cards(shipped_library(), card, ""), range(10), strict=False)]
