"""The table of what validation can tell apart is made."""

from __future__ import annotations

import pytest

from tests.benchmarks.accuracy import main, variants


def test_the_table_has_a_row_for_each_recipe_and_compares_all_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick"])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| grand")]
    assert len(rows) == len(variants())
    assert sum(line.split("|")[4].strip() == "" for line in rows) == 1
