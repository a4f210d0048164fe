"""The Optuna side in a process of its own: two workers share a study, then train the best three again with ten fresh seeds.

    python -m tests.benchmarks.versus_optuna.study --task cora --began UNIX --seconds 600 --seed 0 --folder F

The test is opened once, at the end, for the configuration that the validation of the fresh seeds chose. What trainings predict is kept as
files, without labels: whoever wants to know later what an earlier incumbent would have scored can, and nothing here looks. Choices are in
``docs/fast-yard.md``.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from tests.benchmarks.usual_loop import Design, LoopData, Trained, usual_training
from tests.benchmarks.versus_optuna.space import USUAL, design_of, suggest

WORKERS, FINALISTS, FIRST_SEED, SEEDS = 2, 3, 1000, 10
EPOCHS, PATIENCE = 400, 50
PRUNE_EVERY, PRUNE_AFTER = 10, 30
# At most this share of the time is kept for the fresh seeds, and a training may take this share of it; closing takes seconds.
FINAL_SHARE, TRAINING_SHARE, CLOSING_S, MARGIN = 0.45, 0.08, 5.0, 1.15
SPLITS, ENOUGH_TRIALS, USUAL_EPOCHS = 3, 20, 120
BOTH_SCALES_MIB = 200


class Over(Exception):
    """The time of this phase has come."""


@dataclass(frozen=True)
class Asked:
    """``began`` is the moment at which this side's process was started, in seconds since 1970; all must be done ``seconds`` later.

    ``seeds`` is how many fresh seeds each of the best configurations is trained with, ``epochs`` the most of one training.
    """

    task: str
    began: float
    seconds: float
    seed: int
    folder: Path
    seeds: int = SEEDS
    epochs: int = EPOCHS

    @property
    def ends(self) -> float:
        return self.began + self.seconds

    @property
    def closes(self) -> float:
        """When the last training ends, so that there is time to open the test."""
        return self.ends - min(CLOSING_S, 0.1 * self.seconds)


@dataclass
class Shared:
    """What the two workers share: barriers between the phases, the end of the search, the next training of the final, a finished trial."""

    barrier: Any
    search_ends: Any
    next_job: Any
    any_done: Any


@dataclass
class Data:
    """The task as dense tensors, with rows that sum to 1 and, where memory allows, as they are; splits a trial; limits of a training."""

    task: Any
    scales: dict[bool, LoopData] = field(default_factory=dict)
    splits: int = 1
    epochs: int = EPOCHS
    training_s: float = 0.0

    def on(self, design: Design, split: int) -> LoopData:
        return self.scales[design.rows].on(self.task.split(split))


def loaded(name: str) -> Data:
    """The task in memory."""
    import torch

    from agentnas.tools.tasks import load_task

    torch.set_num_threads(1)
    task = load_task(name)
    assert task.data is not None
    rows = LoopData.of(task.data, task.split(0), "cpu")
    both = rows.x.nbytes <= BOTH_SCALES_MIB * 2**20
    return Data(task, {True: rows, **({False: LoopData.of(task.data, task.split(0), "cpu", rows=False)} if both else {})})


def open_study(folder: Path, seed: int) -> Any:
    """The shared study: TPE that models all parameters together and knows what the other worker tries, and the median pruner."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)  # TPE's ``group`` is one since Optuna 2.8
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / "study.log")))
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=PRUNE_AFTER, interval_steps=PRUNE_EVERY)
    return optuna.create_study(
        storage=storage, study_name="yardstick", sampler=sampler, pruner=pruner, direction="maximize", load_if_exists=True
    )


def work(asked: Asked, index: int, shared: Shared) -> None:
    """One worker, from start to end."""
    data, study = loaded(asked.task), open_study(asked.folder, 1000 * asked.seed + index)
    if index == 0:
        study.set_user_attr("splits", splits_for(asked, data))
    shared.barrier.wait()
    data.splits = study.user_attrs["splits"]
    data.epochs, data.training_s = asked.epochs, TRAINING_SHARE * asked.seconds / data.splits
    search(asked, study, data, shared)
    shared.barrier.wait()
    final(asked, study, data, shared)
    shared.barrier.wait()
    if index == 0:
        close(asked, study, data)


