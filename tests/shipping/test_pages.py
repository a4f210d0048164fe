"""The page about shipping says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from agentnas.shipping.forms import FORMS
from agentnas.tools.operators.base import operators

PAGE = Path(__file__).resolve().parents[2] / "docs" / "shipping.md"


def test_the_table_of_operators_is_that_of_the_language_and_of_the_tested_forms() -> None:
    """That each is true is what ``test_every_operator_of_the_language_goes_through_each_form`` and the exporter's own test show."""
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z0-9]+) \| (yes|no) \| (yes|no) \| (yes|no) \| (yes|no) \|$", text, re.MULTILINE)
    assert f"| operator | {' | '.join(FORMS)} |" in text
    assert {row[0]: row[1:] for row in rows} == {name: ("yes",) * len(FORMS) for name in operators()}
