"""Commands of the command line, called from a conversation: the same code, what it prints caught."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

from agentnas.tools.errors import AgentNASError, UsageError


class Printed(NamedTuple):
    """Data and talk of a command."""

    out: str
    err: str

    @property
    def text(self) -> str:
        """Both, the data first."""
        return "\n".join(part for part in (self.out.rstrip(), self.err.rstrip()) if part)


def call(*words: str) -> Printed:
    """Run a command in this process. Raises AgentNASError as the command does, and KeyboardInterrupt for Ctrl-C."""
    import typer

    from agentnas.cli.shell import root

    out, err = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = root().main(list(words), prog_name="agentnas", standalone_mode=False)
    except typer.TyperException as error:
        raise UsageError(error.format_message()) from None
    except typer.Abort:
        raise KeyboardInterrupt from None
    if code:
        raise AgentNASError((err.getvalue().strip() or out.getvalue().strip() or f"agentnas {words[0]} ended with {code}").splitlines()[-1])
    return Printed(out.getvalue(), err.getvalue())


def flag(name: str, value: object) -> Iterator[str]:
    """The words of a flag; none where the value is None, one flag for each of a list."""
    for one in value if isinstance(value, (list, tuple)) else () if value is None else (value,):
        yield f"--{name.replace('_', '-')}"
        yield str(one)
