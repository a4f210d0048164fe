"""The trials that a model of scores is fitted on: all of a run of ordinary size, and of a long one a fixed number that tell most.

Exact Gaussian processes cost the cube of their trials, trees and kernels grow with them, and after some hundreds one more trial moves
neither much. Kept are the best (where the next design and the winner come from), the newest (what the search just asked about), and of
the others every so many-th by score, so that a model still knows what bad designs look like (a subset of data, stratified by score).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from agentnas.agents.situation import MANY, Record, Situation, drafted

# A model of a long run is fitted anew after so many trials. Which it was fitted on follows from the records alone, so that a resumed run
# goes on as one that was never stopped.
EVERY = 25
# Of ``MANY`` trials: the best third, the newest sixth, and the rest spread over the other scores.
BEST_SHARE, NEWEST_SHARE = 1 / 3, 1 / 6
# A search that fails or cuts its newest trials is not followed back for ever.
LOOK_BACK = 500
# Of trials without a full score, at most so many teach what short trainings say.
MOST_CUT = 100


def telling(situation: Situation, most: int = MANY) -> list[Record]:
    """At most ``most`` of the ranked trials, best first; all where there are no more."""
    return _telling(situation, situation.ranked(), len(situation.records), most)


def known_until(situation: Situation) -> int:
    """How many trials, from the first, a model of scores has to know: all, of a long run as many as there were at its last fit."""
    count = len(situation.records)
    return count if count <= MANY else count - (count - MANY) % EVERY


def _telling(situation: Situation, ranked: list[Record], until: int, most: int) -> list[Record]:
    if len(ranked) <= most:
        return ranked
    best, newest = round(BEST_SHARE * most), _newest(situation, until, round(NEWEST_SHARE * most))
    room, others = most - best - len(newest), len(ranked) - best
    kept = {id(record) for record in (*ranked[:best], *newest, *(ranked[best + i * others // room] for i in range(room)))}
    return [record for record in ranked if id(record) in kept]


def taught(situation: Situation) -> Sequence[Record]:
    """At most ``MANY`` of the trials ``known_until`` with any score, also of short trainings alone, in the order of drafting; all of a run
    that has no more."""
    if len(situation.records) <= MANY:
        return situation.records
    until = known_until(situation)
    looked = situation.records[max(0, until - LOOK_BACK) : until]
    cut = [record for record in looked if situation.score(record) is None and record.at(situation.rungs[0].name) is not None][-MOST_CUT:]
    return sorted([*_telling(situation, situation.ranked(until), until, MANY - len(cut)), *cut], key=drafted)


def _newest(situation: Situation, until: int, count: int) -> list[Record]:
    looked = reversed(situation.records[max(0, until - LOOK_BACK) : until])
    return list(islice((r for r in looked if not r.failures and situation.score(r) is not None), count))
