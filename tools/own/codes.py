"""Features that are numbers of categories, as OGB describes molecules: one column a category, for their order means nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# What each column of a molecule's atoms and bonds says, and how many codes it has. The last code is for all others, but of stereo, whose
# six kinds are all, and of those that are yes or no.
ATOMS = {
    "atomic number": 119, "chirality": 5, "bonds": 12, "formal charge": 12, "hydrogens": 10, "radical electrons": 6, "hybridisation": 6,
    "aromatic": 2, "in a ring": 2,
}  # fmt: skip
BONDS = {"type": 5, "stereo": 6, "conjugated": 2}


def of_atoms(codes: NDArray[Any]) -> Any:
    """One-hot atoms as CSR [atoms, 174]; as they came where they are not nine columns of whole numbers from 0."""
    return one_hot_codes(codes, tuple(ATOMS.values()))


def of_bonds(codes: NDArray[Any]) -> NDArray[Any]:
    """One-hot bonds [bonds, 13] float32; as they came where they are not three columns of whole numbers from 0."""
    made = one_hot_codes(codes, tuple(BONDS.values()))
    return made if made is codes else np.asarray(made.toarray())


def one_hot_codes(codes: NDArray[Any], widths: tuple[int, ...]) -> Any:
    """Codes [rows, k] as one-hot columns side by side, CSR float32 [rows, sum of widths]; a code beyond its width is the last one.

    Anything that is no table of k columns of whole numbers from 0 comes back as it is.
    """
    from scipy.sparse import csr_matrix

    if codes.ndim != 2 or codes.shape[1] != len(widths) or codes.dtype.kind not in "iu" or codes.min(initial=0) < 0:
        return codes
    starts = np.cumsum((0, *widths[:-1]), dtype=np.int32)
    at = np.minimum(codes, np.array(widths, codes.dtype) - 1).astype(np.int32) + starts  # rises within a row
    rows = np.arange(len(codes) + 1, dtype=np.int64) * len(widths)
    return csr_matrix((np.ones(at.size, np.float32), at.ravel(), rows), shape=(len(codes), sum(widths)))
