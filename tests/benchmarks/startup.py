"""How long ``agentnas --help`` takes, from the start of the process to its end, beside a bare Python."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

REPEATS = 20
LIMIT_MS = 300.0


def milliseconds(*command: str) -> float:
    """Median wall time of a command; the first call, which compiles, is not counted."""
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[1:])


def main() -> int:
    """Print the two times; 1 if the command is slower than it may be."""
    bare, shown = milliseconds("-c", "pass"), milliseconds("-m", "agentnas.cli", "--help")
    print(f"python             {bare:6.0f} ms\nagentnas --help    {shown:6.0f} ms   (limit {LIMIT_MS:.0f} ms)")
    return int(shown > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
