"""How busy the workers are with barriers between rungs and rounds, and without: ``python -m tests.benchmarks.utilisation``.

The first two tables are computed in virtual time over the very ladders and races that a run uses: trainings of a known length, designs of
known worth, scores with known noise; exact on a busy machine, for any number of workers. ``--live S`` runs two real searches of S seconds
each on digits in addition, one with barriers and one as it ships, and reads from their journals how busy the workers were.
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from agentnas.agents.climbing import HEAD, weights_file
from agentnas.agents.feeder import _Rounds
from agentnas.tools.evaluate.base import Request
from agentnas.tools.evaluate.ladder import ONE_SPLIT, Before, Ladder
from agentnas.tools.evaluate.race import Climber, Confirmation
from agentnas.tools.spec.model import parse_spec
from agentnas.words import markdown_table

BATCH, TRAINING_S, SEARCH_S = 8, 20.0, 3600.0
WORTH, NOISE, SPREAD = 80.0, 0.4, 1.0
SPEC = parse_spec({"body": {"nodes": [{"id": "a", "op": "gcn", "width": 8}], "outputs": ["a"]}})


class Barriers(Ladder):
    """The usual ladder: no rung begins before the one below has all its results, and every seed of the head is trained."""

    def next(self, eager: bool = False) -> Request | None:
        request = next(self._due(eager=False), None)
        if request is None or any(self._waits(key) and key[1] != request.rung for key in self._handed):
            return None
        self._handed.add((request.trial, request.rung, request.seed))
        return request

    def _waits(self, key: tuple[str, str, int]) -> bool:
        return key[2] not in self._results.get(key[:2], {})

    def _raced(self, trial: str, rung: object, first: int) -> int:
        return self._rungs[-1].seeds


@dataclass
class Search:
    """A search in virtual time. ``thinking_s`` passes between the wish for a round and its proposals; ``ahead``: as a timed run does."""

    ladder: type[Ladder]
    ahead: bool
    workers: int
    thinking_s: float
    seed: int
    worth: dict[str, float] = field(default_factory=dict)
    full: dict[str, dict[int, float]] = field(default_factory=dict)
    busy_s: float = 0.0
    trainings: int = 0

    def run(self, limit_s: float) -> Search:
        self._rng = random.Random(self.seed)
        now, rounds, running = 0.0, _Rounds(), list[tuple[float, int, Request]]()
        drafted: float | None = self.thinking_s
        while now < limit_s:
            if drafted is not None and drafted <= now:
                number = len(self.worth) // BATCH
                rounds.open = {n: ladder for n, ladder in rounds.open.items() if not ladder.over} | {number: self._drafted()}
                drafted, latest = None, number
            while len(running) < self.workers and (request := rounds.next(eager=self.ahead)) is not None:
                end = now + self._length(request)
                self.busy_s += min(end, limit_s) - now
                heapq.heappush(running, (end, self.trainings, request))
                self.trainings += 1
            if drafted is None and self._wanted(rounds, latest):
                drafted = now + self.thinking_s
            moments = [running[0][0]] if running else []
            now = min([*moments, *([drafted] if drafted is not None else [])])
            while running and running[0][0] <= now:
                _, _, request = heapq.heappop(running)
                rounds.seconds.append(self._length(request))
                rounds.tell(request.trial, request.rung, request.seed, self._score(request))
        return self

    def _wanted(self, rounds: _Rounds, latest: int) -> bool:
        if self.ahead:
            return rounds.leave_time(latest, self.thinking_s, self.workers)
        return all(ladder.over for ladder in rounds.open.values())

    def _drafted(self) -> Ladder:
        first = len(self.worth)
        names = [f"t{number:05d}" for number in range(first, first + BATCH)]
        means = {trial: statistics.fmean(seeds.values()) for trial, seeds in self.full.items()}
        best = heapq.nlargest(HEAD, means, key=lambda trial: means[trial])
        rival = max((t for t in best if len(self.full[t]) >= 3), key=lambda trial: means[trial], default="")
        before = Before({trial: means[trial] for trial in best}, {}, rival, self.full.get(rival, {}), NOISE if rival else None)
        self.worth |= {name: self._rng.gauss(WORTH, SPREAD) for name in names}
        return self.ladder([Climber(name, SPEC) for name in names], before, ONE_SPLIT, 1, HEAD, doubling=self.ahead)

    def _length(self, request: Request) -> float:
        """Trainings of one design differ little, those of different designs much."""
        share = 0.25 if request.rung == "short" else 1.0
        return share * TRAINING_S * random.Random(request.trial).lognormvariate(-0.125, 0.5)

    def _score(self, request: Request) -> float:
        luck = random.Random(f"{self.seed} {request.trial} {request.rung} {request.seed}")
        score = self.worth[request.trial] + luck.gauss(0, NOISE) - (luck.expovariate(0.5) if request.rung == "short" else 0.0)
        if request.rung != "short":
            self.full.setdefault(request.trial, {})[request.seed] = score
        return score


MODES: dict[str, tuple[type[Ladder], bool]] = {
    "barriers": (Barriers, False), "no barrier in a round, race": (Ladder, False), "thinking ahead as well": (Ladder, True),
}  # fmt: skip


def searches(repeats: int, limit_s: float) -> str:
    """Share of the workers' time in trainings, trainings an hour and trials an hour."""
    rows = []
    for workers in (2, 4, 8):
        for thinking_s in (2.0, 30.0):
            for name, (ladder, ahead) in MODES.items():
                done = [Search(ladder, ahead, workers, thinking_s, seed).run(limit_s) for seed in range(repeats)]
                busy = statistics.fmean(search.busy_s for search in done) / (workers * limit_s)
                trials = statistics.fmean(len(search.full) for search in done) * 3600 / limit_s
                total = statistics.fmean(search.trainings for search in done) * 3600 / limit_s
                rows.append([str(workers), f"{thinking_s:g}", name, f"{100 * busy:.1f} %", f"{total:.0f}", f"{trials:.0f}"])
    return markdown_table(["workers", "thinking, s", "schedule", "workers busy", "trainings an hour", "trained in full an hour"], rows)


