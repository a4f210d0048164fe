"""SMILES as graphs: each look of atoms and bonds by hand, every broken string named, and the sets of MoleculeNet split as they say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnas.tools.errors import ConfigError, DataError, UsageError
from agentnas.tools.tasks import Task, load_task
from agentnas.tools.tasks.catalog import DATA_SETS
from agentnas.tools.tasks.folds import in_shares, random_shares, scaffold_split
from agentnas.tools.tasks.molecule_sets import read_molecules
from agentnas.tools.tasks.molecules import ATOM_WIDTHS, BOND_WIDTHS, Molecules, broken_smiles, graphs_of_smiles, scaffolds


def looks(row: Any, widths: tuple[int, ...]) -> list[int]:
    """The place of each look in its block, read back from zeros and ones."""
    found, start = [], 0
    for width in widths:
        block = row[start : start + width]
        assert width == 1 or block.sum() == 1
        found.append(int(block[0]) if width == 1 else int(block.argmax()))
        start += width
    return found


def atoms(found: Molecules) -> list[list[int]]:
    x = found.x.toarray() if hasattr(found.x, "toarray") else found.x
    return [looks(row, ATOM_WIDTHS) for row in x]


def test_atoms_and_bonds_of_ethanol_and_benzene() -> None:
    found = graphs_of_smiles(["CCO", "c1ccccc1"])
    assert found.graph_of.tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1]
    assert found.edge_index[:, :4].tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    carbon, oxygen = 2, 4
    # element, neighbours, charge 0 (place 2), hydrogens, SP3 (3) or SP2 (2), no chirality, aromatic, in a ring
    assert atoms(found)[:4] == [[carbon, 1, 2, 3, 3, 0, 0, 0], [carbon, 2, 2, 2, 3, 0, 0, 0], [oxygen, 1, 2, 1, 3, 0, 0, 0],
                                [carbon, 2, 2, 1, 2, 0, 1, 1]]  # fmt: skip
    assert looks(found.edge_attr[0], BOND_WIDTHS) == [0, 0, 0, 0]
    assert looks(found.edge_attr[-1], BOND_WIDTHS) == [3, 0, 1, 1]


def test_charges_chirality_stereo_and_rare_elements() -> None:
    found = graphs_of_smiles(["[NH4+]", "[O-]C", "C[C@H](N)O", "C[C@@H](N)O", "F/C=C/F", "F/C=C\\F", "[Au]"])
    seen = atoms(found)
    assert seen[0] == [3, 0, 3, 4, 3, 0, 0, 0]
    assert seen[1][2] == 1
    assert {seen[4][5], seen[8][5]} == {1, 2}
    double = [looks(row, BOND_WIDTHS) for row in found.edge_attr]
    assert sorted(look[1] for look in double if look[0] == 1) == [1, 1, 2, 2]
    assert seen[-1][0] == ATOM_WIDTHS[0] - 1


def test_each_edge_has_its_opposite_with_the_same_look() -> None:
    found = graphs_of_smiles(["CC(=O)Oc1ccccc1C(=O)O", "C"])
    look = {(int(s), int(t)): row.tolist() for (s, t), row in zip(found.edge_index.T, found.edge_attr, strict=True)}
    assert all(look[t, s] == row for (s, t), row in look.items())
    assert len(look) == 26


def test_every_string_that_is_no_molecule_is_told_and_none_is_left_out() -> None:
    smiles = ["CC", "C(C", "c1cccc1", "CC(C)(C)(C)C", "", "C C", "é"]
    with pytest.raises(DataError) as caught:
        graphs_of_smiles(smiles, lambda number: f"drugs.csv row {number + 2}")
    told = str(caught.value)
    assert told.startswith("6 of 7 SMILES are no molecules: drugs.csv row 3 'C(C' (no SMILES); drugs.csv row 4 'c1cccc1' (Can't kekulize")
    assert "and 3 more" in told
    assert "\n" not in told
    assert [number for number, _ in broken_smiles(smiles)] == [1, 2, 3, 4, 5, 6]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.text(alphabet="CNOcn1()=#[]@+-H/\\. 2%é\0", max_size=14), min_size=1, max_size=3))
def test_any_text_is_molecules_or_one_clear_line(smiles: list[str]) -> None:
    broken = [number for number, _ in broken_smiles(smiles)]
    if not broken:
        assert graphs_of_smiles(smiles).graph_of[-1] == len(smiles) - 1
        return
    with pytest.raises(DataError, match=rf"^{len(broken)} of {len(smiles)} SMILES are no molecules: molecule {broken[0] + 1} ") as caught:
        graphs_of_smiles(smiles)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


def test_without_rdkit_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from agentnas.tools.tasks import molecules

    molecules._chem.cache_clear()
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(ConfigError, match=r"pip install 'agentnas\[molecules\]'"):
        graphs_of_smiles(["CC"])


def test_scaffolds_are_rings_with_what_links_them() -> None:
    assert scaffolds(["CCO", "Cc1ccccc1", "c1ccccc1CCC2CC2"]) == ["", "c1ccccc1", "c1ccc(CCC2CC2)cc1"]


@pytest.fixture(scope="module")
def freesolv(data_dir: Path) -> Task:
    return load_task("freesolv", data_dir=data_dir, download=False)


def test_freesolv_is_a_regression_of_graphs(freesolv: Task) -> None:
    data = freesolv.data
    assert data is not None
    assert (freesolv.kind, freesolv.target, freesolv.metric.name) == ("graph", "value", "rmse")
    assert (data.num_items, data.num_nodes, data.num_edges, data.edge_channels) == (642, 5600, 10770, 13)
    assert freesolv.protocol == "10 random splits, 80/10/10 %, 514/64/64"
    assert data.y[:2].tolist() == pytest.approx([-11.01, -4.87])


def test_random_splits_are_disjoint_fixed_and_cover_all(freesolv: Task) -> None:
    for split in freesolv.splits:
        assert sorted(np.concatenate([split.train, split.val, split.test]).tolist()) == list(range(642))
    assert freesolv.split(0).test[:5].tolist() == random_shares(np.ones(642, bool), 0).test[:5].tolist()
    assert not np.array_equal(freesolv.split(0).test, freesolv.split(1).test)


def test_a_scaffold_is_in_one_part_only(data_dir: Path) -> None:
    task = load_task("esol", data_dir=data_dir, split="scaffold", download=False)
    assert task.protocol.startswith("scaffold split (Bemis-Murcko), 80/10/10 %, ")
    groups = np.array(scaffolds(_smiles(data_dir)))
    parts = [set(groups[part]) for part in (task.split(0).train, task.split(0).val, task.split(0).test)]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    assert sum(task.split(0).sizes) == 1128


def _smiles(data_dir: Path) -> list[str]:
    import csv

    with (data_dir / "MoleculeNet/esol/raw/delaney-processed.csv").open() as file:
        return [row["smiles"] for row in csv.DictReader(file)]


def test_splits_of_molecules_take_no_numbers_per_class(data_dir: Path) -> None:
    with pytest.raises(UsageError, match=r"split 'random:20/30' does not exist for esol.*random"):
        load_task("esol", data_dir=data_dir, split="random:20/30", download=False)


def test_too_few_items_or_scaffolds_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 20"):
        in_shares(np.arange(10))
    with pytest.raises(UsageError, match="leaves a part empty: 1 scaffolds of 30 items"):
        scaffold_split([""] * 30, np.ones(30, bool))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected a heading with the columns smiles and expt"),
        ("iupac,smiles,expt,calc\n", "and rows below it"),
        ("iupac,smiles,expt,calc\na,CC,1\n", r"row 2 has 3 columns; expected 4"),
        ("iupac,smiles,expt,calc\na,CC,one,2\n", r"row 2 holds 'one' as its value"),
        ("iupac,smiles,expt,calc\na,CC,nan,2\n", r"row 2 holds 'nan' as its value"),
        ("iupac,smiles,expt,calc\na,CC,1,2\nb,C(C,1,2\n", r"SAMPL\.csv row 3 'C\(C' \(no SMILES\)"),
        ('iupac,smiles,expt,calc\n"a,CC,1,2\n', r"SAMPL\.csv: unexpected end of data"),
    ],
)
def test_a_damaged_table_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "SAMPL.csv").write_text(text)
    with pytest.raises(DataError, match=told) as caught:
        read_molecules(DATA_SETS["freesolv"], tmp_path)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "SAMPL.csv").write_bytes(b"iupac,smiles\xff\xfe")
    with pytest.raises(DataError, match=r"SAMPL\.csv: .*decode"):
        read_molecules(DATA_SETS["freesolv"], tmp_path)


def test_the_page_counts_the_columns() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/graphs.md").read_text(encoding="utf-8")
    atoms_table, bonds_table = page.split("| of an atom")[1].split("| of a bond")
    counts = [[int(n) for line in table.split("\n\n")[0].splitlines()[2:] for n in line.split("|")[2].split(",")] for table in
              (atoms_table, bonds_table)]  # fmt: skip
    assert tuple(counts[0]) == ATOM_WIDTHS
    assert tuple(counts[1]) == BOND_WIDTHS
