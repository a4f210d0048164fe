"""What a training promises: the choice of the epoch, reproducibility, honesty about labels, limits; the effect of each recipe field."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.evaluate.base import PLANNED
from agentnas.tools.spec.model import ArchitectureSpec, Encoding, Input, Recipe, parse_spec
from agentnas.tools.tasks.base import Task
from agentnas.tools.train.data import ENCODINGS_KEPT, PreparedTask
from agentnas.tools.train.outcome import Diverged, TimedOut, TrainingFailed, TrainResult
from agentnas.tools.train.trainer import load_weights, predict, save_weights, train
from tests.tools.train.conftest import make_task


def spec(
    op: str = "gcn", post: str = "none", dropout: float = 0.2, params: dict[str, Any] | None = None, **recipe: Any
) -> ArchitectureSpec:
    nodes = [
        {"id": "a", "op": op, "width": 8, "activation": "relu", "dropout": dropout, "params": params or {}},
        {"id": "b", "op": op, "inputs": ["a"], "width": "out", "params": params or {}},
    ]
    body = {"nodes": nodes, "outputs": ["b"]}
    settings = {"epochs": 12, "patience": 0, "weight_decay": 0.0, "learning_rate": 0.02, **recipe}
    return parse_spec({"body": body, "head": {"decoder": "none"}, "recipe": settings, "post": {"kind": post}})


def fit(prepared: PreparedTask, seed: int = 0, split: int = 0, **recipe: Any) -> TrainResult:
    return train(spec(**recipe), prepared, split=split, seed=seed)


def weights_of(result: TrainResult) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in result.state_dict.values()])


def test_learns_and_its_weights_give_its_scores(prepared: PreparedTask) -> None:
    result = fit(prepared, epochs=60)
    scores = predict(spec(epochs=60), prepared, 0, result.state_dict)
    assert result.val > 80
    assert result.train_score == 100.0
    assert prepared.val_score(scores, 0) == pytest.approx(result.val)
    assert prepared.test_score(scores, 0) > 70
    assert scores.shape == (180, 3)
    assert np.allclose(scores.sum(1), 1, atol=1e-5)


def test_chooses_the_best_validation_epoch_and_keeps_a_thin_curve(prepared: PreparedTask) -> None:
    result = fit(prepared, epochs=200)
    by_epoch = {epoch: val for epoch, _, val in result.curve}
    assert result.epochs == 200
    assert len(result.curve) <= 60
    assert by_epoch[result.best_epoch] == round(result.val, 3) == max(by_epoch.values())
    assert {1, 200} <= set(by_epoch)


def test_patience_stops_after_epochs_without_a_better_score_or_loss(prepared: PreparedTask) -> None:
    impatient = fit(prepared, epochs=400, learning_rate=0.1, patience=5)
    assert impatient.epochs < 400
    assert impatient.epochs >= impatient.best_epoch
    assert fit(prepared, epochs=40, learning_rate=0.1, patience=0).epochs == 40


def test_same_seed_same_weights_other_seed_others(prepared: PreparedTask) -> None:
    torch.manual_seed(123)
    first = fit(prepared, seed=5, drop_edge=0.2, consistency_samples=2)
    torch.rand(7)
    again = fit(prepared, seed=5, drop_edge=0.2, consistency_samples=2)
    assert torch.equal(weights_of(first), weights_of(again))
    assert first.curve == again.curve
    assert not torch.equal(weights_of(first), weights_of(fit(prepared, seed=6, drop_edge=0.2, consistency_samples=2)))


def test_leaves_the_callers_random_state_alone(prepared: PreparedTask) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    fit(prepared)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("extra", [{}, {"self_training_rounds": 1}, {"post": "correct_and_smooth"}, {"consistency_samples": 2}])
def test_no_label_outside_of_training_and_validation_matters(task: Task, extra: dict[str, Any]) -> None:
    """Every other label is turned into another class; nothing of the training changes."""
    assert task.data is not None
    secret = np.setdiff1d(np.arange(task.data.num_nodes), np.concatenate([task.splits[0].train, task.splits[0].val]))
    y = task.data.y.copy()
    y[secret] = (y[secret] + 1) % 3
    other = PreparedTask.from_task(replace(task, data=replace(task.data, y=y)))
    mine, theirs = fit(PreparedTask.from_task(task), **extra), fit(other, **extra)
    assert torch.equal(weights_of(mine), weights_of(theirs))
    assert (mine.val, mine.curve) == (theirs.val, theirs.curve)


def test_validation_labels_only_choose_the_epoch(task: Task) -> None:
    """With another labelling of the validation nodes each epoch's training loss is the same."""
    assert task.data is not None
    y = task.data.y.copy()
    y[task.splits[0].val] = (y[task.splits[0].val] + 1) % 3
    other = PreparedTask.from_task(replace(task, data=replace(task.data, y=y)))
    mine, theirs = fit(PreparedTask.from_task(task)), fit(other)
    assert [loss for _, loss, _ in mine.curve] == [loss for _, loss, _ in theirs.curve]
    assert mine.val != theirs.val


