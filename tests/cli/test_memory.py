"""``agentnas memory``: what is printed, what goes in and out, and every wrong word as one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentnas.memory.cards import shipped_cards
from agentnas.memory.keeping import reconcile
from agentnas.memory.store import Store
from tests.cli.conftest import Run
from tests.memory.learning import MINE, a_finished_run


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A memory of one run on citeseer; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("filled")
    a_finished_run(folder / "runs")
    store = Store(str(folder / "memory"))
    reconcile(store, folder / "runs")
    store.close()
    return folder / "memory"


@pytest.fixture
def own(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which the commands use."""
    import shutil

    copy = Path(shutil.copytree(filled, tmp_path / "memory"))
    monkeypatch.setenv("AGENTNAS_MEMORY_DIR", str(copy))
    return copy


def test_search_explains_each_hit(run: Run, own: Path) -> None:
    found = run("memory", "search", "which operator, gat or gcn?", "--task", "nasbench:citeseer", "-k", "6", "--json").data
    assert {hit["kind"] for hit in found} == {"card", "trial", "finding"}
    assert all(hit["why"] for hit in found)
    (best, *_) = [hit for hit in found if hit["kind"] == "trial"]
    assert best["text"] == "gat"
    assert "validation 72.50 ± 0.71 on task citeseer" in best["why"]
    assert "place 1 of 2 in its run; shares gat" in best["why"]
    text = run("memory", "search", "which operator, gat or gcn?", "--kind", "findings").out
    assert "changing body.a.op (gcn -> gat) gained 2.00 ± 0.71 points over 1 pair\n    why: task citeseer" in text
    assert "card:" not in text


def test_search_leaves_the_same_graph_out(run: Run, own: Path) -> None:
    words = ("memory", "search", "gat", "--task", "nasbench:citeseer", "--json")
    assert {hit["kind"] for hit in run(*words, "--forget-task").data} == {"card"}


def test_stats(run: Run, own: Path) -> None:
    facts = run("memory", "stats", "--json").data
    assert facts == {
        "place": str(own), "embedder": "lexical-1", "trials": 2, "findings": 2, "papers": len(shipped_cards()), "tasks": 1, "runs": 1,
        "by_task": [{"task": "citeseer", "aim": "node classification", "protocol": "public", "trials": 2}],
    }  # fmt: skip
    assert "citeseer  node classification  public         2" in run("memory", "stats").out


def test_cards_are_added_found_replaced_and_forgotten(run: Run, own: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(MINE.model_dump_json() + "\n", encoding="utf-8")
    assert run("memory", "add", file).out == "1 card added, none replaced\n"
    again = run("memory", "add", file, "--json").data
    assert (again["added"], again["replaced"], again["problems"]) == (0, 1, [])
    (first, *_) = run("memory", "search", "sparrows and swans", "--kind", "cards", "--json").data
    assert first["id"] == "card:my-paper"
    assert run("memory", "forget", "card:my-paper").out == "forgotten: no trials, no findings, 1 card\n"
    assert "my-paper" not in run("memory", "search", "sparrows and swans", "--kind", "cards").out


def test_an_export_is_imported_as_the_same_memory(run: Run, own: Path, tmp_path: Path) -> None:
    assert run("memory", "export", tmp_path / "all.jsonl").err == f"5 records written to {tmp_path / 'all.jsonl'}\n"
    other = ("--memory-dir", str(tmp_path / "other"))
    assert run("memory", "import", tmp_path / "all.jsonl", *other).out == "1 task, 2 findings, 2 trials, no cards, no runs\n"
    assert run("memory", "export", *other).out == (tmp_path / "all.jsonl").read_text(encoding="utf-8")


def test_reindex_says_what_was_kept(run: Run, own: Path, tmp_path: Path) -> None:
    lost = run("memory", "reindex", "--runs-dir", tmp_path / "none")
    assert (lost.code, lost.err.count("\n")) == (2, 1), "a name that was typed wrong must not lose what the runs hold"
    (tmp_path / "none").mkdir()
    assert run("memory", "reindex", "--runs-dir", tmp_path / "none").out == (
        f"kept: 2 trials, 2 findings, {len(shipped_cards())} papers, 1 tasks, 1 runs\nfrom runs: no runs\n"
    )
    (own / "chroma" / "chroma.sqlite3").write_bytes(b"not a database at all" * 500)
    printed = run("memory", "stats")
    assert (printed.code, printed.err.count("\n")) == (1, 1)
    assert "agentnas memory reindex --memory-dir " in printed.err
    printed = run("memory", "reindex", "--runs-dir", tmp_path / "none")
    assert printed.code == 0
    assert printed.err.startswith("not readable: everything: ")
    assert f"the broken files are in {own / 'chroma.old-1'}\n" in printed.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("search", "x", "--kind", "dreams"), 2, "--kind is 'dreams'; allowed: trials, findings, cards"),
        (("search", "x", "--task", "sow"), 2, "task 'sow' does not exist"),
        (("add", "gone.jsonl"), 2, "gone.jsonl does not exist; give the path of a file"),
        (("add", "paper.doc"), 2, "paper.doc ends in .doc; files that can be added end in .jsonl"),
        (("add", "shipped.jsonl"), 2, "shipped.jsonl: card id 'gat' is that of a card that ships with AgentNAS; give yours another id"),
        (("import", "gone.jsonl"), 2, "cannot read gone.jsonl"),
        (("import", "words.jsonl"), 2, "words.jsonl:1: not a line of an exported memory: 'words'"),
        (("import", "kind.jsonl"), 2, "kind.jsonl:1: kind 'dream' does not exist; allowed: card, finding, run, task, trial"),
        (("import", "broken.jsonl"), 2, "broken.jsonl:1: trial: task: Field required"),
        (("forget",), 2, "nothing to forget; give ids, --run or --task"),
        (("forget", "t0001"), 2, "'t0001' is no id of evidence; allowed: trial:RUN/ID, finding:RUN/ID, card:ID"),
        (("forget", "card:gat"), 2, "card 'gat' ships with AgentNAS and cannot be forgotten"),
        (("forget", "--run", "no-such"), 2, "the memory holds nothing of no-such"),
        (("stats", "--embedder", "word2vec"), 2, "embedder 'word2vec' does not exist; allowed: lexical, minilm, openai:MODEL"),
        (("stats", "--memory-dir", "none"), 4, "memory is off (memory_dir is none); give a folder with --memory-dir"),
        (("stats", "--memory-dir", "http://127.0.0.1:9"), 1, "the memory at http://127.0.0.1:9 does not answer"),
    ],
)
def test_what_cannot_be_done_is_one_line(run: Run, own: Path, words: tuple[str, ...], code: int, message: str) -> None:
    from agentnas.memory.cards import shipped_cards

    Path("words.jsonl").write_text("words\n")
    Path("kind.jsonl").write_text(json.dumps({"kind": "dream"}))
    Path("broken.jsonl").write_text(json.dumps({"kind": "trial", "id": "r/t1"}))
    Path("shipped.jsonl").write_text(shipped_cards()["gat"].model_copy(update={"title": "Another title"}).model_dump_json())
    printed = run("memory", *words)
    assert printed.code == code
    assert printed.out == "" or words[0] == "add", "only an addition tells what it did beside what it could not"
    (line,) = [line for line in printed.err.splitlines() if line != "shipped.jsonl: cards, 1 card"]
    assert line.startswith(f"agentnas: error: {message}")