def confirmations(repeats: int) -> str:
    """What the race for seeds spares in a confirmation of 6 finalists and an anchor with 10 seeds, and how often it changes the winner."""
    rows = []
    for gap in (0.0, 0.2, 0.5, 1.0):
        spared = changed = 0
        lost = []
        for seed in range(repeats):
            worth = {f"t{i:04d}": WORTH - gap * random.Random(f"{seed} {i}").random() * 2 for i in range(7)}
            (_, whole), (used, raced) = (_confirmed(worth, noise, seed) for noise in (None, NOISE))
            spared += 70 - used
            changed += whole != raced
            lost.append(worth[whole] - worth[raced])
        share, turned = spared / (70 * repeats), changed / repeats
        rows.append([f"{gap:g}", f"{100 * share:.0f} %", f"{100 * turned:.1f} %", f"{statistics.fmean(lost):+.3f}"])
    return markdown_table(["mean gap between finalists, points", "trainings spared", "another winner", "true worth lost, points"], rows)


def _confirmed(worth: dict[str, float], noise: float | None, seed: int) -> tuple[int, str]:
    """Trainings that a confirmation took, and whom it chose."""
    climbers = [Climber(trial, SPEC, "plain" if trial == "t0000" else None) for trial in worth]
    race = Confirmation(climbers, 10, 1, noise, weights_file)
    scores: dict[str, list[float]] = {trial: [] for trial in worth}
    while not race.over:
        request = race.next()
        assert request is not None, "each result is told at once, so that something is due until it is over"
        score = worth[request.trial] + random.Random(f"{seed} {request.trial} {request.seed}").gauss(0, NOISE)
        scores[request.trial].append(score)
        race.tell(request.trial, request.rung, request.seed, score)
    left = [trial for trial in worth if trial not in race.stopped]
    return sum(map(len, scores.values())), max(left, key=lambda trial: statistics.fmean(scores[trial]))


def live(seconds: float) -> str:
    """Two real searches on digits, one after the other: with barriers, and as it ships."""
    import agentnas
    from agentnas.busy import utilisation

    rows = []
    for name in ("barriers", "as it ships"):
        with tempfile.TemporaryDirectory() as folder, _schedule(name == "barriers"):
            run = agentnas.design("digits", time=seconds, workers=2, seed=1, runs_dir=Path(folder), memory_dir="none")
            found = utilisation(run.events, 2)
            assert found is not None, "a run that has a winner has trained"
            shares = [f"{100 * share:.0f} %" if share is not None else "?" for share in (found.search, found.confirmation)]
            rows.append([name, *shares, str(run.view.num_tried), str(run.view.num_evaluations)])
    return markdown_table(["schedule", "busy in the search", "busy in the confirmation", "trials", "trainings"], rows)


@contextmanager
def _schedule(barriers: bool) -> Iterator[None]:
    if not barriers:
        yield
        return
    with patch("agentnas.agents.climbing.Ladder", Barriers), patch("agentnas.agents.house.House.thinks_ahead", False):
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description="how busy workers are with and without barriers")
    parser.add_argument("--quick", action="store_true", help="few repeats: that it works, not how it is")
    parser.add_argument("--live", type=float, metavar="S", help="two real searches of S seconds each on digits as well")
    options = parser.parse_args(arguments)
    repeats = 1 if options.quick else 10
    print(f"Search, {BATCH} trials a round, {TRAINING_S:g} s a full training, one hour of virtual time, means over {repeats}:\n")
    print(searches(repeats, SEARCH_S / 6 if options.quick else SEARCH_S))
    print("\nConfirmation, 10 seeds for each of 6 finalists and an anchor, noise between seeds 0.4 points:\n")
    print(confirmations(5 if options.quick else 400))
    if options.live:
        print(f"\nTwo searches of {options.live:g} s on digits, two workers:\n\n{live(options.live)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
