"""``agentnas memory``: what outlives runs: look into it, add to it, carry it elsewhere, forget, build it anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentnas.cli import llm_options as models
from agentnas.cli.options import DataDir, Embedder, ForgetTask, Json, MemoryDir, RunsDir, Split
from agentnas.cli.output import counted, emit, emit_json, say, table
from agentnas.cli.shell import COMMANDS, group_app
from agentnas.config import resolve
from agentnas.remembering import open_store
from agentnas.tools.errors import ConfigError, DataError, UsageError

if TYPE_CHECKING:
    from agentnas.memory.store import Store

app = group_app(COMMANDS["memory"].help)
Kinds = Annotated[str | None, typer.Option(help="Only trials, findings or cards.", show_default=False)]
ReaderLlm = Annotated[
    str | None, typer.Option("--llm", help="Language model that reads the papers, such as openai:MODEL; else a rule.", show_default=False)
]
Aim = Annotated[str | None, typer.Option(help="Only of tasks that predict something of a node, graph or link.", show_default=False)]
AIM_WORDS = ("node", "graph", "link")
KINDS = {"trials": "trial", "findings": "finding", "cards": "card"}


@app.command()
def search(
    question: Annotated[str, typer.Argument(help="What to look for, in words.", show_default=False)],
    task: Annotated[str | None, typer.Option(help="Task that it is asked about; its card takes a second.", show_default=False)] = None,
    top: Annotated[int, typer.Option("--top", "-k", min=1, max=100, help="Most answers.")] = 8,
    kind: Kinds = None,
    aim: Aim = None,
    forget_task: ForgetTask = None,
    split: Split = None,
    data_dir: DataDir = None,
    memory_dir: MemoryDir = None,
    embedder: Embedder = None,
    json: Json = False,
) -> None:
    """What is known about a question: trials, findings and paper cards, each with its reason.

    With --task, what was learnt on similar tasks comes first, and nothing of tasks that predict other things.
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(f"--kind is {kind!r}; allowed: {', '.join(KINDS)}")
    if aim is not None and aim not in AIM_WORDS:
        raise UsageError(f"--aim is {aim!r}; allowed: {', '.join(AIM_WORDS)}")
    card = _card(task, split, data_dir)
    with _opened(memory_dir, embedder, forget_task) as store:
        # Kinds come in turn: a third of the answers is of the one that was asked for.
        found = [e for e in store.recall(card, question, top if kind is None else 3 * top, aim) if kind in (None, f"{e.kind}s")][:top]
    if json:
        emit_json(found)
        return
    for evidence in found:
        emit(f"{evidence.id}  {evidence.similarity:.2f}\n    {evidence.text}\n    why: {evidence.why}")
    if not found:
        say("nothing in the memory is near this question")


@app.command()
def add(
    files: Annotated[
        list[Path],
        typer.Argument(help="Papers as PDF, Markdown, text, BibTeX or listings of abstracts; cards as JSON Lines.", show_default=False),
    ],
    llm: ReaderLlm = None,
    max_cost: models.MaxCost = None,
    max_tokens: models.MaxTokens = None,
    max_llm_calls: models.MaxCalls = None,
    llm_timeout: models.LlmTimeout = None,
    prices: models.Prices = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be added and spent, and do neither.")] = False,
    memory_dir: MemoryDir = None,
    embedder: Embedder = None,
    json: Json = False,
) -> None:
    """Add papers as cards, made by a model or by rule.

    Without a model a card quotes its paper. Either way it is marked as unreviewed.

    A paper whose title is known is left out. What is wrong with one file keeps no other from being added.
    """
    from agentnas.cli.memory_files import add_files

    flags = {
        "llm": llm, "max_cost": max_cost, "max_tokens": max_tokens, "max_llm_calls": max_llm_calls, "llm_timeout": llm_timeout,
        "prices": prices, "memory_dir": memory_dir, "embedder": embedder,
    }  # fmt: skip
    add_files(files, resolve(flags), dry_run=dry_run, json=json)


@app.command()
def stats(memory_dir: MemoryDir = None, embedder: Embedder = None, json: Json = False) -> None:
    """How much is remembered, and of which tasks."""
    from agentnas.memory.records import NODES
    from agentnas.memory.shelf import NAMES

    with _opened(memory_dir, embedder) as store, store.shelf.reading():
        counts: dict[str, int] = {name: store.shelf.count(name) for name in NAMES}
        trials = [data["key"] for data in store.shelf.get("trials").values()]
        tasks = [
            {"task": task.task, "aim": task.aim or NODES, "protocol": task.protocol, "trials": trials.count(key)}
            for key, task in store.tasks().items()
        ]
        facts: dict[str, str | int] = {"place": store.shelf.place, "embedder": store.embedder.name, **counts}
    if json:
        emit_json({**facts, "by_task": tasks})
        return
    for key, value in facts.items():
        emit(f"{key:<9} {value}")
    if tasks:
        emit("\n" + table(("task", "aim", "protocol", "trials"), (row.values() for row in tasks)))


