"""The folder of operators that misbehave, for the modules that ask for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tools.candidates import write_operators


@pytest.fixture(scope="module")
def bad_operators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The operators of ``tests.tools.candidates`` beside the built-in ones, for a whole module."""
    folder = tmp_path_factory.mktemp("operators")
    write_operators(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTNAS_OPERATORS", str(folder))
        yield
