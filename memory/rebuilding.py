"""Building the store anew: for another embedder, or from what can be read of a broken one, its copy of what was added, and the runs."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from agentnas.memory import chroma
from agentnas.memory.cards import PaperCard
from agentnas.memory.codec import TaskRecord, read
from agentnas.memory.embedding import Embedder
from agentnas.memory.keeping import Reconciled, reconcile
from agentnas.memory.lock import store_lock
from agentnas.memory.portable import COPY_FILE, import_lines
from agentnas.memory.records import FindingRecord, TrialRecord
from agentnas.memory.shelf import BATCH, CHROMA_FOLDER, LOCK_FILE, MARK_FILE, NAMES, PREFIX, STATE_FILE, WRITER_PATIENCE_S, Data, Name
from agentnas.memory.store import Store
from agentnas.tools.errors import StoreError

MODELS: dict[Name, Any] = {"trials": TrialRecord, "findings": FindingRecord, "papers": PaperCard, "tasks": TaskRecord}


class Rebuilt(NamedTuple):
    """What was kept of each collection, what could not be read and why, where the broken files lie now, and which runs were added."""

    kept: dict[str, int]
    lost: dict[str, str]
    set_aside: Path | None
    runs: Reconciled


class _Salvaged(NamedTuple):
    rows: dict[Name, dict[str, Data]]
    problems: dict[str, str]


def reindex(place: str, embedder: Embedder, runs_dir: Path) -> Rebuilt:
    """Fill the store anew with this embedder's vectors. Of a broken one, what can be read is kept and its files are set aside."""
    if chroma.is_url(place):
        salvaged, aside = _salvage(place, Path()), None
        _clear_server(place)
    else:
        salvaged, aside = _take_out(Path(place))
    store = Store(place, embedder)
    try:
        kept = _put_back(store, salvaged)
        runs = reconcile(store, runs_dir)
    finally:
        store.close()
    if aside is not None and not salvaged.problems:
        shutil.rmtree(aside)
        aside = None
    return Rebuilt(kept, salvaged.problems, aside, runs)


def _take_out(folder: Path) -> tuple[_Salvaged, Path | None]:
    """Read what can be read, then move Chroma's files aside; also those of a rebuilding that was killed."""
    folder.mkdir(parents=True, exist_ok=True)
    with store_lock(folder / LOCK_FILE, exclusive=True, patience_s=WRITER_PATIENCE_S):
        found = _Salvaged({}, {})
        earlier = sorted(folder.glob(f"{CHROMA_FOLDER}.old-*"))
        current = [folder / CHROMA_FOLDER] if (folder / CHROMA_FOLDER).exists() else []
        for old in (*earlier, *current):
            salvaged = _salvage(str(old), old)
            for name, rows in salvaged.rows.items():
                found.rows.setdefault(name, {}).update(rows)
            found.problems.update(salvaged.problems)
        aside = _move_aside(folder) if current else None
        for file in (STATE_FILE, MARK_FILE):
            (folder / file).unlink(missing_ok=True)
        return found, aside


def _move_aside(folder: Path) -> Path:
    paths = (folder / f"{CHROMA_FOLDER}.old-{number}" for number in itertools.count(1))
    aside = next(path for path in paths if not path.exists())
    return (folder / CHROMA_FOLDER).rename(aside)


def _salvage(place: str, folder: Path) -> _Salvaged:
    """The records of every collection that can be read, whatever embedder made their vectors."""
    try:
        client = chroma.call(place, lambda: chroma.connect(place, folder))
    except StoreError as error:
        return _Salvaged({}, {"everything": str(error)})
    rows: dict[Name, dict[str, Data]] = {}
    problems: dict[str, str] = {}
    for name in NAMES:
        try:
            rows[name] = dict(_rows(client, place, name))
        except StoreError as error:
            problems[name] = str(error)
    chroma.disconnect(client, place)
    return _Salvaged(rows, problems)


def _rows(client: Any, place: str, name: Name) -> Iterator[tuple[str, Data]]:
    known = chroma.call(place, lambda: [collection.name for collection in client.list_collections()])
    if PREFIX + name not in known:
        return
    collection = chroma.call(place, lambda: client.get_collection(PREFIX + name, embedding_function=None))
    for start in itertools.count(0, BATCH):
        page = chroma.call(place, lambda at=start: collection.get(limit=BATCH, offset=at, include=["metadatas"]))  # type: ignore[misc]
        yield from zip(page["ids"], page["metadatas"], strict=True)
        if len(page["ids"]) < BATCH:
            return


def _clear_server(place: str) -> None:
    client = chroma.call(place, lambda: chroma.connect(place, Path()))
    for name in NAMES:
        known = [collection.name for collection in chroma.call(place, client.list_collections)]
        if PREFIX + name in known:
            chroma.call(place, lambda n=name: client.delete_collection(PREFIX + n))  # type: ignore[misc]
    chroma.disconnect(client, place)


def _put_back(store: Store, salvaged: _Salvaged) -> dict[str, int]:
    kept: dict[str, int] = {}
    copy = store.shelf.folder / COPY_FILE
    if salvaged.problems and copy.exists():
        lines = copy.read_text(encoding="utf-8").splitlines()
        copy.unlink()  # the import writes it again
        import_lines(store, lines, str(copy))
    for name, rows in salvaged.rows.items():
        sound = {id_: data for id_, data in rows.items() if _is_sound(name, data)}
        if len(sound) < len(rows):
            salvaged.problems[name] = f"{len(rows) - len(sound)} of {len(rows)} records cannot be read"
        store.put_rows(name, sound)
        kept[name] = len(sound)
    return kept


def _is_sound(name: Name, data: Data) -> bool:
    try:
        return name not in MODELS or read(data, MODELS[name]) is not None
    except StoreError:
        return False
