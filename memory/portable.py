"""Memory as JSON Lines: every record with its kind, one a line; and forgetting.

``{"kind": "trial", ...}``, and likewise finding, task, card (added ones; those that ship need not travel) and run (what it was made to
forget). An export that is imported gives the same memory, under any embedder. What no journal holds (added cards, imported records, what
was forgotten) is also kept as such lines in the store's folder, from which ``memory.rebuilding`` brings it back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from agentnas.memory.cards import PaperCard, shipped_cards
from agentnas.memory.codec import TaskRecord
from agentnas.memory.records import FindingRecord, TrialRecord
from agentnas.memory.rundir import write_atomic
from agentnas.memory.shelf import Data, Name
from agentnas.memory.store import EVERYTHING, RunMark, Store
from agentnas.tools.errors import DataError, StoreError, UsageError, suggest

KINDS: dict[str, type[BaseModel]] = {"task": TaskRecord, "finding": FindingRecord, "trial": TrialRecord, "card": PaperCard}
COLLECTIONS: dict[str, Name] = {"task": "tasks", "finding": "findings", "trial": "trials", "card": "papers"}
COPY_FILE = "added.jsonl"
LEARNT: tuple[Name, Name] = ("trials", "findings")


def export_lines(store: Store) -> Iterator[str]:
    """The memory's lines: the same memory gives the same lines."""
    with store.shelf.reading():
        for kind, name in COLLECTIONS.items():
            rows = store.shelf.get(name)
            for data in rows.values():
                if not data.get("shipped"):
                    yield json.dumps({"kind": kind, **json.loads(data["record"])}, ensure_ascii=False)
    for mark in store.marks().values():
        if mark.forgotten:
            yield json.dumps({"kind": "run", "id": mark.run, "forgotten": sorted(mark.forgotten)})


def import_lines(store: Store, lines: Iterable[str], where: str) -> dict[str, int]:
    """Add exported lines; how many of each kind. Raises DataError naming ``where`` and the line; then nothing of this file was written."""
    given = [line for line in lines if line.strip()]
    found = [_parsed(line, f"{where}:{number}") for number, line in enumerate(given, start=1)]
    of: dict[str, list[Any]] = {kind: [record for its, record in found if its == kind] for kind in (*KINDS, "run")}
    with store.shelf.writing():
        store.add_cards(of["card"])
        store.put(of["trial"], of["finding"], of["task"])
        for mark in of["run"]:
            store.mark(store.mark_of(mark.run).forgetting(mark.forgotten))
        keep_copy(store, given)
    return {kind: len(records) for kind, records in of.items()}


def add_cards(store: Store, cards: Sequence[PaperCard]) -> None:
    """Add paper cards, and keep a copy; one whose id is known replaces the old one. Raises DataError for the id of a shipped card."""
    with store.shelf.writing():
        store.add_cards(cards)
        keep_copy(store, [json.dumps({"kind": "card", **card.model_dump(mode="json")}, ensure_ascii=False) for card in cards])


def _parsed(line: str, where: str) -> tuple[str, Any]:
    try:
        data = json.loads(line)
        kind = data.pop("kind")
    except (ValueError, AttributeError, KeyError, TypeError):
        raise DataError(f'{where}: not a line of an exported memory: {line.strip()[:60]!r}; allowed: {{"kind": ..., ...}}') from None
    if kind == "run":
        return kind, _forgotten(data, where)
    if kind not in KINDS:
        raise DataError(f"{where}: kind {kind!r} does not exist; {suggest(str(kind), [*KINDS, 'run'])}")
    try:
        return kind, KINDS[kind].model_validate(data)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = ".".join(map(str, problem["loc"]))
        raise DataError(f"{where}: {kind}: {field}: {problem['msg']}: {str(problem['input'])[:60]!r}") from None


def _forgotten(data: Any, where: str) -> RunMark:
    try:
        return RunMark(str(data["id"]), 0, frozenset(map(str, data["forgotten"])))
    except (KeyError, TypeError):
        raise DataError(f"{where}: run: needs id and forgotten, got {str(data)[:60]!r}") from None


class Forgotten(NamedTuple):
    """How many records of each kind went."""

    trials: int
    findings: int
    cards: int

    def __bool__(self) -> bool:
        return any(self)


def forget_run(store: Store, run: str) -> Forgotten:
    """Forget a run for good: it does not come back from its journal."""
    with store.shelf.writing():
        gone = [_delete(store, name, {"run": run}) for name in LEARNT]
        if any(gone):
            _forget_for_good(store, run, EVERYTHING)
    return Forgotten(len(gone[0]), len(gone[1]), 0)


def forget_task(store: Store, task: str) -> Forgotten:
    """Forget what all runs so far learnt on a task, for good; later runs are remembered."""
    with store.shelf.writing():
        gone = [_delete(store, name, {"task": task}) for name in LEARNT]
        for run in sorted({id_.rpartition("/")[0] for ids in gone for id_ in ids}):
            _forget_for_good(store, run, EVERYTHING)
        _delete(store, "tasks", {"task": task})
    return Forgotten(len(gone[0]), len(gone[1]), 0)


def forget_id(store: Store, id: str) -> Forgotten:  # noqa: A002  # the field's own name
    """Forget one piece of evidence, ``trial:...``, ``finding:...`` or ``card:...``, for good."""
    kind, _, name = id.partition(":")
    if kind not in ("trial", "finding", "card"):
        raise UsageError(f"{id!r} is no id of evidence; allowed: trial:RUN/ID, finding:RUN/ID, card:ID")
    if kind == "card" and name in shipped_cards():
        raise UsageError(f"card {name!r} ships with AgentNAS and cannot be forgotten")
    with store.shelf.writing():
        known = sorted(store.shelf.get(COLLECTIONS[kind], [name]))
        store.shelf.delete(COLLECTIONS[kind], known)
        if known and kind != "card":
            _forget_for_good(store, name.rpartition("/")[0], name)
        if kind == "card":
            _drop_copy(store, name)
    return Forgotten(*(len(known) * (kind == its) for its in ("trial", "finding", "card")))


def _forget_for_good(store: Store, run: str, what: str) -> None:
    if run:  # a record without a run has no journal to come back from
        store.mark(store.mark_of(run).forgetting([what]))
        keep_copy(store, [json.dumps({"kind": "run", "id": run, "forgotten": [what]})])


def keep_copy(store: Store, lines: Iterable[str]) -> None:
    """Add lines to the copy of what no journal holds; a server keeps its own."""
    if not store.shelf.is_server:
        path = store.shelf.folder / COPY_FILE
        try:
            with path.open("a", encoding="utf-8") as file:
                file.writelines(f"{line.strip()}\n" for line in lines if line.strip())
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}") from None


def _drop_copy(store: Store, card: str) -> None:
    path = store.shelf.folder / COPY_FILE
    if not store.shelf.is_server and path.exists():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if not (line and (data := json.loads(line))["kind"] == "card" and data["id"] == card)]
        write_atomic(path, "".join(f"{line}\n" for line in kept).encode())


def _delete(store: Store, name: Name, where: Data) -> list[str]:
    ids = sorted(store.shelf.get(name, where=where))
    store.shelf.delete(name, ids)
    return ids
