"""The architecture as a picture: the body's graph in layers from input to output, as inline SVG.

Layers are longest paths from the input; within a layer, boxes are ordered by the mean place of what leads to them (Sugiyama, Tagawa and
Toda 1981). A link over several layers goes through a free place in each, so that it crosses no box.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from agentnas.page.markup import joined, tag
from agentnas.tools.spec.canonical import canonical
from agentnas.tools.spec.model import ArchitectureSpec, Node
from agentnas.tools.spec.render import node_text, one_line, render

BOX, LANE, HEIGHT, GAP, MARGIN = 212, 28, 48, 34, 8  # pixels: width of a box and of a passing link, height, space between boxes
LONGEST = 32  # letters in a box
SWEEPS = 4
INPUT, OUTPUT = "input", "output"


@dataclass
class Layout:
    """Centres of boxes (x, y), and the points through which each link goes; pixels."""

    width: float
    height: float
    places: dict[str, tuple[float, float]]
    routes: list[list[str]] = field(default_factory=list)


def draw(spec: ArchitectureSpec, arrow: str = "arrow") -> Markup:
    """The spec's body between its input and its output; the whole text of each part is its tooltip.

    ``arrow`` is the id of the links' arrowhead: pictures on one page need different ones.
    """
    spec = canonical(spec)
    labels, links = _labels(spec), edges_of(spec)
    layout = lay_out(list(labels), links)
    boxes = (_box(name, labels[name], *layout.places[name]) for name in labels)
    size = f"0 0 {layout.width:.0f} {layout.height:.0f}"
    return tag(
        "svg", _arrow(arrow), *(_link(route, layout, arrow) for route in layout.routes), *boxes,
        viewBox=size, width=round(layout.width), height=round(layout.height), class_="architecture", role="img",
        aria_label=f"Architecture: {one_line(spec)}",
    )  # fmt: skip


def is_wide(spec: ArchitectureSpec) -> bool:
    """Whether the picture needs the whole width of a page: more than two boxes stand side by side."""
    spec = canonical(spec)
    return lay_out(list(_labels(spec)), edges_of(spec)).width > 3 * BOX


def edges_of(spec: ArchitectureSpec) -> list[tuple[str, str]]:
    """Links of the body, those to the output last."""
    inner = [(source, node.id) for node in spec.body.nodes for source in node.inputs]
    return list(dict.fromkeys(inner + [(source, OUTPUT) for source in spec.body.outputs or (INPUT,)]))


def _labels(spec: ArchitectureSpec) -> dict[str, tuple[str, str, str]]:
    """For each box its name, its details, and its whole text."""
    lines = render(spec).splitlines()
    ends = next(line for line in lines if line.startswith("output: "))
    nodes = {node.id: _label(node) for node in spec.body.nodes}
    return {INPUT: (INPUT, lines[0].partition(": ")[2], lines[0]), **nodes, OUTPUT: (OUTPUT, ends.partition(": ")[2], ends)}


def _label(node: Node) -> tuple[str, str, str]:
    """Operator and width; how inputs are merged, parameters and the rest below."""
    text = node_text(node)
    head, _, details = text.partition("; ")
    _, _, params = head.partition(" <- ")[0].partition("(")
    merged = f"{node.merge} of {len(node.inputs)}" if len(node.inputs) > 1 else ""
    width = "" if node.width is None else f" {node.width}"
    return f"{node.op}{width}", ", ".join(part for part in (merged, params.rpartition(")")[0], details) if part), text


def lay_out(names: Sequence[str], links: Sequence[tuple[str, str]]) -> Layout:
    """Places for named boxes and routes for links between them; the links form no cycle and lead from earlier names to later ones."""
    depth = _depths(names, links)
    routes = [_route(a, b, depth) for a, b in links]
    rows: dict[int, list[str]] = defaultdict(list)
    for name, layer in depth.items():
        rows[layer].append(name)
    _untangle(rows, routes)
    return _placed(rows, routes, set(names))


def _depths(names: Sequence[str], links: Sequence[tuple[str, str]]) -> dict[str, int]:
    depth = dict.fromkeys(names, 0)
    for name in names:  # in order: what leads to a box stands before it
        depth[name] = max((depth[a] + 1 for a, b in links if b == name), default=0)
    return depth


def _route(start: str, end: str, depth: dict[str, int]) -> list[str]:
    """The link's stations: its ends, and a free place in each layer between."""
    between = range(depth[start] + 1, depth[end])
    passing = {f"{start}>{end}@{layer}": layer for layer in between}
    depth.update(passing)
    return [start, *passing, end]


