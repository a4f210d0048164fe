"""What the Optuna side searches: five of PyG's networks with the hyper-parameters that their papers and good tutorials tune."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.benchmarks.usual_loop import Design

if TYPE_CHECKING:
    import optuna

KINDS = ("gcn", "gat", "sage", "appnp", "gcnii")
# Where a careful user begins: each network as its authors (and PyG's examples) set it. The study tries these first.
USUAL: tuple[dict[str, Any], ...] = (
    {"kind": "gcn", "width": 64, "rate": 0.01, "decay": 5e-4, "decay_last": False, "dropout": 0.5, "layers": 2, "norm": False},
    {"kind": "gat", "width": 64, "rate": 0.005, "decay": 5e-4, "decay_last": True, "dropout": 0.6, "layers": 2, "norm": False, "heads": 8},
    {"kind": "sage", "width": 64, "rate": 0.01, "decay": 5e-4, "decay_last": True, "dropout": 0.5, "layers": 2, "norm": False},
    {"kind": "appnp", "width": 64, "rate": 0.01, "decay": 5e-3, "decay_last": False, "dropout": 0.5, "hops": 10, "alpha": 0.1},
    {"kind": "gcnii", "width": 64, "rate": 0.01, "decay": 5e-4, "decay_last": True, "dropout": 0.6, "depth": 8, "alpha": 0.1, "theta": 0.5},
)


def suggest(trial: optuna.trial.BaseTrial, *, both_scales: bool) -> Design:
    """A design drawn by the trial; ``both_scales`` lets it choose whether rows of the features sum to 1, else they do."""
    kind = trial.suggest_categorical("kind", KINDS)
    shared: dict[str, Any] = {
        "width": trial.suggest_categorical("width", (16, 32, 64, 128, 256)),
        "rate": trial.suggest_float("rate", 1e-3, 5e-2, log=True),
        "decay": trial.suggest_float("decay", 1e-5, 5e-2, log=True),
        "decay_last": trial.suggest_categorical("decay_last", (True, False)),
        "dropout": trial.suggest_float("dropout", 0.0, 0.8, step=0.1),
        "rows": trial.suggest_categorical("rows", (True, False)) if both_scales else True,
    }
    return Design(kind, **shared, **_own(trial, kind))


def _own(trial: optuna.trial.BaseTrial, kind: str) -> dict[str, Any]:
    """Parameters that one kind of network has."""
    if kind == "appnp":
        return {"layers": trial.suggest_int("hops", 2, 20), "alpha": trial.suggest_float("alpha", 0.05, 0.5)}
    if kind == "gcnii":
        depth = trial.suggest_categorical("depth", (2, 4, 8, 16, 32))
        return {"layers": depth, "alpha": trial.suggest_float("alpha", 0.05, 0.5), "theta": trial.suggest_float("theta", 0.25, 1.5)}
    own = {"layers": trial.suggest_int("layers", 2, 4), "norm": trial.suggest_categorical("norm", (True, False))}
    return {**own, "heads": trial.suggest_categorical("heads", (1, 2, 4, 8))} if kind == "gat" else own


def design_of(params: dict[str, Any], *, both_scales: bool) -> Design:
    """The design of a finished trial's parameters."""
    import optuna

    return suggest(optuna.trial.FixedTrial(params), both_scales=both_scales)