def splits_for(asked: Asked, data: Data) -> int:
    """How many splits a trial is judged on: some, where the time allows enough such trials, else one."""
    if data.task.num_splits == 1:
        return 1
    trained = usual_training(Design("gcn"), data.on(Design("gcn"), 0), 6)
    trial_s = SPLITS * USUAL_EPOCHS * trained.epoch_ms / 1000
    return SPLITS if WORKERS * (1 - FINAL_SHARE) * asked.seconds >= ENOUGH_TRIALS * trial_s else 1


def search(asked: Asked, study: Any, data: Data, shared: Shared) -> None:
    """Trials until only the time for the final is left; what is under way then is given up."""
    import optuna

    def objective(trial: Any) -> float:
        try:
            return run_trial(asked, trial, data, shared)
        except Over:
            trial.set_user_attr("cut", True)
            raise optuna.TrialPruned from None

    def after(study: Any, trial: Any) -> None:
        if trial.state == optuna.trial.TrialState.COMPLETE:
            shared.any_done.value = 1
        shared.search_ends.value = asked.closes - kept_for_final(asked, best_trials(study))
        if is_over(shared):
            study.stop()

    study.optimize(objective, callbacks=[after], catch=(RuntimeError, MemoryError))


def is_over(shared: Shared) -> bool:
    """Whether the search has to end: never before a trial is done."""
    return bool(shared.any_done.value) and time.time() >= shared.search_ends.value


def best_trials(study: Any) -> list[Any]:
    """Finished trials, best first, at most as many as the final takes."""
    import optuna

    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    return sorted(done, key=lambda trial: (-trial.value, trial.number))[:FINALISTS]


def kept_for_final(asked: Asked, best: Sequence[Any]) -> float:
    """Seconds that the fresh seeds of the best trials will take, within the final's share."""
    expected: float = MARGIN * asked.seeds * sum(trial.user_attrs["train_s"] for trial in best) / WORKERS
    return min(expected, FINAL_SHARE * asked.seconds)


def run_trial(asked: Asked, trial: Any, data: Data, shared: Shared) -> float:
    """Mean validation over the splits; the pruner hears the first split's epochs, then the mean after each split."""
    import optuna

    design, vals, seconds, epochs = suggest(trial, both_scales=False in data.scales), list[float](), 0.0, 0
    try:
        for split in range(data.splits):
            trained = train(design, data, split, split, _listener(trial, split, shared))
            vals, seconds, epochs = [*vals, trained.val], seconds + trained.seconds, epochs + trained.epochs
            np.save(asked.folder / f"trial-{trial.number}-{split}.npy", trained.classes(data.on(design, split)).astype(np.int16))
            trial.report(fmean(vals), EPOCHS + split)
            if split + 1 < data.splits and trial.should_prune():
                raise optuna.TrialPruned
    finally:
        trial.set_user_attr("trainings", len(vals))
        trial.set_user_attr("epochs", epochs + int(trial.user_attrs.get("unfinished", 0)))
    trial.set_user_attr("train_s", seconds / data.splits)
    return fmean(vals)


def _listener(trial: Any, split: int, shared: Shared) -> Callable[[int, float], None]:
    import optuna

    def told(epoch: int, val: float) -> None:
        over = is_over(shared)
        reported = split == 0 and epoch % PRUNE_EVERY == 0
        if reported:
            trial.report(val, epoch)
        if over or (reported and trial.should_prune()):
            trial.set_user_attr("unfinished", epoch)
            raise Over if over else optuna.TrialPruned

    return told


def train(design: Design, data: Data, split: int, seed: int, told: Callable[[int, float], None]) -> Trained:
    """One training; it ends early, with what it has, where it takes longer than a training may."""
    until = time.monotonic() + data.training_s

    def hear(epoch: int, val: float) -> bool:
        told(epoch, val)
        return time.monotonic() > until

    return usual_training(design, data.on(design, split), data.epochs, seed, PATIENCE, hear)


