"""Pickle files read as inert data: the opcodes are interpreted here, nothing that the file names is ever imported or called.

Old graph data sets and benchmark tables are distributed as pickles. ``pickle.load`` runs whatever a file asks for, and even an
unpickler that restricts names hands unchecked sizes to C code. This reader knows containers, numbers, strings and the handful of names
that numpy arrays and CSR matrices consist of; every array is rebuilt from bytes whose length was checked.
"""

from __future__ import annotations

import math
import pickletools
import re
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from agentnas.tools.errors import DataError

_DTYPE = re.compile(r"[biuf][1248]")
_CSR = ("scipy.sparse.csr csr_matrix", "scipy.sparse._csr csr_matrix")
_RECONSTRUCT = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
_SCALAR = ("numpy.core.multiarray scalar", "numpy._core.multiarray scalar")
_LISTS = ("__builtin__ list", "builtins list")
_NAMES = {*_CSR, *_RECONSTRUCT, *_SCALAR, *_LISTS, "numpy ndarray", "numpy dtype", "collections defaultdict"}


class _NotAllowed(ValueError):
    pass


@dataclass(frozen=True)
class _Name:
    """A global that the file mentions; never looked up."""

    name: str


@dataclass(eq=False)
class _Record:
    """An object that the file describes: what would build it, from what, and the state it would be given."""

    name: str
    args: tuple[Any, ...]
    state: Any = None


class _Mark:
    pass


def read_pickle(path: Path, expected: str) -> Any:
    """The content of a pickle file: containers, numbers, strings, numpy arrays and CSR matrices, nothing else.

    ``expected`` says in the error what the file should hold. Raises DataError, naming the file, for everything else.
    """
    try:
        return _built(_interpret(path.read_bytes()))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected {expected}") from None
    except _NotAllowed as error:
        raise DataError(f"{path}: {error}; expected {expected}, nothing was executed") from None
    except (ValueError, TypeError, LookupError, OverflowError, struct.error, MemoryError) as error:
        raise DataError(f"{path}: truncated or damaged ({_short(error)}); expected {expected}, delete the file and load it again") from None


def _short(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100] or type(error).__name__


