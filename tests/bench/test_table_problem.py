"""Tables of anybody's trials: what is read, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agentnas.bench.table_problem import table_problems
from agentnas.tools.errors import DataError
from tests.bench.worlds import write_table


def test_designs_of_words_and_numbers(tmp_path: Path) -> None:
    problems = table_problems(write_table(tmp_path / "t.csv", data_sets=2))
    first = problems[0]
    assert [problem.name for problem in problems] == ["d0", "d1"]
    assert first.rows.values == (3, 3, 4)
    row = first.rows.names.index(("gcn", "gat", "64"))
    assert first.rows.row(first.rows.codes[row]) == row
    around = {first.rows.names[other] for other in first.rows.neighbours(row)}
    assert around == {
        ("gat", "gat", "64"), ("mlp", "gat", "64"), ("gcn", "gcn", "64"), ("gcn", "mlp", "64"),
        ("gcn", "gat", "16"), ("gcn", "gat", "32"), ("gcn", "gat", "128"),
    }  # fmt: skip


def test_low_scores_that_are_good_are_turned_round(tmp_path: Path) -> None:
    high = table_problems(write_table(tmp_path / "high.csv"))
    low = table_problems(write_table(tmp_path / "low.csv", sign=-1.0), maximize=False)
    assert np.allclose(high[0].validation, low[0].validation)


def test_specs_are_read_as_structure(tmp_path: Path) -> None:
    specs = [{"body": {"nodes": [{"id": "a", "op": "gcn", "width": width}], "outputs": ["a"]}} for width in (16, 64)]
    quoted = [json.dumps(spec).replace('"', '""') for spec in specs]
    lines = [f'{name},"{spec}",{80 + i},{79 + i}' for name in ("x", "y") for i, spec in enumerate(quoted)]
    (tmp_path / "s.csv").write_text("\n".join(["dataset,spec,val,test", *lines]))
    first, second = table_problems(tmp_path / "s.csv")
    assert first.rows.names == second.rows.names
    assert not np.array_equal(*first.rows.vectors)
    assert first.validation.tolist() == [80.0, 81.0]


def test_a_design_that_is_repeated_counts_by_its_mean(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("data_set,op,validation,test\na,gcn,80,70\na,gcn,82,72\na,gat,1,1\nb,gcn,1,1\nb,gat,2,2\n")
    assert table_problems(tmp_path / "r.csv")[0].validation.tolist() == [81.0, 1.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "has no column data_set or dataset or task; it has a, b"),
        ("data_set,op,validation,test\n", "has no lines"),
        ("data_set,validation,test\na,1,2\n", "has no columns of a design: a spec, or any others"),
        ("data_set,op,validation,test\na,gcn,x,1\n", "bad.csv:2: validation is 'x', not a number"),
        ("data_set,op,validation,test\na,gcn,1,nan\n", "bad.csv:2: test is nan; leave failed trials out"),
        ("data_set,op,validation,test\na,gcn,1,1\na,gat,1,1\n", "holds one data set, a;"),
        ("data_set,op,validation,test\na,gcn,1,1\nb,gcn,1,1\nb,gat,1,1\n", "data set a has one design"),
        ("data_set,spec,validation,test\na,gcn,1,1\nb,gcn,1,1\n", "cannot be read"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        table_problems(tmp_path / "bad.csv")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
