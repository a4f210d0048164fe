"""The report as a page: whole, safe whatever the texts say, readable in both themes, and true to the journal."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from agentnas.agents.statistics import mean_and_sd
from agentnas.memory import events as ev
from agentnas.page.axes import Axis, apart, axis, usual_range
from agentnas.page.drawing import BOX, draw, edges_of, lay_out
from agentnas.page.history import factors, leads, trainings
from agentnas.page.markup import anchor, script_data, tag
from agentnas.page.page import hash_of, render_page
from agentnas.report import write_report
from agentnas.report_front import front_of, sized
from agentnas.run import Run
from agentnas.tools.spec.canonical import canonical
from agentnas.tools.spec.model import parse_spec
from tests.agent_runs import make_agent_run
from tests.page.making import HOSTILE, hostile_run, journal, long_run

MEGABYTE = 1_000_000
VOID = {"meta", "link", "img", "br", "input", "hr"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "script", "body", "header", "nav", "main", "section", "h1", "h2", "h3", "a", "p", "b", "span",
    "small", "code", "pre", "div", "ul", "ol", "li", "dl", "dt", "dd", "details", "summary", "figure", "figcaption", "table", "thead",
    "tbody", "tr", "th", "td", "caption", "article", "h4", "svg", "defs", "marker", "path", "g", "rect", "circle", "line", "text",
}  # fmt: skip


class Document(HTMLParser):
    """What a browser would make of a page: its elements, the text of each script and style, and whether every element was closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.raw: list[tuple[dict[str, str | None], str]] = []
        self.stack: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] in ("script", "style"):
            self.raw.append((self.elements[-1][1], data))
        else:
            self.texts.append(data)

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for element, attributes in self.elements if element == name]

    def having(self, attribute: str) -> list[str]:
        return [str(attributes[attribute]) for _, attributes in self.elements if attribute in attributes]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def data_in(document: Document) -> Any:
    return next(json.loads(text) for attributes, text in document.raw if attributes.get("type") == "application/json")


