"""``import agentnas``: its face, and how little it costs."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import agentnas


def test_the_face_of_the_package() -> None:
    assert inspect.signature(agentnas.design).return_annotation in (agentnas.Run, "Run")
    assert set(agentnas.__all__) == {"Run", "__version__", "design"}


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'agentnas' has no attribute 'desing'"):
        _ = agentnas.desing


def test_importing_it_imports_nothing_else() -> None:
    program = "import sys; before = set(sys.modules); import agentnas; print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - sys.stdlib_module_names == {"agentnas"}
