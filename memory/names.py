"""Names that people can say: every run gets an adjective and a noun."""

from __future__ import annotations

import random
import re

ADJECTIVES = """
amber agile bold brave bright brisk calm clear clever cosmic crisp curious dapper eager early fair fleet gentle glad
golden grand green happy hardy honest jolly keen kind light lively lucid lucky mellow merry mild modest neat nimble
noble patient plain polite proud quick quiet rapid ready robust rosy sage serene sharp shiny silver simple sleek smooth
snug solid steady still sunny swift tidy true vivid warm wise witty young zesty
"""
NOUNS = """
acorn anchor badger beacon birch bridge brook canyon cedar clover comet condor coral crane creek cricket delta dolphin
falcon fern finch fjord forest fox garden geyser glacier harbor hazel heron hill ibis island ivy jay juniper lagoon
lantern lark laurel leaf linden lynx maple marten meadow mesa moss oak orchid osprey otter owl pebble pine plover pond
poplar quail raven reef ridge river robin sparrow spruce stone summit swan thistle tulip valley walnut willow wren
"""


def readable_name(rng: random.Random) -> str:
    """``'amber-otter'`` and the like, about 5,000 of them."""
    return f"{rng.choice(ADJECTIVES.split())}-{rng.choice(NOUNS.split())}"


def slug(text: str, longest: int = 40) -> str:
    """``text`` as a part of a file name: lower-case letters, digits and single hyphens, never empty."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:longest].rstrip("-") or "task"
