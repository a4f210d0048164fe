"""Slash commands, with no model: the same tools, their words checked; and what free text is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentnas.chat import plain, slash
from agentnas.chat.terminal import candidates, piped, read
from agentnas.cli import main
from agentnas.run import Run
from tests.chat.talking import talking

TASKS = ["cora", "citeseer", "nasbench:cora", "digits"]


def test_every_tool_has_a_command_and_a_line_of_help() -> None:
    shown = slash.help_text()
    assert all(tool.slash and f"/{tool.slash.name}" in shown for tool in slash.TOOLS)
    wanted = "task plan run status best why tell cost stop report export help exit data compare memory set"
    assert set(wanted.split()) <= set(slash.names())
    assert len({tool.name for tool in slash.TOOLS}) == len(slash.TOOLS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/stauts", "error: /stauts is no command; did you mean /status?"),
        ("/xyzzy", "error: /xyzzy is no command; /help lists what there is"),
        ("/why", "error: /why needs trial; write /why N [RUN]"),
        ("/memory", "error: /memory needs question; write /memory WORDS"),
        ("/plan max_params=lots", "error: max_params is 'lots': Input should be a valid integer"),
        ("/plan tme=20m", "error: /plan tme=20m: 'tme' is no setting here; did you mean time"),
        ("/plan time=soon", "error: --time is 'soon'"),
        ("/set time", "error: time has no value; write /plan time=VALUE"),
        ("/plan task=coar", "error: "),
        ("/status a b", "error: /status: 'b' is one word too many; write /status [RUN]"),
        ("/best", "error: no latest run: "),
        ("/run resume", "error: no latest run: "),
        ("/task coar", "error: "),
        ('/tell "unfinished', "error: no latest run: "),
    ],
)
def test_what_is_wrong_is_one_line(line: str, said: str, tmp_path: Path) -> None:
    with talking(tmp_path) as talk:
        assert talk.say(line) == ""
        shown = talk.err.getvalue()
    assert shown.startswith(said)
    assert shown.count("\n") == 1
    assert talk.app.failed


def test_the_plan_takes_amounts_as_people_write_them(tmp_path: Path) -> None:
    with talking(tmp_path) as talk:
        shown = talk.say("/plan task=nasbench:cora max_params=1.5M time=20m", "/set trials 12")
        assert "trials    12" in shown
        assert talk.app.desk.settings == {"task": "nasbench:cora", "max_params": 1_500_000, "time": "20m", "trials": 12}
        talk.say("/plan clear=max_params,time")
        assert talk.app.desk.settings == {"task": "nasbench:cora", "trials": 12}
        talk.say("/plan max_memory_mb=5")
    assert "a table that holds no memory figures" in talk.err.getvalue()
    assert talk.app.desk.settings == {"task": "nasbench:cora", "trials": 12}, "what cannot be honoured changes nothing"


def test_looking_at_a_run_that_is_there(tmp_path: Path, table_run: Run) -> None:
    with talking(tmp_path) as talk:
        talk.app.desk.look_at(table_run.path)
        winner = table_run.winner
        assert winner is not None
        assert f"winner          {winner}" in talk.say("/best")
        number = winner.removeprefix("t").lstrip("0")
        assert talk.say(f"/why {number}") == talk.say("/why best") == talk.say(f"/why {winner}")
        compared = talk.say("/compare 1 2")
        assert "t0002 against t0001: " in compared
        assert "what differs: " in compared
        assert talk.say("/report").startswith(f"# {table_run.name}\n")
        assert "Reproduce" in talk.say("/report Reproduce")
        assert "finished" in talk.say("/status")
        talk.say(f"/export {tmp_path / 'out'}")
        assert (tmp_path / "out" / "spec.json").exists()
        talk.say(f"/export python {tmp_path / 'again'} {table_run.path}")
        assert (tmp_path / "again" / "spec.json").exists()
        talk.say("/report Nonsense", "/export " + str(tmp_path / "out"), "/stop", "/tell more depth", "/why 99")
    assert [line[:7] for line in talk.err.getvalue().splitlines()] == ["error: "] * 5


def test_predictions_go_to_a_file_and_no_row_of_them_to_the_answer(tmp_path: Path, live_run: Run) -> None:
    file = tmp_path / "classes.csv"
    with talking(tmp_path) as talk:
        talk.app.desk.look_at(live_run.path)
        said = talk.say(f"/predict digits {file}")
        assert said.startswith("written: ")
        assert str(file) in said
        assert len(said) < 500
        talk.say(f"/predict digits {file}")
        assert "classes.csv exists" in talk.err.getvalue()
    assert len(file.read_text(encoding="utf-8").splitlines()) == 1 + 1797


def test_files_of_ones_own_are_looked_at_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "mine"
    mine.mkdir()
    nodes = "".join(f"p{i},{i % 7}.5,{'ab'[i % 2]}\n" for i in range(80))
    (mine / "papers.csv").write_text(f"paper,length,topic\n{nodes}", encoding="utf-8")
    edges = "".join(f"p{i},p{(i + 2) % 80}\n" for i in range(80))
    (mine / "cites.csv").write_text(f"source,target\n{edges}", encoding="utf-8")
    with talking(tmp_path) as talk:
        said = talk.say("/data mine")
        assert "topic" in said
        assert "nothing was written: agentnas tasks init mine writes mine/task.yaml" in said
        assert sorted(path.name for path in mine.iterdir()) == ["cites.csv", "papers.csv"]
        assert main(["tasks", "init", "mine", "--yes"]) == 0
        assert "it can be planned for: /plan task=mine/task.yaml" in talk.say("/data mine/task.yaml")
        talk.say("/data nothing.csv")
        assert "nothing.csv" in talk.err.getvalue().splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "Hello! I design graph neural networks."),
        ("Hi there!", "Hello!"),
        ("thanks a lot", "You are welcome."),
        ("goodbye", "Goodbye!"),
        ("qwertz", "/help lists everything"),
        ("", "/help lists everything"),
    ],
)
def test_free_text_without_a_model_gets_a_useful_answer(text: str, said: str) -> None:
    assert said in plain.answer(text, TASKS)


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        (
            "node classification on my citation data in papers.csv, under 50k parameters, 2 ms on CPU, I have 20 minutes",
            ["/data papers.csv", "/plan max_params=50k max_latency_ms=2 time=20m"],
        ),
        ("design for nasbench:cora with 30 trials", ["/plan task=nasbench:cora trials=30"]),
        ("why was t0007 proposed?", ["/why t0007"]),
        ("how is the run?", ["/status"]),
        ("which one is best", ["/best"]),
        ("please stop it", ["/stop"]),
        ("what did it cost?", ["/cost"]),
        ("export the model", ["/export"]),
    ],
)
def test_free_text_is_read_as_commands(text: str, commands: list[str]) -> None:
    assert list(plain.understood(text, TASKS)) == commands


def test_a_pipe_is_read_line_by_line(tmp_path: Path) -> None:
    assert list(piped(["one\n", "two \\\n", "three\n", "four"])) == ["one", "two \nthree", "four"]
    with talking(tmp_path) as talk:
        assert read(talk.app, ["hello\n", "\n", "/exit\n", "/nonsense\n"])
        assert not read(talk.app, ["/nonsense\n", "hello\n"])


def test_completion_knows_commands_tasks_trials_and_runs(tmp_path: Path, table_run: Run) -> None:
    with talking(tmp_path) as talk:
        app = talk.app
        assert candidates(app, "/st") == ["/status", "/stop"]
        assert candidates(app, "/task nasbench:c") == ["nasbench:cora", "nasbench:citeseer", "nasbench:cs", "nasbench:computers"]
        assert candidates(app, "/plan max_p") == ["max_params="]
        assert candidates(app, "/why t") == []
        app.desk.look_at(table_run.path)
        assert candidates(app, "/why t")[:2] == ["t0001", "t0002"]
        app.desk.flags = {"runs_dir": table_run.path.parent}
        assert candidates(app, "/status ") == [table_run.name]
        assert candidates(app, "hello th") == []
