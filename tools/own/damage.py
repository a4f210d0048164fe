"""What readers of other people's formats raise when they meet damage, and what is said of it."""

from __future__ import annotations

import lzma
import pickle
import struct
import zipfile
import zlib
from tokenize import TokenError

# Each library has its own way of stumbling over a byte that is wrong; RecursionError is a RuntimeError, errors of XML are SyntaxErrors.
DAMAGE = (
    *(ValueError, TypeError, LookupError, AttributeError, AssertionError, ArithmeticError, EOFError, OSError, RuntimeError, SyntaxError),
    *(TokenError, pickle.PickleError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile, ImportError),
)
LONGEST = 160


def short(error: BaseException) -> str:
    """The first line of what a library says."""
    lines = str(error).strip().splitlines()
    return (lines[0].strip() if lines else "")[:LONGEST] or type(error).__name__
