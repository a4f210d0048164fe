"""What operators gain from direction and types where these decide: ``python -m tests.benchmarks.structure [TASK ...]``.

Every operator is tried in the same two layers with the same recipe, with the edges as they are given and in both directions; which of the
two is shown is chosen by validation. The test is read for the table alone. The last line of each task is what the best predictor reaches
that knows how the task was made, and the classes of all neighbours.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from statistics import mean, stdev

from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks import Task, load_task
from agentnas.tools.tasks.generated import PREFIX, parse
from agentnas.tools.tasks.generated_graphs import made
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.trainer import predict, train
from agentnas.words import markdown_table
from agentnas.words import spread as words_of

TASKS = ("generated:directed", "generated:hetero")
BLIND = ("mlp", "gcn", "sage", "gat", "gin", "transformer", "h2gcn")
SEEING = {"directions": ("dirgnn",), "types": ("rgcn", "hgt")}
HEADER = ("task", "operator", "edges", "validation", "test")
RECIPE = {"learning_rate": 0.005, "weight_decay": 5e-4, "epochs": 150, "patience": 50}

Row = tuple[str, str, str, list[float], list[float]]


def network(op: str, edges: str) -> ArchitectureSpec:
    """Two layers of an operator and a linear head."""
    looks = {"op": op, "width": 64, "dropout": 0.3, "activation": "relu"}
    nodes = [{"id": "a", **looks}, {"id": "b", "inputs": ["a"], **looks}]
    body = {"nodes": nodes, "outputs": ["a", "b"], "jump": "concat"}
    return parse_spec({"input": {"scale": "standard", "edges": edges}, "body": body, "recipe": RECIPE})


def measured(task: Task, op: str, seeds: int) -> Row:
    """Validation and test of the better way of edges by validation."""
    prepared = PreparedTask.from_task(task)
    ways = ("as_given",) if op == "mlp" else ("as_given", "both")
    return max((_trained(task, prepared, op, edges, seeds) for edges in ways), key=lambda row: mean(row[3]))


def _trained(task: Task, prepared: PreparedTask, op: str, edges: str, seeds: int) -> Row:
    spec, val, test = network(op, edges), [], []
    for seed in range(seeds):
        result = train(spec, prepared, split=seed, seed=seed)
        val.append(result.val)
        test.append(prepared.test_score(predict(spec, prepared, seed, result.state_dict), seed))
    return task.name, op, edges.replace("_", " "), val, test


def rows(name: str, seeds: int) -> Iterator[Row]:
    task = load_task(name)
    for op in (*BLIND, *(op for offered in task.offers for op in SEEING[offered])):
        yield measured(task, op, seeds)
    if name.startswith(PREFIX):
        assert task.data is not None
        best, y = made(parse(name)).best, task.data.y
        scores = [[task.metric.score(y[part], best[part]) for part in parts] for parts in ((s.val, s.test) for s in task.splits[:seeds])]
        yield task.name, "best known", "", [val for val, _ in scores], [test for _, test in scores]


def spread(scores: list[float]) -> str:
    return words_of(mean(scores), stdev(scores) if len(scores) > 1 else None)


def main(args: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=TASKS)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args(args)
    found = [row for name in given.tasks for row in rows(name, given.seeds)]
    print(markdown_table(HEADER, [(task, op, edges, spread(val), spread(test)) for task, op, edges, val, test in found]))


if __name__ == "__main__":
    main()
