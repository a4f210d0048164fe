"""What a search space holds, as people look at it: its bounds and values in lines, its size with what that counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentnas.config import resolve
from agentnas.dry_run import power_of_ten
from agentnas.searched import searched, settled, spec_of
from agentnas.tools.operators.base import operator
from agentnas.tools.spec import cells
from agentnas.tools.spec.bounded import NODE_FIELDS, BoundedSpace
from agentnas.tools.spec.cellspace import CellSpace
from agentnas.tools.spec.locks import Locks
from agentnas.tools.spec.named import NAMED, space_of
from agentnas.tools.spec.render import number
from agentnas.tools.spec.space import SearchSpace

COUNTS = (
    "from above: bodies of every size with every operator, parameter, wiring and setting of nodes, times the values of the settings;"
    " equal networks under other names, and what the language does not allow, are counted too"
)
EXACT = "exactly: distinct cells, equal ones counted once"


def listed() -> list[dict[str, Any]]:
    """A line for each space that ships, for node classification."""
    return [_listed(name) for name in NAMED]


def _listed(name: str) -> dict[str, Any]:
    space = space_of(name)
    sizes: dict[str, Any] = {"operators": len(cells.OPS), "nodes": str(cells.SIZE), "depth": f"1-{cells.SIZE}"}
    if isinstance(space, BoundedSpace):
        sizes = {
            "operators": len(space.allowed_operators()),
            "nodes": f"{space.min_depth}-{space.max_nodes}",
            "depth": f"{space.min_depth}-{space.max_depth}",
        }
    return {"space": name, **sizes, "designs": power_of_ten(space.log10_size()), "good_for": NAMED[name].good_for}


def space_for(
    name: str, task: str | None, lock: tuple[str, ...], start: Path | None, split: str | None, data_dir: Path | None
) -> SearchSpace:
    """The space as a design would search it; raises UsageError for what does not exist or does not fit the task."""
    from agentnas.api import require_data_dir
    from agentnas.tools.tasks import load_task

    starts = (str(start),) if start else None
    resolved = resolve({"task": task, "space": name, "lock": lock or None, "start": starts, "split": split, "data_dir": data_dir})
    config = settled(resolved.config)
    if task is None:
        return space_of(config.space, locks=config.lock, start=spec_of(config))
    require_data_dir(resolved, task)
    return searched(config, load_task(task, data_dir=config.data_dir, split=config.split), ()).space


def lines_of(space: SearchSpace) -> Iterator[str]:
    """The space in lines, each a bound or a setting with its values."""
    if isinstance(space, CellSpace):
        yield from _cell_lines(space)
        return
    assert isinstance(space, BoundedSpace)
    good = f", good for {NAMED[space.name].good_for}" if space.name in NAMED else ""
    yield f"space {space.name} for {space.kind} tasks: {power_of_ten(space.log10_size())} designs at most{good}"
    if space.locks:
        yield f"locked: {space.locks}"
    nodes, deep = (_range(space.min_depth, most) for most in (space.max_nodes, space.max_depth))
    yield f"body: {nodes} nodes, {deep} deep, up to {space.max_inputs} inputs a node"
    yield "operators:"
    yield from (f"  {_operator(space, name)}" for name in space.allowed_operators())
    yield "nodes:"
    yield from (f"  {name:10} {_values(space.values_of(f'body.{name}'))}" for name in NODE_FIELDS)
    yield f"  {'jump':10} {_values(space.values_of('body.jump'))}"
    for part in ("input", "head", "recipe", "post"):
        yield f"{part}:"
        yield from (f"  {name:26} {_values(space.values_of(f'{part}.{name}'))}" for name in _settings(space, part))


def _settings(space: BoundedSpace, part: str) -> list[str]:
    names = [name.removeprefix(f"{part}.") for name in space.factors() if name.startswith(f"{part}.")]
    locked = [name.removeprefix(f"{part}.") for name in space.locks.fields if name.startswith(f"{part}.") and name != "input.encodings"]
    fixed = [name.removeprefix(f"{part}.") for name, values in space.values.items() if name.startswith(f"{part}.") and len(values) == 1]
    return list(dict.fromkeys([*names, *fixed, *locked]))


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _operator(space: BoundedSpace, name: str) -> str:
    params = "; ".join(f"{param} {_values(values)}" for param, values in space.params_of(name).items())
    return f"{name:12} {operator(name).kind:12} {params}".rstrip()


def _values(values: Sequence[Any]) -> str:
    shown = [number(v) if isinstance(v, (int, float)) and not isinstance(v, bool) else str(v).lower() for v in values]
    return ", ".join(shown) or "none"


def _cell_lines(space: CellSpace) -> Iterator[str]:
    held = cells.settings_of(space.dataset)
    where = "looked up in the table" if space.is_table else "trained here"
    yield f"space {space.name}: {power_of_ten(space.log10_size())} cells, {where}"
    yield f"operators: {', '.join(cells.operators_of(space.dataset))}"
    yield f"links: {'; '.join(','.join(map(str, shape)) for shape in cells.LINKS)}"
    yield (f"training: {held.optimiser}, learning rate {held.learning_rate:g}, weight decay {held.weight_decay:g}, {held.epochs} epochs,"
           f" width {held.width}, dropout {held.dropout:g}")  # fmt: skip


def counted(space: SearchSpace) -> dict[str, Any]:
    """The size of a space: the number, its power of ten, what it counts, and how many factors can be varied one by one."""
    exponent = space.log10_size()
    exact = isinstance(space, CellSpace)
    found = {
        "space": space.name,
        "designs": power_of_ten(exponent) if exact else f"{power_of_ten(exponent)} at most",
        "log10_size": round(exponent, 2),
        "factors": len(space.factors()),
        "counted": EXACT if exact else COUNTS,
    }
    if isinstance(space, BoundedSpace) and space.locks:
        free = replace(space, locks=Locks({})).log10_size()
        found["locked"] = f"{space.locks}: {power_of_ten(free - exponent)} times fewer designs than without"
    return found
