"""Molecules written as SMILES, as graphs: atoms are nodes, bonds are edges in both directions. Needs the extra ``molecules`` (RDKit)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import ConfigError, DataError
from agentnas.tools.tasks.base import Index, compact, sorted_with_attributes

# Features are one-hot over these values with one more column for all others, so that a molecule has the same features in every data set.
ELEMENTS = (1, 5, 6, 7, 8, 9, 11, 12, 14, 15, 16, 17, 19, 20, 30, 34, 35, 53)
DEGREES = (0, 1, 2, 3, 4, 5)
CHARGES = (-2, -1, 0, 1, 2)
HYDROGENS = (0, 1, 2, 3, 4)
HYBRIDISATIONS = ("S", "SP", "SP2", "SP3", "SP3D", "SP3D2")
CHIRALITIES = ("CHI_UNSPECIFIED", "CHI_TETRAHEDRAL_CW", "CHI_TETRAHEDRAL_CCW")
BONDS = ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC")
STEREOS = ("STEREONONE", "STEREOZ", "STEREOE", "STEREOCIS", "STEREOTRANS")
LONGEST = 10_000  # characters of a SMILES; the longest of PubChem have a few thousand
SHOWN = 3  # strings that an error quotes

Named = Callable[[int], str]


@dataclass(frozen=True, eq=False)
class Molecules:
    """Molecules side by side: the pieces that a ``GraphData`` is made of, in its shapes and orders."""

    x: Any
    edge_index: Index
    edge_attr: NDArray[np.float32]
    graph_of: Index


def graphs_of_smiles(smiles: Sequence[str], row_named: Named | None = None) -> Molecules:
    """One graph for each string, in their order; hydrogens are counted on the atoms that hold them, not nodes.

    ``row_named(i)`` says where string ``i`` stands, for errors, as in ``drugs.csv row 12``; None: ``molecule 12``, counted from 1.
    Raises DataError that says how many strings are no molecules and quotes the first ones: none is left out; ConfigError without RDKit.
    """
    name = row_named or (lambda number: f"molecule {number + 1}")
    found = [_molecule(text) for text in smiles]
    _refuse_broken(smiles, found, name)
    sizes = np.array([molecule.GetNumAtoms() for molecule in found], np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    atoms: list[list[int]] = [_atom(atom) for molecule in found for atom in molecule.GetAtoms()]
    bonds = [(bond, start) for molecule, start in zip(found, starts, strict=False) for bond in molecule.GetBonds()]
    ends = np.array([(b.GetBeginAtomIdx() + s, b.GetEndAtomIdx() + s) for b, s in bonds], np.int64).reshape(-1, 2).T
    looks = _columns([_bond(bond) for bond, _ in bonds], BOND_WIDTHS)
    both = np.concatenate([ends, ends[::-1]], axis=1)
    edge_index, edge_attr = sorted_with_attributes(both, np.concatenate([looks, looks]), int(starts[-1]))
    x = compact(_columns(atoms, ATOM_WIDTHS))
    return Molecules(x, edge_index, edge_attr, np.repeat(np.arange(len(found)), sizes))


def broken_smiles(smiles: Iterable[str]) -> list[tuple[int, str]]:
    """Which strings (by their place, from 0) are no molecules, and why."""
    found = ((number, _molecule(text)) for number, text in enumerate(smiles))
    return [(number, molecule) for number, molecule in found if isinstance(molecule, str)]


def scaffolds(smiles: Sequence[str]) -> list[str]:
    """The Bemis-Murcko scaffold of each molecule as SMILES: rings and what links them, without chirality; empty where there is no ring."""
    _chem()
    from rdkit.Chem.Scaffolds import MurckoScaffold

    scaffold: Any = MurckoScaffold.MurckoScaffoldSmiles
    found = [_molecule(text) for text in smiles]
    _refuse_broken(smiles, found, lambda number: f"molecule {number + 1}")
    with _quiet():
        return [scaffold(mol=molecule, includeChirality=False) for molecule in found]


def _refuse_broken(smiles: Sequence[str], found: Sequence[Any], name: Named) -> None:
    broken = [number for number, molecule in enumerate(found) if isinstance(molecule, str)]
    if not broken:
        return
    quoted = "; ".join(f"{name(number)} {str(smiles[number])[:60]!r} ({found[number]})" for number in broken[:SHOWN])
    more = f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
    raise DataError(f"{len(broken)} of {len(smiles)} SMILES are no molecules: {quoted}{more}; correct these rows or take them out")


def _molecule(text: str) -> Any:
    """RDKit's molecule, or why there is none."""
    chem = _chem()
    text = text.strip() if isinstance(text, str) else ""
    if not text or len(text) > LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        return "empty" if not text else f"longer than {LONGEST} characters" if len(text) > LONGEST else "holds characters that SMILES lack"
    with _quiet():
        molecule = chem.MolFromSmiles(text, sanitize=False)
        if molecule is None:
            return "no SMILES"
        problems = chem.DetectChemistryProblems(molecule)
        if problems:
            return str(problems[0].Message()).splitlines()[0][:100]
        molecule = chem.MolFromSmiles(text)
    if molecule is None or not molecule.GetNumAtoms():
        return "no SMILES" if molecule is None else "has no atoms"
    return molecule


def _atom(atom: Any) -> list[int]:
    """The place of each of an atom's looks in its one-hot block; truth values are one column that is on or off."""
    return [
        _place(atom.GetAtomicNum(), ELEMENTS), _place(atom.GetDegree(), DEGREES), _place(atom.GetFormalCharge(), CHARGES),
        _place(atom.GetTotalNumHs(), HYDROGENS), _place(str(atom.GetHybridization()), HYBRIDISATIONS),
        _place(str(atom.GetChiralTag()), CHIRALITIES), int(atom.GetIsAromatic()), int(atom.IsInRing()),
    ]  # fmt: skip


def _bond(bond: Any) -> list[int]:
    return [
        _place(str(bond.GetBondType()), BONDS), _place(str(bond.GetStereo()), STEREOS), int(bond.GetIsConjugated()), int(bond.IsInRing()),
    ]  # fmt: skip


def _place(value: int | str, known: tuple[Any, ...]) -> int:
    return known.index(value) if value in known else len(known)


# Columns of each look of an atom and of a bond; 1: a truth value.
ATOM_WIDTHS = (*(len(known) + 1 for known in (ELEMENTS, DEGREES, CHARGES, HYDROGENS, HYBRIDISATIONS, CHIRALITIES)), 1, 1)
BOND_WIDTHS = (len(BONDS) + 1, len(STEREOS) + 1, 1, 1)


def _columns(places: list[list[int]], widths: tuple[int, ...]) -> NDArray[np.float32]:
    """Looks side by side as zeros and ones; [things, sum of widths]."""
    table: NDArray[np.float32] = np.zeros((len(places), sum(widths)), np.float32)
    values = np.array(places, np.int64).reshape(-1, len(widths))
    rows, start = np.arange(len(places)), 0
    for column, width in zip(values.T, widths, strict=True):
        table[rows, start + (0 if width == 1 else column)] = column if width == 1 else 1.0
        start += width
    return table


@cache
def _chem() -> Any:
    try:
        from rdkit import Chem
    except ImportError:
        raise ConfigError("molecules need RDKit, which is not installed; run: pip install 'agentnas[molecules]'") from None
    return Chem


def _quiet() -> Any:
    """RDKit writes to stderr what it dislikes; errors say it instead."""
    from rdkit import rdBase

    return rdBase.BlockLogs()
