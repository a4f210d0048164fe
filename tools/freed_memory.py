"""What becomes of memory that a training frees: GNU's C library can be told; with other C libraries all stays as it is. No torch here."""

from __future__ import annotations

import ctypes
from contextlib import suppress

from agentnas.tools.room import MIB

# Options of mallopt(3).
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
NODES_MAPPED = 200_000


def keep_freed_memory() -> None:
    """Have the C library keep what a training step frees, which the next step takes again.

    Otherwise large tensors are given back to the kernel at each step and come back as pages that it has to clear: a third of an epoch of
    attention over a quarter of a million edges. ``give_back_freed_memory`` gives everything back between jobs.
    """
    _set({TRIM_THRESHOLD: 2**31 - 1, MMAP_THRESHOLD: 256 * MIB, TOP_PAD: 64 * MIB})


def map_large_blocks(num_nodes: int) -> None:
    """On a large graph, from ``NODES_MAPPED`` on, let each block above 8 MiB be given back at once all the same.

    Blocks that are mapped anew cost time, which on small graphs, where they could be taken from the heap, doubles an epoch.
    """
    if num_nodes >= NODES_MAPPED:
        _set({MMAP_THRESHOLD: 8 * MIB})


def give_back_freed_memory() -> None:
    """Give the kernel what was kept."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _set(options: dict[int, int]) -> None:
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        for option, size in options.items():
            library.mallopt(option, size)
