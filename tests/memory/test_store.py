"""The store keeps the contract of memory in a folder and on a server; it stands many processes, killed writers and broken files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agentnas.memory.cards import shipped_cards
from agentnas.memory.codec import data_of
from agentnas.memory.embedding import Lexical, Vectors
from agentnas.memory.keeping import reconcile
from agentnas.memory.memory import Evidence, Memory
from agentnas.memory.portable import add_cards, export_lines, forget_id, import_lines
from agentnas.memory.rebuilding import reindex
from agentnas.memory.shelf import Item
from agentnas.memory.store import Store
from agentnas.tools.errors import ConfigError, StoreError
from tests.memory.chroma_server import running
from tests.memory.conformance import FAR, LEARNT, NEAR, Card, MemoryConformance
from tests.memory.learning import MINE, CountedCard, a_finished_run, trial


class TestStoreInAFolder(MemoryConformance):
    @pytest.fixture
    def memory(self, fresh: Path) -> Iterator[Memory]:
        store = Store(str(fresh))
        yield store
        store.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server.address


class TestStoreOnAServer(MemoryConformance):
    @pytest.fixture
    def memory(self, address: str) -> Iterator[Memory]:
        store = Store(address)
        yield store
        for name in ("trials", "findings", "tasks"):
            store.shelf.delete(name, list(store.shelf.get(name)))
        store.close()


class Mirrored(Lexical):
    """An embedder whose vectors cannot be compared with the default's."""

    name = "mirrored"

    def embed(self, texts: Sequence[str]) -> Vectors:
        return -super().embed(texts)


WRITER = """
import sys
from agentnas.memory.store import Store
from tests.memory.learning import trial
store = Store(sys.argv[1])
for start in range(0, 60, 6):
    store.add_trials([trial(f"{sys.argv[2]}/t{i:04d}", text=f"gcn x{i} {sys.argv[2]}", val=i) for i in range(start, start + 6)])
"""


def test_two_processes_write_while_a_third_reads(fresh: Path) -> None:
    reader = Store(str(fresh))
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(fresh), name]) for name in ("amber-fox", "blue-owl")]
    seen = []
    while any(writer.poll() is None for writer in writers):
        found = [e.id for e in reader.recall(None, "gcn x5 amber-fox", 9)]
        assert len(found) == 9
        seen.append(len(reader.trials_of("citeseer, public")))
        time.sleep(0.02)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen == sorted(seen), "what was written stays"
    assert len(reader.trials_of("citeseer, public")) == 120
    assert reader.get("trial:blue-owl/t0059") is not None
    assert "trial:blue-owl/t0059" in {e.id for e in reader.recall(None, "gcn x59 blue-owl", 150)}


def test_an_index_that_a_killed_writer_tore_is_built_anew(fresh: Path) -> None:
    store = Store(str(fresh))
    store.add_trials([trial(f"amber-fox/t{i:04d}", text=f"gcn width {i}", val=i) for i in range(1200)])  # enough to reach the disk
    before = store.trials_of("citeseer, public")
    store.close()
    (index,) = [path for path in (fresh / "chroma").glob("*/data_level0.bin") if path.stat().st_size > 500_000]
    os.truncate(index, 1000)
    (fresh / "writing").write_text("1")
    again = Store(str(fresh))
    assert again.shelf.repaired == ["trials"]
    assert again.trials_of("citeseer, public") == before
    assert len(_trials(again.recall(Card(), "gcn width 7", 30))) > 9
    assert not (fresh / "writing").exists()


def test_a_store_of_another_embedder_says_so_and_can_be_filled_anew(fresh: Path, tmp_path: Path) -> None:
    store = Store(str(fresh))
    store.add_trials([NEAR, FAR])
    store.add_findings([LEARNT])
    before = list(export_lines(store))
    store.close()
    with pytest.raises(ConfigError, match="was filled with the embedder lexical-1, this run asks for mirrored; agentnas memory reindex"):
        Store(str(fresh), Mirrored())
    done = reindex(str(fresh), Mirrored(), tmp_path / "runs")
    assert (done.kept["trials"], done.kept["findings"], done.kept["papers"], done.lost, done.set_aside) == (
        2,
        1,
        len(shipped_cards()),
        {},
        None,
    )
    assert list(export_lines(Store(str(fresh), Mirrored()))) == before
    assert sorted(path.name for path in fresh.iterdir()) == ["chroma", "lock", "memory.json"]


