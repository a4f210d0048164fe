"""Five Chroma collections in one folder, or on a server, and what makes them safe: locks, generations, the check after a killed writer.

Embedded Chroma takes one process at a time for writing, and a client that stays open does not see what others wrote. So each use holds the
folder's lock, shared or exclusive, for as long as it takes; every write raises the generation in ``memory.json``, and a client of an
older generation is opened anew. A writer leaves a mark while it writes: who finds it left behind checks every collection, and builds the
index of a torn one anew from its records, which lie in SQLite's transactions.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from agentnas.memory import chroma
from agentnas.memory.embedding import Vectors
from agentnas.memory.lock import store_lock
from agentnas.memory.rundir import write_atomic
from agentnas.tools.errors import ConfigError, RunError, StoreError

Name = Literal["trials", "findings", "papers", "tasks", "runs"]
Data = Mapping[str, Any]
NAMES: tuple[Name, ...] = ("trials", "findings", "papers", "tasks", "runs")
SCHEMA_VERSION = 1
STATE_FILE, LOCK_FILE, MARK_FILE, CHROMA_FOLDER = "memory.json", "lock", "writing", "chroma"
PREFIX = "agentnas-"
BATCH = 2000
PROBES = 32  # vectors of a collection that are looked up when it is checked
WRITER_PATIENCE_S, READER_PATIENCE_S = 60.0, 20.0
# How many neighbours are kept and how widely is searched: see tests/benchmarks/memory.py for what that finds of the exact answer.
HNSW = {"space": "l2", "ef_construction": 128, "ef_search": 128, "max_neighbors": 24, "sync_threshold": 1000}


class Item(NamedTuple):
    """One record: its id, its vector, and what is kept with it (strings, numbers, booleans)."""

    id: str
    vector: Vectors
    data: Data


class Layout(NamedTuple):
    """How records become vectors: the embedder's name, the vectors' lengths, and the function from kept data to vectors."""

    embedder: str
    dimensions: Mapping[Name, int]
    vectors: Callable[[Name, Sequence[Data]], Vectors]


class Shelf:
    """See the module's docstring. ``place`` is a folder, or ``http://HOST:PORT`` of a Chroma server.

    Raises ConfigError for a store that another embedder filled, StoreError for one that cannot be used: corrupt, of a newer schema, away,
    or in use for too long. ``repaired`` names the collections whose index had to be built anew.
    """

    def __init__(self, place: str, layout: Layout) -> None:
        self.place, self.layout = place, layout
        self.is_server = chroma.is_url(place)
        self.folder = Path(place)
        self.repaired: list[str] = []
        self._client: Any = None
        self._collections: dict[str, Any] = {}
        self._generation = -1
        self._held: Literal["read", "write"] | None = None
        is_new = not self.is_server and not read_state(self.folder)
        with self.writing() if is_new else self.reading():
            pass  # opens, checks, and creates a new one

    @property
    def generation(self) -> int:
        """Grows with every write; always -1 for a server, of which nobody knows who writes."""
        return self._generation

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is read inside is one state of the store. May be nested, also in ``writing``."""
        if self._held:
            yield
            return
        if self.is_server:
            self._connect()
            yield
            return
        _make_folder(self.folder)
        with ExitStack() as stack:
            stack.enter_context(store_lock(self.folder / LOCK_FILE, exclusive=False, patience_s=READER_PATIENCE_S))
            if (self.folder / MARK_FILE).exists():  # a writer was killed, and the check needs the writer's lock
                stack.close()
                stack.enter_context(self.writing())
            else:
                self._refresh()
            stack.enter_context(self._holding("read"))
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """What is written inside is seen by everybody afterwards. May be nested; not inside ``reading``."""
        if self._held == "write":
            yield
            return
        assert self._held is None, "a reader's lock cannot become a writer's"
        if self.is_server:
            self._connect()
            yield
            return
        _make_folder(self.folder)
        with store_lock(self.folder / LOCK_FILE, exclusive=True, patience_s=WRITER_PATIENCE_S):
            mark = self.folder / MARK_FILE
            left_behind = mark.exists()
            self._refresh()
            _touch(mark)
            if left_behind:
                self._check()
            with self._holding("write"):
                yield
            self._generation += 1
            self._write_state()
            mark.unlink(missing_ok=True)

    @contextmanager
    def _holding(self, lock: Literal["read", "write"]) -> Iterator[None]:
        before, self._held = self._held, self._held or lock
        try:
            yield
        finally:
            self._held = before

    def upsert(self, name: Name, items: Sequence[Item]) -> None:
        """Write records, inside ``writing``; one whose id is known replaces it, and of an id given twice the last counts."""
        for batch in _batches(list({item.id: item for item in items}.values())):
            self._call(self._collections[name].upsert, ids=[item.id for item in batch],
                       embeddings=np.stack([item.vector for item in batch]), metadatas=[dict(item.data) for item in batch])  # fmt: skip

    def delete(self, name: Name, ids: Sequence[str]) -> None:
        """Remove records, inside ``writing``; ids that are not there are no error."""
        for batch in _batches(ids):
            self._call(self._collections[name].delete, ids=list(batch))

    def get(self, name: Name, ids: Sequence[str] | None = None, where: Data | None = None, limit: int | None = None) -> dict[str, Data]:
        """What is kept with records: of these ids, of those that fit ``where``, or of all; in the order of their ids, some if limited."""
        found: dict[str, Data] = {}
        for page in self._pages(name, include=["metadatas"], ids=ids, where=where, size=min(BATCH, limit or BATCH)):
            found |= zip(page["ids"], page["metadatas"], strict=True)
            if limit is not None and len(found) >= limit:
                break
        return dict(sorted(found.items()))

    def nearest(self, name: Name, vectors: Vectors, count: int, where: Data | None = None) -> list[list[tuple[str, Data]]]:
        """For each row of ``vectors`` the nearest records, nearest first; fewer where the collection holds fewer."""
        answer = self._call(self._collections[name].query, query_embeddings=vectors, n_results=count, where=where, include=["metadatas"])
        return [list(zip(ids, data, strict=True)) for ids, data in zip(answer["ids"], answer["metadatas"], strict=True)]

    def count(self, name: Name) -> int:
        """Records in a collection."""
        return int(self._call(self._collections[name].count))

    def rebuild(self, name: Name) -> None:
        """Build a collection's index anew from its records, inside ``writing``."""
        records = list(self.get(name).items())
        self._call(self._client.delete_collection, PREFIX + name)
        self._collections[name] = self._collection(name)
        for batch in _batches(records):
            vectors = self.layout.vectors(name, [data for _, data in batch])
            self.upsert(name, [Item(id_, vector, data) for (id_, data), vector in zip(batch, vectors, strict=True)])

    def close(self) -> None:
        """Free the client; it is opened anew when it is needed."""
        if self._client is not None:
            chroma.disconnect(self._client, self.place)
        self._client, self._collections, self._generation = None, {}, -1

    def _pages(
        self, name: Name, *, include: list[str], ids: Sequence[str] | None = None, where: Data | None = None, size: int = BATCH
    ) -> Iterator[Any]:  # fmt: skip
        collection = self._collections[name]
        if ids is not None:
            for batch in _batches(ids):
                yield self._call(collection.get, ids=list(batch), include=include)
            return
        for start in itertools.count(0, size):
            page = self._call(collection.get, where=where, limit=size, offset=start, include=include)
            yield page
            if len(page["ids"]) < size:
                return

    def _refresh(self) -> None:
        """Open the client, or open it anew where somebody else wrote since."""
        state = read_state(self.folder)
        require_fit(self.place, state, self.layout.embedder)
        if self._client is not None and state.get("generation") == self._generation:
            return
        self.close()
        self._client = self._call(chroma.connect, self.place, self.folder / CHROMA_FOLDER)
        self._open_collections()
        self._generation = state.get("generation", 0)
        if not state:
            self._write_state()

    def _connect(self) -> None:
        if self._client is None:
            self._client = self._call(chroma.connect, self.place, self.folder)
            self._open_collections()

    def _open_collections(self) -> None:
        self._collections = {name: self._collection(name) for name in NAMES}

    def _collection(self, name: Name) -> Any:
        facts = {"schema_version": SCHEMA_VERSION, "embedder": self.layout.embedder, "dimension": self.layout.dimensions[name]}
        collection = self._call(self._client.get_or_create_collection, PREFIX + name, embedding_function=None, metadata=facts,
                                configuration={"hnsw": HNSW})  # fmt: skip
        require_fit(self.place, collection.metadata or {}, self.layout.embedder)
        return collection

    def _write_state(self) -> None:
        state = {"schema_version": SCHEMA_VERSION, "embedder": self.layout.embedder, "generation": self._generation}
        try:
            write_atomic(self.folder / STATE_FILE, json.dumps(state).encode())
        except RunError as error:
            raise StoreError(str(error)) from None

    def _check(self) -> None:
        """A writer was killed. Records are whole; an index may be torn."""
        for name in NAMES:
            if not self._is_sound(name):
                self.rebuild(name)
                self.repaired.append(name)

    def _is_sound(self, name: Name) -> bool:
        """Every record has a finite vector, and some of them, spread over all, are found as their own nearest."""
        try:
            pages = list(self._pages(name, include=["embeddings"]))
            vectors = [page["embeddings"] for page in pages if len(page["ids"])]
            if not vectors:
                return True
            every = np.concatenate(vectors)
            probes = every[:: max(1, len(every) // PROBES)]
            answer = self._call(self._collections[name].query, query_embeddings=probes, n_results=1, include=["distances"])
        except StoreError:
            return False
        return bool(np.isfinite(every).all()) and all(found and found[0] < 1e-5 for found in answer["distances"])

    def _call(self, action: Callable[..., Any], *given: Any, **named: Any) -> Any:
        return chroma.call(self.place, lambda: action(*given, **named))


def read_state(folder: Path) -> dict[str, Any]:
    """What ``memory.json`` says; empty for a new folder. Raises StoreError where it is damaged."""
    path = folder / STATE_FILE
    try:
        state = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; choose another place with --memory-dir") from None
    except ValueError:
        state = None
    if not isinstance(state, dict) or not isinstance(state.get("generation"), int):
        raise StoreError(
            f"{path} is damaged; agentnas memory reindex --memory-dir {folder} builds the memory anew from its records and the runs"
        )
    return state


def require_fit(place: str, facts: Data, embedder: str) -> None:
    """Raise StoreError for a store of a newer schema, ConfigError for one that another embedder filled."""
    version = facts.get("schema_version", SCHEMA_VERSION)
    if version > SCHEMA_VERSION:
        raise StoreError(f"the memory in {place} has schema version {version}, this AgentNAS reads up to {SCHEMA_VERSION}; update AgentNAS")
    if (other := facts.get("embedder", embedder)) != embedder:
        raise ConfigError(
            f"the memory in {place} was filled with the embedder {other}, this run asks for {embedder}; "
            f"agentnas memory reindex --memory-dir {place} fills it anew, or choose the old one with --embedder"
        )


def _batches(records: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (records[start : start + BATCH] for start in range(0, len(records), BATCH))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot create the memory in {folder}: {error.strerror}; choose another place with --memory-dir") from None


def _touch(mark: Path) -> None:
    try:
        mark.write_text(str(os.getpid()), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {mark}: {error.strerror}; make room, or choose another place with --memory-dir") from None
