"""Running a notebook in a kernel of its own. ``python -m tests.notebooks FILE`` writes its outputs into it."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]


def execute(notebook: Any, folder: Path) -> Any:
    """The notebook with the outputs of all its cells, run in ``folder``; raises CellExecutionError where a cell fails."""
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    alone = {**os.environ, "PYTHONPATH": paths, "AGENTNAS_MEMORY_DIR": "none", "IPYTHONDIR": str(folder / ".ipython")}
    return NotebookClient(notebook, timeout=100, kernel_name="python3").execute(cwd=str(folder), env=alone)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def main(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = execute(read(path), Path(folder))
    for cell in done.cells:
        cell.metadata.pop("execution", None)  # when each cell ran: it would change with every run
    nbformat.write(done, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
