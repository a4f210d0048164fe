"""What a question means in the words of the field: everyday words translated, statistics turned into conditions.

Cards speak of oversmoothing and heterophily; people say that all vectors look the same, and task cards say that homophily is 0.22. The
terms found here are added to a query as hints, at a fraction of its weight, so a wrong one does little harm.
"""

from __future__ import annotations

import re
from functools import lru_cache

from agentnas.memory.stems import words

# Everyday words and phrases: the field's words. Phrases are compared by their stems, without the words that carry no meaning.
THESAURUS = """
vectors, embeddings: representations
look alike, look same, become alike, become same, identical vectors, indistinguishable, collapse, blur, washed out: oversmoothing smoothing
tall, many layers, very deep, stack, dozens of layers: depth deep layers residual
adding layers, more layers, each extra layer: depth deep oversmoothing
neighbours disagree, neighbours differ, opposite labels, opposites, unlike, dissimilar, disassortative: heterophily low homophily
neighbours agree, assortative, same label: homophily
opposite, different class, disagree: heterophily
far away, distant, far apart, long way, several steps away, many hops: long-range distance hops
bottleneck, squeezed, funnel, diameter: over-squashing long-range
spreadsheet, row, table, record, csv: tabular rows columns features
column, attribute: features
blank, absent, unknown, empty, incomplete, gaps, not filled: missing features imputation
sparse, mostly zeros, bag of words: sparse high-dimensional features
customer, shopper, visitor, subscriber: user recommendation
product, purchase, shop, catalogue, rating, movie, suggest: item recommendation user
tie, link, connection, hyperlink: edge link
who will meet, who will connect, missing link, friend suggestion, which pairs: link prediction pair
friend, follower, member: social network
atom, bond, compound, drug, protein, assay, chemistry: molecule graph-level
whole graph, entire graph, each graph, one label per graph: graph-level readout pooling
readout, pool, sum up, adding up, summarise: pooling readout
kind of entity, kinds of entities, types of nodes, types of edges, entity, relation, knowledge base, ontology: heterogeneous typed relations
route, chain of relations: path meta-path
country, hospital, institution, owner, silo, private, privacy, may not share: federated private
serving, production, online, request, deploy, ship, rollout: inference latency deploy
fast, quick, slow, speed, wait, milliseconds, hurry: latency time cost
too long, takes hours, takes days, expensive: time cost efficient
cheap, light, tiny, lean: small cost efficient
oom, out of memory, ram, does not fit, gigabyte: memory
phone, mobile, edge device, fpga, chip, microcontroller, board, accelerator: hardware device latency
battery, electricity, watt, carbon: energy
overfit, memorise, memorizes, learns by heart, training perfect: overfitting generalisation regularization
few labels, hardly any labels, handful of labels, unlabelled, unlabeled, annotation, annotate: few-labels self-supervised
pretrain, without labels, no labels: self-supervised pretraining unlabelled
noisy, wrong labels, mislabelled, dirty: noise noisy labels robustness
attack, adversary, adversarial, attacker, poisoned, planted, fake, malicious, tampered: robustness adversarial perturbed edges
spurious, accidental, irrelevant edges, junk: noise denoising robustness
hour, yesterday, month, forecast, minute, time stamp, timestamp, history of events: temporal time forecasting dynamic
evolve, changes over time, streaming, stream: temporal dynamic evolving
sensor, traffic, road, congestion, weather: temporal traffic spatial
shift, drift, newer data, later year, other year, out of distribution: distribution shift robustness
hub, popular, celebrity, skewed degree, few links, isolated, loner: degree low-degree
seed, luck, lucky, chance, repeat runs, noise floor: seeds variance evaluation noise
within noise, significant, significance, error bar: noise statistics evaluation
which to deliver, leader, winner, final choice: selection winner validation
too good, leak, leakage, optimistic, inflated: leakage evaluation protocol
ranking, rank, spearman, kendall, correlate: rank correlation predictor
predict score, guess accuracy, estimate accuracy, surrogate: predictor surrogate
shared weights, common weights, supernet, one-shot, super network: weight-sharing supernet
from scratch, stand-alone, retrain: training from scratch weight-sharing
candidate, proposal, trial: candidate search architecture
budget, evaluations left: search budget
several things at once, everything together: one factor change ablation
reason, justify, interpret, understand why, black box, audit: explainability explanation
triangle, cycle, ring, motif, clique: expressivity substructure subgraph
tell apart, distinguish, isomorphic, isomorphism, same encoding: expressivity weisfeiler-lehman
where a node is, position, coordinates, structural role: positional encoding
million, billion, huge, giant, enormous: large-graph scale
precision, bits, integer, eight bit, float16: quantization low precision
remove, cut away, slim, shrink, compress, smaller model, throw away weights: pruning compression
teacher, student, imitate, mimic: distillation
direction, arrow, one-way, who cites whom, reciprocity: directed direction
several joint, group of, groups of, simultaneous, team, basket: hypergraph
cliques, co-authors, more than two: hypergraph higher-order
earlier jobs, earlier tasks, previous tasks, similar tasks, experience, past experiments, warm start: transfer
reuse, carry over, hand down, inherit: transfer weights inherit
prompt, chat model, gpt, language model, llm: llm language model
image, picture, photo, pixel, video, camera: vision
rescaling, rescale, normalise, normalize, scale of activations: normalization norm
diverge, unstable, jumps, oscillates, spikes, explodes: unstable training normalization learning rate
step size, warmup, schedule, optimiser: learning rate schedule optimiser
confident, overconfident, calibrated, probability: calibration smoothing confidence
before training, untrained, without training, beforehand, at initialisation: zero-cost training-free
stop early, give up early, kill early, promising: early stopping successive halving
augment, perturb, randomly drop, random noise on inputs: augmentation dropout
committee, vote, combine models, several models, blend, average of models: ensembles experts
specialist, expert, divide the work: mixture of experts gating
easy inputs, hard inputs, early exit, skip layers: dynamic inference adaptive
weigh neighbours, which neighbours matter, importance of neighbours: attention neighbours
all pairs, everyone attends, global attention, quadratic: transformer attention
neighbour explosion, mini-batch, batches, subsample, partition: sampling mini-batch large-graph
host memory, disk, transfer, bandwidth, kernel, several gpus, many gpus: systems parallel storage
mutation, crossover, generation, offspring, genetic: evolution search population
gradient search, architecture weights, mixing coefficient, relaxation, alpha: differentiable search darts
policy, controller, reward, agent: reinforcement learning search
multi-objective, trade-off, compromise, pareto: pareto multi-objective
search space, what may be searched, building blocks: search-space
grow, enlarge, widen, deepen: growing network transformation function-preserving
frequency, spectrum, spectral, low-pass, high-pass, eigenvalue, eigenvector: spectral filter laplacian
random walk, personalised, pagerank, teleport: propagation pagerank
spread labels, pass labels on, smooth predictions, correct predictions: label propagation
edge attributes, bond types, weights on edges: edge-features
"""

