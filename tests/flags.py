"""Commands of benchmarks that are given what they cannot take."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest


def refusal(main: Callable[[Sequence[str]], int], flags: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit status of a command that does not take its flags, and what it said."""
    try:
        code = main(flags)
    except SystemExit as stop:
        code = int(stop.code or 0)
    return code, capsys.readouterr().err
