"""How a training goes through its epochs: one at a time, or in blocks that a CUDA device runs without being asked in between.

A device that is asked for the loss and the validation score after each epoch stands still while the host reads them. In a block it writes
them, and the weights, into memory of its own; the host reads a block at once and then makes the same choices in the same order. A block is
never longer than what no choice could have changed: patience left, and epochs until a plateau could halve the learning rate.

Where the steps of an epoch always do the same (the full graph, no sampling), the epoch with its validation is recorded once as a CUDA graph
and replayed, which takes the host's hundreds of launches away.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from agentnas.tools.errors import AgentNASError
from agentnas.tools.train.choice import Validation
from agentnas.tools.train.outcome import Diverged

if TYPE_CHECKING:
    from agentnas.tools.train.trainer import Session

MOST_IN_BLOCK = 32
RING_BYTES = 64 * 2**20  # for the weights of a block's epochs
BLOCK_S = 0.25  # a block lasts about so long at most, so that deadlines are kept
WARM_UPS = 2  # epochs before recording: the first fills caches, the second is watched
FEWEST_REPLAYED = 16  # recording costs about as much as a few epochs
CAPTURE_BELOW_S = 0.02  # longer epochs keep the device busy by themselves, and recorded ones hold their memory
ALIGNED = 64  # entries: where each tensor of the flat weights may begin, for aligned access


class CaptureFailed(AgentNASError):
    """A step could not be recorded as a CUDA graph; the process may be unable to train on, a fresh one without recording is."""


class Pace(Protocol):
    """Runs epochs of a session and tells its choice of them."""

    def restart(self, epochs: int) -> None:
        """A new phase begins: a fresh optimiser, other labels."""

    def run(self, first: int, most: int) -> int:
        """Train and validate from the phase's epoch ``first`` on, ``most`` epochs at most; the number trained, at least 1."""

    def details(self) -> dict[str, Any]:
        """What the result tells about it."""


class EachEpoch:
    """One epoch at a time; for the CPU, where reading a number costs nothing."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def restart(self, epochs: int) -> None:
        """Nothing is kept between epochs."""

    def run(self, first: int, most: int) -> int:
        session = self._session
        session.rate.begin(first)
        loss = session.train_epoch()
        session.rate.ended(session.choice.add(session.epoch, loss, session.validate(), session.judged))
        return 1

    def details(self) -> dict[str, Any]:
        return {}


class Blocks:
    """Several epochs before anything is read; recorded as a CUDA graph where ``capture`` allows it and it pays."""

    def __init__(self, session: Session, capture: bool) -> None:
        self._session, self._device = session, session.prepared.device
        self._ring = Ring(session.judged, MOST_IN_BLOCK, RING_BYTES)
        slots, labels = self._ring.slots, session.labels
        self._figures = torch.zeros(slots, 4, device=self._device)
        self._scores: Tensor | None = None
        if not session.prepared.counts_right:
            self._scores = torch.zeros(slots, labels.val.numel(), session.prepared.columns, device=self._device)
        same = session.recipe.batching == "full" and session.prepared.kind != "link"
        self._wanted = capture and same and self._device.type == "cuda"
        self._graph: torch.cuda.CUDAGraph | None = None
        self._ran, self._epoch_s, self._how = 0, BLOCK_S, "" if self._wanted else "eager"

    def restart(self, epochs: int) -> None:
        self._graph, self._ran, self._epochs = None, 0, epochs

    def details(self) -> dict[str, Any]:
        return {"steps": self._how or "eager: too few epochs, or too long ones, to record"}

    def run(self, first: int, most: int) -> int:
        began = time.perf_counter()
        self._prepare(first)
        count = min(most, self._length())
        self._ring.rewind()
        for epoch in range(first, first + count):
            self._session.look_at_clock(self._session.epoch + 1 + epoch - first)
            self._session.rate.begin(epoch)
            self._run_one()
        self._read(count)
        self._epoch_s = (time.perf_counter() - began) / count
        return count

    def _length(self) -> int:
        if self._ran < WARM_UPS:
            return 1
        return max(1, min(self._ring.slots, int(BLOCK_S / max(self._epoch_s, 1e-6))))

    def _prepare(self, epoch: int) -> None:
        """Record the epoch, once it has run often enough and where it pays; neighbours on the device can make that so later."""
        pays = self._epoch_s < CAPTURE_BELOW_S and self._epochs - epoch + 1 >= FEWEST_REPLAYED
        if self._graph is None and self._wanted and self._ran >= WARM_UPS and pays:
            self._graph = _captured(self._epoch, self._session.optimiser)
            self._how = "CUDA graph"

    def _run_one(self) -> None:
        if self._graph is not None:
            self._graph.replay()
        elif self._wanted and self._ran == WARM_UPS - 1:
            self._watched()
        else:
            self._epoch()
        self._ran += 1

    def _watched(self) -> None:
        """An epoch that tells whether it makes the host wait for the device, which cannot be recorded."""
        waits = _waits(self._epoch, self._device)
        if waits:
            self._wanted, self._how = False, f"eager: {waits[0]}"

    def _epoch(self) -> None:
        """One epoch and its validation, on the device alone: its figures and weights go to the ring's next place."""
        session = self._session
        session.network.train()
        losses = []
        for batch in session.batches:
            loss = session.loss(batch)
            session.update(loss)
            losses.append(loss.detach())
        mean = torch.stack(losses).mean() if losses else torch.zeros((), device=self._device)
        with torch.no_grad():
            self._record(mean, session.scores(session.labels.val))

    def _record(self, loss: Tensor, scores: Tensor) -> None:
        y = self._session.labels.y_val
        val_loss = self._session.labels.objective.loss_of(scores, y)
        right = (scores.argmax(1) == y).sum() if self._scores is None else torch.zeros((), device=self._device)
        finite = torch.isfinite(scores).all()
        figures = torch.stack([loss, val_loss, right.float(), finite.float()])
        self._ring.put(self._figures, figures)
        if self._scores is not None:
            self._ring.put(self._scores, scores)
        self._ring.take()

    def _read(self, count: int) -> None:
        """Wait for the block, and choose among its epochs in their order."""
        session, chosen = self._session, None
        for slot, row in enumerate(self._figures[:count].tolist()):
            session.epoch += 1
            seen = self._validation(slot, row)
            session.rate.ended(session.choice.note(session.epoch, row[0], seen))
            if session.choice.best_epoch == session.epoch:
                chosen = slot
        if chosen is not None:
            session.choice.state = self._ring.state(chosen)

    def _validation(self, slot: int, row: list[float]) -> Validation:
        session = self._session
        loss, val_loss, right, finite = row
        if not math.isfinite(loss):
            raise Diverged(f"training loss is {loss} in epoch {session.epoch}")
        if not finite or not math.isfinite(val_loss):
            raise Diverged(f"validation predictions are not finite in epoch {session.epoch}")
        labels = session.labels
        if self._scores is None:
            return Validation(100.0 * int(right) / max(1, labels.val.numel()), val_loss)
        return Validation(session.prepared.metric.score(labels.y_val_numpy, self._scores[slot].cpu().numpy()), val_loss)


