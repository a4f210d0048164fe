"""A batch whose jobs are short: ``python -m tests.batch.night run FILE ...`` is ``agentnas batch run FILE ...`` with quick anchors.

As a job (``python -m tests.batch.night FOLDER ATTEMPT LOCK design ...``) one in a folder called ``crashes`` dies by SIGKILL once it began.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from agentnas.batch import job, process
from agentnas.cli import main
from tests.quick import shorten

if __name__ == "__main__":
    words = sys.argv[1:]
    if words[0] in ("run", "check", "status"):
        process.PROGRAM = "tests.batch.night"
        sys.exit(main(["batch", *words]))
    if Path(words[0]).name == "crashes":
        os.kill(os.getpid(), signal.SIGKILL)
    shorten()
    sys.exit(job.main(words))
