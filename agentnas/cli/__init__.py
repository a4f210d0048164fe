"""The command line: ``main`` is its one edge; each command is one file, loaded when it is called.

Every expected error ends as one line on stderr and its exit code: 0 a design was found; 1 it ran and failed; 2 usage; 3 no design met
the constraints; 4 configuration or credentials; 5 the budget ended before any result; 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import typer

from agentnas.cli.output import Advice
from agentnas.cli.shell import root
from agentnas.tools.errors import AgentNASError

INTERRUPTED = 130
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


def main(args: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    try:
        return root().main(args, prog_name="agentnas", standalone_mode=False) or 0
    except AgentNASError as error:
        return _fail(str(error), error.exit_code, error)
    except typer.TyperException as error:
        return _fail(f"{error.format_message()}{_hint(error)}", error.exit_code, error)
    except (typer.Abort, KeyboardInterrupt) as error:
        return _fail("interrupted", INTERRUPTED, error)
    # The edge: what nobody expected still ends as one line, and its traceback is kept where a report of it can find it.
    except Exception as error:  # noqa: BLE001
        return _fail(_unexpected(error), 1, error)


def _fail(message: str, code: int, error: BaseException) -> int:
    """The error's line, then what to do about it as its last: ``Advice`` among its notes; libraries leave notes of their own."""
    typer.echo(f"agentnas: error: {' '.join(message.split())}", err=True)
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, Advice):
            typer.echo(note, err=True)
    return code


def _hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f" (see {context.command_path} --help)" if context else ""


def _unexpected(error: Exception) -> str:
    text = "".join(traceback.format_exception(error))
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return f"cannot write {error.filename or 'the output'}: {error.strerror}; make room, then call the command again"
    name = f"unexpected {type(error).__name__}: {error}"
    if os.environ.get("AGENTNAS_DEBUG") == "1":
        typer.echo(text, err=True)
        return name
    return f"{name}; {_kept(text)}; AGENTNAS_DEBUG=1 shows it here"


def _kept(text: str) -> str:
    """Write the traceback to the first folder that takes it, and say where it is."""
    for folder in (_log_folder(), Path(tempfile.gettempdir())):
        path = folder / f"agentnas-error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{' '.join(sys.argv)}\n\n{text}", encoding="utf-8")
        except OSError:
            continue
        return f"the traceback is in {path}"
    return "the traceback could not be written"


def _log_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_log_dir("agentnas", appauthor=False))