def _interpret(content: bytes) -> Any:
    machine = _Machine()
    with warnings.catch_warnings():
        # A damaged name may hold a backslash, which the standard library's parser warns of; the name is refused anyway.
        warnings.simplefilter("ignore", DeprecationWarning)
        for opcode, arg, _ in pickletools.genops(content):
            action = _ACTIONS.get(opcode.name)
            if action is None:
                raise _NotAllowed(f"uses pickle opcode {opcode.name}, which plain arrays do not need")
            action(machine, arg)
    if len(machine.stack) != 1:
        raise ValueError("stack does not end with one value")
    return machine.stack[0]


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        value = self.stack.pop()
        if isinstance(value, _Mark):
            raise ValueError("mark where a value should be")
        return value

    def pop_to_mark(self) -> list[Any]:
        for depth in range(len(self.stack) - 1, -1, -1):
            if isinstance(self.stack[depth], _Mark):
                values = self.stack[depth + 1 :]
                del self.stack[depth:]
                return values
        raise ValueError("no mark")

    def top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise ValueError(f"no {kind.__name__} on the stack")
        return self.stack[-1]

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def put(self, key: int | None) -> None:
        if not self.stack:
            raise ValueError("nothing to remember")
        self.memo[len(self.memo) if key is None else key] = self.stack[-1]

    def tuple_of(self, size: int) -> None:
        values = [self.pop() for _ in range(size)]
        self.push(tuple(reversed(values)))

    def set_items(self, values: list[Any]) -> None:
        if not all(type(key) in (int, str) for key in values[::2]):
            raise ValueError("a key is neither a number nor a string")
        self.top(dict).update(zip(values[::2], values[1::2], strict=True))

    def append(self, values: list[Any]) -> None:
        self.top(list).extend(values)

    def name(self, name: str) -> None:
        if name not in _NAMES:
            raise _NotAllowed(f"asks for {name.replace(' ', '.')[:80]!r}, which is not plain data")
        self.push(_Name(name))

    def build(self) -> None:
        state = self.pop()
        record = self.top(_Record)
        if record.state is not None:
            raise ValueError("state given twice")
        record.state = state

    def call(self) -> None:
        args, name = self.pop(), self.pop()
        if not isinstance(name, _Name) or not isinstance(args, tuple):
            raise ValueError("malformed object")
        self.push({} if name.name == "collections defaultdict" else _called(name.name, args))

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def append_one(self) -> None:
        value = self.pop()
        self.append([value])

    def stack_name(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a name that is not a string")
        self.name(f"{module} {name}")


def _called(name: str, args: tuple[Any, ...]) -> Any:
    if name in _SCALAR:
        dtype, content = args
        return _array_from((), _dtype(dtype), content, fortran=False).item()
    return _Record(name, args)


_Action = Callable[[_Machine, Any], None]
_push: _Action = lambda machine, arg: machine.push(arg)  # noqa: E731
_PUSHED_AS_THEY_ARE = (
    *("BININT", "BININT1", "BININT2", "INT", "LONG1", "BINFLOAT", "SHORT_BINSTRING", "BINSTRING"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"),
)
_ACTIONS: dict[str, _Action] = {
    **dict.fromkeys(_PUSHED_AS_THEY_ARE, _push),
    "PROTO": lambda machine, arg: None,
    "FRAME": lambda machine, arg: None,
    "STOP": lambda machine, arg: None,
    "MARK": lambda machine, arg: machine.push(_Mark()),
    "NONE": lambda machine, arg: machine.push(None),
    "NEWTRUE": lambda machine, arg: machine.push(True),
    "NEWFALSE": lambda machine, arg: machine.push(False),
    "EMPTY_TUPLE": lambda machine, arg: machine.push(()),
    "EMPTY_LIST": lambda machine, arg: machine.push([]),
    "EMPTY_DICT": lambda machine, arg: machine.push({}),
    "TUPLE": lambda machine, arg: machine.push(tuple(machine.pop_to_mark())),
    "TUPLE1": lambda machine, arg: machine.tuple_of(1),
    "TUPLE2": lambda machine, arg: machine.tuple_of(2),
    "TUPLE3": lambda machine, arg: machine.tuple_of(3),
    "APPEND": lambda machine, arg: machine.append_one(),
    "APPENDS": lambda machine, arg: machine.append(machine.pop_to_mark()),
    "SETITEM": lambda machine, arg: machine.set_item(),
    "SETITEMS": lambda machine, arg: machine.set_items(machine.pop_to_mark()),
    "BINPUT": lambda machine, arg: machine.put(arg),
    "LONG_BINPUT": lambda machine, arg: machine.put(arg),
    "MEMOIZE": lambda machine, arg: machine.put(None),
    "BINGET": lambda machine, arg: machine.push(machine.memo[arg]),
    "LONG_BINGET": lambda machine, arg: machine.push(machine.memo[arg]),
    "GLOBAL": lambda machine, arg: machine.name(arg),
    "STACK_GLOBAL": lambda machine, arg: machine.stack_name(),
    "REDUCE": lambda machine, arg: machine.call(),
    "NEWOBJ": lambda machine, arg: machine.call(),
    "BUILD": lambda machine, arg: machine.build(),
}


def _built(value: Any) -> Any:
    """Turn the outermost description into what it describes."""
    if isinstance(value, _Record) and value.name in _CSR:
        return _csr(value)
    return _array(value) if isinstance(value, _Record) else value


def _dtype(value: Any) -> np.dtype[Any]:
    if not isinstance(value, _Record) or value.name != "numpy dtype" or not value.args:
        raise ValueError("array without an element type")
    text = value.args[0]
    if not isinstance(text, str):
        raise ValueError("array without an element type")
    if not _DTYPE.fullmatch(text):
        raise _NotAllowed(f"holds an array of {text[:20]!r}, only numbers are allowed")
    order = value.state[1] if isinstance(value.state, tuple) and len(value.state) > 1 else "|"
    return np.dtype((order if order in ("<", ">") else "") + text)


def _array(value: Any) -> NDArray[Any]:
    if not isinstance(value, _Record) or value.name not in _RECONSTRUCT:
        raise ValueError("no array where one should be")
    _, shape, dtype, fortran, content = value.state
    return _array_from(shape, _dtype(dtype), content, bool(fortran))


def _array_from(shape: Any, dtype: np.dtype[Any], content: Any, fortran: bool) -> NDArray[Any]:
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError("array without a shape")
    data = content.encode("latin1") if isinstance(content, str) else content
    if not isinstance(data, bytes) or len(data) != math.prod(shape) * dtype.itemsize:
        raise ValueError("array length does not fit its shape")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _csr(record: _Record) -> sp.csr_matrix:
    state = record.state
    if not isinstance(state, dict):
        raise ValueError("matrix without content")
    shape = state["_shape"] if "_shape" in state else state["shape"]
    return checked_csr(_array(state["data"]), _array(state["indices"]), _array(state["indptr"]), shape)


def checked_csr(data: NDArray[Any], indices: NDArray[Any], indptr: NDArray[Any], shape: Any) -> sp.csr_matrix:
    """A CSR matrix [rows, columns] of float32 from its parts; ValueError if they do not fit together."""
    rows, columns = (int(size) for size in shape)
    if (
        rows < 0
        or data.ndim != 1
        or data.dtype.kind not in "biuf"
        or indices.shape != data.shape
        or indptr.shape != (rows + 1,)
        or columns < 0
    ):
        raise ValueError("matrix parts do not fit together")
    if indices.dtype.kind not in "iu" or indptr.dtype.kind not in "iu":
        raise ValueError("matrix indices are not whole numbers")
    starts, places = indptr.astype(np.int64), indices.astype(np.int64)
    if starts[0] != 0 or starts[-1] != len(places) or (np.diff(starts) < 0).any():
        raise ValueError("matrix rows do not add up")
    if len(places) and (places.min() < 0 or places.max() >= columns):
        raise ValueError(f"matrix has an entry outside its {columns} columns")
    with np.errstate(over="ignore"):
        values = data.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("matrix holds values that are not finite")
    return sp.csr_matrix((values, places, starts), shape=(rows, columns))
