"""The transcripts of docs/own-walkthrough.md: read from the page for the test, and made anew.

``python -m tests.walkthrough docs/own-walkthrough.md`` makes the folders, runs every command of the page in order, and writes what it said.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.newcomers import FOLDERS

BLOCK = re.compile(r"```console\n\$ agentnas ([^\n]*)\n(.*?)```", re.DOTALL)
TALK = ("reading...", "reading data and memory")


def commands(page: str) -> list[tuple[list[str], str]]:
    """Words and output of every command of the page, in order."""
    return [(shlex.split(found[1]), found[2]) for found in BLOCK.finditer(page)]


def renewed(page: str, said: Callable[[list[str]], str]) -> str:
    """The page with what each command says now."""

    def block(found: re.Match[str]) -> str:
        return f"```console\n$ agentnas {found[1]}\n{said(shlex.split(found[1]))}```"

    return BLOCK.sub(block, page)


def _said(folder: Path) -> Callable[[list[str]], str]:
    def said(words: list[str]) -> str:
        program = [sys.executable, "-m", "agentnas.cli", *words]
        done = subprocess.run(program, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return "".join(line + "\n" for line in done.stdout.splitlines() if line not in TALK)

    return said


if __name__ == "__main__":
    path = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as made:
        for name, make in FOLDERS.items():
            make(Path(made) / name)
        path.write_text(renewed(path.read_text(encoding="utf-8"), _said(Path(made))), encoding="utf-8")
