"""``agentnas doctor``: what this machine has, and what to do about what it lacks."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from agentnas.cli.options import DataDir, Embedder, Executor, Json, MemoryDir, RunsDir
from agentnas.cli.output import emit, emit_json
from agentnas.cli.shell import command_app
from agentnas.config import Config, resolve
from agentnas.tools.errors import ConfigError

if TYPE_CHECKING:
    from agentnas.memory.embedding import Embedder as Embedding

app = command_app()
OLDEST_PYTHON = (3, 11)
LEAST_FREE_GIB = 1.0


@dataclass(frozen=True)
class Check:
    """One thing looked at: ``ok`` is None for a fact that is neither good nor bad."""

    name: str
    ok: bool | None
    found: str
    fix: str = ""


@app.command()
def doctor(
    data_dir: DataDir = None, runs_dir: RunsDir = None, memory_dir: MemoryDir = None, embedder: Embedder = None, executor: Executor = None,
    json: Json = False,
) -> None:  # fmt: skip
    """Check that this machine has what AgentNAS needs."""
    given = {"data_dir": data_dir, "runs_dir": runs_dir, "memory_dir": memory_dir, "embedder": embedder, "executor": executor}
    config = resolve(given).config
    checks = []
    for check in examine(config):
        checks.append(check)
        if not json:
            emit(_line(check))  # as it is found: importing torch for real takes seconds
    if json:
        emit_json(checks)
    failed = [check.name for check in checks if check.ok is False]
    if failed:
        raise ConfigError(f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}")


def examine(config: Config) -> Iterator[Check]:
    """All checks, in the order in which they are shown."""
    yield _python()
    yield from map(_package, _requirements())
    yield from _torch()
    yield _ray(config.executor)
    yield from _data_sets(config.data_dir)
    yield _runs_dir(config.runs_dir)
    yield _memory(config)
    yield _disk(config.runs_dir)


def _line(check: Check) -> str:
    mark = {True: typer.style("ok  ", fg="green"), False: typer.style("FAIL", fg="red"), None: "    "}[check.ok]
    fix = f"; {check.fix}" if check.fix and check.ok is not True else ""
    return f"{mark} {check.name:<30} {check.found}{fix}"


def _python() -> Check:
    enough = sys.version_info >= OLDEST_PYTHON
    return Check("python", enough, f"{platform.python_version()} at {sys.executable}", "install Python 3.11 or newer")


def _requirements() -> list[str]:
    """What the installed package requires; the names only."""
    try:
        lines = importlib.metadata.requires("agentnas") or []
    except importlib.metadata.PackageNotFoundError:
        return ["agentnas"]
    names = [re.split(r"[^A-Za-z0-9._-]", line)[0] for line in lines if "extra ==" not in line]
    return ["agentnas", *names]


def _package(name: str) -> Check:
    try:
        return Check(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, "not installed", "pip install agentnas" if name == "agentnas" else f"pip install {name}")


def _torch() -> Iterator[Check]:
    """Import torch and PyG for real: an installed package is not yet one that loads."""
    for module in ("torch", "torch_geometric"):
        try:
            importlib.import_module(module)
        except (ImportError, OSError) as error:
            yield Check(f"import {module}", False, " ".join(str(error).split()), f"install {module} anew")
            return
        yield Check(f"import {module}", True, "loads")
    yield from _devices()


def _devices() -> Iterator[Check]:
    import torch

    yield Check("device cpu", True, f"{os.cpu_count()} cores, {torch.get_num_threads()} threads of torch")
    for index in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(index)
        yield Check(f"device cuda:{index}", True, f"{found.name}, {found.total_memory / 2**30:.0f} GiB")
    if not torch.cuda.is_available():
        yield Check("device cuda", None, "none; the CPU is used")


def _ray(executor: str) -> Check:
    """Whether trials can go to Ray, and to the cluster that was asked for."""
    from agentnas.tools import ray_cluster
    from agentnas.tools.executors import LOCAL

    try:
        version = importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        fix = "pip install 'agentnas[ray]'"
        return Check("ray", None if executor == LOCAL else False, f"not installed; only --executor ray needs it: {fix}")
    if executor == LOCAL:
        return Check("ray", True, version)
    try:
        ray_cluster.check(executor)
    except ConfigError as error:
        return Check("ray", False, f"{version}; {error}")
    return Check("ray", True, f"{version}, {executor} can be used")


def _data_sets(data_dir: Path | None) -> Iterator[Check]:
    from agentnas.tools.tasks import task_names
    from agentnas.tools.tasks.locate import where

    for name in task_names():
        place = where(name, data_dir)
        yield Check(f"task {name}", True if place else None, place or "not here", "downloaded when it is first used")


def _runs_dir(folder: Path) -> Check:
    """Writing is tried in the nearest folder that exists; nothing is left behind."""
    place = _existing(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".doctor-"):
            pass
    except OSError as error:
        return Check("runs directory", False, f"{folder}: {error.strerror}", "choose another with --runs-dir")
    return Check("runs directory", True, str(folder.resolve()))


def _memory(config: Config) -> Check:
    """The memory that outlives runs is opened for real; one that is not there yet is not made."""
    from agentnas.memory.chroma import is_url
    from agentnas.memory.embedding import make_embedder
    from agentnas.tools.errors import AgentNASError

    place = config.memory_dir
    if place is None:
        return Check("memory", None, "off (memory_dir is none)")
    try:
        embedder = make_embedder(config.embedder)
        if not is_url(place) and not (Path(place).exists() and any(Path(place).iterdir())):
            return Check("memory", None, f"nothing yet in {place}; embedder {embedder.name}", "the first run makes it")
        return Check("memory", True, f"{place}; embedder {embedder.name}; {_records(place, embedder)}")
    except (AgentNASError, OSError) as error:
        return Check("memory", False, str(error), "choose another place with --memory-dir, or none to do without")


def _records(place: str, embedder: Embedding) -> str:
    from agentnas.memory.codec import layout
    from agentnas.memory.shelf import NAMES, Shelf

    shelf = Shelf(place, layout(embedder))
    try:
        with shelf.reading():
            return ", ".join(f"{shelf.count(name)} {name}" for name in NAMES)
    finally:
        shelf.close()


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(_existing(folder)).free / 2**30
    return Check("disk", free >= LEAST_FREE_GIB, f"{free:.1f} GiB free", f"a run needs up to {LEAST_FREE_GIB:g} GiB; free some")


def _existing(folder: Path) -> Path:
    return next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
