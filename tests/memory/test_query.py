"""Everyday words and statistics are understood in the words of the field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.memory.query import THESAURUS, conditions, hints


@pytest.mark.parametrize(
    ("text", "word", "met"),
    [
        ("edge homophily 0.11", "heterophily", True),
        ("node homophily: 22 %", "heterophily", True),
        ("adjusted homophily -0.03", "heterophily", True),
        ("edge homophily 0.81", "heterophily", False),
        ("edge homophily 0.81", "smoothing", True),
        ("label rate 5.2%", "few-labels", True),
        ("label rate 0.5", "few-labels", False),
        ("feature density 0.0127", "feature-sparsity", True),
        ("2,450,000 nodes", "large-graph", True),
        ("2.1M nodes", "large-graph", True),
        ("nodes 2708", "large-graph", False),
        ("nodes: 610k", "large-graph", True),
        ("5,200 molecules", "readout", True),
        ("homophily unknown", "heterophily", False),
    ],
)
def test_statistics_become_conditions(text: str, word: str, met: bool) -> None:
    assert (word in conditions(text)) is met


def test_everyday_words_are_translated_once() -> None:
    told = hints("Rows of a spreadsheet: all vectors look the same, the same!").split()
    assert {"tabular", "oversmoothing", "representations"} <= set(told)
    assert len(told) == len(set(told))
    assert hints("xyzzy") == ""


@pytest.mark.parametrize(
    ("text", "word", "met"),
    [
        ("After six layers all nodes look the same", "oversmoothing", True),
        ("The same nodes, and a look at them", "oversmoothing", False),
        ("The run went out of memory", "memory", True),
        ("Neighbours often disagree here", "heterophily", True),
        ("What did we learn from earlier tasks?", "transfer", True),
    ],
)
def test_phrases_are_understood_as_a_whole(text: str, word: str, met: bool) -> None:
    assert (word in hints(text).split()) is met


def test_no_phrase_is_too_long_to_be_found_or_empty() -> None:
    for line in THESAURUS.strip().splitlines():
        phrases, _, terms = line.partition(":")
        for phrase in phrases.split(","):
            assert set(terms.split()) <= set(hints(phrase).split()), phrase


@given(st.text(max_size=80))
def test_any_text_can_be_asked(text: str) -> None:
    assert isinstance(hints(text), str)


@given(st.text("0123456789.,%kM -homphilynodesraetb\n", max_size=60))
def test_odd_numbers_do_no_harm(text: str) -> None:
    assert isinstance(conditions(f"homophily {text} nodes label rate {text}"), list)
