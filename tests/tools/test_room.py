"""Memory that may still be taken, with and without a container's limit."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from agentnas.tools.room import MIB, available_mib, container_mib, gib


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)
    return folder


def test_without_a_limit_the_machine_counts(tmp_path: Path) -> None:
    assert container_mib(tmp_path) is None
    write(tmp_path, memory_max="max\n", memory_current="1000\n")
    assert container_mib(tmp_path) is None
    assert available_mib(tmp_path) == pytest.approx(psutil.virtual_memory().available / MIB, rel=0.2)


def test_a_container_leaves_its_limit_less_what_it_uses_and_cannot_drop(tmp_path: Path) -> None:
    write(tmp_path, memory_max=f"{100 * MIB}\n", memory_current=f"{70 * MIB}\n", memory_stat=f"anon 5\ninactive_file {20 * MIB}\n")
    assert container_mib(tmp_path) == 50.0
    assert available_mib(tmp_path) == 50.0


def test_the_first_version_of_control_groups(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    folder.mkdir()
    (folder / "memory.usage_in_bytes").write_text(str(40 * MIB))
    (folder / "memory.limit_in_bytes").write_text(str(2**63 - 4096))
    assert container_mib(tmp_path) is None
    (folder / "memory.limit_in_bytes").write_text(str(64 * MIB))
    assert container_mib(tmp_path) == 24.0


def test_sizes_in_words() -> None:
    assert (gib(640.4), gib(12_595.2)) == ("640 MiB", "12.3 GiB")
