"""The table of where a step's time goes: parts are found, and the least time is below what was measured."""

from __future__ import annotations

import pytest

from agentnas.tools.train.data import PreparedTask
from tests.benchmarks.step_profile import HEAD, KINDS, OTHER, SPARSE, Ceilings, Work, ceilings, measure
from tests.benchmarks.usual_loop import Design


@pytest.mark.parametrize("kind", list(KINDS))
def test_an_epoch_is_cut_into_parts(kind: str, prepared: PreparedTask) -> None:
    found = measure(Design(kind, 16, 2), prepared, 2, ceilings(prepared, 16, times=3))
    assert {"dense products", SPARSE, "random draws", "optimiser", OTHER} <= set(found.parts)
    assert ("edges" in found.parts) or kind != "gat"
    assert 0 < found.training < found.epoch
    assert 0 < found.least < found.epoch
    assert found.row().count("|") == HEAD.count("|")


def test_the_least_time_adds_up_what_must_be_done() -> None:
    work = Work()
    work.dense(1000, 10, 5, first=True)  # forwards, in validation, and the gradient of the weights
    work.drop(500)
    assert (work.flops, work.drawn) == (2 * 1000 * 5 * 3, 2 * 500)
    assert work.seconds(Ceilings(1, 1, 1, 1)) == pytest.approx((work.flops + work.streamed + work.drawn) / 1e9)
