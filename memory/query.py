"""What a question means in the words of the field: everyday words translated, statistics turned into conditions.

Cards speak of oversmoothing and heterophily; people say that all vectors look the same, and task cards say that homophily is 0.22. The
terms found here are added to a query as hints, at a fraction of its weight, so a wrong one does little harm.
"""

from __future__ import annotations

import re
from functools import lru_cache

from agentnas.memory.lexical import words

# Everyday words: the field's words.
THESAURUS = """
vectors embeddings: representations
alike same identical collapse indistinguishable: oversmoothing smoothing
tall deep stack layers: depth deep layers
spreadsheet row table record: tabular rows columns features
column attribute field input: features
blank absent missing unknown empty incomplete: missing features imputation
customer user person member shopper: user node recommendation
product item purchase basket shop catalogue: item recommendation
tie link connection relation hyperlink: edge link
friend social follower: social network homophily
paper citation cites: citation homophily
atom bond compound drug molecule protein assay: molecule graph-level
kind type entity relation: heterogeneous typed relations
route path walk: path walk meta-path
country institution hospital owner pool private: federated
serving deployment request production online: inference latency deploy
fast quick cheap slow expensive wait long: latency time cost efficient
memory gpu oom card: memory
phone device edge fpga chip: hardware device latency
overfit memorise memorises memorizes: overfitting generalisation regularization
unlabelled unlabeled annotation: few-labels self-supervised labels
noise noisy wrong corrupted: noise noisy robustness
attack adversarial perturbed poisoned: robustness attack
hour day yesterday month future forecast next time: temporal time forecasting
sensor traffic road congestion: temporal traffic spatial
shift drift later year: distribution shift robustness
opposite different dissimilar disagree unlike: heterophily
similar neighbour neighbor: homophily neighbours
hub popular skewed: degree
seed luck lucky chance variance repeat: seeds variance evaluation noise
leader winner deliver choose pick: selection winner validation
ranking rank order spearman kendall: rank correlation predictor
shared supernet one-shot: weight-sharing supernet
candidate trial proposal: candidate search architecture
round budget evaluation: search budget
altered changed factor: one factor change
explain reason interpret: explainability explanation
triangle cycle motif count: expressivity substructure subgraph
distinguish isomorphic: expressivity weisfeiler
far distant long-range diameter bottleneck: over-squashing long-range
million billion huge: large-graph scale
precision bits integer: quantization
remove cut shrink compress smaller: pruning compression
teacher student: distillation
direction directed reciprocity arrow: directed direction
several joint simultaneous: hypergraph
readout pool: pooling readout
experience previous earlier jobs warm: transfer
prompt language llm: llm language model
image picture pixel video: vision
rescaling normalise scale: normalization norm
confident calibrated probability: calibration smoothing confidence
beforehand untrained hint: zero-cost probe
"""

NUMBER = r"(-?\d+(?:[.,]\d+)*)\s*(%|[kKmMbB]\b)?"
SCALES = {"k": 1e3, "m": 1e6, "b": 1e9}
# What is measured (as a pattern before or after the number), the bounds between which a rule holds, the field's words for it.
RULES: tuple[tuple[str, float, float, str], ...] = (
    (rf"(?:edge |node |adjusted )?homophily[^\d\n-]{{0,20}}{NUMBER}", -1.0, 0.4, "heterophily low homophily neighbours disagree high-pass"),
    (rf"(?:edge |node |adjusted )?homophily[^\d\n-]{{0,20}}{NUMBER}", 0.6, 1.0, "high homophily propagation smoothing"),
    (rf"label rate[^\d\n-]{{0,20}}{NUMBER}", 0.0, 0.1, "few-labels low label rate regularization"),
    (rf"label rate[^\d\n-]{{0,20}}{NUMBER}", 0.4, 1.0, "many labels label reuse"),
    (rf"density[^\d\n-]{{0,20}}{NUMBER}", 0.0, 0.05, "feature-sparsity sparse high-dimensional features"),
    (rf"{NUMBER} nodes", 2e5, 1e12, "large-graph sampling memory mini-batch"),
    (rf"(?:^|\n|\b)nodes[^\d\n-]{{0,4}}{NUMBER}", 2e5, 1e12, "large-graph sampling memory mini-batch"),
    (rf"{NUMBER} (?:molecules|graphs)", 2, 1e12, "graph-level readout pooling"),
    (rf"reciprocity[^\d\n-]{{0,20}}{NUMBER}", 0.0, 0.5, "directed edge direction"),
    (rf"diameter[^\d\n-]{{0,20}}{NUMBER}", 20, 1e12, "long-range over-squashing"),
    (rf"mean degree[^\d\n-]{{0,20}}{NUMBER}", 0.0, 3.0, "low degree few neighbours"),
)


def hints(text: str) -> str:
    """Words of the field that a question or a task card calls for, each once; empty where nothing is known."""
    known = _thesaurus()
    translated = [term for word in words(text) for term in known.get(word, ())]
    return " ".join(dict.fromkeys(translated + conditions(text)))


def conditions(text: str) -> list[str]:
    """Conditions that the statistics in a text meet, as words: ``homophily 0.22`` gives ``heterophily`` and more."""
    found: list[str] = []
    for pattern, low, high, terms in RULES:
        values = [_number(match) for match in re.finditer(pattern, text, re.IGNORECASE)]
        if any(low <= value <= high for value in values):
            found += terms.split()
    return list(dict.fromkeys(found))


def _number(match: re.Match[str]) -> float:
    digits, unit = match.group(1), (match.group(2) or "").lower()
    value = float(re.sub(r",(?=\d{3})", "", digits).replace(",", ".").rstrip("."))
    return value / 100 if unit == "%" else value * SCALES.get(unit, 1.0)


@lru_cache(maxsize=1)
def _thesaurus() -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for line in THESAURUS.strip().splitlines():
        everyday, _, field = line.partition(":")
        for word in words(everyday):
            table[word] = tuple(dict.fromkeys((*table.get(word, ()), *field.split())))
    return table
