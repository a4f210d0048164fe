"""A job that waits for Ctrl-C: ``python -m tests.batch.sleeper FOLDER ATTEMPT LOCK``; with one more word it has a busy worker."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from agentnas.batch.process import exit_file, sign

if __name__ == "__main__":
    folder, attempt, lock = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is begun with it ignored
    sign(lock, os.getpid())
    if sys.argv[4:]:
        worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        (folder / "worker").write_text(str(worker.pid), encoding="ascii")
    try:
        (folder / "ready").touch()
        time.sleep(30)
    except KeyboardInterrupt:
        exit_file(folder, attempt).write_text("130", encoding="ascii")
