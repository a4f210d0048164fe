"""The store keeps the contract of memory in a folder and on a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentnas.memory.memory import Memory
from agentnas.memory.store import Store
from tests.memory.chroma_server import running
from tests.memory.conformance import MemoryConformance


class TestStoreInAFolder(MemoryConformance):
    @pytest.fixture
    def memory(self, fresh: Path) -> Iterator[Memory]:
        store = Store(str(fresh))
        yield store
        store.close()


class TestStoreOnAServer(MemoryConformance):
    @pytest.fixture(scope="class")
    def address(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        with running(tmp_path_factory.mktemp("server")) as server:
            yield server.address

    @pytest.fixture
    def memory(self, address: str) -> Iterator[Memory]:
        store = Store(address)
        yield store
        for name in ("trials", "findings", "tasks"):
            store.shelf.delete(name, list(store.shelf.get(name)))
        store.close()
