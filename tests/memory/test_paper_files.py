"""Files of papers: what each kind gives, and what is wrong with a file in one line."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentnas.memory.papers.gist import gist
from agentnas.memory.papers.paper import Reading, card_id, normal_title, plain_text, sentences
from agentnas.memory.papers.reading import read_file
from agentnas.tools.errors import AgentNASError, DataError
from tests.memory.learning import MINE
from tests.memory.pdfs import encrypted, pdf, picture, write

ABSTRACT = "We study how deep graph networks smooth features. Gates between layers keep 4.5 points of accuracy on citation graphs."
PAGE = [(20.0, "Gated Depth for"), (20.0, "Graph Networks"), (9.0, "A. Author"), *((10.0, line) for line in ABSTRACT.split(". "))]


def one(reading: Reading) -> tuple[str, str, int | None]:
    (paper,) = reading.papers
    return paper.title, paper.text, paper.year


def test_plain_text_is_one_paper_under_its_first_line(tmp_path: Path) -> None:
    path = write(tmp_path / "note.txt", f"\ufeffTitle: Gated Depth\n\n{ABSTRACT}\n".encode())
    assert one(read_file(path)) == ("Gated Depth", ABSTRACT, None)


def test_a_text_without_a_title_is_called_by_its_first_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "note.txt", (f"{ABSTRACT} " * 4).encode())
    title, text, _ = one(read_file(path))
    assert title == "We study how deep graph networks smooth features."
    assert text.startswith("We study")


@pytest.mark.parametrize(
    ("text", "title", "year"),
    [
        (f"# Gated *Depth*\n\n{ABSTRACT}\n", "Gated Depth", None),
        (f"---\ntitle: 'Gated Depth'\ndate: 2021-03-04\n---\n# Notes\n\n{ABSTRACT}\n", "Gated Depth", 2021),
        (f"Gated Depth\n===========\n\n{ABSTRACT}\n", "Gated Depth", None),
        (f"Gated Depth\n\n{ABSTRACT}\n", "Gated Depth", None),
    ],
)
def test_markdown(tmp_path: Path, text: str, title: str, year: int | None) -> None:
    found, body, when = one(read_file(write(tmp_path / "note.md", text.encode())))
    assert (found, when) == (title, year)
    assert ABSTRACT in body


def test_markdown_is_read_as_its_words(tmp_path: Path) -> None:
    text = f"# Gated Depth\n\n![plot](plot.png) See [the **code**](http://x.org). `gcn`\n\n```\nx = 1\n```\n<!-- hidden -->\n\n{ABSTRACT}\n"
    _, body, _ = one(read_file(write(tmp_path / "note.md", text.encode())))
    assert body.startswith("See the code. gcn")
    assert "x = 1" not in body
    assert "hidden" not in body


@pytest.mark.parametrize("title", ["Gated Depth for Graph Networks", "Microsoft Word - draft7.doc", ""])
def test_the_title_of_a_pdf_is_what_its_page_shows(tmp_path: Path, title: str) -> None:
    found, text, _ = one(read_file(write(tmp_path / "paper.pdf", pdf([PAGE, [(10.0, "A second page.")]], title))))
    assert found == "Gated Depth for Graph Networks"
    assert "4.5 points of accuracy" in text
    assert "A second page." in text


def test_a_pdf_that_only_restricts_its_use_is_read(tmp_path: Path) -> None:
    assert read_file(write(tmp_path / "paper.pdf", encrypted(pdf([PAGE]), ""))).papers[0].title == "Gated Depth for Graph Networks"


def test_bibtex(tmp_path: Path) -> None:
    text = (
        '@string{venue = "ICLR"}\n@article{gated,\n  title = {Gated {D}epth for \\"{U}ber-Graphs},\n  year = 2021,\n'
        f"  abstract = {{{ABSTRACT}}}\n}}\n\n@misc{{bare, title = {{No abstract}}}}\n"
        f'@InProceedings{{gated, Title = "Same key", Abstract = "{ABSTRACT}"}}\n'
    )
    reading = read_file(write(tmp_path / "refs.bib", text.encode()))
    assert [(paper.title, paper.text, paper.year, paper.where) for paper in reading.papers] == [
        ("Gated Depth for Über-Graphs", ABSTRACT, 2021, "refs.bib:2"), ("Same key", ABSTRACT, None, "refs.bib:9"),
    ]  # fmt: skip
    assert reading.unread == ("refs.bib:8: entry bare has no title or no abstract",)
    assert reading.problems == ()


def test_a_broken_entry_is_named_and_the_others_are_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = f"@article{{good, title = {{Good one}}, abstract = {{{ABSTRACT}}}}}\n"
    path = write(tmp_path / "refs.bib", f"{good}@article{{bad, title = {{Broken, year = 2019,\n{good.replace('good', 'last')}".encode())
    with caplog.at_level(logging.DEBUG):
        reading = read_file(path)
    assert [paper.title for paper in reading.papers] == ["Good one", "Good one"]
    assert reading.problems == (f"{path}:2: entry bad is broken, a brace, quote or comma is missing; mend it and add the file again",)
    assert "bad" not in caplog.text, "told once"


def test_cards_are_kept_beside_lines_that_are_none(tmp_path: Path) -> None:
    good = MINE.model_dump(mode="json")
    lines = [good, {**good, "id": "odd", "colour": "red"}, {**good, "id": "empty", "action": ""}, good, {**good, "id": "other"}]
    path = write(tmp_path / "mine.jsonl", "\n".join([*map(json.dumps, lines), "", "{"]).encode())
    reading = read_file(path)
    assert [card.id for card in reading.cards] == ["my-paper", "other"]
    assert [problem.removeprefix(f"{path}:")[:40] for problem in reading.problems] == [
        "2: a card has no field 'colour'; allowed", "3: action is empty; say what to change: ",
        "4: id 'my-paper' is used twice; give eac", "7: Invalid JSON: EOF while parsing an ob",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.txt", b" \n", "is empty; give a file with text"),
        ("latin.txt", "Gated Dépth\n\nünd so weiter".encode("latin-1"), "is not UTF-8 text (byte 7 is 0xe9); save it as UTF-8"),
        ("nulls.txt", b"Title\n\0\0\0", "is no text: it holds null bytes"),
        ("bare.txt", b"Only a title", "holds a title at most, and no text"),
        (
            "page.txt",
            b"Daily Papers\nGet trending papers in your email inbox!\nApr 17\n",
            "looks like a listing of papers, but no title with",
        ),
        ("picture.pdf", picture(), "holds no text on its one page: a picture, it seems; run it through OCR"),
        ("secret.pdf", encrypted(pdf([PAGE]), "secret"), "is encrypted; save it without its password"),
        ("word.pdf", b"PK\x03\x04 not a PDF", "is no PDF: it begins with b'PK\\x03\\x04 not'"),
        ("broken.pdf", b"%PDF-1.4\nnothing of the kind", "is a broken PDF ("),
        ("cut.pdf", pdf([PAGE])[:200], "is a broken PDF ("),
        ("none.bib", b"no entry here", "holds no BibTeX entry"),
        ("bare.bib", b"@misc{bare, title = {No abstract}}", "no entry has both a title and an abstract"),
        ("broken.bib", b"@misc{bad, title = {Open", ":1: entry bad is broken"),
        ("none.jsonl", b"{}\n[]\n", ":1: id: Field required"),
        ("paper.doc", b"x", "ends in .doc; files that can be added end in .jsonl, .txt"),
        ("README", b"x", "ends in nothing; files that can be added end in"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = write(tmp_path / name, data)
    with pytest.raises(AgentNASError) as caught:
        read_file(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone.pdf does not exist; give the path of a file"):
        read_file(tmp_path / "gone.pdf")
    with pytest.raises(DataError, match=r"is a folder; name the files in it"):
        read_file(tmp_path)


def assert_read_or_refused(path: Path) -> None:
    """Papers or cards, or an error that names the file; never another exception."""
    try:
        reading = read_file(path)
    except DataError as error:
        refused = str(error)
    else:
        refused = "" if reading.papers or reading.cards else "nothing was read, and nothing said"
    assert refused == "" or str(path) in refused


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_pdf_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(pdf([PAGE]))
    for _ in range(data.draw(st.integers(1, 20))):
        whole[data.draw(st.integers(8, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = write(tmp_path / "paper.pdf", bytes(whole[: data.draw(st.integers(20, len(whole)))]))
    assert_read_or_refused(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=600), name=st.sampled_from(["x.txt", "x.md", "x.bib", "x.jsonl"]))
def test_any_text_is_read_or_refused(tmp_path: Path, text: str, name: str) -> None:
    assert_read_or_refused(write(tmp_path / name, text.encode("utf-8", "surrogatepass")))


def test_lines_end_at_line_feeds_alone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cards.jsonl holds no cards; give one card as JSON a line"):
        read_file(write(tmp_path / "cards.jsonl", "\x85".encode()))


def test_titles_are_compared_without_case_accents_and_signs() -> None:
    same = ["Über-Graphs: a  Study", "uber graphs — A STUDY.", "Über\u2010Graphs; a study"]
    assert len({normal_title(title) for title in same}) == 1
    assert len({card_id(title)[-6:] for title in same}) == 1
    assert card_id("Graph Attention Networks") == "graph-attention-networks-68fdda"
    assert card_id("図ニューラル").startswith("paper-")


def test_sentences_end_where_they_do() -> None:
    text = "Kipf et al. (2017) use e.g. GCNs on Cora. It gains 4.5 points! Does U.S. data differ? Yes, cf. Fig. 3."
    assert sentences(text) == [
        "Kipf et al. (2017) use e.g. GCNs on Cora.",
        "It gains 4.5 points!",
        "Does U.S. data differ?",
        "Yes, cf. Fig. 3.",
    ]


def test_words_parted_at_a_line_end_are_joined() -> None:
    assert plain_text("the perfor-\nmance of ﬁne graph-\nBased nets") == "the performance of fine graph-\nBased nets"


def test_the_gist_of_a_long_paper_is_abstract_and_conclusion() -> None:
    body = "Layers were stacked again and again. " * 300
    text = f"Gated Depth\nA. Author\nAbstract\n{ABSTRACT * 3}\n1 Introduction\n{body}\n7 Conclusion\nGates help.\nReferences\n[1] Kipf"
    assert gist(text) == f"{ABSTRACT * 3}\nGates help."
    assert len(gist(body)) <= 4000
    assert gist("short") == "short"
