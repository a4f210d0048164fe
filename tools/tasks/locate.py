"""Where the raw files of a data set lie, and how they get there when they do not."""

from __future__ import annotations

import http.client
import importlib.util
import io
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from pathlib import Path

from agentnas.tools.errors import DataError
from agentnas.tools.tasks.catalog import TABLE_PREFIX, TABLES, DataSet, RemoteFile, data_set, is_task_file, raw_files, raw_folders

DATA_DIR_VARIABLE = "AGENTNAS_DATA_DIR"
DATA_URL_VARIABLE = "AGENTNAS_DATA_URL"
TIMEOUT_S = 30.0
MAX_FILE_BYTES = 2**30
ARCHIVE_MARK = "#"
BROKEN_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, OverflowError)


def data_roots(data_dir: Path | None = None) -> list[Path]:
    """Folders that are searched, in order: the one given, $AGENTNAS_DATA_DIR, ./data, the user's cache.

    Raises DataError where the given folder, or the variable's, does not exist: a mistyped folder is never passed over.
    """
    import platformdirs

    named = _named_roots(data_dir)
    for root, source in named.items():
        if not os.path.isdir(root):
            raise DataError(f"{source} {root} is not a folder; give an existing one that holds, or will hold, the data sets")
        if not os.access(root, os.R_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            raise DataError(f"{source} {root} cannot be read; change its permissions or give another folder")
    cache = Path(platformdirs.user_cache_dir("agentnas")) / "data"
    return [*named, Path("data"), cache]


def find_data(name: str, data_dir: Path | str | None = None, split: str | None = None) -> Path | None:
    """The first raw folder that holds every file of the data set (for its default split unless told).

    None where no folder does, and for tasks that come with an installed package (``digits``, tables) or are generated.
    """
    if is_task_file(name) or (name.startswith(TABLE_PREFIX) and name.removeprefix(TABLE_PREFIX) in TABLES):
        return None
    data = data_set(name)
    if not raw_files(data, ""):
        return None
    return _complete_folder(data, split or data.splits[0], data_roots(Path(data_dir) if data_dir is not None else None))


def where(name: str, data_dir: Path | None, split: str | None = None) -> str | None:
    """Where the data of a task is: a folder, the package that carries it, or ``generated``; None if it would be downloaded."""
    if is_task_file(name):
        return str(Path(name).expanduser().absolute())
    if name.startswith(TABLE_PREFIX):
        return "package nas-bench-graph" if importlib.util.find_spec("nas_bench_graph") else None
    inside = {"digits": "package scikit-learn", "powerlaw": "generated", "generated": "generated"}.get(data_set(name).family)
    if inside:
        return inside
    folder = find_data(name, data_dir, split)
    return str(folder) if folder else None


def insist(name: str, data_dir: Path, split: str | None = None) -> None:
    """Raise DataError if the folder that a person gave for this very call lacks the data of the task while another place has it.

    Where no place has it, it is downloaded into that folder.
    """
    if is_task_file(name) or name.startswith(TABLE_PREFIX) or not raw_files(data_set(name), ""):
        return
    data, roots = data_set(name), data_roots(data_dir)
    wanted = split or data.splits[0]
    elsewhere = _complete_folder(data, wanted, roots)
    if elsewhere is not None and _complete_folder(data, wanted, [data_dir]) is None:
        raise DataError(f"--data-dir {data_dir} lacks {_missing(data, wanted, [data_dir])}; {elsewhere} has it: leave --data-dir out")


def obtain_data(data: DataSet, split: str, data_dir: Path | None, download: bool) -> Path:
    """A complete raw folder: found, or downloaded into the folder that the person named, else the user's cache.

    DataError says which file is missing.
    """
    roots = data_roots(data_dir)
    found = _complete_folder(data, split, roots)
    if found is not None:
        return found
    if not download:
        raise DataError(f"{_missing(data, split, roots)}; give --data-dir or {DATA_DIR_VARIABLE}, or allow the download")
    return _download(data, split, roots[0] if _named_roots(data_dir) else roots[-1])


def _named_roots(data_dir: Path | None) -> dict[Path, str]:
    """The folders that the person named, and how."""
    value = os.environ.get(DATA_DIR_VARIABLE, "")
    named = {data_dir: "--data-dir"} if data_dir is not None else {}
    return named | ({Path(value).expanduser(): f"${DATA_DIR_VARIABLE}"} if value else {})


def _complete_folder(data: DataSet, split: str, roots: list[Path]) -> Path | None:
    folders = (root / folder for root in roots for folder in raw_folders(data, split))
    names = [file.name for file in raw_files(data, split)]
    return next((folder for folder in folders if all(os.path.exists(folder / name) for name in names)), None)


def _missing(data: DataSet, split: str, roots: list[Path]) -> str:
    """Which file of the most promising folder is not there."""
    folders = [root / folder for root in roots for folder in raw_folders(data, split)]
    folder = next((folder for folder in folders if os.path.isdir(folder)), folders[0])
    name = next(file.name for file in raw_files(data, split) if not os.path.exists(folder / file.name))
    return f"{data.name}: no {folder / name}"


def _download(data: DataSet, split: str, root: Path) -> Path:
    folder = root / raw_folders(data, split)[0]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        archives: dict[str, dict[str, Path]] = {}
        for file in raw_files(data, split):
            url, target = _url(data, split, file), folder / file.name
            address, mark, member = url.partition(ARCHIVE_MARK)
            if mark:
                archives.setdefault(address, {})[member] = target
            elif not target.exists():
                _fetch(data, url, target)
        for address, members in archives.items():
            _fetch_archive(data, address, members)
    except OSError as error:
        raise DataError(f"{data.name}: cannot write to {folder} ({error.strerror or error}); give another --data-dir") from None
    return folder


def _url(data: DataSet, split: str, file: RemoteFile) -> str:
    """Where a file is fetched from: its public address, or the mirror that the person named, which has our folders and single files."""
    base = os.environ.get(DATA_URL_VARIABLE, "")
    if not base:
        return file.url
    if urllib.parse.urlsplit(base).scheme not in ("http", "https"):
        raise DataError(f"{DATA_URL_VARIABLE} is {base!r}; expected an address that begins with http:// or https://")
    return f"{base.rstrip('/')}/{raw_folders(data, split)[0]}/{file.name}"


def _fetch(data: DataSet, url: str, target: Path) -> None:
    """Download one file; it appears under its name only when it is whole."""
    _put(_got(data, url, target), target)


def _fetch_archive(data: DataSet, url: str, members: dict[str, Path]) -> None:
    """Download a zip archive once and take the named members out of it; nothing else of it is looked at or written.

    All members are read, and their checksums compared, before the first is written.
    """
    content = _got(data, url, next(iter(members.values())))
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = {target: _member(archive, name) for name, target in members.items()}
    except KeyError as error:
        raise DataError(f"{data.name}: {url} has no member {error.args[0]}; expected {', '.join(members)}") from None
    except BROKEN_ARCHIVE as error:
        reason = (str(error).splitlines() or [""])[0][:100] or type(error).__name__
        raise DataError(
            f"{data.name}: {url} is truncated or no zip archive ({reason}); try again, or give the files as --data-dir"
        ) from None
    for target, inside in found.items():
        _put(inside, target)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member's content; KeyError names the one that is not there, ValueError says that it is too large."""
    if name not in archive.namelist():
        raise KeyError(name)
    with archive.open(name) as stream:
        content = stream.read(MAX_FILE_BYTES + 1)  # what the heading claims may be a lie
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{name} is larger than {MAX_FILE_BYTES} bytes")
    return content


def _got(data: DataSet, url: str, target: Path) -> bytes:
    """What the address answers; DataError says which file is wanted for what, and what works without it."""
    hint = f"put the raw files of {data.name} into a folder and give it as --data-dir, or use the built-in task digits"
    try:
        return _get(url)
    except urllib.error.HTTPError as error:
        raise DataError(f"{data.name}: no {target}, {url} answered {error.code} {error.reason}; {hint}") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise DataError(f"{data.name}: no {target}, cannot download {url} ({reason}); {hint}") from None


def _put(content: bytes, target: Path) -> None:
    """Write a file that is there complete or not at all."""
    handle, part = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(part, 0o644)
        os.replace(part, target)
    except BaseException:
        os.unlink(part)
        raise


def _get(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "agentnas", "Accept-Encoding": "identity"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        content: bytes = answer.read(MAX_FILE_BYTES + 1)
        promised = answer.headers.get("Content-Length")
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"answer is larger than {MAX_FILE_BYTES} bytes")
    if promised is not None and promised.isdigit() and int(promised) != len(content):
        raise ValueError(f"answer broke off after {len(content)} of {promised} bytes")
    if not content:
        raise ValueError("answer is empty")
    return content
