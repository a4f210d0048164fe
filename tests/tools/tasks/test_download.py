"""Downloading, against a real server on 127.0.0.1: whole files arrive, broken answers leave nothing behind, failures are one line."""

from __future__ import annotations

import http.server
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentnas.tools.errors import DataError
from agentnas.tools.tasks import find_data, load_task
from agentnas.tools.tasks.catalog import DATA_SETS, raw_files, task_names


class Server(http.server.ThreadingHTTPServer):
    """Serves the data folder; ``misbehave`` maps a file name to how its answer goes wrong."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = root
        self.misbehave: dict[str, str] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/mirror/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = self.server.root / self.path.removeprefix("/mirror/")
        self.server.asked.append(path.name)
        fault = self.server.misbehave.get(path.name, "")
        if fault == "missing" or not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        self.send_response(200)
        if fault != "no length":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write({"truncated": content[: len(content) // 2], "empty": b""}.get(fault, content))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


@pytest.fixture
def server(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The only place that data can come from."""
    monkeypatch.delenv("AGENTNAS_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with Server(data_dir) as running:
        monkeypatch.setenv("AGENTNAS_DATA_URL", running.url)
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_download_arrives_in_the_cache_and_is_asked_for_once(server: Server, tmp_path: Path, data_dir: Path) -> None:
    assert find_data("cora") is None
    task = load_task("cora")
    assert task.fingerprint == load_task("cora", data_dir=data_dir).fingerprint
    assert find_data("cora") == tmp_path / "cache/agentnas/data/Planetoid/Cora/raw"
    assert len(server.asked) == 8
    assert load_task("cora").fingerprint == task.fingerprint
    assert len(server.asked) == 8


@pytest.mark.parametrize(("name", "split"), [("texas", None), ("actor", None), ("minesweeper", None), ("cora", "geom-gcn")])
def test_every_family_downloads_into_the_given_folder(server: Server, tmp_path: Path, name: str, split: str | None) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    task = load_task(name, data_dir=root, split=split)
    folder = find_data(name, root, split)
    assert task.data is not None
    assert folder is not None
    assert folder.is_relative_to(root)
    assert files(root) == sorted(file.name for file in raw_files(DATA_SETS[name], split or DATA_SETS[name].splits[0]))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("truncated", r"broke off after \d+ of \d+ bytes"),
        ("empty", r"broke off after 0 of \d+ bytes"),
        ("missing", "answered 404 Not Found"),
    ],
)
def test_a_broken_answer_leaves_no_file_and_the_next_try_goes_on(server: Server, tmp_path: Path, fault: str, message: str) -> None:
    server.misbehave["ind.cora.allx"] = fault
    with pytest.raises(DataError, match=message) as caught:
        load_task("cora", data_dir=tmp_path)
    assert "ind.cora.allx" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "--data-dir" in str(caught.value)
    arrived = files(tmp_path / "Planetoid")
    assert arrived == ["ind.cora.tx", "ind.cora.x"]
    server.misbehave.clear()
    assert load_task("cora", data_dir=tmp_path).data is not None
    assert server.asked.count("ind.cora.x") == 1


def test_an_answer_without_a_length_is_still_checked_by_its_content(server: Server, tmp_path: Path) -> None:
    server.misbehave["minesweeper.npz"] = "no length"
    assert load_task("minesweeper", data_dir=tmp_path).data is not None