@app.command("export")
def export_(
    file: Annotated[Path | None, typer.Argument(help="File to write; stdout if not given.", show_default=False)] = None,
    memory_dir: MemoryDir = None,
    embedder: Embedder = None,
) -> None:
    """Write the memory as JSON Lines, which another memory can import."""
    from agentnas.memory.portable import export_lines
    from agentnas.memory.rundir import write_atomic

    with _opened(memory_dir, embedder) as store:
        lines = list(export_lines(store))
    if file is None:
        for line in lines:
            emit(line)
        return
    write_atomic(file, "".join(f"{line}\n" for line in lines).encode())
    say(f"{counted(len(lines), 'record')} written to {file}")


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Files that agentnas memory export wrote.", show_default=False)],
    memory_dir: MemoryDir = None,
    embedder: Embedder = None,
    json: Json = False,
) -> None:
    """Add what another memory exported. A record whose id is known replaces the old one."""
    from agentnas.memory.portable import import_lines

    texts = [(path, _text(path)) for path in files]
    with _opened(memory_dir, embedder) as store:
        read = [import_lines(store, text.splitlines(), str(path)) for path, text in texts]
    total = {kind: sum(counts[kind] for counts in read) for kind in read[0]}
    if json:
        emit_json(total)
    else:
        emit(", ".join(counted(count, kind) for kind, count in total.items()))


@app.command()
def forget(
    ids: Annotated[list[str] | None, typer.Argument(help="trial:RUN/ID, finding:RUN/ID, card:ID.", show_default=False)] = None,
    run: Annotated[str | None, typer.Option(help="All of this run.", show_default=False)] = None,
    task: Annotated[str | None, typer.Option(help="All that was learnt on this task so far.", show_default=False)] = None,
    memory_dir: MemoryDir = None,
    embedder: Embedder = None,
    json: Json = False,
) -> None:
    """Forget for good: what was forgotten does not come back from a run's journal."""
    from agentnas.memory import portable

    if not (ids or run or task):
        raise UsageError("nothing to forget; give ids, --run or --task")
    with _opened(memory_dir, embedder) as store:
        gone = [portable.forget_id(store, id_) for id_ in ids or ()]
        gone += [portable.forget_run(store, run)] if run else []
        gone += [portable.forget_task(store, task)] if task else []
    total = {name: sum(getattr(forgotten, name) for forgotten in gone) for name in ("trials", "findings", "cards")}
    if not any(total.values()):
        raise UsageError(f"the memory holds nothing of {', '.join([*(ids or ()), *filter(None, (run, task))])}")
    if json:
        emit_json(total)
    else:
        emit("forgotten: " + ", ".join(counted(count, name.removesuffix("s")) for name, count in total.items()))


@app.command()
def reindex(runs_dir: RunsDir = None, memory_dir: MemoryDir = None, embedder: Embedder = None, json: Json = False) -> None:
    """Fill the memory anew: for another embedder, or what can be read of a broken one, and all runs that it lacks."""
    from agentnas.memory.embedding import make_embedder
    from agentnas.memory.rebuilding import reindex as rebuild

    config = resolve({"memory_dir": memory_dir, "embedder": embedder, "runs_dir": runs_dir}).config
    if config.memory_dir is None:
        raise ConfigError("memory is off (memory_dir is none); give a folder with --memory-dir")
    if runs_dir is not None and not runs_dir.is_dir():
        raise UsageError(
            f"--runs-dir {runs_dir} is no folder; give the folder of your runs, or leave it out for {resolve({}).config.runs_dir}"
        )
    done = rebuild(config.memory_dir, make_embedder(config.embedder), config.runs_dir)
    if json:
        emit_json({"kept": done.kept, "lost": done.lost, "set_aside": done.set_aside, "runs": done.runs._asdict()})
        return
    emit("kept: " + (", ".join(f"{count} {name}" for name, count in done.kept.items()) or "nothing"))
    emit(f"from runs: {counted(len(done.runs.written), 'run')}")
    for name, problem in {**done.lost, **done.runs.unreadable}.items():
        say(f"not readable: {name}: {problem}")
    if done.set_aside:
        say(f"the broken files are in {done.set_aside}")


@contextmanager
def _opened(memory_dir: str | None, embedder: str | None, forget_task: bool | None = None) -> Iterator[Store]:
    config = resolve({"memory_dir": memory_dir, "embedder": embedder, "forget_task": forget_task}).config
    store = open_store(config)
    try:
        yield store
    finally:
        store.close()


def _card(task: str | None, split: str | None, data_dir: Path | None) -> Any:
    if task is None:
        return None
    from agentnas.cli.tasks import load
    from agentnas.tools.tasks import make_card

    return make_card(load(task, split, data_dir))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from None
