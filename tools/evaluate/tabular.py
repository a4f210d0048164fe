"""The tabular evaluator: looks scores up in NAS-Bench-Graph. No data, no training, no torch; one rung, one seed, noise unknown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from agentnas.tools.errors import SpecError, UsageError
from agentnas.tools.evaluate.base import Outcome, Request, Rung
from agentnas.tools.evaluate.ladder import TABLE
from agentnas.tools.spec.cells import cell_key, spec_to_cell
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.tasks.nasbench import NasBenchTable

# Seconds until it is asked again whether something is due.
MOMENT_S = 0.01


class TabularEvaluator:
    """One table as an Evaluator. The test column is read by ``open_test`` alone."""

    rungs: tuple[Rung, ...] = TABLE
    confirm_seeds = 0
    num_splits = 1

    def __init__(self, table: NasBenchTable, space: SearchSpace) -> None:
        self.space = space
        self.test_quality: dict[tuple[str, int], dict[str, Any]] = {}
        self._table = table

    def price(self, spec: ArchitectureSpec) -> dict[str, Any]:
        return dict(self._table.profile(self._key(spec)))

    def measure(self, specs: Sequence[ArchitectureSpec]) -> list[dict[str, Any]]:
        return [self.price(spec) for spec in specs]

    def evaluate(self, requests: Iterable[Request | None], stop: Callable[[], bool]) -> Iterator[Outcome]:
        for request in requests:
            if stop():
                return
            if request is None:
                time.sleep(MOMENT_S)
                continue
            try:
                yield Outcome(request, self._table.validation(self._key(request.spec)), seconds=0.0)
            except UsageError as error:
                yield Outcome(request, None, 0.0, failure="error", reason=str(error))

    def open_test(self, requests: Sequence[Request]) -> dict[tuple[str, int], float]:
        return {(request.trial, request.seed): self._table.test(self._key(request.spec)) for request in requests}

    def close(self) -> None:
        """Nothing is held open."""

    def _key(self, spec: ArchitectureSpec) -> Any:
        try:
            key = cell_key(*spec_to_cell(spec))
        except UsageError as error:
            raise SpecError(str(error)) from None
        if key not in self._table:
            raise SpecError(f"the table holds no cell {key}; cells of skips alone were not trained")
        return key
