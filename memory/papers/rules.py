"""A card from a paper without a model: its own sentences, quoted; topics by their words; an action only where it names an operator."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentnas.memory.cards import PaperCard
from agentnas.memory.papers.gist import gist
from agentnas.memory.papers.instructions import addressed_to_models, without
from agentnas.memory.papers.paper import Paper, card_id, sentences
from agentnas.memory.papers.vocabulary import operators_of, topics_of

BY_RULE = "rule"
NO_TOPIC = "unsorted"
MOST_EVIDENCE, MOST_OPERATORS = 2, 4
# Words of a quotation.
LONGEST_QUOTE = 60
# What a sentence says that reports a result, and one that says how; each counts.
_RESULT = re.compile(
    r"\d(?:\.\d+)?\s*%|\d(?:\.\d+)?\s*(?:x|×|times)\b|outperform|surpass|state-of-the-art|improv|achiev|competitive|faster|speed-?up"
    r"|reduc|accurac|superior|gains?\b|on par|experiments? (?:show|demonstrate|confirm)|results (?:show|demonstrate|suggest|indicate)",
    re.IGNORECASE,
)
_MECHANISM = re.compile(
    r"\bwe (?:show|prove|find|observe|argue|propose|introduce|present|demonstrate|reveal|identify)\b|\bthis paper\b|\bthis work\b"
    r"|\bbecause\b|\bdue to\b|\bkey (?:idea|insight)|\bby (?:\w+ly )?\w+ing\b|\binstead of\b|\bthereby\b",
    re.IGNORECASE,
)


def card_by_rule(paper: Paper) -> PaperCard:
    """The card of a paper, unreviewed. Sentences that speak to language models are left out."""
    text = gist(paper.text)
    said = sentences(without(text, addressed_to_models(text))) or [paper.title]
    evidence = _best(said, _RESULT, MOST_EVIDENCE)
    insight = _best([line for line in said if line not in evidence] or said, _MECHANISM, 1) or said[:1]
    topics = topics_of(paper.title, " ".join(said))
    return PaperCard(
        id=card_id(paper.title), title=paper.title, year=paper.year, topics=tuple(topics) or (NO_TOPIC,), trigger=_trigger(topics, paper),
        insight=_quoted(insight[0]), action=_action(operators_of(f"{paper.title}. {' '.join(said)}")),
        evidence=" ".join(map(_quoted, evidence)), caveat="", source=f"{paper.file}, quoted by rule", reviewed=False, by=BY_RULE,
        file=paper.file,
    )  # fmt: skip


def _best(said: Sequence[str], pattern: re.Pattern[str], most: int) -> list[str]:
    """The sentences in which a pattern is found most often, in the order of the text; the later one of two alike."""
    found = [(len(pattern.findall(line)), place, line) for place, line in enumerate(said)]
    best = sorted((each for each in found if each[0]), reverse=True)[:most]
    return [line for _, _, line in sorted(best, key=lambda each: each[1])]


def _trigger(topics: Sequence[str], paper: Paper) -> str:
    return f"The question is about {', '.join(topics)}." if topics else f"The question is that of the title: {paper.title}"


def _action(named: Sequence[str]) -> str:
    shown = named[:MOST_OPERATORS]
    return f"Compare {', '.join(shown)} with the present operator: the text names {'it' if len(shown) == 1 else 'them'}." if shown else ""


def _quoted(sentence: str) -> str:
    words = sentence.split()
    return f"“{' '.join(words[:LONGEST_QUOTE])}{'' if len(words) <= LONGEST_QUOTE else ' ...'}”"