def final(asked: Asked, study: Any, data: Data, shared: Shared) -> None:
    """Fresh seeds of the best trials, the best one's first; seed i uses split i. What does not end in time does not count."""
    jobs = [(trial, number) for trial in best_trials(study) for number in range(asked.seeds)]
    done = 0

    def told(epoch: int, val: float) -> None:
        if done and time.time() > asked.closes:
            raise Over

    while (job := _take(shared)) < len(jobs):
        trial, number = jobs[job]
        design = design_of(trial.params, both_scales=False in data.scales)
        began = time.time()
        try:
            trained = train(design, data, number, FIRST_SEED + number, told)
        except Over:
            return
        done += 1
        name = f"final-{trial.number}-{number}"
        np.save(asked.folder / f"{name}.npy", trained.classes(data.on(design, number)).astype(np.int16))
        facts = {"trial": trial.number, "seed": number, "val": trained.val, "epochs": trained.epochs, "seconds": time.time() - began}
        (asked.folder / f"{name}.json").write_text(json.dumps(facts))


def _take(shared: Shared) -> int:
    with shared.next_job.get_lock():
        shared.next_job.value += 1
        return int(shared.next_job.value) - 1


def close(asked: Asked, study: Any, data: Data) -> None:
    """Choose by the validation of the fresh seeds, open the test once, write ``result.json``."""
    finals = [json.loads(path.read_text()) for path in sorted(asked.folder.glob("final-*.json"))]
    by_trial: dict[int, dict[int, dict[str, Any]]] = {}
    for one in finals:
        by_trial.setdefault(one["trial"], {})[one["seed"]] = one
    most = max(len(seeds) for seeds in by_trial.values())
    whole = {trial: seeds for trial, seeds in by_trial.items() if len(seeds) == most}
    chosen = max(whole, key=lambda trial: (fmean(one["val"] for one in whole[trial].values()), -trial))
    seeds = sorted(whole[chosen])
    test = [tested(asked.folder / f"final-{chosen}-{seed}.npy", data.task, seed) for seed in seeds]
    design = design_of(next(t for t in study.trials if t.number == chosen).params, both_scales=False in data.scales)
    facts = {
        "splits": data.splits, "design": str(design), "seeds": seeds, "val": [whole[chosen][seed]["val"] for seed in seeds], "test": test,
        "finalists": len(by_trial), "final_trainings": len(finals), "final_epochs": sum(one["epochs"] for one in finals),
    }  # fmt: skip
    (asked.folder / "result.json").write_text(json.dumps(facts))


def tested(path: Path, task: Any, split: int) -> float:
    """Test accuracy in percent of the predictions in a file."""
    index = task.split(split).test
    return float(100 * np.mean(np.load(path)[index] == task.data.y[index]))


def drive(asked: Asked) -> int:
    """Start the workers and wait; 1 as soon as one of them fails."""
    study = open_study(asked.folder, asked.seed)
    for params in USUAL:
        study.enqueue_trial(params)
    spawn = get_context("spawn")
    shared = Shared(spawn.Barrier(WORKERS), spawn.Value("d", asked.closes - FINAL_SHARE * asked.seconds), spawn.Value("i", 0),
                    spawn.Value("i", 0))  # fmt: skip
    workers = [spawn.Process(target=work, args=(asked, index, shared)) for index in range(WORKERS)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers) and not any(worker.exitcode for worker in workers):
        workers[0].join(0.1)
    failed = [worker.exitcode for worker in workers if worker.exitcode]
    for worker in workers:
        worker.kill() if failed else worker.join()
    if failed:
        how = f"was killed by {signal.Signals(-failed[0]).name}" if failed[0] < 0 else f"ended with code {failed[0]}"
        print(f"a worker of the study {how}", file=sys.stderr)
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", required=True)
    parser.add_argument("--began", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--folder", type=Path, required=True)
    return drive(Asked(**vars(parser.parse_args())))


if __name__ == "__main__":
    sys.exit(main())
