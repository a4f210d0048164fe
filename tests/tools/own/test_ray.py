"""Own data on a Ray cluster: the data travel, the files need not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agentnas.tools.ray_pool import join
from agentnas.tools.tasks import load_task
from agentnas.tools.workers import JobResult, TaskRef, WorkerPool
from tests.tools.candidates import job, spec
from tests.tools.executor_conformance import done
from tests.tools.own.making import people, write
from tests.tools.ray_clusters import cluster


def scored(results: dict[str, JobResult]) -> dict[str, tuple[str, float | None, object]]:
    return {name: (result.state, result.val, result.details.get("curve")) for name, result in results.items()}


@pytest.mark.timeout(300)
def test_data_of_ones_own_travels_and_scores_the_same_without_its_files(tmp_path: Path) -> None:
    path = write(tmp_path / "club", people())
    task, jobs = load_task(str(path)), [replace(job(str(i), seed=i), spec=spec(epochs=8)) for i in range(2)]
    with WorkerPool(TaskRef(str(path)), workers=1) as pool:
        near = done(pool, *jobs)
    shutil.rmtree(path.parent)
    with cluster(1) as made, join(f"ray:{made.address}", task, workers=1, device="cpu", memory_mb=700) as pool:
        far = done(pool, *jobs)
    assert scored(far) == scored(near)
    assert {result.state for result in far.values()} == {"done"}
