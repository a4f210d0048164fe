"""Three made-up folders of data as people have them: accounts that cheat, molecules, a social network. The same seed, the same files.

``python -m tests.newcomers FOLDER`` makes all three.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

COUNTRIES = ("DE", "FR", "PL", "NG", "US", "BR")
CHANNELS = ("app", "web", "card")
RINGS = {"c1ccc({})cc1": -1.4, "C1CCC({})CC1": -1.7, "c1cnc({})cc1": -0.6, "C({})": 0.0}  # what it takes from the solubility
ENDS = {"O": 1.1, "N": 0.8, "Cl": -0.8, "F": -0.3, "C(=O)O": 0.9, "C(=O)N": 1.2, "OC": 0.2, "C#N": 0.1, "Br": -1.0, "C": -0.4}
CITIES = ("Gent", "Brugge", "Leuven", "Namur")
PARTIES = ("green", "red", "blue")


def fraud(folder: Path, seed: int = 0, accounts: int = 600) -> None:
    """``accounts.csv`` and ``transfers.csv``: one account in nine cheats, in rings that pass money round.

    Some cells are empty, and ``blocked`` was filled in after the cheats were found.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    cheats = rng.random(accounts) < 0.11
    names = [f"A{number:05d}" for number in rng.permutation(accounts)]
    days = np.datetime64("2019-01-01") + rng.integers(0, 1500, accounts) + cheats * rng.integers(0, 300, accounts)
    rows = (
        (names[i], np.datetime_as_string(days[i], "D"), rng.choice(COUNTRIES), rng.choice(("basic", "plus", "pro"), p=(0.7, 0.2, 0.1)),
         "" if rng.random() < 0.08 else rng.integers(18, 80), f"{rng.lognormal(6 + 0.5 * cheats[i], 1.2):.2f}",
         rng.poisson(9 - 2 * cheats[i]), int(cheats[i] or rng.random() < 0.01), int(cheats[i]))
        for i in range(accounts)
    )  # fmt: skip
    _write(folder / "accounts.csv", ("account_id", "opened", "country", "plan", "age", "balance", "logins", "blocked", "is_fraud"), rows)
    _write(folder / "transfers.csv", ("payer", "payee", "amount", "channel"), _transfers(rng, cheats, names))


def _transfers(rng: np.random.Generator, cheats: np.ndarray, names: list[str]) -> Iterable[tuple[object, ...]]:
    crooks = np.flatnonzero(cheats)
    for payer in range(len(names)):
        for _ in range(1 + rng.poisson(2)):
            among = crooks if cheats[payer] and rng.random() < 0.75 else np.arange(len(names))
            payee = int(rng.choice(among))
            if payee != payer:
                yield names[payer], names[payee], f"{rng.lognormal(4, 1):.2f}", rng.choice(CHANNELS)


def molecules(folder: Path, seed: int = 0, count: int = 160) -> None:
    """``compounds.csv``: molecules as SMILES, and the logarithm of how well each dissolves: of its parts, with some noise."""
    rng = np.random.Generator(np.random.PCG64(seed))
    made: dict[str, float] = {}
    while len(made) < count:
        chain, ring = int(rng.integers(1, 7)), str(rng.choice(list(RINGS)))
        end, other = (str(found) for found in rng.choice(list(ENDS), 2))
        smiles = f"{'C' * chain}({other}){ring.format(end)}"
        made[smiles] = 0.6 - 0.42 * chain + RINGS[ring] + ENDS[end] + ENDS[other] + 0.25 * rng.normal()
    rows = ((f"CMP-{number:04d}", smiles, f"{value:.2f}") for number, (smiles, value) in enumerate(made.items(), start=1))
    _write(folder / "compounds.csv", ("compound", "smiles", "log_solubility"), rows)


def social(folder: Path, seed: int = 0, people: int = 400) -> None:
    """``members.graphml``: people of four towns who write to each other, mostly within their party; some do not say which."""
    import networkx as nx

    rng = np.random.Generator(np.random.PCG64(seed))
    party = rng.integers(len(PARTIES), size=people)
    graph = nx.Graph()
    for i in range(people):
        graph.add_node(
            f"p{i}", age=int(np.clip(rng.normal(34 + 6 * party[i], 12), 18, 80)), city=str(rng.choice(CITIES)), posts=int(rng.poisson(20))
        )
        if rng.random() > 0.1:
            graph.nodes[f"p{i}"]["party"] = PARTIES[party[i]]
    for i in range(people):
        for _ in range(3):
            friends = np.flatnonzero(party == party[i]) if rng.random() < 0.8 else np.arange(people)
            j = int(rng.choice(friends))
            if i != j:
                graph.add_edge(f"p{i}", f"p{j}", messages=int(1 + rng.poisson(5)))
    folder.mkdir(parents=True, exist_ok=True)
    nx.write_graphml(graph, folder / "members.graphml")


FOLDERS: dict[str, Callable[[Path], None]] = {"fraud": fraud, "molecules": molecules, "social": social}


def _write(path: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    for made_name, make in FOLDERS.items():
        make(Path(sys.argv[1]) / made_name)
