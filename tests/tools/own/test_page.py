"""docs/own-data.md: its tables are those of the schema, its examples load, and the lines that it quotes are told."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from agentnas.tools.errors import UsageError
from agentnas.tools.own.reference import tables
from agentnas.tools.own.schema import read_task_file
from agentnas.tools.tasks import load_task
from tests.tools.own.making import MODULE, TASK, arrays, graphs, karate, people, write
from tests.tools.own.test_bad_input import with_cell

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "own-data.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
SMILES = ("CCO", "CCN", "c1ccccc1", "CC(=O)O", "CCCC", "C1CCCCC1", "CO", "CCOC")


def test_the_tables_are_those_of_the_schema() -> None:
    assert PAGE.endswith(tables()), "python -m agentnas.tools.own.reference"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all files that the examples name."""
    made = tmp_path_factory.mktemp("examples")
    rng = np.random.default_rng(0)
    accounts = ["account,country,opened,phone,notes,fraud"]
    accounts += [
        f"a{i},{('FR', 'DE')[i % 2]},2020-01-{1 + i % 28},+33 {i},pays by card {i},{('no', 'no', 'yes')[i % 3]}" for i in range(90)
    ]
    ends = rng.integers(90, size=(200, 2))
    payments = ["from,to,amount,how", *(f"a{a},a{b},{rng.random():.2f},{('cash', 'card')[int(a) % 2]}" for a, b in ends)]
    molecules = ["smiles,solubility", *(f"{SMILES[i % 8]},{rng.normal():.2f}" for i in range(40))]
    tables = {"accounts.csv": accounts, "payments.csv": payments, "molecules.csv": molecules}
    write(made, {**graphs(), **{name: "\n".join(rows) + "\n" for name, rows in tables.items()}, "my_data.py": MODULE})
    nx.write_graphml(karate(), made / "club.graphml")
    np.savez(made / "graph.npz", **arrays())
    return made


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_loads(folder: Path, number: int) -> None:
    text = EXAMPLES[number]
    path = write(folder, {"task.yaml": text})
    if "ogb:" in text:
        assert read_task_file(path).source == "ogb:ogbn-arxiv"
        return
    if "smiles" in text and importlib.util.find_spec("rdkit") is None:
        pytest.skip("needs the extra molecules")
    task = load_task(str(path), allow_code=True)
    assert task.data is not None
    assert task.num_splits == len(task.splits)


def test_the_lines_that_are_quoted_are_told(tmp_path: Path) -> None:
    files = people() | {"task.yaml": TASK}
    wrong = [
        {"knows.csv": with_cell(files["knows.csv"], 7, "to", "p999")},
        {"people.csv": with_cell(files["people.csv"], 12, "age", "old")},
        {"task.yaml": "nodes: {file: a.csv, labl: x}"},
    ]
    quoted = re.search(r"executed:\n\n```\n(.*?)```", PAGE, re.DOTALL)
    assert quoted is not None
    for change, line in zip(wrong, quoted[1].splitlines(), strict=True):
        with pytest.raises(UsageError) as told:
            load_task(str(write(tmp_path, files | change)))
        assert str(told.value).removeprefix(f"{tmp_path}/") == line
