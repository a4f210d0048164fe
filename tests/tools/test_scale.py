"""How scores are shown: percent as they are, errors in the unit of the target."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.tools.metrics import Metric
from agentnas.tools.scale import Scale

PERCENT, ERROR = Scale("accuracy"), Scale("rmse", 2.1)


def test_percent_is_shown_as_it_is() -> None:
    assert PERCENT.spread(83.124, 0.454) == "83.12 ± 0.45"
    assert (PERCENT.told(83.124, None), PERCENT.sign, PERCENT.with_direction) == ("83.12 ± ?", " %", "accuracy")
    assert (PERCENT.gap(0.5), PERCENT.named_change(-0.5, 0.19), PERCENT.lead(0.5, 0.2)) == ("+0.50", "-0.50 ± 0.19", "0.50 ± 0.20")


def test_an_error_is_shown_in_its_unit_and_less_of_it_is_better() -> None:
    assert ERROR.spread(66.0, 2.0) == "0.71 ± 0.04"
    assert ERROR.told(66.0, 2.0) == "RMSE 0.71 ± 0.04"
    assert (ERROR.sign, ERROR.with_direction) == ("", "RMSE (lower is better)")
    assert (ERROR.gap(2.0), ERROR.named_gap(-2.0), ERROR.lead(2.0, None)) == ("-0.04", "RMSE +0.04", "RMSE 0.04 ± ?")


@pytest.mark.parametrize(("unit", "digits"), [(0.021, 4), (2.1, 2), (12.0, 2), (25.0, 1), (400.0, 0), (1e6, 0)])
def test_decimals_follow_the_unit(unit: float, digits: int) -> None:
    assert Scale("mae", unit).digits == digits
    assert Scale("accuracy", unit).digits == 2


@given(st.floats(-500, 100), st.floats(1e-6, 1e6))
def test_it_is_the_metrics_own_measure_and_differences_fit_it(score: float, unit: float) -> None:
    scale = Scale("mae", unit)
    assert scale.natural(score) == Metric("mae", unit=unit).natural(score)
    assert scale.natural(score + 1) - scale.natural(score) == pytest.approx(scale.change(1.0), abs=1e-6 * unit)
    assert scale.natural(100.0) == 0.0
