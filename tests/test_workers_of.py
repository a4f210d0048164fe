"""How many workers a run has, by the device that it gets."""

from __future__ import annotations

import os

import pytest
import torch

from agentnas.config import Config
from agentnas.executing import workers_of
from agentnas.tools import placement
from agentnas.tools.errors import ConfigError


@pytest.fixture
def three_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)


@pytest.fixture
def no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture(autouse=True)
def smallest(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """What the driver tells of the smallest device's memory, in MiB."""
    told: list[float | None] = [80_000.0]
    monkeypatch.setattr(placement, "smallest_device_mib", lambda: told[0])
    return told


@pytest.fixture(autouse=True)
def five_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(5)), raising=False)


@pytest.mark.usefixtures("three_devices")
@pytest.mark.parametrize(("device", "workers"), [("cpu", 5), ("auto", 4), ("cuda:2", 4), ("cuda", 3)])
def test_with_devices(device: str, workers: int) -> None:
    assert workers_of(Config(task="digits", device=device)) == workers


@pytest.mark.usefixtures("no_device")
def test_without_devices() -> None:
    assert workers_of(Config(task="digits", device="auto")) == 5
    with pytest.raises(ConfigError, match="device 'cuda' is not there"):
        workers_of(Config(task="digits", device="cuda"))


@pytest.mark.usefixtures("three_devices")
def test_as_asked() -> None:
    assert workers_of(Config(task="digits", device="auto", workers=7)) == 7


@pytest.mark.usefixtures("no_device")
def test_a_table_does_not_ask_for_the_device() -> None:
    assert workers_of(Config(task="nasbench:cora", device="cuda")) == 5


@pytest.mark.usefixtures("three_devices")
@pytest.mark.parametrize(("mib", "workers"), [(2_000.0, 1), (4_096.0, 3), (None, 4)])
def test_small_devices_are_shared_by_fewer(smallest: list[float | None], mib: float | None, workers: int) -> None:
    smallest[0] = mib
    assert workers_of(Config(task="digits", device="cuda:1")) == workers
