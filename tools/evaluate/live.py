"""The live evaluator: trains specs in worker processes, on CPU or CUDA."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentnas.tools.errors import RunError
from agentnas.tools.evaluate.base import Outcome, Request
from agentnas.tools.evaluate.ladder import rungs_for
from agentnas.tools.executors import Executor
from agentnas.tools.profiling import foreseen_mib, price
from agentnas.tools.sizes import Sizes
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.workers import Job, JobResult


class LiveEvaluator:
    """Training as an Evaluator. ``run_directory`` is where weights of confirmations go; ``time_limit_s`` bounds one training of all epochs,
    and one of fewer by as much less (it still gets its first epoch); ``val_items``: items of the smallest validation part."""

    def __init__(
        self,
        pool: Executor,
        space: SearchSpace,
        sizes: Sizes,
        num_splits: int,
        confirm_seeds: int,
        run_directory: Path,
        time_limit_s: float,
        val_items: int | None = None,
    ) -> None:
        self.space = space
        self.rungs = rungs_for(num_splits, val_items)
        self.num_splits = num_splits
        self.confirm_seeds = confirm_seeds
        self.test_quality: dict[tuple[str, int], dict[str, Any]] = {}
        self._pool = pool
        self._sizes = sizes
        self._directory = run_directory
        self._time_limit_s = time_limit_s

    def price(self, spec: ArchitectureSpec) -> dict[str, Any]:
        return price(spec, self._sizes)

    def measure(self, specs: Sequence[ArchitectureSpec]) -> list[dict[str, Any]]:
        # One at a time: workers that are busy beside it would lengthen what is measured.
        return [_profile(result) for spec in specs for result in self._pool.run([self._job("profile", "profile", spec)], lambda: False)]

    def evaluate(self, requests: Iterable[Request | None], stop: Callable[[], bool]) -> Iterator[Outcome]:
        asked: dict[str, Request] = {}

        def jobs() -> Iterator[Job | None]:
            for request in requests:
                name = str(len(asked))
                if request is not None:
                    asked[name] = request
                yield None if request is None else self._training(name, request)

        for result in self._pool.run(jobs(), stop):
            yield _outcome(asked[result.id], result)

    def open_test(self, requests: Sequence[Request]) -> dict[tuple[str, int], float]:
        asked = {str(i): request for i, request in enumerate(requests)}
        jobs = [self._job(name, "test", r.spec, r.seed, r.split, weights=self._path(r.weights)) for name, r in asked.items()]
        scores = {}
        for result in self._pool.run(jobs, lambda: False):
            request = asked[result.id]
            if result.state != "done":
                raise RunError(f"the test of {request.trial}, seed {request.seed}, could not be opened: {result.reason}; resume the run")
            scores[request.trial, request.seed] = float(result.details["test"])
            self.test_quality[request.trial, request.seed] = result.details.get("quality", {})
        return scores

    def close(self) -> None:
        self._pool.close()

    def _training(self, name: str, request: Request) -> Job:
        job = self._job(name, "train", request.spec, request.seed, request.split, request.epochs, self._path(request.weights))
        planned = request.spec.recipe.epochs
        share = min(1.0, (request.epochs or planned) / planned)
        return replace(job, cut_after_s=share * self._time_limit_s)

    def _job(self, name: str, kind: Any, spec: ArchitectureSpec, seed: int = 0, split: int = 0, epochs: int | None = None,
             weights: str | None = None) -> Job:  # fmt: skip
        return Job(
            id=name, kind=kind, spec=spec.model_dump(mode="json"), seed=seed, split=split, epochs=epochs, time_limit_s=self._time_limit_s,
            save_weights=weights, device_mib=self._device_mib(spec),
        )  # fmt: skip

    def _device_mib(self, spec: ArchitectureSpec) -> float | None:
        """Memory that a spec is predicted to take on a CUDA device; on the CPU nothing is predicted."""
        return None if self._pool.device == "cpu" else foreseen_mib(spec, self._sizes)

    def _path(self, weights: str | None) -> str | None:
        return None if weights is None else str(self._directory / weights)


def _profile(result: JobResult) -> dict[str, Any]:
    if result.state == "done":
        return dict(result.details)
    return {"failure": f"could not be profiled ({result.kind}: {result.reason})"}


def _outcome(request: Request, result: JobResult) -> Outcome:
    if result.state == "done":
        details = {**result.details, "peak_memory_mib": result.peak_memory_mib}
        return Outcome(request, result.val, result.seconds, result.epochs, result.best_epoch, details)
    return Outcome(request, None, result.seconds, failure=result.kind or "error", reason=result.reason)