def test_splits_are_taken_by_number(prepared: PreparedTask) -> None:
    assert fit(prepared, split=0).curve == fit(prepared, split=2).curve
    assert fit(prepared, split=0).curve != fit(prepared, split=1).curve


def test_epochs_cap_the_recipe(prepared: PreparedTask) -> None:
    assert train(spec(), prepared, split=0, seed=0, epochs=4).epochs == 4
    assert train(spec(), prepared, split=0, seed=0, epochs=400).epochs == 12


def test_divergence_has_a_reason(prepared: PreparedTask) -> None:
    with pytest.raises(Diverged, match=r"not finite in epoch|loss is (nan|inf) in epoch"):
        fit(prepared, epochs=300, learning_rate=10.0, optimiser="sgd", weight_decay=1.0, op="gin")


def test_a_deadline_ends_the_training(prepared: PreparedTask) -> None:
    with pytest.raises(TimedOut, match="time limit reached in epoch 1 of 12") as caught:
        train(spec(), prepared, split=0, seed=0, deadline=time.monotonic() - 1)
    assert isinstance(caught.value, TrainingFailed)


def test_what_was_best_when_time_is_up_is_the_result(prepared: PreparedTask) -> None:
    whole, cut = train(spec(), prepared, split=0, seed=0), train(spec(), prepared, split=0, seed=0, cut_at=time.monotonic() - 1)
    assert (cut.epochs, cut.best_epoch, cut.details[PLANNED]) == (1, 1, 12)
    assert cut.curve == whole.curve[:1]
    assert PLANNED not in whole.details


def test_the_deadline_keeps_what_there_is(monkeypatch: pytest.MonkeyPatch, prepared: PreparedTask) -> None:
    clock = count()
    monkeypatch.setattr("agentnas.tools.train.trainer.time.monotonic", lambda: float(next(clock)))
    cut = train(spec(), prepared, split=0, seed=0, deadline=6.0)
    assert 1 < cut.epochs < 12
    assert cut.val == pytest.approx(max(score for _, _, score in cut.curve), abs=1e-3)


def test_no_epoch_begins_that_would_end_behind_the_deadline(monkeypatch: pytest.MonkeyPatch, prepared: PreparedTask) -> None:
    monkeypatch.setattr("agentnas.tools.train.trainer.time.perf_counter", partial(next, count(step=10)))  # an epoch seems to take 10 s
    cut = train(spec(), prepared, split=0, seed=0, deadline=time.monotonic() + 19)
    assert (cut.epochs, cut.details[PLANNED]) == (1, 12)
    whole = train(spec(), prepared, split=0, seed=0, deadline=time.monotonic() + 1000)
    assert whole.epochs == 12


def test_items_that_are_asked_for_are_predicted_alone(prepared: PreparedTask) -> None:
    done = train(spec(), prepared, split=0, seed=0)
    whole, items = predict(spec(), prepared, 0, done.state_dict), prepared.labels(0).val
    some = predict(spec(), prepared, 0, done.state_dict, items)
    assert some[items] == pytest.approx(whole[items], abs=1e-6)
    assert np.isnan(np.delete(some, items, axis=0)).all()


def test_a_table_cannot_be_trained(task: Task) -> None:
    with pytest.raises(UsageError, match="holds no data to train on"):
        PreparedTask.from_task(replace(task, data=None, splits=()))


