"""The live page: a server that shows one run to this machine alone, and a page that follows the run."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agentnas.memory import events as ev
from agentnas.memory.journal import Journal
from agentnas.memory.rundir import RunDirectory
from agentnas.page.live import ENDED, GOES_ON, LivePage, LiveServer
from agentnas.run import Run
from agentnas.tools.errors import UsageError
from tests.agent_runs import finished, make_agent_run, proposal
from tests.cli.conftest import Run as Command
from tests.page.browser import chromium, opened

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOME = Path(__file__).resolve().parents[2]


@contextmanager
def served(directory: RunDirectory) -> Iterator[LiveServer]:
    with LiveServer(directory, 0) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def server(live_run: Run) -> Iterator[LiveServer]:
    with served(live_run.directory) as started:
        yield started


def ask(server: LiveServer, path: str = "/", method: str = "GET", host: str | None = None) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=20)
    connection.putrequest(method, path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or f"127.0.0.1:{server.server_address[1]}")
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read().decode()
    connection.close()
    return found


def test_the_page_is_that_of_the_run_and_says_how_it_stands(server: LiveServer, live_run: Run) -> None:
    status, headers, body = ask(server)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert live_run.name in body
    assert ENDED in body
    assert "connect-src 'self'" in body
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert ask(server, method="HEAD")[2] == ""


def test_it_listens_on_this_machine_alone(server: LiveServer) -> None:
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/events.jsonl", "/../events.jsonl", "/%2e%2e/etc/passwd", "/version/", "/winner/", "/?/etc"])
def test_no_file_is_served(server: LiveServer, path: str) -> None:
    status, _, body = ask(server, path)
    assert (status, body) == (404, "there is / and nothing else\n") or (path == "/?/etc" and status == 200)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "", "0.0.0.0"])
def test_other_peoples_names_for_this_machine_are_refused(server: LiveServer, live_run: Run, host: str) -> None:
    for path in ("/", "/version"):
        status, _, body = ask(server, path, host=host)
        assert status == 421
        assert live_run.name not in body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9999", "127.0.0.1:1"])
def test_a_tunnel_has_a_port_of_its_own(server: LiveServer, host: str) -> None:
    assert ask(server, host=host)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_written(server: LiveServer, method: str) -> None:
    status, headers, body = ask(server, method=method)
    assert (status, headers["Allow"], body) == (405, "GET, HEAD", "this page is for reading\n")


def test_a_page_is_drawn_once_for_all_readers_and_anew_when_the_journal_grew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = make_agent_run(tmp_path)
    drawn: list[str] = []

    def draw(run: Run, **told: Any) -> str:
        drawn.append(told["live"]["version"])
        return "page"

    monkeypatch.setattr("agentnas.page.live.render_page", draw)
    live = LivePage(directory)
    readers = [threading.Thread(target=live.draw) for _ in range(5)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(drawn) == 1
    with directory.journal() as journal:
        journal.append(ev.Noted(message="more"))
        assert live.draw() == b"page"
        assert drawn[1] == live.state_shown().version
    assert len(drawn) == 2
    assert drawn[0] != drawn[1]


def test_a_damaged_journal_is_one_line_and_no_crash(tmp_path: Path) -> None:
    directory = make_agent_run(tmp_path)
    directory.journal_file.write_text('{"type": "nonsense"}\n' * 3, encoding="utf-8")
    with served(directory) as server:
        status, headers, body = ask(server)
        assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        assert body.count("\n") == 1
        assert "events.jsonl" in body


def test_a_port_that_is_taken_is_one_line(live_run: Run) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        with pytest.raises(UsageError, match=rf"^--port {port} is taken; give another one, or leave it out for any that is free$"):
            LiveServer(live_run.directory, port)


def test_the_command_prints_its_address_and_ends_with_ctrl_c(live_run: Run, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "agentnas.cli", "report", str(live_run.path), "--live"]
    around = os.environ | {"PYTHONPATH": str(HOME), "PYTHONUNBUFFERED": "1"}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in the background with Ctrl-C ignored
    command = subprocess.Popen(words, cwd=tmp_path, env=around, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    assert command.stdout is not None
    assert command.stderr is not None
    url, first = command.stdout.readline().strip(), command.stderr.readline()
    if first == "reading the run\n":  # said where that takes more than a moment
        first = command.stderr.readline()
    connection = http.client.HTTPConnection(url.removeprefix("http://").removesuffix("/"), timeout=20)
    connection.request("GET", "/version")
    assert connection.getresponse().status == 200
    command.send_signal(signal.SIGINT)
    _, said = command.communicate(timeout=20)
    assert command.returncode == 0
    assert first == f"run {live_run.name} does not go on; Ctrl-C closes the page\n"
    assert said == "the page is closed; the run has nothing to do with it\n"


def until(page: Page, holds: str) -> None:
    """Wait for this to hold; not by the browser's own waiting, which the page's policy takes for an attack."""
    end = time.monotonic() + 15
    while not page.evaluate(holds):
        assert time.monotonic() < end, holds
        page.wait_for_timeout(50)


# The first row of the table that is in the window, and where it is.
AT_THE_TOP = """[...document.querySelectorAll('#all-trials tbody tr')].map(row => [row.id, row.getBoundingClientRect().top])
    .find(([, top]) => top > 0)"""


def test_the_page_follows_the_run_and_keeps_what_the_reader_did(tmp_path: Path) -> None:
    """New trials appear; what was opened stays open, what was sorted sorted, what had the focus has it, and the page does not jump."""
    directory = RunDirectory.create(tmp_path, "cora")
    with chromium() as browser, served(directory) as server, opened(browser, server.url, reduced_motion="reduce") as tab:
        page = tab.page
        with directory.journal() as journal:
            until(page, f"document.getElementById('live').textContent === '{GOES_ON}'")
            _begin(journal)
            until(page, "!!document.getElementById('more-trial-t0002')")
            tab.value("document.getElementById('more-trial-t0002').open = true")
            page.get_by_role("button", name="seeds").click()
            page.locator("#more-trial-t0002 summary").focus()
            tab.value("document.getElementById('trial-t0002').scrollIntoView({block: 'center', behavior: 'instant'})")
            top = tab.value(AT_THE_TOP)
            _go_on(journal)
            until(page, "!!document.getElementById('trial-t0009')")
            assert tab.value("document.getElementById('more-trial-t0002').open")
            assert tab.value("document.activeElement.parentNode.id") == "more-trial-t0002"
            assert tab.value("window.scrollY > 0")
            assert tab.value(AT_THE_TOP) == [top[0], pytest.approx(top[1], abs=2)], "a row may change its place, the window does not"
            assert page.locator("#all-trials th[aria-sort]").inner_text().startswith("seeds")
            assert tab.value("JSON.parse(document.getElementById('data').textContent).trials.t0009.score") == "90.00 ± ?"
            journal.append(ev.RunFinished(outcome="failed", exit_code=1, message="enough"))
        until(page, f"document.getElementById('live').textContent === '{ENDED}'")
        assert "enough" in page.locator("header").inner_text()
        assert tab.said == []
        assert {url.removeprefix(server.url) for url in tab.requests} <= {"", "version"}


def _begin(journal: Journal) -> None:
    from agentnas.config import Config

    config = Config(task="cora", trials=20).model_dump(mode="json")
    journal.append(ev.RunStarted(task="cora", protocol="public", config=config, environment={}, metric="accuracy",
                                 rungs=("full",), full=("full",)))  # fmt: skip
    journal.append(ev.PlanMade(round=0, author="planner/rules", directions=(), reason="begin"))
    made = tuple(proposal(f"t{n:04}", f"gcn{n}", hypothesis="one of many") for n in range(1, 9))
    journal.append(ev.ProposalsDrafted(round=0, proposals=made))
    for n in range(1, 7):
        journal.append(finished(f"t{n:04}", 70.0 + n))


def _go_on(journal: Journal) -> None:
    journal.append(ev.PlanMade(round=1, author="planner/rules", directions=(), reason="go on"))
    journal.append(ev.ProposalsDrafted(round=1, proposals=(proposal("t0009", "gat9", parent="t0002", hypothesis="the last"),)))
    journal.append(finished("t0009", 90.0))


def test_a_page_whose_server_is_gone_says_so(tmp_path: Path) -> None:
    directory = make_agent_run(tmp_path)
    with chromium() as browser:
        with served(directory) as server:
            window = opened(browser, server.url)
            tab = window.__enter__()
            time.sleep(0.1)
        until(tab.page, "document.getElementById('live').textContent.includes('has ended; it shows how the run stood then')")
        window.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--port", "8000"), "--port 8000 is of --live alone; give both, or leave it out"),
        (("--live", "--json"), "--live writes nothing; leave --output, --format and --json out"),
        (("--live", "--compare", "b"), "--live shows one run, --compare several; give one of them"),
        (("b",), "2 runs given; --compare puts them side by side, else give one"),
    ],
)
def test_options_that_mean_nothing_together_are_one_line(run: Command, live_run: Run, words: tuple[str, ...], line: str) -> None:
    assert run("report", live_run.path, *words) == (2, "", f"agentnas: error: {line}\n")
