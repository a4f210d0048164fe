"""Training that is pretended: scores follow from the spec, time passes as told, several at a time; a whole run takes seconds."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, ClassVar

import pytest

from agentnas.tools.evaluate.base import Outcome, Request, Rung
from agentnas.tools.evaluate.ladder import ONE_SPLIT
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.space import SearchSpace

NOISE = 0.4
POLL_S = 0.01


class PretendedEvaluator:
    """An Evaluator on which a full training takes ``seconds``; ``begun`` is all that it began, ``fault`` is raised."""

    rungs: tuple[Rung, ...] = ONE_SPLIT
    num_splits = 1

    def __init__(self, workers: int = 2, seconds: float = 0.02, confirm_seeds: int = 6) -> None:
        self.space = SearchSpace.default()
        self.workers, self.seconds, self.confirm_seeds = workers, seconds, confirm_seeds
        self.fault: Exception | None = None
        self.closed = False
        self.begun: list[Request] = []

    def price(self, spec: ArchitectureSpec) -> dict[str, Any]:
        return {"parameters": 1000, "flops": 1000}

    def measure(self, specs: Sequence[ArchitectureSpec]) -> list[dict[str, Any]]:
        return [{**self.price(spec), "latency_ms_p50": 1.0} for spec in specs]

    def evaluate(self, requests: Iterable[Request | None], stop: Callable[[], bool]) -> Iterator[Outcome]:
        waiting, running, closed, self.closed = iter(requests), set[Future[Outcome]](), False, False
        with ThreadPoolExecutor(self.workers) as threads:
            while running or not closed:
                while len(running) < self.workers and not (closed := closed or stop()):
                    drawn = list(_some(waiting))
                    closed = not drawn
                    if not drawn or drawn[0] is None:
                        break
                    self.begun.append(drawn[0])
                    running.add(threads.submit(self._train, drawn[0]))
                done, running = wait(running, POLL_S, FIRST_COMPLETED)
                time.sleep(0 if running or done or closed else POLL_S)
                if self.closed:  # as a pool whose workers are gone: first the lost jobs, then its own end
                    yield from (Outcome(request, None, 0.0, failure="crashed", reason="lost") for request in self.begun[-1:])
                if self.fault or self.closed:
                    raise self.fault or OSError("the workers are gone")
                yield from (future.result() for future in done)

    test_quality: ClassVar[dict[tuple[str, int], dict[str, Any]]] = {}

    def open_test(self, requests: Sequence[Request]) -> dict[tuple[str, int], float]:
        return {(request.trial, request.seed): score(request) for request in requests}

    def close(self) -> None:
        self.closed = True

    def _train(self, request: Request) -> Outcome:
        share = next((rung.epochs for rung in self.rungs if rung.name == request.rung), 1.0)
        time.sleep(share * self.seconds)
        return Outcome(request, score(request), share * self.seconds, request.epochs)


def _some(waiting: Iterator[Request | None]) -> Iterator[Request | None]:
    for request in waiting:
        yield request
        return


def score(request: Request) -> float:
    """What a design is worth, and the luck of a seed; the same for the same request."""
    worth = random.Random(spec_hash(request.spec)).gauss(80, 2)
    return round(worth + random.Random(f"{worth} {request.rung} {request.seed}").gauss(0, NOISE), 2)


def pretend(patch: pytest.MonkeyPatch, evaluator: PretendedEvaluator) -> None:
    """Make live runs train with this evaluator, and export nothing."""

    def made(directory: Any, config: Any, *_: Any) -> tuple[PretendedEvaluator, int]:
        Path(directory.path, "weights").mkdir(exist_ok=True)
        return evaluator, evaluator.workers

    patch.setattr("agentnas.agents.coder.POOL", 2)  # who drafts need not draft well
    patch.setattr("agentnas.agents.surrogate.BAGS", 1)
    patch.setattr("agentnas.api.evaluator_of", made)
    patch.setattr("agentnas.winner.write_winner", lambda *_: ())
