"""What a run searches and begins from: its space, the parts that stay locked, the designs that a person starts from, the anchors.

Files are read once, before a run begins: its settings then hold what they said, so that the run can be repeated without them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from agentnas.config import Config, is_space_file
from agentnas.spec_file import read_spec
from agentnas.tools.errors import UsageError
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec

if TYPE_CHECKING:
    from agentnas.memory.rundir import RunDirectory
    from agentnas.tools.anchors import Anchor
    from agentnas.tools.evaluate.fitting import Room
    from agentnas.tools.spec.bounded import BoundedSpace
    from agentnas.tools.spec.space import SearchSpace
    from agentnas.tools.tasks import Task

START: Literal["start"] = "start"


class Searched(NamedTuple):
    """The space, and what is tried first: the person's own designs, the anchors inside, those that are only compared with."""

    space: SearchSpace
    first: tuple[Anchor, ...]

    @property
    def outside(self) -> tuple[str, ...]:
        """Names of what is evaluated to compare with, and neither chosen nor varied: it lies outside of the space."""
        return tuple(anchor.name for anchor in self.first if anchor.reference)

    def as_dict(self) -> dict[str, Any]:
        """For the journal: the space whole, its size, what is locked, and what lies outside."""
        return {"space": self.space.as_dict(), "log10_size": round(self.space.log10_size(), 6), "outside": list(self.outside)}


def settled(config: Config) -> Config:
    """The settings with the files of --space and --start read into them; raises UsageError or SpecError that names the file."""
    space: Any = config.space
    if isinstance(space, str) and is_space_file(space):
        space = read_space(Path(space))
    starts = tuple(config.start)
    if any(isinstance(start, str) for start in starts):
        names = dict(zip(starts, _names([str(start) for start in starts]), strict=True)) if all(isinstance(s, str) for s in starts) else {}
        starts = tuple({"name": names.get(s, START), "spec": _read(Path(s))} if isinstance(s, str) else s for s in starts)
    return config.model_copy(update={"space": space, "start": starts})


def read_space(path: Path) -> dict[str, Any]:
    """The data of a space file with its name filled in; raises UsageError with file, line and column, or with the file."""
    from agentnas.tools.spec.named import KEYS, space_of
    from agentnas.tools.yaml_file import Expected, read_yaml

    top = read_yaml(path, Expected("space file", "bounds of a search space, such as operators", "docs/spaces.md"))
    parts = top.mapping("the space", KEYS)
    data = {"name": path.stem, **top.plain}
    # A lock that says no value needs the start, which is looked at later.
    try:
        space_of({key: value for key, value in data.items() if key != "lock" or isinstance(value, Mapping)})
    except UsageError as error:
        key = next((key for key in parts if f": {key}" in str(error) or f"{key} " in str(error)), "")
        raise (top.keys[key] if key else top.place).error(str(error)) from None
    return data


def _read(path: Path) -> dict[str, Any]:
    """The spec of a file as plain data, with the names of its nodes as they are written there: locks name them."""
    return read_spec(path).model_dump(mode="json", exclude_defaults=True)


def _names(files: list[str]) -> list[str]:
    """``start`` for one file; for several their stems, numbered where two are alike."""
    if len(files) == 1:
        return [START]
    stems = [Path(file).stem for file in files]
    return [f"{START} {stem}" + (f" {i + 1}" if stems.count(stem) > 1 else "") for i, stem in enumerate(stems)]


def _starts_of(config: Config, task: Task) -> Iterator[tuple[str, ArchitectureSpec]]:
    """The designs that a person starts from, by name; raises UsageError for one of another kind of task that nobody asked to adapt."""
    from agentnas.tools.spec.canonical import spec_hash
    from agentnas.tools.spec.kinds import for_kind

    for start in config.start:
        assert not isinstance(start, str)
        spec = parse_spec(start["spec"])
        adapted = spec if task.table is not None else for_kind(spec, task.kind, task.target)
        if spec_hash(adapted) != spec_hash(spec) and not config.adapt_start:
            raise UsageError(f"--start: {start['name']} {_unfit(spec, task)}; give --adapt-start to have it changed for {task.name}")
        yield start["name"], adapted


def spec_of(config: Config) -> ArchitectureSpec | None:
    """The first start of settled settings as it stands in its file; None without one."""
    first = next(iter(config.start), None)
    return parse_spec(first["spec"]) if isinstance(first, Mapping) else None


def _unfit(spec: ArchitectureSpec, task: Task) -> str:
    if spec.head.kind != task.kind:
        return f"predicts for each {spec.head.kind}, {task.name} for each {task.kind}"
    return f"has settings that mean nothing where the target is {task.target} of each {task.kind}, such as its post-processing"


