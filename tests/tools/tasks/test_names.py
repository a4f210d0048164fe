"""Task names cost nothing to list, and everything of a task is importable from one place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentnas.tools import tasks

ROOT = Path(__file__).resolve().parents[3]


def test_listing_names_imports_no_numerical_library() -> None:
    code = (
        "import sys; from agentnas.tools.tasks import task_names; names = task_names();"
        "assert len(set(names)) == len(names) and {'cora', 'mutag', 'usair'} <= set(names) and 'nasbench:arxiv' in names, names;"
        "assert not {'numpy', 'scipy', 'torch', 'sklearn', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})


def test_loading_a_task_imports_no_torch(data_dir: Path) -> None:
    code = (
        "import sys; from agentnas.tools.tasks import load_task, make_card; make_card(load_task('cora', data_dir=sys.argv[1]));"
        "assert not {'torch', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(data_dir)], check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize("name", tasks.__all__)
def test_public_names_resolve(name: str) -> None:
    assert getattr(tasks, name) is not None


def test_other_names_do_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'load_tusk'"):
        _ = tasks.load_tusk
