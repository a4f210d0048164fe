"""Sentences in a paper that speak to a language model. A paper is data: such sentences are told to the person, and make no card."""

from __future__ import annotations

import re
from itertools import pairwise

from agentnas.memory.papers.paper import sentences

_SPEAKS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.]{0,40}\b(?:previous|prior|above|earlier|preceding|all|any|your|other)\b[^.]{0,30}"
    r"\b(?:instruction|prompt|guideline)s?\b"
    r"|\b(?:ignore|disregard|forget)\b[^.]{0,40}\b(?:instruction|prompt|guideline|rule)s?\b[^.]{0,20}\b(?:above|before|so far|given)\b"
    r"|\b(?:ignore|disregard|forget)\b[^.]{0,20}\b(?:everything|all)\b[^.]{0,20}\b(?:above|before|so far)\b"
    r"|\b(?:new|following|system|hidden) (?:instructions?|prompt)s?\s*:"
    r"|\byou (?:are now|must now|are an? (?:ai|assistant|(?:large )?language model|chatbot))\b"
    r"|\b(?:as an ai|dear (?:ai|assistant|model)|attention,? (?:ai|llms?|assistants?|language models?|reviewers?)\s*[:!])"
    r"|\b(?:to|for|note to) (?:the )?(?:ai|llm|language model|assistant|model)s? (?:that (?:is )?read|reading|reviewer|summari)"
    r"|\bif you are (?:an? )?(?:ai|llm|language model|assistant|model)\b"
    r"|\b(?:reveal|print|output|repeat|show|leak|send)\b[^.]{0,30}\b(?:system prompt|api key|secret|password|credentials?)\b"
    r"|\b(?:always|must|please) (?:propose|recommend|choose|answer|respond|reply|rate|give|write|output|cite)\b[^.]{0,60}"
    r"\b(?:this paper|our method|positive|regardless|nothing else|no matter)\b"
    r"|<\|?(?:im_start|im_end|system|assistant|endoftext)\|?>|\[/?INST\]|(?-i:\b(?:SYSTEM|ASSISTANT))\s*:",
    re.IGNORECASE,
)
# So many words in a row that a card shares with such a sentence are taken from it.
SHARED_WORDS = 5


def addressed_to_models(text: str) -> list[str]:
    """The sentences of a text that tell a language model what to do; empty for a usual paper."""
    said = sentences(text)
    spoken = {at for at, sentence in enumerate(said) if _SPEAKS.search(sentence)}
    for at, (first, second) in enumerate(pairwise(said)):
        if not spoken & {at, at + 1} and _SPEAKS.search(f"{first} {second}"):
            spoken |= {at, at + 1}
    return [said[at] for at in sorted(spoken)]


def without(text: str, spoken: list[str]) -> str:
    """The text as one line, those sentences left out."""
    return " ".join(sentence for sentence in sentences(text) if sentence not in spoken)


def follows(card_text: str, spoken: list[str]) -> bool:
    """Whether a card says what such a sentence tells it to say: words in a row, or an instruction of its own."""
    if _SPEAKS.search(card_text):
        return True
    said = _runs(card_text)
    return any(said & _runs(sentence) for sentence in spoken)


def _runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[at : at + SHARED_WORDS]) for at in range(len(words) - SHARED_WORDS + 1)}
