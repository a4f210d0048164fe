"""Both makers of Evaluator, held to one contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import cast

import pytest

from agentnas.tools.errors import RunError
from agentnas.tools.evaluate.base import Evaluator, Request
from agentnas.tools.evaluate.live import LiveEvaluator
from agentnas.tools.evaluate.tabular import TabularEvaluator
from agentnas.tools.sizes import Sizes
from agentnas.tools.spec.cells import cell_key, cell_to_spec
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.tasks import load_task
from agentnas.tools.tasks.nasbench import NasBenchTable
from agentnas.tools.workers import Job, JobResult, TaskRef, WorkerPool
from tests.tools.evaluate.conformance import EvaluatorConformance, never


def perceptron(width: int) -> ArchitectureSpec:
    nodes = [{"id": "a", "op": "mlp", "width": width, "activation": "relu"}]
    return parse_spec({"body": {"nodes": nodes, "outputs": ["a"]}, "recipe": {"epochs": 3}})


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluator]:
    task = load_task("digits")
    with WorkerPool(TaskRef("digits"), memory_mb=2000, grace_s=1.0) as pool:
        folder = tmp_path_factory.mktemp("run")
        yield LiveEvaluator(pool, SearchSpace.default(), Sizes.of(task), task.num_splits, 2, folder, time_limit_s=60.0)


CHAIN = (0, 1, 2, 3)
CELLS = (("skip", "skip", "gcn", "gcn"), ("skip", "skip", "cheb", "cheb"), ("gcn", "gat", "fc", "gin"))


class TestTabular(EvaluatorConformance):
    @pytest.fixture
    def evaluator(self) -> Evaluator:
        return TabularEvaluator(NasBenchTable("cora"), SearchSpace.nasbench("cora"))

    @pytest.fixture
    def specs(self) -> tuple[ArchitectureSpec, ...]:
        return tuple(cell_to_spec(CHAIN, cell, "cora") for cell in CELLS)

    @pytest.fixture
    def hopeless(self) -> ArchitectureSpec:
        return perceptron(8)

    def test_a_look_up_is_the_tables_score(self, evaluator: Evaluator, specs: tuple[ArchitectureSpec, ...]) -> None:
        table, key = NasBenchTable("cora"), cell_key(CHAIN, CELLS[0])
        request = self.request_for(specs[0], evaluator)
        assert self.evaluated(evaluator, request)["t1"].val == table.validation(key)
        assert evaluator.open_test([request]) == {("t1", 0): table.test(key)}


class TestLive(EvaluatorConformance):
    @pytest.fixture
    def evaluator(self, live: Evaluator) -> Evaluator:
        return live

    @pytest.fixture
    def specs(self) -> tuple[ArchitectureSpec, ...]:
        return perceptron(8), perceptron(16), perceptron(32)

    @pytest.fixture
    def hopeless(self) -> ArchitectureSpec:
        links = perceptron(8).model_dump()
        return parse_spec({**links, "head": {**links["head"], "kind": "link"}})

    def test_weights_that_are_gone_are_told_with_trial_and_seed(self, evaluator: Evaluator, specs: tuple[ArchitectureSpec, ...]) -> None:
        with pytest.raises(RunError, match="the test of t7, seed 3, could not be opened"):
            evaluator.open_test([Request("t7", specs[0], "confirm", 3, 0, None, "weights/gone.pt")])

    def test_specs_are_measured_one_at_a_time(self, evaluator: Evaluator, specs: tuple[ArchitectureSpec, ...]) -> None:
        assert isinstance(evaluator, LiveEvaluator)
        handed: list[int] = []

        class Watched:
            device = "cpu"

            def run(self, jobs: Iterable[Job | None], stop: Callable[[], bool]) -> Iterator[JobResult]:
                handed.append(len(asked := list(jobs)))
                return pool.run(asked, stop)

        pool, evaluator._pool = evaluator._pool, cast("WorkerPool", Watched())
        try:
            measured = evaluator.measure(specs[:2])
        finally:
            evaluator._pool = pool
        assert handed == [1, 1]
        assert [m["parameters"] for m in measured] == [evaluator.price(spec)["parameters"] for spec in specs[:2]]

    def test_epochs_cap_a_training(self, evaluator: Evaluator, specs: tuple[ArchitectureSpec, ...]) -> None:
        (outcome,) = evaluator.evaluate([Request("t1", specs[0], "short", 0, 0, 1)], never)
        assert outcome.epochs == 1