def _untangle(rows: Mapping[int, list[str]], routes: Sequence[Sequence[str]]) -> None:
    above, below = defaultdict(list), defaultdict(list)
    for route in routes:
        for a, b in itertools.pairwise(route):
            above[b].append(a)
            below[a].append(b)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in sorted(rows, reverse=not down):
            place = {name: i / len(row) for row in rows.values() for i, name in enumerate(row)}
            near = above if down else below
            rows[layer].sort(key=lambda name, near=near, place=place: _mean([place[n] for n in near[name]], place[name]))  # type: ignore[misc]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _placed(rows: Mapping[int, list[str]], routes: list[list[str]], boxes: set[str]) -> Layout:
    widths = {layer: sum(_width(name, boxes) for name in row) for layer, row in rows.items()}
    width, places = max(widths.values()) + 2 * MARGIN, dict[str, tuple[float, float]]()
    for layer, row in rows.items():
        x, y = (width - widths[layer]) / 2, MARGIN + HEIGHT / 2 + layer * (HEIGHT + GAP)
        for name in row:
            places[name] = (x + _width(name, boxes) / 2, y)
            x += _width(name, boxes)
    return Layout(width, 2 * MARGIN + (max(rows) + 1) * (HEIGHT + GAP) - GAP, places, routes)


def _width(name: str, boxes: set[str]) -> float:
    return BOX + 16 if name in boxes else LANE


def _box(name: str, label: tuple[str, str, str], x: float, y: float) -> Markup:
    title, details, whole = label
    lines = [tag("text", _cut(title), x=x, y=y - 3 if details else y + 5, class_="op")]
    lines += [tag("text", _cut(details), x=x, y=y + 15, class_="details")] if details else []
    frame = tag("rect", x=x - BOX / 2, y=y - HEIGHT / 2, width=BOX, height=HEIGHT, rx=9)
    return tag("g", tag("title", whole), frame, *lines, class_=f"box {'end' if name in (INPUT, OUTPUT) else 'inner'}", data_node=name)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"


def _link(route: Sequence[str], layout: Layout, arrow: str) -> Markup:
    stations = [layout.places[name] for name in route]
    x, y = stations[0]
    words, y = [f"M{x:.1f} {y + HEIGHT / 2:.1f}"], y + HEIGHT / 2
    for number, (to_x, to_y) in enumerate(stations[1:], start=1):
        top = to_y - HEIGHT / 2
        words.append(f"C{x:.1f} {(y + top) / 2:.1f} {to_x:.1f} {(y + top) / 2:.1f} {to_x:.1f} {top:.1f}")
        x, y = to_x, top
        if number < len(stations) - 1:
            y = to_y + HEIGHT / 2
            words.append(f"V{y:.1f}")
    return tag("path", d=" ".join(words), class_="link", marker_end=f"url(#{arrow})", data_from=route[0], data_to=route[-1])


def _arrow(name: str) -> Markup:
    head = tag("path", d="M0 0L8 4L0 8z", class_="arrow")
    marker = tag("marker", head, id=name, viewBox="0 0 8 8", refX=7, refY=4, markerWidth=8, markerHeight=8, orient="auto")
    return tag("defs", joined([marker]))
