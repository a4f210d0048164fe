"""What a run does with the memory that outlives runs: open it, catch up with earlier runs, add this one. No run ends because of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from agentnas.config import Config
from agentnas.memory import events as ev
from agentnas.tools.errors import ConfigError, StoreError
from agentnas.words import plural

if TYPE_CHECKING:
    from agentnas.memory.journal import Journal
    from agentnas.memory.memory import InMemory
    from agentnas.memory.rundir import RunDirectory
    from agentnas.memory.store import Store

# Seconds at a run's start for runs that are not in the memory yet; what is left waits for the next start.
CATCH_UP_S = 1.0
Note = Callable[[str], None]


def check_memory(config: Config) -> None:
    """Raise UsageError for an embedder that does not exist, ConfigError for one that lacks its weights or did not fill this memory."""
    from agentnas.memory.chroma import is_url
    from agentnas.memory.embedding import make_embedder
    from agentnas.memory.shelf import read_state, require_fit

    if config.memory_dir is None:
        return
    embedder = make_embedder(config.embedder)
    if not is_url(config.memory_dir):
        try:
            require_fit(config.memory_dir, read_state(Path(config.memory_dir)), embedder.name)
        except StoreError:
            return  # told when the run has a journal


def open_store(config: Config) -> Store:
    """The store of the settings; raises ConfigError where they have none, else as ``Store`` does."""
    from agentnas.memory.embedding import make_embedder
    from agentnas.memory.store import Store

    if config.memory_dir is None:
        raise ConfigError("memory is off (memory_dir is none); give a folder with --memory-dir")
    return Store(config.memory_dir, make_embedder(config.embedder), forget_task=config.forget_task)


@contextmanager
def remembered(config: Config, directory: RunDirectory, journal: Journal, recorded: Sequence[str] | None = None) -> Iterator[InMemory]:
    """The memory of a run: its own, and beneath it what outlives runs, unless that is off or cannot be used, which is then noted.

    A replay remembers what the ``recorded`` run did (exported lines), in a store that is thrown away: its answers cite that.
    """
    from agentnas.memory.layered import Layered
    from agentnas.memory.memory import InMemory

    note = noting(journal)
    with ExitStack() as stack:
        store = _opened(config, note) if recorded is None else _replayed(recorded, config, stack)
        if store is None:
            yield InMemory(journal.view, directory.name)
            return
        stack.enter_context(closing(store))
        if recorded is None:
            _catch_up(store, config.runs_dir, directory.name, note)
        _tell_memory(store, journal)
        _record(store, config, note)
        memory = Layered(journal.view, directory.name, store, note)
        try:
            yield memory
        finally:
            memory.settle(directory.journal_file.stat().st_size)


def noting(journal: Journal) -> Note:
    """A function that writes warnings to the journal; those of a resumed run are not repeated."""
    known = {earlier.message for earlier in journal.view.notes}

    def note(line: str) -> None:
        if line not in known:
            journal.append(ev.Noted(level="warning", message=line))

    return note


def _opened(config: Config, note: Note) -> Store | None:
    if config.memory_dir is None:
        return None
    try:
        return open_store(config)
    except (StoreError, ConfigError) as error:
        note(f"{error}; the run goes on without memory of other runs")
        return None


def _tell_memory(store: Store, journal: Journal) -> None:
    """What the search begins from belongs to what it found: with another memory it takes another way."""
    if journal.view.memory is None:
        with suppress(StoreError):
            trials, tasks = store.size()
            if trials:
                journal.append(ev.Noted(message=f"{ev.MEMORY_NOTE}{plural(trials, 'trial')} of {plural(tasks, 'task')} by earlier runs"))


def _replayed(recorded: Sequence[str], config: Config, stack: ExitStack) -> Store | None:
    from agentnas.memory.portable import import_lines
    from agentnas.memory.store import Store

    if not recorded:
        return None
    store = Store(stack.enter_context(TemporaryDirectory(prefix="agentnas-replay-")), forget_task=config.forget_task)
    import_lines(store, recorded, "recording")
    return store


def _record(store: Store, config: Config, note: Note) -> None:
    """What the run remembers goes into its recording, so that a replay knows the same."""
    from agentnas.agents.llm.recording import record_memory
    from agentnas.memory.portable import export_lines

    if config.record is not None and config.record.exists():
        try:
            problem = record_memory(config.record, list(export_lines(store)))
        except StoreError as error:
            problem = f"--record {config.record}: {error}"
        if problem:
            note(problem)


def _catch_up(store: Store, runs_dir: Path, run: str, note: Note) -> None:
    from agentnas.memory.keeping import reconcile

    if store.shelf.repaired:
        note(f"the memory was being written when its process died; built anew: {', '.join(store.shelf.repaired)}; nothing is lost")
    try:
        done = reconcile(store, runs_dir, CATCH_UP_S, without=run)
    except StoreError as error:
        note(f"{error}; earlier runs are written to it later")
        return
    if done.left:
        note(f"{len(done.left)} earlier runs are not in the memory yet; agentnas memory reindex writes them at once")