def test_no_server_is_one_line_that_names_what_works_offline(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AGENTNAS_DATA_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(DataError, match=r"pubmed: no .*ind\.pubmed\.x, cannot download http.*refused.*built-in task digits"):
            load_task("pubmed", data_dir=tmp_path)
    assert files(tmp_path) == []


def test_a_silent_server_is_given_up(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnas.tools.tasks.locate.TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AGENTNAS_DATA_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(DataError, match="timed out"):
            load_task("cora", data_dir=tmp_path)


def test_no_download_where_it_is_not_wanted(server: Server) -> None:
    with pytest.raises(DataError, match="allow the download"):
        load_task("cora", download=False)
    assert server.asked == []


def test_a_mirror_must_be_a_web_address(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTNAS_DATA_URL", f"file://{server.root}")
    with pytest.raises(DataError, match="begins with http"):
        load_task("cora", data_dir=tmp_path)


def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "Planetoid").write_text("a file where a folder should be")
    with pytest.raises(DataError, match=r"cora: cannot write to .*Planetoid"):
        load_task("cora", data_dir=tmp_path)


def test_the_environment_and_the_working_folder_are_searched_in_order(
    server: Server, tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (Path.cwd() / "data").symlink_to(data_dir)
    assert find_data("cora") == Path("data/Planetoid/Cora/raw")
    monkeypatch.setenv("AGENTNAS_DATA_DIR", str(data_dir))
    assert find_data("cora") == data_dir / "Planetoid/Cora/raw"
    # A root that PyG was given for one collection alone works as well.
    assert find_data("cora", data_dir / "Planetoid") == data_dir / "Planetoid/Cora/raw"


def test_hosted_files_of_every_data_set_have_an_https_address() -> None:
    for name in task_names():
        if name in DATA_SETS and name != "digits":
            for split in DATA_SETS[name].splits:
                listed = raw_files(DATA_SETS[name], split)
                assert listed
                assert all(file.url.startswith("https://") and file.url.endswith(file.name) for file in listed)


@pytest.fixture
def archive(server: Server, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MUTAG as the TU collection hosts it: one zip archive, with more in it than is wanted."""
    monkeypatch.delenv("AGENTNAS_DATA_URL")
    hosted = tmp_path / "hosted"
    hosted.mkdir()
    server.root = hosted
    monkeypatch.setattr("agentnas.tools.tasks.catalog._TU_URL", server.url.rstrip("/"))
    with zipfile.ZipFile(hosted / "MUTAG.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for path in (data_dir / "TUDataset/MUTAG/raw").glob("*.txt"):
            packed.write(path, f"MUTAG/{path.name}")
        packed.writestr("../../outside.txt", "climbs out")
        packed.writestr("/tmp/absolute.txt", "climbs out")
    return hosted / "MUTAG.zip"


def test_an_archive_is_fetched_once_and_gives_its_named_members_alone(
    archive: Path, server: Server, data_dir: Path, tmp_path: Path
) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    task = load_task("mutag", data_dir=root)
    assert task.fingerprint == load_task("mutag", data_dir=data_dir).fingerprint
    assert server.asked == ["MUTAG.zip"]
    assert files(root) == sorted(DATA_SETS["mutag"].files)
    assert not (tmp_path / "outside.txt").exists()
    assert not Path("/tmp/absolute.txt").exists()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda content: content[: len(content) // 2], "is truncated or no zip archive"),
        (lambda content: b"<html>moved</html>", "is truncated or no zip archive"),
        (lambda content: content.replace(b"MUTAG_node_labels.txt", b"MUTAG_nodes_label.txt"), "has no member MUTAG/MUTAG_node_labels.txt"),
        (lambda content: content[:200] + bytes(byte ^ 255 for byte in content[200:260]) + content[260:], "is truncated or no zip archive"),
    ],
)
def test_a_damaged_archive_leaves_nothing_behind(archive: Path, tmp_path: Path, damage: Callable[[bytes], bytes], told: str) -> None:
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(DataError, match=told) as caught:
        load_task("mutag", data_dir=tmp_path)
    assert "\n" not in str(caught.value)
    assert not [path for path in (tmp_path / "TUDataset").rglob("*") if path.is_file()]


def test_a_member_that_unpacks_to_too_much_is_refused(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of a few kilobytes may claim, or hold, any number of gigabytes."""
    monkeypatch.setattr("agentnas.tools.tasks.locate.MAX_FILE_BYTES", 30_000)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in DATA_SETS["mutag"].files:
            packed.writestr(f"MUTAG/{name}", b"0" * 10_000_000 if "graph_labels" in name else b"1\n")
    assert archive.stat().st_size < 30_000
    with pytest.raises(DataError, match=r"MUTAG/MUTAG_graph_labels\.txt is larger than 30000 bytes"):
        load_task("mutag", data_dir=tmp_path)


def test_plain_files_of_other_sets_come_from_the_mirror(server: Server, tmp_path: Path) -> None:
    for name in ("proteins", "freesolv", "usair"):
        assert load_task(name, data_dir=tmp_path).data is not None
    assert {"SAMPL.csv", "USAir.mat", "PROTEINS_A.txt"} <= set(server.asked)
    assert not any(name.endswith(".zip") for name in server.asked)
