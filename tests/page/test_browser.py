"""The report in a real browser: nothing goes wrong, nothing is loaded, everybody can reach and read everything, on screen and on paper."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agentnas.memory import events as ev
from agentnas.page.compare import render_comparison
from agentnas.run import Run
from tests.page.browser import Tab, chromium, opened
from tests.page.making import deep, hostile_run, journal, long_run, run_of_spec, wide

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("live", "table", "long", "hostile", "unfinished", "empty", "failed", "wide", "deep", "compared")
# Elements that people can act on, the dots of a plot apart: of these the arrow keys reach all but one.
REACHABLE = "a[href]:not([tabindex='-1']), summary, button, [tabindex='0']"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, live_run: Run, table_run: Run) -> dict[str, Path]:
    """A page of every kind, as files."""
    folder = tmp_path_factory.mktemp("pages")
    first, long = live_run.events[0], long_run(folder / "long")
    assert isinstance(first, ev.RunStarted)
    hostile = hostile_run(folder / "hostile", live_run.events)
    failed = ev.RunFinished(outcome="failed", exit_code=1, message="every trial failed")
    runs = {
        "live": live_run, "table": table_run, "long": long, "hostile": hostile,
        "unfinished": journal(folder / "unfinished", live_run.events[:24]), "empty": journal(folder / "empty", []),
        "failed": journal(folder / "failed", [first, ev.EvaluationFailed(
            trial="t0001", rung="full", seed=0, split=0, kind="crashed", reason="out of luck", seconds=1.0), failed]),
        "wide": run_of_spec(folder / "wide", wide(), first), "deep": run_of_spec(folder / "deep", deep(), first),
    }  # fmt: skip
    compared = render_comparison([live_run, runs["unfinished"], long, hostile])
    texts = {name: run.page() for name, run in runs.items()} | {"compared": compared}
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.mark.parametrize("name", NAMES)
def test_a_page_opens_from_disk_whole_and_asks_for_nothing(browser: Browser, pages: dict[str, Path], name: str) -> None:
    with opened(browser, pages[name], viewport={"width": 400, "height": 800}) as tab:
        assert tab.said == []
        assert [url for url in tab.requests if not url.startswith("file:")] == []
        assert len(tab.requests) == 1
        assert tab.value("[...document.links].filter(a => !document.getElementById(decodeURIComponent(a.hash.slice(1)))).length") == 0
        assert tab.value("document.documentElement.scrollWidth") <= 400, "a phone need not be pushed sideways"
        assert tab.value("[...document.querySelectorAll('img, iframe, object, embed, link, base, form, [onerror], [onload]')].length") == 0
        assert tab.value("document.scripts.length") <= 2


@pytest.mark.parametrize("name", ["live", "long", "compared"])
def test_plots_and_drawings_are_drawn(browser: Browser, pages: dict[str, Path], name: str) -> None:
    """Every mark has a place inside of its picture, and a size."""
    outside = """svg => { const all = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('rect, circle, text, path.curve, path.link')].filter(part => {
            const box = part.getBoundingClientRect();
            return box.width + box.height === 0 || box.left < all.left - 1 || box.right > all.right + 1
                || box.top < all.top - 1 || box.bottom > all.bottom + 1; }).length; }"""
    with opened(browser, pages[name]) as tab:
        pictures = tab.page.locator("svg").all()
        assert len(pictures) >= 4
        assert [picture.evaluate(outside) for picture in pictures] == [0] * len(pictures)


def test_every_link_leads_to_what_it_names_and_unfolds_it(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["live"]) as tab:
        hidden = tab.value("""async () => { const lost = [];
            for (const link of [...document.links]) {
              document.querySelectorAll('details').forEach(part => { part.open = false; });
              location.hash = link.hash; await new Promise(done => setTimeout(done, 0));
              const found = document.querySelector(':target');
              if (!found || found.getBoundingClientRect().height === 0) lost.push(link.hash);
            } return lost; }""")
        assert hidden == []


def faults(tab: Tab) -> list[str]:
    """What axe-core finds that is serious or critical."""
    tab.value(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = tab.value("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{fault['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"][:3]
    ]


@pytest.mark.parametrize("name", ["live", "hostile", "empty", "failed", "wide", "compared"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser: Browser, pages: dict[str, Path], name: str, scheme: str) -> None:
    with opened(browser, pages[name], color_scheme=scheme) as tab:
        tab.value("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        assert faults(tab) == []


def test_the_tab_key_reaches_everything_and_shows_where_it_is(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["live"]) as tab:
        tab.value("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        wanted = tab.value(f"""[...document.querySelectorAll("{REACHABLE}")].map((part, n) => part.dataset.n = n)""")
        reached: list[Any] = []
        bare: list[str] = []
        for _ in range(len(wanted) + 3):
            tab.page.keyboard.press("Tab")
            number, html, style = tab.value(
                "(now => [Number(now.dataset.n), now.outerHTML.slice(0, 90), getComputedStyle(now).outlineStyle])(document.activeElement)"
            )
            reached.append(number)
            bare += [html] if style == "none" and number in wanted else []
        assert set(wanted) - set(reached) == set()
        assert bare == []
        assert reached[0] == 0
        tab.page.reload()
        tab.page.keyboard.press("Tab")
        tab.page.keyboard.press("Enter")
        assert tab.value("document.activeElement.id") == "main", "the first stop skips to the answer"


def test_arrow_keys_reach_every_dot_and_enter_leads_to_its_row(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["live"]) as tab:
        plot = tab.page.locator("svg.plot:has([tabindex='0'])").first
        count = plot.locator("[data-trial]").count()
        plot.locator("[tabindex='0']").focus()
        seen = set()
        for _ in range(count):
            tab.page.keyboard.press("ArrowRight")
            seen.add(tab.value("[...document.activeElement.parentNode.children].indexOf(document.activeElement)"))
            assert tab.value("document.getElementById('tip').hidden") is False
        assert len(seen) == count
        label = str(tab.value("document.activeElement.getAttribute('aria-label')"))
        assert tab.page.locator("#tip").inner_text().startswith(label)
        trial = tab.value("document.activeElement.dataset.trial")
        tab.page.keyboard.press("Enter")
        tab.page.locator(f"#trial-{trial} details[open]").wait_for()
        assert tab.value("document.activeElement.id") == f"trial-{trial}"
        tab.page.keyboard.press("Escape")
        assert tab.value("document.getElementById('tip').hidden") is True


def test_headings_sort(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["long"]) as tab:
        size = tab.page.get_by_role("button", name="parameters")
        for order in ("ascending", "descending"):
            size.click()
            assert tab.page.locator("th[aria-sort]").get_attribute("aria-sort") == order
            values = tab.value("[...document.querySelectorAll('#all-trials tbody tr')].map(row => Number(row.cells[4].dataset.value))")
            assert values == sorted(values, reverse=order == "descending")


def test_motion_is_spared_where_people_ask_for_it(browser: Browser, pages: dict[str, Path]) -> None:
    for wish, behaviour in (("reduce", "auto"), ("no-preference", "smooth")):
        with opened(browser, pages["table"], reduced_motion=wish) as tab:
            assert tab.value("getComputedStyle(document.documentElement).scrollBehavior") == behaviour


@pytest.mark.parametrize("name", ["live", "compared", "deep"])
def test_paper_has_all_that_is_folded_and_no_picture_is_cut(browser: Browser, pages: dict[str, Path], tmp_path: Path, name: str) -> None:
    from pypdf import PdfReader

    with opened(browser, pages[name], color_scheme="dark") as tab:
        tab.page.pdf(path=tmp_path / "printed.pdf", prefer_css_page_size=True)
        printed = PdfReader(tmp_path / "printed.pdf")
        width, height = (float(side) for side in printed.pages[0].mediabox[2:])
        assert (width, height) == pytest.approx((595, 842), abs=1)
        text = " ".join(" ".join(page.extract_text() for page in printed.pages).split())
        headings = tab.value("[...document.querySelectorAll('h2, h3, summary')].map(part => part.textContent)")
        assert [words for words in headings if squeezed(words)[:60] not in squeezed(text)] == []
        folded = tab.value("[...document.querySelectorAll('details:not([open]) pre, details:not([open]) td')].map(e => e.textContent)")
        assert [words for words in folded if squeezed(words)[:40] not in squeezed(text)] == []
        tab.page.emulate_media(media="print")
        room = (297 - 32) / 25.4 * 96
        assert tab.value("Math.max(...[...document.querySelectorAll('svg')].map(svg => svg.getBoundingClientRect().height))") < room
        assert tab.value("[...document.querySelectorAll('svg')].every(svg => getComputedStyle(svg).breakInside === 'avoid')")
        for gone in ("nav", ".skip", "#tip"):
            assert tab.page.locator(gone).first.is_hidden()
        assert tab.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)", "no black paper"


def squeezed(text: str) -> str:
    """Without spaces and ligatures: a printer breaks lines and joins letters where it likes."""
    return re.sub(r"[\s\u00ad▶▼]+", "", unicodedata.normalize("NFKC", text))


def test_hostile_texts_are_read_and_not_run(browser: Browser, pages: dict[str, Path]) -> None:
    for name in ("hostile", "compared"):
        with opened(browser, pages[name]) as tab:
            tab.value("document.querySelectorAll('details').forEach(part => { part.open = true; })")
            assert tab.said == []
            assert "</script><script>alert(1)</script>" in tab.page.locator("main").inner_text()
            tab.value("document.querySelector('[data-trial]')?.focus()")
            assert not re.search(r"(?<!\d)49(?!\d)", tab.page.title()), "a template was carried out"
            assert tab.page.title().endswith("AgentNAS")


def test_pictures_of_many_nodes_can_be_read(browser: Browser, pages: dict[str, Path]) -> None:
    for name, side in (("wide", "Width"), ("deep", "Height")):
        with opened(browser, pages[name]) as tab:
            held = tab.page.locator(".held").first
            assert held.evaluate(f"part => part.scroll{side} > part.client{side}"), "it scrolls rather than shrinks"
            assert tab.value("document.documentElement.scrollWidth <= innerWidth")
            size = tab.value("document.querySelector('.architecture .op').getBoundingClientRect().height")
            assert size >= 10
            assert held.get_attribute("tabindex") == "0", "and by the keyboard"