# Each pair of values of a field must lead to different weights; what the change does is tested below and beside the modules.
EFFECTS: list[dict[str, tuple[Any, Any]]] = [
    {"optimiser": ("adam", "adamw"), "weight_decay": (0.05, 0.05)},
    {"optimiser": ("sgd", "rmsprop")},
    {"learning_rate": (0.02, 0.03)},
    {"momentum": (0.0, 0.9), "optimiser": ("sgd", "sgd")},
    {"weight_decay": (0.0, 0.05)},
    {"weight_decay_conv": (None, 0.05)},
    {"weight_decay_out": (None, 0.05)},
    {"schedule": ("none", "cosine")},
    {"schedule": ("none", "step")},
    {"warmup": (0, 5)},
    {"label_smoothing": (0.0, 0.2)},
    {"gradient_clip": (0.0, 0.01), "optimiser": ("sgd", "sgd")},
    {"ema_decay": (0.0, 0.9)},
    {"drop_edge": (0.0, 0.3)},
    {"drop_node": (0.0, 0.3)},
    {"feature_dropout": (0.0, 0.3)},
    {"consistency_samples": (1, 2)},
    {"consistency_weight": (0.5, 2.0), "consistency_samples": (2, 2)},
    {"consistency_temperature": (0.5, 0.2), "consistency_samples": (2, 2)},
    {"self_training_rounds": (0, 1)},
    {"self_training_per_class": (5, 20), "self_training_rounds": (1, 1)},
    {"self_training_confidence": (0.0, 0.45), "self_training_rounds": (1, 1)},
    {"batching": ("full", "neighbour")},
    {"batching": ("full", "cluster"), "clusters": (4, 4)},
    {"batch_size": (3, 6), "batching": ("neighbour", "neighbour")},
    {"fanout": (1, 3), "batching": ("neighbour", "neighbour")},
    {"clusters": (2, 6), "batching": ("cluster", "cluster")},
]


@pytest.mark.parametrize("pair", EFFECTS, ids=lambda pair: "-".join(f"{name}:{values[1]}" for name, values in pair.items()))
def test_every_field_of_the_recipe_has_an_effect(prepared: PreparedTask, pair: dict[str, tuple[Any, Any]]) -> None:
    first, second = (fit(prepared, dropout=0.0, **{name: values[i] for name, values in pair.items()}) for i in (0, 1))
    assert first.curve != second.curve


def test_no_field_of_the_recipe_is_left_out() -> None:
    tested = {name for pair in EFFECTS for name in pair} | {"epochs", "patience"}  # these two have tests of their own
    assert tested == set(Recipe.model_fields)


def test_plateau_halves_the_rate_where_validation_stands_still(prepared: PreparedTask) -> None:
    """Without weight decay nothing but the rate changes how far the weights still move after the best epochs."""
    settings: dict[str, Any] = {"epochs": 58, "learning_rate": 0.1, "dropout": 0.0, "label_smoothing": 0.1}
    flat, plateau = fit(prepared, **settings), fit(prepared, schedule="plateau", **settings)
    assert flat.curve[:20] == plateau.curve[:20]
    assert flat.curve[-1] != plateau.curve[-1]


@pytest.mark.parametrize("batching", ["neighbour", "cluster"])
def test_batched_training_learns_and_reproduces(prepared: PreparedTask, batching: str) -> None:
    settings: dict[str, Any] = {"batching": batching, "clusters": 4, "fanout": 8, "batch_size": 6, "epochs": 40}
    first, again = fit(prepared, **settings), fit(prepared, **settings)
    assert first.val > 55  # chance: 33
    assert first.curve == again.curve


@pytest.mark.parametrize("post", ["correct_and_smooth", "label_propagation"])
def test_post_processing_counts_in_validation(prepared: PreparedTask, post: str) -> None:
    plain, processed = fit(prepared, op="mlp", epochs=20), fit(prepared, op="mlp", epochs=20, post=post)
    assert [loss for _, loss, _ in plain.curve] == [loss for _, loss, _ in processed.curve]
    assert processed.val > plain.val
    scores = predict(spec(op="mlp", epochs=20, post=post), prepared, 0, processed.state_dict)
    assert prepared.val_score(scores, 0) == pytest.approx(processed.val)


@pytest.mark.parametrize(("metric_name", "classes"), [("macro_f1", 3), ("roc_auc", 2)])
def test_other_metrics(metric_name: str, classes: int) -> None:
    prepared = PreparedTask.from_task(make_task(metric_name=metric_name, classes=classes))
    result = fit(prepared, epochs=40)
    scores = predict(spec(epochs=40), prepared, 0, result.state_dict)
    assert result.val > 75
    assert prepared.val_score(scores, 0) == pytest.approx(result.val)


