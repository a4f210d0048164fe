"""The table of what candidates share has a row for each design, with shares of a training."""

from __future__ import annotations

import pytest

from tests.benchmarks.shared_work import designs, main


def test_a_row_for_each_design(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["digits", "--tries", "1"]) == 0
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[1] for row in rows] == list(designs())
    for _, _, epoch, anew, kept, spared, left in rows:
        assert float(epoch) > 0
        assert float(anew) >= 0
        assert float(kept) >= 0
        assert spared.endswith(" %")
        assert 0 <= float(left.removesuffix(" %")) < 100