def test_a_store_of_a_newer_version_is_left_alone(fresh: Path) -> None:
    state = json.loads((fresh / "memory.json").read_text())
    (fresh / "memory.json").write_text(json.dumps({**state, "schema_version": 99}))
    with pytest.raises(StoreError, match="schema version 99, this AgentNAS reads up to 1; update AgentNAS"):
        Store(str(fresh))


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"generation": "x"}'])
def test_a_damaged_state_file_is_one_line(fresh: Path, content: bytes) -> None:
    (fresh / "memory.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"memory\.json is damaged; agentnas memory reindex"):
        Store(str(fresh))


def test_of_a_corrupt_store_nothing_is_lost(fresh: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    run = a_finished_run(runs)
    store = Store(str(fresh))
    reconcile(store, runs)
    add_cards(store, [MINE])
    import_lines(store, [json.dumps({"kind": "trial", **NEAR.model_dump(mode="json")})], "a friend's")
    forget_id(store, f"trial:{run}/t0002")
    before = list(export_lines(store))
    store.close()
    with (fresh / "chroma" / "chroma.sqlite3").open("r+b") as file:
        file.write(os.urandom(50_000))
    with pytest.raises(StoreError, match=r"cannot be used: .*; agentnas memory reindex --memory-dir .* builds it anew"):
        Store(str(fresh))
    done = reindex(str(fresh), Lexical(), runs)
    assert done.runs.written == (run,)
    assert list(done.lost) == ["everything"]
    assert done.set_aside is not None
    assert list(export_lines(Store(str(fresh)))) == before


def test_a_place_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place, message in ((tmp_path / "file", "cannot read"), (tmp_path / "file" / "below", "cannot")):
        with pytest.raises(StoreError, match=message):
            Store(str(place))
    with pytest.raises(StoreError, match=r"http://127.0.0.1:9 does not answer: .*; is a Chroma server running there\?"):
        Store("http://127.0.0.1:9")


def test_the_same_graph_under_another_name_can_be_left_out(fresh: Path) -> None:
    cora = (2708, 10556, 1433, 7)
    own = [trial("amber-fox/t0001", task="cora-2", graph=cora), trial("amber-fox/t0002", task="nasbench:cora", graph=(2708, 5278, 1433, 7))]
    other = trial("blue-owl/t0001", task="citeseer", graph=(3327, 9104, 3703, 6))
    Store(str(fresh)).add_trials([*own, other])
    told = {guard: _trials(Store(str(fresh), forget_task=guard).recall(CountedCard(*cora), "gcn", 30)) for guard in (False, True)}
    assert told[False] == {"trial:amber-fox/t0001", "trial:amber-fox/t0002", "trial:blue-owl/t0001"}
    assert told[True] == {"trial:blue-owl/t0001"}


def test_a_task_that_orders_designs_alike_gains_trust(fresh: Path) -> None:
    """Two tasks of the same card: what was good on the one was good here, on the other it was bad."""
    store, own = Store(str(fresh)), {f"d{i}": float(i) for i in range(8)}
    store.add_trials(trial(f"alike/t{i}", task="alike", design=f"d{i}", val=60.0 + i) for i in range(8))
    store.add_trials(trial(f"opposed/t{i}", task="opposed", design=f"d{i}", val=60.0 - i) for i in range(8))
    before = store.beliefs(store.asked(Card(), "which?"))
    after = store.beliefs(store.asked(Card(), "which?", own=own))
    assert before["alike, public"].value == before["opposed, public"].value
    assert after["alike, public"].value > before["alike, public"].value > after["opposed, public"].value
    assert list(after) == ["alike, public", "opposed, public"]
    told = next(iter(store.recall_trials(store.asked(Card(), "which?", own=own))))
    assert told.id == "trial:alike/t7" or told.why
    assert "8 designs tried on both agree in 100 % of pairs" in told.why


def test_a_record_that_another_program_wrote_is_one_line(fresh: Path) -> None:
    store = Store(str(fresh))
    store.add_trials([NEAR])
    with store.shelf.writing():
        vectors = store.shelf.layout.vectors("trials", [data_of(NEAR)])
        store.shelf.upsert("trials", [Item("strange/t1", vectors[0], {"record": '{"id": 3}'})])
    with pytest.raises(StoreError, match=r"holds a TrialRecord that cannot be read: .* agentnas memory reindex leaves it out"):
        store.recall(Card(), "gcn", 5)
    store.close()
    done = reindex(str(fresh), Lexical(), fresh / "no-runs")
    assert done.lost == {"trials": "1 of 2 records cannot be read"}
    assert _trials(Store(str(fresh)).recall(Card(), "gcn", 5)) == {"trial:old-run/t0001"}


def _trials(found: Sequence[Evidence]) -> set[str]:
    return {evidence.id for evidence in found if evidence.kind == "trial"}
