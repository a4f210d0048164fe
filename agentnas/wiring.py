"""What a run's house is made of, by its settings and its task: anchors, evaluator, baselines, limits."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from agentnas import searched
from agentnas.config import Config
from agentnas.executing import executor, workers_of

if TYPE_CHECKING:
    from agentnas.agents.baselines import Baselines
    from agentnas.agents.checking import Weigh
    from agentnas.memory.rundir import RunDirectory
    from agentnas.sizing import Crew
    from agentnas.tools.anchors import Anchor
    from agentnas.tools.evaluate.base import Evaluator
    from agentnas.tools.fork_server import ForkServer
    from agentnas.tools.spec.space import SearchSpace
    from agentnas.tools.tasks import Task


def anchors_of(config: Config, task: Task) -> tuple[Anchor, ...]:
    """The anchors of the task; of a space of cells those that are cells."""
    from agentnas.tools.anchors import cell_anchors, large_anchors, plain_anchors, scaled, select_anchors, strong_anchors
    from agentnas.tools.anchors_of_kinds import graph_anchors, link_anchors, structure_anchors, unlike_anchors
    from agentnas.tools.evaluate.fitting import is_large
    from agentnas.tools.spec.kinds import for_kind

    cells = task.table.name if task.table is not None else searched.cells_of(config)
    if cells is not None:
        return select_anchors(cell_anchors(cells), config.without_anchor)
    if task.kind != "node":
        made = graph_anchors() if task.kind == "graph" else link_anchors()
        return select_anchors(made, config.without_anchor)
    first = large_anchors() if is_large(task) else ()
    special = (*structure_anchors(task.offers), *unlike_anchors(_edge_homophily(task)))
    anchors = select_anchors((*first, *plain_anchors(), *strong_anchors(), *special), config.without_anchor)
    fitting = tuple(replace(anchor, spec=for_kind(anchor.spec, task.kind, task.target)) for anchor in anchors)
    return scaled(fitting, usual_scale_of(task))


def _edge_homophily(task: Task) -> float | None:
    """Share of edges within a class, by labels of training and validation; None where no classes are predicted."""
    from agentnas.tools.tasks.structure import homophily

    assert task.data is not None
    return homophily(task.data, task.split(0).seen)["edge_homophily"] if task.target == "classes" else None


def usual_scale_of(task: Task) -> str:
    from agentnas.tools.anchors import usual_scale

    assert task.data is not None
    size = task.data.num_nodes
    return usual_scale(task.data.nnz / (size * task.data.num_features), len(task.split(0).train) / size)


def evaluator_of(
    directory: RunDirectory, config: Config, task: Task, space: SearchSpace, server: ForkServer | None, fitting: Crew | None
) -> tuple[Evaluator, int]:  # fmt: skip
    """Who evaluates, and how many trials at a time."""
    if task.table is not None:
        from agentnas.tools.evaluate.tabular import TabularEvaluator

        return TabularEvaluator(task.table, space), workers_of(config)
    from agentnas.tools.evaluate.live import LiveEvaluator
    from agentnas.tools.sizes import Sizes

    directory.folder("weights")
    pool, workers = executor(config, task, server, fitting.workers if fitting else None)
    evaluator = LiveEvaluator(
        pool, space, Sizes.of(task), task.num_splits, config.confirm_seeds, directory.path, config.trial_time_s, task.fewest_val
    )  # fmt: skip
    return evaluator, workers


def baselines_of(task: Task) -> Baselines | None:
    """Methods without a network; None for a table, which has no data for them."""
    if task.data is None:
        return None
    from agentnas.agents.baselines import Baselines
    from agentnas.tools.baselines import baselines_for, measure

    return Baselines(lambda: baselines_for(task), partial(measure, task))


def weigh_of(task: Task) -> Weigh | None:
    """What counts the parameters of each part of a spec; None for a table, which holds no such figures."""
    if task.table is not None:
        return None
    from agentnas.tools.profiling import parameters_by_part
    from agentnas.tools.sizes import Sizes

    sizes = Sizes.of(task)
    return lambda spec: parameters_by_part(spec, sizes)


def limits_of(config: Config) -> Any:
    """The hard limits of a configuration."""
    from agentnas.tools.evaluate.base import Limits

    return Limits(config.max_params, config.max_latency_ms, config.max_memory_mb, config.max_train_memory_mb)
