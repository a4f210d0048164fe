"""Which jobs may share a device: small ones run side by side, one that leaves no room for others runs alone. No torch here."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Collection
from dataclasses import dataclass, field

SHARE = 0.9  # of a device's memory that jobs may be planned for; the rest is fragmentation and other people's
CONTEXT_MIB = 700.0  # what a process on a device takes before it trains anything
MOST_ON_DEVICE = 4  # processes; measured on graphs of Cora's size (docs/gpu.md): with 8 they wait for each other
TYPICAL_MIB = 500.0  # of a candidate on graphs that leave room for others


@dataclass(frozen=True)
class Need:
    """What a job asks of a device: ``mib`` as predicted (None: unknown, taken as nothing), or all of it (``alone``)."""

    mib: float | None = None
    alone: bool = False


@dataclass
class Placement:
    """Rules for devices; ``capacity_mib`` is what each device's memory holds, as its workers report it."""

    capacity_mib: dict[str, float] = field(default_factory=dict)

    def fits(self, device: str, need: Need, running: Collection[Need], workers: int) -> bool:
        """Whether a job may start on a device where ``running`` jobs run and ``workers`` processes live.

        Alone on a device everything may start: whether it fits is seen then.
        """
        if not running:
            return True
        if need.alone or any(other.alone for other in running):
            return False
        if device not in self.capacity_mib:
            return True
        taken = sum(other.mib or 0.0 for other in running)
        return taken + (need.mib or 0.0) <= SHARE * self.capacity_mib[device] - workers * CONTEXT_MIB


def workers_on(capacity_mib: float | None, cores: int, typical_mib: float = TYPICAL_MIB) -> int:
    """Processes that a device is shared by, where a typical job takes so many MiB: at least one, at most one a core.

    ``capacity_mib``: what the device's memory holds; None: unknown, taken as enough.
    """
    most = max(1, min(cores, MOST_ON_DEVICE))
    return most if capacity_mib is None else max(1, min(most, int(SHARE * capacity_mib // (CONTEXT_MIB + typical_mib))))


def smallest_device_mib() -> float | None:
    """Memory of the machine's smallest CUDA device, as the driver's own program tells; None where it does not. Makes no CUDA context."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
        out = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
        return min(float(line) for line in out.split())
    return None