def test_weights_are_written_whole_and_read_safely(prepared: PreparedTask, tmp_path: Path) -> None:
    result = fit(prepared)
    path = tmp_path / "new" / "w.pt"
    save_weights(result.state_dict, path)
    assert [entry.name for entry in path.parent.iterdir()] == ["w.pt"]
    assert torch.equal(weights_of(result), torch.cat([value.flatten() for value in load_weights(path).values()]))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"w\.pt: no readable weights"):
        load_weights(path)


def test_weights_are_on_disk_before_their_name_is_and_the_name_before_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, bool]] = []
    sync, rename = os.fsync, os.replace

    def synced(fd: int) -> None:
        calls.append(("sync", stat.S_ISDIR(os.fstat(fd).st_mode)))
        if not calls[-1][1]:
            assert os.fstat(fd).st_size > 100, "all bytes are written before the file is synced"
        sync(fd)

    def renamed(old: Path, new: Path) -> None:
        calls.append(("rename", False))
        rename(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    save_weights({"a": torch.zeros(100)}, tmp_path / "w.pt")
    assert calls == [("sync", False), ("rename", False), ("sync", True)]


def test_a_file_of_weights_executes_nothing(tmp_path: Path) -> None:
    class Exploit:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "executed",))

    torch.save({"a": Exploit()}, tmp_path / "w.pt")
    with pytest.raises(DataError, match="no readable weights"):
        load_weights(tmp_path / "w.pt")
    assert not (tmp_path / "executed").exists()


def test_weights_of_another_spec_do_not_fit(prepared: PreparedTask) -> None:
    with pytest.raises(DataError, match="weights do not fit the spec"):
        predict(spec(op="gat"), prepared, 0, fit(prepared).state_dict)


def test_encodings_and_scales_are_prepared_once_each(prepared: PreparedTask) -> None:
    part = parse_spec({"input": {"scale": "row", "encodings": [{"kind": "degree", "dim": 4}], "encoder": "linear", "width": 8}})
    same = parse_spec({"input": {"scale": "row", "encodings": [{"kind": "degree", "dim": 4}], "dropout": 0.5}})
    assert prepared.features(part.input) is prepared.features(same.input)
    assert prepared.features(part.input).encoding_channels == 4
    assert prepared.features(part.input).x is prepared.features(part.input.model_copy(update={"encodings": ()})).x
    assert train(part, prepared, split=0, seed=0, epochs=2).epochs == 2


def test_of_many_encodings_the_last_are_held_and_others_made_again_alike(task: Task) -> None:
    prepared = PreparedTask.from_task(task)
    parts = [Input(encodings=(Encoding(kind="degree", dim=dim),)) for dim in range(1, ENCODINGS_KEPT + 2)]
    first, *_, last = [prepared.features(part) for part in parts]
    assert prepared.features(parts[-1]) is last
    again = prepared.features(parts[0])
    assert again is not first
    assert again.x is first.x
    assert first.encodings is not None
    assert again.encodings is not None
    assert torch.equal(again.encodings, first.encodings)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_trains_on_cuda(task: Task) -> None:
    prepared = PreparedTask.from_task(task, "cuda")
    result = train(spec(epochs=60), prepared, split=0, seed=0)
    assert result.val > 80
    assert {value.device.type for value in result.state_dict.values()} == {"cpu"}


def test_averaged_weights_are_judged_and_kept_and_the_training_is_the_same(prepared: PreparedTask) -> None:
    plain, averaged = (fit(prepared, epochs=1, ema_decay=decay) for decay in (0.0, 0.75))
    first = fit(prepared, epochs=1, learning_rate=1e-12, weight_decay=0.0)
    for name, value in averaged.state_dict.items():
        assert torch.allclose(value, 0.75 * first.state_dict[name] + 0.25 * plain.state_dict[name], atol=1e-6), name
    long = [fit(prepared, epochs=30, ema_decay=decay, patience=0).curve for decay in (0.0, 0.9)]
    assert [loss for _, loss, _ in long[0]] == [loss for _, loss, _ in long[1]]
    assert [score for _, _, score in long[0]] != [score for _, _, score in long[1]]


def test_self_training_goes_back_to_the_averaged_weights(prepared: PreparedTask) -> None:
    result = fit(prepared, epochs=40, ema_decay=0.9, self_training_rounds=1)
    scores = predict(spec(epochs=40, ema_decay=0.9, self_training_rounds=1), prepared, 0, result.state_dict)
    assert prepared.val_score(scores, 0) == pytest.approx(result.val)
