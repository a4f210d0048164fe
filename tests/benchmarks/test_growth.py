"""How growth is told: exponents, tables and plots of measurements that are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.growth import EMPTY_MIB, OPERATORS, Axis, Measured, Point, _short, exponent, plot, table

AXIS = Axis("nodes", "nodes", tuple(Point(n, f"powerlaw:{n}") for n in (1_000, 10_000, 100_000, 1_000_000)))
SQUARE = [{op: Measured(p.value**2, EMPTY_MIB + p.value, 2 * p.value) for op in OPERATORS} for p in AXIS.points]


def test_an_exponent_is_the_slope_of_the_logarithms_of_the_upper_half() -> None:
    assert exponent([1, 10, 100, 1000], [1, 10, 100, 1000]) == pytest.approx(1.0)
    assert exponent([1, 10, 100, 1000, 10_000, 100_000], [9, 9, 9, 1e3, 1e5, 1e7]) == pytest.approx(2.0)
    assert exponent([1, 10, 100], [5, None, None]) is None


def test_memory_grows_beyond_that_of_an_idle_worker() -> None:
    assert table(AXIS, SQUARE, "ms").splitlines()[-1] == "| exponent | " + " | ".join(["2.00"] * len(OPERATORS)) + " |"
    assert table(AXIS, SQUARE, "peak").splitlines()[-1] == "| exponent | " + " | ".join(["1.00"] * len(OPERATORS)) + " |"


def test_what_was_not_trained_stands_in_its_cell_and_not_in_the_plot(tmp_path: Path) -> None:
    none = Measured(None, None, 9e9, problem="needs 9 GiB, 2 GiB are available")
    rows = [*SQUARE[:-1], dict.fromkeys(OPERATORS, none)]
    assert "| 1,000,000 | needs 9 GiB, 2 GiB are available |" in table(AXIS, rows, "ms")
    plot(AXIS, rows, tmp_path / "size.svg")
    assert "<svg" in (tmp_path / "size.svg").read_text()


def test_sizes_are_short_on_an_axis() -> None:
    assert [_short(value) for value in (16, 640, 2_700, 160_000, 2_560_000)] == ["16", "640", "2.7k", "160k", "2.56M"]
