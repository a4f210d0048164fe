"""How many workers a run has, by the device that it gets."""

from __future__ import annotations

import os

import pytest
import torch

from agentnas.api import workers_of
from agentnas.config import Config
from agentnas.tools.errors import ConfigError


@pytest.fixture
def three_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)


@pytest.fixture
def no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture(autouse=True)
def five_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(5)), raising=False)


@pytest.mark.usefixtures("three_devices")
@pytest.mark.parametrize(("device", "workers"), [("cpu", 5), ("auto", 1), ("cuda:2", 1), ("cuda", 3)])
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
