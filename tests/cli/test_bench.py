"""``agentnas bench``: tables on stdout, files beside, errors before minutes are spent."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import psutil
import pytest

from tests.bench.worlds import write_table
from tests.cli.conftest import Run
from tests.llm_server import Answer, Fault, LLMServer
from tests.llm_server_shapes import Asked
from tests.minds import role_of, think

QUICK = ("--searchers", "random,transfer-mean-rank,agentnas", "--seeds", "3", "--workers", "1")


def test_a_table_of_anybodys_is_searched_and_told(run: Run, tmp_path: Path) -> None:
    file = write_table(tmp_path / "t.csv")
    printed = run("bench", "table", file, *QUICK, "--csv", "s.csv", "--markdown", "s.md", "--plot", "s.svg")
    assert printed.code == 0
    assert printed.out == (tmp_path / "s.md").read_text()
    heads = [line for line in printed.out.splitlines() if line and not line.startswith("|")]
    assert heads[:4] == [
        "Means over 4 data sets, oracle / honest",
        "agentnas minus the others, oracle (± standard error over data sets)",
        "agentnas minus the others, honest (± standard error over data sets)",
        "Each data set after 30 evaluations, oracle / honest",
    ]
    scores = list(csv.DictReader((tmp_path / "s.csv").read_text().splitlines()))
    # 4 data sets, 2 rewards, 4 checkpoints that 36 designs allow; three seeds of random, one of those that draw nothing
    assert len(scores) == 4 * 2 * 4 * (3 + 1 + 1)
    lines = ET.parse(tmp_path / "s.svg").findall("{http://www.w3.org/2000/svg}polyline")
    assert [len((line.get("points") or "").split()) for line in lines] == [4] * 6


def test_memory_finds_at_once_what_random_search_has_to_look_for(run: Run, tmp_path: Path) -> None:
    file = write_table(tmp_path / "t.csv")
    data = run("bench", "table", file, *QUICK, "--json").data
    first = {mean["searcher"]: mean["value"] for mean in data["means"] if (mean["kind"], mean["evaluations"]) == ("honest", 1)}
    assert first["agentnas"] > first["random"] + 3
    assert first["transfer-mean-rank"] > first["random"] + 3


def test_low_is_good_where_it_is_said_to_be(run: Run, tmp_path: Path) -> None:
    high = run("bench", "table", write_table(tmp_path / "h.csv"), *QUICK, "--json").data
    low = run("bench", "table", write_table(tmp_path / "l.csv", sign=-1.0), *QUICK, "--minimize", "--json").data
    assert [mean["value"] for mean in low["means"]] == pytest.approx([-mean["value"] for mean in high["means"]])


def test_processes_change_no_score(run: Run, tmp_path: Path) -> None:
    file = write_table(tmp_path / "t.csv")
    alone, together = (run("bench", "table", file, *QUICK[:-1], count, "--json").out for count in ("1", "2"))
    assert alone == together


def test_a_killed_benchmark_leaves_no_process(tmp_path: Path) -> None:
    file = write_table(tmp_path / "t.csv")
    command = [sys.executable, "-m", "agentnas.cli", "bench", "table", str(file), "--searchers", "random", "--seeds", "100000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as bench:
        parent = psutil.Process(bench.pid)
        while len(parent.children()) < 3:  # two workers, and what tracks their semaphores
            time.sleep(0.05)
        workers = parent.children()
        bench.kill()
    assert psutil.wait_procs(workers, timeout=20)[1] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nasbench", "--searchers", "randm"), "searcher 'randm' does not exist; did you mean random?"),
        (("nasbench", "--datasets", "coral"), "data set 'coral' does not exist; did you mean cora?"),
        (("nasbench", "--regime", "test"), "regime 'test' does not exist; allowed: published, strict"),
        (("nasbench", "--without", "card"), "ablation 'card' does not exist; allowed: memory, similarity, smoothing"),
        (("nasbench", "--without", "cards"), "--without cards: rules read no paper cards; give --llm too, or leave it out"),
        (("nasbench", "--searchers", "agentnas-llm"), "searcher 'agentnas-llm' needs a language model; give --llm, for example"),
        (("nasbench", "--max-cost", "2"), "--max-cost is about language models, and none is named; add --llm, or leave it out"),
        (("nasbench", "--runs-dir", "r"), "--runs-dir is about language models, and none is named; add --llm, or leave it out"),
        (("nasbench", "--llm", "rules"), "no language model is named; give --llm, for example --llm openai:gpt-5-mini"),
        (("nasbench", "--llm", "opnai:m"), "unknown provider 'opnai'; did you mean openai"),
        (("nasbench", "--csv", "no/such.csv"), "no/such.csv: the folder no does not exist; create it"),
        (("table", "none.csv"), "cannot read none.csv: [Errno 2] No such file or directory: 'none.csv'"),
    ],
)
def test_what_does_not_exist_is_said_before_anything_is_measured(run: Run, words: tuple[str, ...], said: str) -> None:
    printed = run("bench", *words)
    assert (printed.code, printed.out) == (2, "")
    assert said in printed.err


def test_a_model_that_leaves_costs_no_other_result(run: Run, tmp_path: Path) -> None:
    def mind(request: Asked) -> Answer:
        return Fault(403) if role_of(request) == "coder" else think(request)

    with LLMServer(mind, role_of=role_of) as server:
        name = f"openai:m@{server.url}"
        words = ("--searchers", "transfer-mean-rank", "--datasets", "cora,arxiv", "--workers", "1", "--evaluations", "12")
        printed = run("bench", "nasbench", *words, "--llm", name, "--markdown", "t.md", "--json")
    assert printed.code == 1
    assert {mean["searcher"] for mean in printed.data["means"]} == {"transfer-mean-rank"}
    assert (printed.data["llm"]["searches"], printed.data["llm"]["planned"]) == (0, 2)
    lines = printed.err.splitlines()
    assert lines[0].startswith(f"agentnas-llm: 2 searches of 12 evaluations with {name}; 2 rounds, 9 calls, ")
    assert lines[-1].startswith("agentnas-llm stopped after 0 of 2 searches: agentnas-llm on cora, seed 0: coder: ")
    assert "403" in lines[-1]
    assert "agentnas-llm: 0 of 2 searches, 12 evaluations each" in (tmp_path / "t.md").read_text()


def test_the_anchors_of_the_benchmark_stand_beside(run: Run) -> None:
    data = run("bench", "nasbench", "--searchers", "transfer-mean-rank", "--workers", "1", "--json").data
    known = {(mean["kind"], mean["evaluations"]): round(mean["value"], 2) for mean in data["means"]}
    assert [known["oracle", count] for count in (1, 10, 20, 30, 100)] == [81.16, 82.19, 82.46, 82.76, 82.82]
    assert [known["honest", count] for count in (10, 20, 30, 100)] == [81.68, 81.87, 81.77, 82.16]
    assert data["published"]["methods"][-1]["oracle"] == {"1": 81.59, "10": 82.45, "20": 82.57, "30": 82.74}
    assert data["apart"] == ["proteins"]
