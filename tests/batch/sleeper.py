"""A job that waits for Ctrl-C: ``python -m tests.batch.sleeper FOLDER ATTEMPT LOCK``."""

import os
import sys
import time
from pathlib import Path

from agentnas.batch.process import exit_file, sign

if __name__ == "__main__":
    folder, attempt, lock = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    sign(lock, os.getpid())
    try:
        (folder / "ready").touch()
        time.sleep(30)
    except KeyboardInterrupt:
        exit_file(folder, attempt).write_text("130", encoding="ascii")