def searched(config: Config, task: Task, anchors: tuple[Anchor, ...]) -> Searched:
    """The space of a run and what it tries first, the ``anchors`` of its task among them.

    Anchors that lie outside of a space that was asked for are compared with, after those inside.
    """
    from agentnas.tools.anchors import Anchor

    config = settled(config)
    starts = list(_starts_of(config, task))
    space = _with_anchors(_space(config, task, starts[0][1] if starts else None), config, anchors)
    own = tuple(Anchor(name, START, "", spec) for name, spec in starts)
    first = tuple(replace(anchor, reference=space.refuses(anchor.spec) is not None) for anchor in (*own, *anchors))
    return Searched(space, tuple(sorted(first, key=lambda anchor: anchor.reference)))


def _with_anchors(space: SearchSpace, config: Config, anchors: tuple[Anchor, ...]) -> SearchSpace:
    """A space that ships takes in anchors which lie outside by nothing but numbers of their recipes: what works on a kind of task is no
    reference there for its patience. A file holds as it is said."""
    from agentnas.tools.spec.bounded import BoundedSpace

    if not isinstance(space, BoundedSpace) or not space.strict or not isinstance(config.space, str):
        return space
    found: BoundedSpace = space
    for anchor in anchors:
        if all(bound.startswith("recipe.") for bound in found.violations(anchor.spec)):
            found = found.widened(anchor.spec)
    return found


def _space(config: Config, task: Task, start: ArchitectureSpec | None) -> SearchSpace:
    from agentnas.tools.spec.bounded import BoundedSpace
    from agentnas.tools.spec.named import space_of
    from agentnas.tools.spec.space import SearchSpace

    if task.table is None:
        asked = config.space
        space = space_of(asked, task.kind, task.target, config.lock, start, task.offers)
        if isinstance(asked, str) and isinstance(space, BoundedSpace):
            space = _without_idle_scaling(space, task)
        # What a file says holds as it is said; to a space that ships, a start brings its own values along.
        return space.widened(start) if isinstance(asked, str) and isinstance(space, BoundedSpace) and start is not None else space
    if config.space != "default" or config.lock:
        flag = "--lock" if config.lock else "--space"
        raise UsageError(f"{flag}: {task.name} is a table of cells, which are its space; leave {flag} out")
    space = SearchSpace.nasbench(task.table.name)
    if start is not None and (problem := space.contains(start)):
        raise UsageError(f"--start: {problem}")
    return space


def _without_idle_scaling(space: BoundedSpace, task: Task) -> BoundedSpace:
    """The space without scaling of rows where that changes nothing: each design would be there, trained and confirmed, twice. Some
    anchors of nodes scale rows, and would lie outside of a strict space for that alone."""
    scales = tuple(scale for scale in space.values_of("input.scale") if scale != "row")
    held = space.strict and task.kind == "node"
    if held or task.data is None or not task.data.rows_sum_to_one or not scales:
        return space
    return replace(space, values={**space.values, "input.scale": scales})


def cells_of(config: Config) -> str | None:
    """Whose training settings the cells have, where those are searched; None for other spaces."""
    from agentnas.tools.spec.named import CELLS, USUAL_CELLS

    name, _, settings = config.space.partition(":") if isinstance(config.space, str) else ("", "", "")
    return (settings or USUAL_CELLS) if name == CELLS else None


def fitted(room: Room, space: SearchSpace, spec: ArchitectureSpec) -> ArchitectureSpec:
    """The spec as there is room to train it, unless that would change what is locked."""
    made = room.fitted(spec)[0]
    return made if space.refuses(made) is None or space.refuses(spec) is not None else spec


def named(held: Any) -> str:
    """A space or the starts of a run's settings by their names."""
    if isinstance(held, str):
        return held
    if isinstance(held, Mapping):
        return str(held.get("name"))
    return ", ".join(str(start["name"]) for start in held) or "none"


def told_space(found: Mapping[str, Any]) -> list[str]:
    """What a journal says was searched, in lines; none for the usual space without locks."""
    from agentnas.dry_run import power_of_ten
    from agentnas.tools.spec.locks import Locks

    space = found.get("space") or {}
    if not space.get("strict") and not space.get("lock") and "trained" not in space:
        return []
    lines = [f"space: {space['name']}, {power_of_ten(found['log10_size'])} designs at most"]
    lines += [f"locked: {Locks(space['lock'])}"] if space.get("lock") else []
    if found.get("outside"):
        lines.append(f"outside the space, to compare with and not to choose: {', '.join(found['outside'])}")
    return lines


def write_files(config: Config, directory: RunDirectory) -> None:
    """The files that the settings were read from, beside the run, for the command that repeats it."""
    for name, data in file_names(config.model_dump(mode="json")).items():
        directory.write_text(name, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def file_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """What those files are called, and what they hold. JSON is YAML too."""
    space = config.get("space", "default")
    found = {} if isinstance(space, str) else {"space.yaml": space}
    starts = [start for start in config.get("start") or () if not isinstance(start, str)]
    return found | {f"{start['name'].replace(' ', '-')}.json": start["spec"] for start in starts}
