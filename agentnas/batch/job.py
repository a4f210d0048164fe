"""The process of one job: ``python -m agentnas.batch.job FOLDER ATTEMPT LOCK-FD design ...`` is ``agentnas design ...``, with its exit code
left in a file for a batch that may have died meanwhile."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from agentnas.batch.process import exit_file, sign
from agentnas.cli import main as command_line
from agentnas.memory.rundir import write_atomic


def main(args: Sequence[str]) -> int:
    """Run the command, and leave its exit code behind."""
    folder, attempt, lock = Path(args[0]), int(args[1]), int(args[2])
    os.set_inheritable(lock, False)  # ours, not that of the workers: they end a moment after us
    sign(lock, os.getpid())
    code = command_line(args[3:])
    write_atomic(exit_file(folder, attempt), str(code).encode())
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
