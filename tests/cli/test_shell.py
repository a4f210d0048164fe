"""The table of commands, and the edge at which every error becomes one line and an exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import agentnas
from agentnas.cli import shell
from agentnas.tools import errors
from tests.cli.conftest import Run

# What typer brings, and pydantic: light enough for a command that only prints its help.
LIGHT = {
    "agentnas", "annotated_doc", "annotated_types", "pydantic", "pydantic_core", "rich", "shellingham", "typer", "typing_extensions",
    "typing_inspection",
}  # fmt: skip


@pytest.mark.parametrize("name", shell.COMMANDS)
def test_every_command_loads_and_says_what_the_table_says(name: str) -> None:
    assert shell.load(name).help.splitlines()[0] == shell.COMMANDS[name].help


def test_help_names_every_command(run: Run) -> None:
    printed = run("--help")
    assert printed.code == 0
    assert all(f"  {name} " in printed.out and entry.help in printed.out for name, entry in shell.COMMANDS.items())


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("tasks", "--help")])
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    """``tasks --help`` loads the tasks' file, but neither torch nor langgraph."""
    program = (
        "import sys; before = set(sys.modules)\n"
        "from agentnas.cli import main; main(sys.argv[1:])\n"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    heavy = set(done.stderr.split()) - sys.stdlib_module_names - LIGHT
    assert {name for name in heavy if not name.startswith("_sysconfigdata")} == set()


def test_version(run: Run) -> None:
    assert run("--version").out == f"agentnas {agentnas.__version__}\n"


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "agentnas.cli", "tasks", "sow"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "agentnas: error: No such command 'sow'. Did you mean 'show'? (see agentnas tasks --help)\n"


@pytest.mark.parametrize("words", [(), ("tasks",)])
def test_no_command_is_answered_with_the_help(run: Run, words: tuple[str, ...]) -> None:
    printed = run(*words)
    assert (printed.code, printed.out) == (2, "")
    assert printed.err.startswith(" ".join(("Usage: agentnas", *words)))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("desing",), "No such command 'desing'. Did you mean 'design'? (see agentnas --help)"),
        (("config", "show", "--jsn"), "No such option: --jsn (Possible options: --json) (see agentnas config show --help)"),
        (("tasks", "show"), "Missing argument 'name'. (see agentnas tasks show --help)"),
    ],
)
def test_usage_is_one_line_and_2(run: Run, words: tuple[str, ...], line: str) -> None:
    assert run(*words) == (2, "", f"agentnas: error: {line}\n")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let ``config show`` raise what a test asks for."""

    def _failing(error: BaseException) -> None:
        def _raise() -> None:
            raise error

        monkeypatch.setattr("agentnas.cli.config.resolve", _raise)

    return _failing


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.AgentNASError("it ran and failed"), 1),
        (errors.UsageError("no such thing"), 2),
        (errors.ConstraintError("nothing fits"), 3),
        (errors.ConfigError("no key"), 4),
        (errors.BudgetEndedError("no time"), 5),
        (errors.RunError("torn"), 1),
    ],
)
def test_an_expected_error_is_its_line_and_its_code(run: Run, failing: Any, error: errors.AgentNASError, code: int) -> None:
    failing(error)
    assert run("config", "show") == (code, "", f"agentnas: error: {error}\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), typer.Abort()])
def test_an_interrupt_is_130(run: Run, failing: Any, error: BaseException) -> None:
    failing(error)
    assert run("config", "show").code == 130


def test_the_unexpected_is_one_line_and_a_kept_traceback(run: Run, failing: Any) -> None:
    failing(ZeroDivisionError("one\ntwo"))
    printed = run("config", "show")
    assert printed.code == 1
    assert printed.err.startswith("agentnas: error: unexpected ZeroDivisionError: one two; the traceback is in ")
    assert printed.err.count("\n") == 1
    kept = Path(printed.err.split("the traceback is in ")[1].split(";")[0])
    assert "in _raise" in kept.read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_is_no_surprise() -> None:
    command = [sys.executable, "-m", "agentnas.cli", "config", "show", "--json"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    line = "agentnas: error: cannot write the output: No space left on device; make room, then call the command again"
    assert done.stderr.splitlines()[0] == line


def test_debugging_shows_the_traceback(run: Run, failing: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENTNAS_DEBUG", "1")
    failing(ZeroDivisionError("oh"))
    printed = run("config", "show")
    assert "in _raise" in printed.err
    assert printed.err.endswith("agentnas: error: unexpected ZeroDivisionError: oh\n")
    assert not (tmp_path / "state").exists()


def test_a_traceback_that_cannot_be_kept_in_its_place_goes_to_another(
    run: Run, failing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_text("in the way", encoding="utf-8")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing(ZeroDivisionError("oh"))
    assert f"the traceback is in {tmp_path}/agentnas-error-" in run("config", "show").err