LONGEST_PHRASE = 3  # stems
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
    (rf"{NUMBER} (?:molecules|graphs)", 2, 1e12, "graph-level readout pooling graph classification virtual node"),
    (rf"reciprocity[^\d\n-]{{0,20}}{NUMBER}", 0.0, 0.5, "directed edge direction"),
    (rf"diameter[^\d\n-]{{0,20}}{NUMBER}", 20, 1e12, "long-range over-squashing"),
    (rf"{NUMBER} of all pairs", 0.0, 1.0, "link-level link prediction pair common neighbours"),
    (rf"{NUMBER} edge attributes?", 1, 1e12, "edge-features edge attributes"),
    (rf"{NUMBER} types of edges", 2, 1e12, "heterogeneous typed relations"),
    (rf"mean degree[^\d\n-]{{0,20}}{NUMBER}", 0.0, 3.0, "low degree few neighbours"),
)


def hints(text: str) -> str:
    """Words of the field that a question or a task card calls for, each once; empty where nothing is known."""
    known, stems = _thesaurus(), words(text)
    phrases = (tuple(stems[start : start + length]) for start in range(len(stems)) for length in range(1, LONGEST_PHRASE + 1))
    translated = [term for phrase in phrases for term in known.get(phrase, ())]
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
def _thesaurus() -> dict[tuple[str, ...], tuple[str, ...]]:
    table: dict[tuple[str, ...], tuple[str, ...]] = {}
    for line in THESAURUS.strip().splitlines():
        everyday, _, field = line.partition(":")
        for phrase in everyday.split(","):
            stems = tuple(words(phrase))
            table[stems] = tuple(dict.fromkeys((*table.get(stems, ()), *field.split())))
    return table