def assert_whole(document: Document) -> None:
    """Closed, of known elements, with unique ids; links lead somewhere on the page; nothing is loaded, and one script runs."""
    assert document.stack == []
    assert {name for name, _ in document.elements} <= ALLOWED
    ids = document.having("id")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in document.having("href")} <= set(ids)
    assert all(link.startswith("#") for link in document.having("href"))
    names = {name for _, attributes in document.elements for name in attributes}
    assert not [name for name in names if name.startswith("on") or name in ("src", "style", "srcset", "action", "formaction")]
    scripts = [text for attributes, text in document.raw if attributes == {} and text.startswith('"use strict"')]
    assert len(scripts) == 1
    assert len(document.named("script")) <= 2
    policy = next(str(meta["content"]) for meta in document.named("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    style = next(text for attributes, text in document.raw if text.startswith(":root"))
    assert policy == (
        f"default-src 'none'; script-src '{hash_of(scripts[0])}'; style-src '{hash_of(style)}'; base-uri 'none'; form-action 'none'"
    )


def begun(run: Run, **changes: Any) -> ev.RunStarted:
    """How a finished run began, with some of it changed."""
    assert run.view.started is not None
    return run.view.started.model_copy(update=changes)


@pytest.fixture(scope="module")
def live_page(live_run: Run) -> Document:
    return Document(live_run.page())


def test_the_written_page_is_the_runs(live_run: Run) -> None:
    assert (live_run.path / "report.html").read_text(encoding="utf-8") == live_run.page()


def test_a_page_is_whole_and_loads_nothing(live_page: Document, table_run: Run) -> None:
    assert_whole(live_page)
    assert_whole(Document(table_run.page()))


def test_the_answer_comes_first(live_run: Run, live_page: Document) -> None:
    view, text = live_run.view, live_page.text
    assert view.winner is not None
    mean, sd = mean_and_sd(live_run.test_scores[view.winner.trial])
    places = [text.index(words) for words in (f"{mean:.2f} ± {sd:.2f}", "Against the anchors", "Why this one", "The search", "All trials")]
    assert places == sorted(places)
    assert view.started is not None
    assert view.started.protocol in text
    assert [section["id"] for section in live_page.named("section")] == [
        "answer", "why", "search", "trials", "agents", "failures", "cost", "reproduce"
    ]  # fmt: skip


def test_every_trial_has_a_row_and_its_data(live_run: Run, live_page: Document) -> None:
    held = data_in(live_page)
    assert list(held["trials"]) == sorted(live_run.view.proposals, key=lambda trial: live_run.view.rank(trial) or 99)
    assert {row["id"] for row in live_page.named("tr") if "id" in row} == {anchor("trial", trial) for trial in live_run.view.proposals}
    for trial, told in held["trials"].items():
        assert told["spec"] == live_run.view.proposals[trial].spec
        assert [row[3] for row in told["evaluations"]] == [e.val for e in live_run.view.evaluations(trial)]
    assert held["summary"]["test"] == live_run.summary()["test"]


def test_a_page_does_not_tell_where_the_run_lies(live_run: Run) -> None:
    assert str(live_run.path.parent) not in live_run.page()


def test_the_page_gives_the_command_of_the_report(live_run: Run, live_page: Document) -> None:
    (command,) = re.findall(r"^- `(agentnas design .*)`$", live_run.report(), re.MULTILINE)
    assert command in live_page.text


def test_every_training_in_full_is_a_dot_that_leads_to_its_row(live_run: Run, live_page: Document) -> None:
    assert live_run.view.started is not None
    done = [e for t in live_run.view.tried for rung in live_run.view.started.full for e in live_run.view.evaluations(t, rung)]
    dots = [attributes for name, attributes in live_page.elements if name == "a" and "data-trial" in attributes]
    fronted = {s.trial for s in live_run.view.leaderboard() if s.rung in (*live_run.view.started.full, "confirm")}
    assert len(dots) == 2 * len(done) + len(fronted)
    assert {dot["href"] for dot in dots} == {f"#{anchor('trial', str(dot['data-trial']))}" for dot in dots}
    assert [dot["tabindex"] for dot in dots].count("0") == 3, "one stop of the Tab key in each plot"


def test_cited_evidence_is_quoted_where_links_lead(live_run: Run, live_page: Document) -> None:
    cited = {name for plan in live_run.view.plans.values() for d in plan.directions for name in d.get("evidence") or () if "card:" in name}
    assert cited
    assert {anchor("evidence", name) for name in cited} <= set(live_page.having("id"))


def test_limits_say_whether_they_are_met(tmp_path: Path, live_run: Run) -> None:
    events = [*live_run.events]
    config = {**begun(live_run).config, "max_params": 100, "max_latency_ms": 1e6, "max_memory_mb": 1e6}
    text = Document(journal(tmp_path, [begun(live_run, config=config), *events[1:]]).page()).text
    parameters = live_run.view.profiles[str(live_run.winner)]["parameters"]
    assert f"broken : parameters {parameters:,.6g}, at most 100 allowed" in text
    assert text.count("not measured : ") + text.count("met : ") == 2


@pytest.mark.parametrize("kept", range(0, 60, 3))
def test_a_run_that_was_cut_anywhere_has_a_page(tmp_path: Path, live_run: Run, kept: int) -> None:
    document = Document(journal(tmp_path, [*live_run.events[:kept]]).page())
    assert_whole(document)
    if kept == 0:
        assert "nothing was evaluated" in document.text
    elif not any(isinstance(event, ev.TestOpened) for event in live_run.events[:kept]):
        assert "The test is still sealed." in document.text


def test_no_text_becomes_markup_or_script(tmp_path: Path, live_run: Run) -> None:
    source = hostile_run(tmp_path, live_run.events).page()
    document = Document(source)
    assert_whole(document)
    assert document.text.count("alert(1)") > 30, "the texts are shown"
    assert "49" not in re.findall(r"\{\{.*?\}\}|(?<=\u2029)49", source), "a text is no template"
    held = next(text for attributes, text in document.raw if attributes.get("type") == "application/json")
    assert not set("<>&\u2028\u2029") & set(held)
    assert data_in(document)["trials"]["t0001"]["hypothesis"] == HOSTILE


def test_attributes_and_children_are_escaped() -> None:
    assert str(tag("a", '<b>"', href='"><script>')) == '<a href="&#34;&gt;&lt;script&gt;">&lt;b&gt;&#34;</a>'
    assert json.loads(script_data({HOSTILE: [float("nan"), HOSTILE]})) == {HOSTILE: [None, HOSTILE]}


def test_different_names_have_different_ids() -> None:
    names = ["t0001", "t_1", "t 1", "t_20_1", "run/t0001", "é", "_e9_", '"><']
    ids = {anchor("trial", name) for name in names}
    assert len(ids) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", made) for made in ids)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return long_run(tmp_path_factory.mktemp("long"))


def test_two_hundred_trials_take_less_than_three_megabytes_and_a_few_seconds(long: Run) -> None:
    """Trials of a talkative model, trained on all seeds of the ladder, every answer kept."""
    long.view.best  # noqa: B018  # reading the journal is no part of drawing
    begun = time.process_time()
    source = long.page()
    assert time.process_time() - begun < 10
    document = Document(source)
    assert_whole(document)
    assert len(data_in(document)["trials"]) == 200
    assert MEGABYTE / 4 < len(source.encode()) < 3 * MEGABYTE


def test_the_front_follows_the_direction_of_the_metric(tmp_path: Path) -> None:
    for better in (True, False):
        run = long_run(tmp_path / str(better), 40, higher_is_better=better)
        points = sized(run.view)
        best = (max if better else min)(standing.val_mean for standing, _ in points)
        front = front_of(points, run.view)
        assert front[-1].val_mean == best
        sizes = [run.view.profiles[standing.trial]["parameters"] for standing in front]
        assert sizes == sorted(sizes)
        assert [line.split(" | ")[0] for line in run.report().split("## Pareto front")[1].splitlines()[4 : 4 + len(front)]] == [
            f"| {standing.trial}" for standing in front
        ]


def test_no_factor_is_named_twice_in_a_row(long: Run) -> None:
    for told in (long.report(), Document(long.page()).text):
        assert re.findall(r"(\b[a-z]+\.[a-z_.*]+): \1", told) == []


def test_answers_of_models_and_what_the_checks_said_are_on_the_page(tmp_path: Path) -> None:
    text = Document(Run(make_agent_run(tmp_path)).page()).text
    assert "What the checks said: proposal 2 repeats t0001, which scored 80.50" in text


def test_every_plot_has_a_table_behind_it(long: Run) -> None:
    document = Document(long.page())
    assert {"leads", "front", "gains", "architecture-text"} <= {str(part.get("id")) for part in document.named("details")}
    ahead = [t.leader for t in leads(trainings(long.events, long.view))]
    assert all(f" {mean:.2f} " in document.text for mean in ahead)
    assert len(document.named("caption")) == len(document.named("table"))
    assert all(heading.get("scope") in ("col", "row") for heading in document.named("th"))


def test_a_page_that_cannot_be_drawn_fails_no_run(tmp_path: Path, live_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run = journal(tmp_path, live_run.events)
    with monkeypatch.context() as patch:
        patch.setattr("agentnas.page.page.sections.Page", None)
        write_report(run)
    assert (run.path / "report.md").read_text(encoding="utf-8") == run.report()
    assert not (run.path / "report.html").exists()
    assert "'NoneType' object is not callable" in (run.path / "report-error.txt").read_text(encoding="utf-8")
    write_report(run)
    assert (run.path / "report.html").exists()
    assert not (run.path / "report-error.txt").exists()


def colours(style: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The colours of each theme by their names in the style sheet."""
    blocks = re.findall(r":root \{([^}]*)\}", style)
    assert len(blocks) == 3
    for name, block in zip(("light", "dark", "print"), blocks, strict=True):
        yield name, dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour, as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_texts_and_marks_stand_out_in_every_theme() -> None:
    style = resources.files("agentnas.page").joinpath("page.css").read_text(encoding="utf-8")
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for theme, known in colours(style):
        for text in ("text", "quiet", "link", "met", "broken", "anchor"):
            for ground in ("page", "panel", "target"):
                assert contrast(known[text], known[ground]) >= 4.5, (theme, text, ground)
        for mark in ("searched", "anchor", "winner", "curve"):
            assert contrast(known[mark], known["page"]) >= 3, (theme, mark)
    assert set(re.findall(r"var\(--(\w+)\)", style)) <= set(dict(colours(style))["light"])


def test_the_drawing_has_each_node_and_each_link_of_the_body(live_run: Run, table_run: Run) -> None:
    for run in (live_run, table_run):
        spec = canonical(run.best)
        drawn = Document(str(draw(run.best)))
        assert drawn.having("data-node") == ["input", *(node.id for node in spec.body.nodes), "output"]
        links = [(path["data-from"], path["data-to"]) for path in drawn.named("path") if "data-from" in path]
        assert links == edges_of(spec)


def test_layers_are_longest_paths_and_boxes_do_not_overlap() -> None:
    names = ["input", "a", "b", "c", "d", "output"]
    links = [("input", "a"), ("input", "b"), ("a", "c"), ("b", "c"), ("input", "d"), ("c", "output"), ("d", "output"), ("input", "output")]
    layout = lay_out(names, links)
    heights = [layout.places[name][1] for name in names]
    assert heights[0] < heights[1] == heights[2] == heights[4] < heights[3] < heights[5]
    row = sorted(layout.places[name][0] for name in ("a", "b", "d"))
    assert all(right - left >= BOX for left, right in itertools.pairwise(row))
    assert [len(route) for route in layout.routes] == [2, 2, 2, 2, 2, 2, 3, 4]
    passing = layout.places[layout.routes[-1][1]][0]
    assert all(abs(passing - x) >= BOX / 2 for x in row), "a long link goes beside the boxes of the layers that it passes"


def small_run(tmp_path: Path, live_run: Run, better: bool) -> Run:
    """A parent and two children, one score each on two seeds; one evaluation is told twice."""
    spec = live_run.view.proposals["t0001"].spec
    parse_spec(spec)
    made = tuple(
        ev.Proposal(trial=t, spec=spec, spec_hash=t, text=t, author="x", parent=parent, factor="width" if parent else None)
        for t, parent in (("t0001", None), ("t0002", "t0001"), ("t0003", "t0001"))
    )
    scores = [("t0001", 80.0), ("t0002", 82.0), ("t0001", 84.0), ("t0003", 70.0), ("t0003", 71.0)]
    seeds = (0, 0, 1, 0, 1)
    done = [
        ev.EvaluationFinished(trial=t, rung="full", seed=seed, split=0, val=val, seconds=1.0)
        for (t, val), seed in zip(scores, seeds, strict=True)
    ]
    first = begun(live_run, full=("full",), rungs=("full",), higher_is_better=better)
    return journal(tmp_path, [first, ev.ProposalsDrafted(round=0, proposals=made), *done, done[0]])


def test_the_leaders_mean_is_that_of_the_moment(tmp_path: Path, live_run: Run) -> None:
    run = small_run(tmp_path, live_run, better=True)
    assert [(t.evaluations, t.val, t.leader) for t in trainings(run.events, run.view)] == [
        (1, 80.0, 80.0), (2, 82.0, 82.0), (3, 84.0, 82.0), (4, 70.0, 82.0), (5, 71.0, 82.0)
    ]  # fmt: skip


def test_gains_are_paired_and_point_the_metrics_way(tmp_path: Path, live_run: Run) -> None:
    for better, sign in ((True, 1), (False, -1)):
        (bar,) = factors(small_run(tmp_path / str(better), live_run, better).view)
        assert (bar.name, bar.pairs) == ("width", 2)
        assert bar.mean == pytest.approx(sign * (2.0 - 11.5) / 2)  # seed 0 alone for t0002; 70 - 80 and 71 - 84 for t0003
        assert bar.se == pytest.approx(13.5 / 2)


def test_a_page_of_errors_that_are_better_low(tmp_path: Path, live_run: Run) -> None:
    document = Document(render_page(small_run(tmp_path, live_run, better=False)))
    assert_whole(document)
    assert "t0003 leads" in document.text


@pytest.mark.parametrize(
    ("found", "ticks"),
    [
        (Axis("x", 0, 50, 0, 100), [0, 10, 20, 30, 40, 50]),
        (Axis("x", 80.1, 83.2, 0, 100), [81, 82, 83]),
        (Axis("x", 900, 120_000, 0, 100, log=True), [1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000]),
    ],
)
def test_ticks_are_round_numbers_on_the_axis(found: Axis, ticks: list[float]) -> None:
    assert found.ticks() == pytest.approx(ticks)
    assert all(0 <= found(tick) <= 100 for tick in found.ticks())


def test_an_axis_of_one_value_has_room() -> None:
    assert axis("x", [5.0], 0, 100)(5.0) == pytest.approx(50)


def test_labels_of_ticks_have_room() -> None:
    held = Axis("parameters", 400_000, 2_600_000, 60, 626, log=True)
    places = [held(tick) for tick in apart(held)]
    assert all(right - left >= 60 for left, right in itertools.pairwise(places))
    assert len(places) >= 3


def test_a_collapse_is_an_outlier_and_the_others_are_not() -> None:
    values = [79.0, 79.5, 80.0, 80.5, 81.0, 20.0]
    low, high = usual_range(values)
    assert [value for value in values if low <= value <= high] == values[:-1]
    assert usual_range([5.0]) == (5.0, 5.0)
    assert Axis("y", 70, 80, 100, 0).within(20.0) == Axis("y", 70, 80, 100, 0)(70) == 100