class Ring:
    """The weights of the last epochs, side by side in the device's memory.

    The network's float tensors are moved into one flat tensor, so that keeping an epoch is one copy. ``slots`` epochs are held: as asked,
    or fewer where they would take more than ``most_bytes``.
    """

    def __init__(self, network: nn.Module, slots: int, most_bytes: int) -> None:
        tensors: dict[str, Tensor] = network.state_dict(keep_vars=True)
        self._names = list(tensors)
        flat = {name: tensor for name, tensor in tensors.items() if tensor.dtype == torch.float32}
        self._flat, self._places = _flattened(flat)
        self.slots = max(1, min(slots, most_bytes // max(1, 4 * self._flat.numel())))
        self._kept = self._flat.new_zeros(self.slots, self._flat.numel())
        self._others = {name: tensor for name, tensor in tensors.items() if name not in flat}
        self._kept_others = {name: tensor.new_zeros(self.slots, *tensor.shape) for name, tensor in self._others.items()}
        self._slot = torch.zeros(1, dtype=torch.long, device=self._flat.device)

    def rewind(self) -> None:
        """The next epoch goes to the first place."""
        self._slot.zero_()

    def put(self, store: Tensor, value: Tensor) -> None:
        """Write a value into this epoch's place of a store [slots, ...]."""
        store.index_copy_(0, self._slot, value[None])

    def take(self) -> None:
        """Keep the weights as they are, and go on to the next place."""
        self.put(self._kept, self._flat)
        for name, tensor in self._others.items():
            self.put(self._kept_others[name], tensor.detach())
        self._slot.add_(1)

    def state(self, slot: int) -> dict[str, Tensor]:
        """A state dictionary of the weights kept in a place."""
        kept = self._kept[slot].clone()
        state = {name: kept[start : start + shape.numel()].view(shape) for name, (start, shape) in self._places.items()}
        state |= {name: store[slot].clone() for name, store in self._kept_others.items()}
        return {name: state[name] for name in self._names}


def _flattened(tensors: dict[str, Tensor]) -> tuple[Tensor, dict[str, tuple[int, torch.Size]]]:
    """One tensor that the given ones become views of, and where each begins; one that has two names begins in one place."""
    starts: dict[int, int] = {}
    places, end = {}, 0
    for name, tensor in tensors.items():
        if id(tensor) not in starts:
            starts[id(tensor)] = end
            end += -(-tensor.numel() // ALIGNED) * ALIGNED
        places[name] = (starts[id(tensor)], tensor.shape)
    device = next((tensor.device for tensor in tensors.values()), torch.device("cpu"))
    flat = torch.zeros(end, device=device)
    with torch.no_grad():
        for name, tensor in tensors.items():
            start, shape = places[name]
            view = flat[start : start + tensor.numel()].view(shape)
            tensor.data = view.copy_(tensor)
    return flat, places


def _waits(work: Any, device: torch.device) -> list[str]:
    """Run some work; what it did that made the host wait for the device, in words."""
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            work()
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    # Not the one that a process hears when it asks for these warnings the first time, which speaks of synchronizing operations too.
    found = [warning for warning in caught if "called a synchronizing" in str(warning.message)]
    return [f"waits for the device at {warning.filename.rsplit('/', 1)[-1]}:{warning.lineno}" for warning in found]


def _captured(work: Any, optimiser: torch.optim.Optimizer) -> torch.cuda.CUDAGraph:
    """A CUDA graph of some work on the current stream. Raises OutOfMemoryError, or CaptureFailed for any other reason."""
    optimiser.zero_grad(set_to_none=True)  # gradients shall live in the graph's own memory
    graph = torch.cuda.CUDAGraph()
    try:
        # Other threads (the autograd engine's) may do what a capture forbids to this one, as allocating.
        with torch.cuda.graph(graph, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"):
            work()
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, torch.AcceleratorError) as error:
        raise CaptureFailed(f"could not be recorded: {' '.join(str(error).split())[:200]}") from error
    return graph


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """On CUDA, work inside goes to one stream that may be recorded (the usual one may not), and has ended outside."""
    if device.type != "cuda":
        yield
        return
    torch.cuda.synchronize(device)
    with torch.cuda.device(device), torch.cuda.stream(_stream(str(device))):
        yield
        torch.cuda.synchronize(device)


@cache
def _stream(device: str) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
