"""How much memory this process may still take: the machine's, and the container's where there is a limit. No torch here."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

MIB = 2**20
CGROUP = Path("/sys/fs/cgroup")
_UNLIMITED = 2**60  # the first version of cgroups writes a number near 2**63 for no limit


def available_mib(cgroup: Path = CGROUP) -> float:
    """MiB that can be taken without swapping: what the system calls available, and what a container's limit leaves (Linux)."""
    import psutil

    machine = float(psutil.virtual_memory().available) / MIB
    left = container_mib(cgroup)
    return machine if left is None else min(machine, left)


def container_mib(cgroup: Path = CGROUP) -> float | None:
    """MiB that the control group's limit leaves, files that can be dropped from memory counted as free; None without a limit."""
    for limit, used, dropped in (
        ("memory.max", "memory.current", "memory.stat"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
    ):
        with suppress(OSError, ValueError):
            most = int((cgroup / limit).read_text())  # "max" is no number: no limit
            if most < _UNLIMITED:
                return max(0.0, most - int((cgroup / used).read_text()) + _inactive_files(cgroup / dropped)) / MIB
    return None


def _inactive_files(path: Path) -> int:
    with suppress(OSError, ValueError):
        lines = (line.split() for line in path.read_text().splitlines())
        return next((int(value) for name, value in lines if name in ("inactive_file", "total_inactive_file")), 0)
    return 0


def gib(mib: float) -> str:
    """``12.3 GiB``; ``640 MiB`` below one."""
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{mib:.0f} MiB"
