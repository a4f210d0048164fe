"""What is left of a ranking's quality when its weights are chosen on other queries than those that measure it."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from agentnas.bench.retrieval import Finding, by_recall, macro, measure
from agentnas.bench.retrieval_queries import JudgedQuery
from agentnas.memory.lexical import DEFAULT_BLEND, Blend
from agentnas.memory.library import Library
from agentnas.tools.errors import UsageError

# Only ratios matter for the order, so that n-grams count 1 throughout.
BLENDS = tuple(
    Blend(words=words, latent=latent, hints=hints)
    for words, latent, hints in product((1 / 3, 2 / 3, 1.0), (0.5, 1.0, 1.5), (0.0, 0.125, 0.25, 0.5))
)
HELD_OUT, IN_SAMPLE = "hybrid tuned, held out", "hybrid tuned, in sample"


@dataclass(frozen=True)
class Tuned:
    """``held_out``: each query under the weights of the other folds; ``in_sample``: all under the weights that are best on all of them.

    ``chosen`` are the weights of each fold, ``best`` those of all queries.
    """

    held_out: tuple[Finding, ...]
    in_sample: tuple[Finding, ...]
    chosen: tuple[Blend, ...]
    best: Blend


def tune(
    library: Library, queries: Sequence[JudgedQuery], folds: int, done: Callable[[int, int], None] = lambda finished, all_: None
) -> Tuned:  # fmt: skip
    """Choose the weights of the cosines and hints on all folds but one, measure on that one; every fold in turn.

    Folds hold equal shares of every kind and depend on the qids alone. ``done`` hears how many blends of how many are measured.
    Raises UsageError where there are fewer queries than folds.
    """
    if len(queries) < folds:
        raise UsageError(f"--folds {folds} needs as many queries; the file has {len(queries)} that a card answers")
    table = {}
    for blend in BLENDS:
        table[blend] = measure(HELD_OUT, by_recall(replace(library, blend=blend)), queries)
        done(len(table), len(BLENDS))
    fold_of = folds_of(queries, folds)
    chosen = [_best({blend: [f for f in found if fold_of[f.qid] != fold] for blend, found in table.items()}) for fold in range(folds)]
    held_out = [finding for fold, blend in enumerate(chosen) for finding in table[blend] if fold_of[finding.qid] == fold]
    best = _best(table)
    return Tuned(tuple(held_out), tuple(replace(f, ranker=IN_SAMPLE) for f in table[best]), tuple(chosen), best)


def folds_of(queries: Sequence[JudgedQuery], folds: int) -> dict[str, int]:
    """The fold of each qid: kind by kind, in an order that the file does not decide."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for query in queries:
        kinds[query.kind].append(query.qid)
    shuffled = [qid for kind in sorted(kinds) for qid in sorted(kinds[kind], key=lambda qid: (zlib.crc32(qid.encode()), qid))]
    return {qid: place % folds for place, qid in enumerate(shuffled)}


def _best(table: dict[Blend, list[Finding]]) -> Blend:
    """Highest recall@5, then recall@10, then MRR; among equals the nearest to the weights that ship."""
    return max(table, key=lambda blend: (macro(table[blend]), -_distance(blend)))


def _distance(blend: Blend) -> float:
    ours = DEFAULT_BLEND
    return abs(blend.words - ours.words) + abs(blend.latent - ours.latent) + abs(blend.hints - ours.hints)
