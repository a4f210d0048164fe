"""Listings in both layouts: every paper is found whatever stands around it, and no block goes without a word."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnas.memory.papers.listing import Listed, is_listing, read_listing

SITE = "new|Get trending papers in your email inbox!|Subscribe|Daily Papers|byAK and the research community|Apr 17"
HEAD = [line for text in SITE.split("|") for line in (text, "")]
WORDS = ["graph", "neural", "networks", "deep", "learning", "scalable", "for", "towards", "of", "a", "search", "on-device", "GNNs", "k-hop"]
PAPERS = [
    ("Graph Hypernetworks: A Study", "We study how weights of graphs are made. " * 8),
    ("How deep are graph networks?", "Depth was thought to matter, e.g. for range. It does, up to 4.5 layers! " * 5),
    ("einspace: searching from scratch", "A search space of everything is large, so that random search fails in it. " * 6),
]


def taking_turns(papers: list[tuple[str, str]]) -> str:
    return "\n".join(
        ["Get trending papers in your email inbox once a day!", "Get trending papers in your email inbox!"]
        + [line for n, (title, text) in enumerate(papers) for line in (f"{'' if n else 'Subscribe'}{title}", text.strip())]
    )


def with_footers(papers: list[tuple[str, str]], date: str = "Jun 7, 2023") -> str:
    lines = list(HEAD)
    for n, (title, text) in enumerate(papers, start=1):
        lines += [title, "", text.strip(), "", f"  • {n} authors", "·", date, ""]
    return "\n".join(lines)


def found(listed: Listed) -> list[tuple[str, str]]:
    return [(paper.title, paper.text) for paper in listed.papers]


def stripped(papers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(title, text.strip()) for title, text in papers]


@pytest.mark.parametrize("layout", [taking_turns, with_footers])
def test_both_layouts_give_the_same_papers(layout: object) -> None:
    assert callable(layout)
    listed = read_listing(layout(PAPERS), "list.txt")
    assert found(listed) == stripped(PAPERS)
    assert listed.unread == ()
    assert is_listing(listed)


def test_a_footer_tells_the_year_and_may_lack_it() -> None:
    assert [paper.year for paper in read_listing(with_footers(PAPERS), "x").papers] == [2023, 2023, 2023]
    assert [paper.year for paper in read_listing(with_footers(PAPERS, "Aug 14 2"), "x").papers] == [None, None, None]


def test_a_paper_is_where_its_title_is() -> None:
    assert [paper.where for paper in read_listing(with_footers(PAPERS), "list.txt").papers] == ["list.txt:13", "list.txt:21", "list.txt:29"]


def test_pages_in_a_row_and_in_both_layouts() -> None:
    more = [(f"{title} again", text) for title, text in PAPERS]
    assert found(read_listing(f"{with_footers(PAPERS)}\n{with_footers(more)}", "x")) == stripped(PAPERS + more)
    assert found(read_listing(f"{taking_turns(PAPERS)}\n{with_footers(more)}\n{taking_turns(PAPERS)}", "x")) == stripped(
        PAPERS + more + PAPERS
    )


def test_a_page_may_be_cut_in_the_middle_of_an_abstract() -> None:
    title, text = PAPERS[0]
    half = text.index("are made. We", len(text) // 2)
    pages = "\n".join([*HEAD, title, text[:half].strip(), *HEAD, text[half:].strip(), "• 3 authors", "·", "Jun 7, 2023"])
    assert found(read_listing(pages, "x")) == [(title, text.strip())]


def test_an_abstract_of_lines_that_were_broken_by_hand() -> None:
    title, text = PAPERS[0]
    broken = "We propose a scal-\nable way to train graphs on\nsmall machines. It works."
    page = "\n".join([*HEAD, title, "", broken, "", "• 1 authors", "·", "Jun 7, 2023", "", *"\n\n".join(PAPERS[1]).split("\n")])
    listed = read_listing(page, "x")
    assert listed.papers[0].text == "We propose a scalable way to train graphs on small machines. It works."
    assert text not in listed.papers[0].text


def test_lost_footers_blank_lines_and_windows_line_ends() -> None:
    page = with_footers(PAPERS)
    assert found(read_listing(page.replace("  • 2 authors\n·\nJun 7, 2023\n", ""), "x")) == stripped(PAPERS)
    assert found(read_listing(re.sub(r"\n\n+", "\n", page), "x")) == stripped(PAPERS)
    assert found(read_listing(page.replace("\n", "\r\n"), "x")) == stripped(PAPERS)
    assert found(read_listing(re.sub(r"\n·\n", " · ", page), "x")) == stripped(PAPERS)


def test_what_fits_nowhere_is_named() -> None:
    title, text = PAPERS[0]
    lost = "An abstract whose title was lost on the way. It goes on for a while. " * 8
    listed = read_listing(with_footers([(title, text), ("A title alone", "")]), "x")
    assert listed.unread == ("x:21: a title without an abstract: 'A title alone'",)
    listed = read_listing("\n".join([*HEAD, lost, "• 1 authors", "·", "Jun 7, 2023", title, text]), "x")
    assert found(listed) == stripped(PAPERS[:1])
    assert listed.unread == ("x:13: an abstract without a title: 'An abstract whose title was lost on the way. It goes on f...'",)
    (unread,) = read_listing("\n".join([*HEAD, title, text, lost, *PAPERS[1]]), "x").unread
    assert "An abstract whose title was lost" in unread


def test_a_text_of_sections_is_no_listing() -> None:
    sections = "\n".join(f"{name}\n{PAPERS[0][1]}" for name in ("Abstract", "1 Introduction", "2 Method", "Conclusion"))
    assert not is_listing(read_listing(sections, "x"))
    assert not is_listing(read_listing(f"My paper\n\n{PAPERS[0][1]}\n\n{PAPERS[1][1]}", "x"))
    assert not is_listing(read_listing("", "x"))


titles = st.lists(st.sampled_from(WORDS), min_size=2, max_size=18).map(lambda words: " ".join(words).capitalize())
said = st.lists(st.sampled_from(WORDS), min_size=6, max_size=30).map(lambda words: f"{' '.join(words).capitalize()}.")
abstracts = st.lists(said, min_size=4, max_size=12).map(" ".join)
papers = st.lists(st.tuples(titles, abstracts), min_size=3, max_size=12)


@settings(max_examples=40)
@given(papers, st.sampled_from([taking_turns, with_footers]))
def test_any_papers_are_read_back(written: list[tuple[str, str]], layout: object) -> None:
    assert callable(layout)
    assert found(read_listing(layout(written), "x")) == written


@settings(max_examples=40)
@given(papers, st.data())
def test_with_noise_at_any_place_every_paper_stays(written: list[tuple[str, str]], data: st.DataObject) -> None:
    lines = with_footers(written).split("\n")
    for _ in range(data.draw(st.integers(0, 6))):
        noise = data.draw(st.sampled_from(["", "Subscribe", "new", "Get trending papers in your email inbox!", "- 3 -", "12", "Upvote"]))
        lines.insert(data.draw(st.integers(0, len(lines))), noise)
    assert found(read_listing("\n".join(lines), "x")) == written


@given(st.lists(st.one_of(titles, abstracts, st.text(min_size=1, max_size=400)), max_size=15))
def test_nothing_is_dropped_without_a_word(lines: list[str]) -> None:
    """Every block with letters stands in a paper or is named."""
    listed = read_listing("\n".join(["Daily Papers", *lines]), "x")
    told = " ".join([text for paper in found(listed) for text in paper] + list(listed.unread))
    start = r"[A-Za-z][A-Za-z ,]{8,30}"
    for line in lines:
        if re.fullmatch(rf"{start}.*", line) and not re.match("subscribe|submitted by|get trending", line, re.IGNORECASE):
            assert " ".join(re.match(start, line)[0].split()) in told  # type: ignore[index]


def test_lines_of_any_length_are_read_in_no_time() -> None:
    began = time.perf_counter()
    read_listing("\n".join([" " * 5000 + "x", "· " * 5000, "- " * 5000 + "5 authors x", "1 " * 5000, "Subscribe" * 2000] * 5), "x")
    assert time.perf_counter() - began < 2


def test_the_listings_at_hand(papers_dir: Path) -> None:
    """Counted by hand: pages of 119, 51 and 66 papers; the last has one whose footer is missing."""
    counts = {}
    for path in sorted(papers_dir.glob("listing-*.txt")):
        listed = read_listing(path.read_text(encoding="utf-8"), path.name)
        assert is_listing(listed)
        counts[path.name] = (len(listed.papers), listed.unread)
        assert min(len(paper.text) for paper in listed.papers) > 500
    assert counts == {"listing-1.txt": (119, ()), "listing-2.txt": (51, ()), "listing-3.txt": (66, ())}


def test_a_damaged_page_loses_only_what_was_damaged(papers_dir: Path) -> None:
    lines = (papers_dir / "listing-1.txt").read_text(encoding="utf-8").splitlines()
    without_title = read_listing("\n".join(lines[:10] + lines[11:]), "x")
    assert len(without_title.papers) == 118
    assert len(without_title.unread) == 1
    without_abstract = read_listing("\n".join(lines[:11] + lines[12:]), "x")
    assert len(without_abstract.papers) == 118
    assert len(without_abstract.unread) == 1
