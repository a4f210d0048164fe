"""What it means to evaluate a spec: requests, outcomes, rungs, limits, and the contract of an evaluator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from agentnas.tools.spec.model import ArchitectureSpec

if TYPE_CHECKING:
    from agentnas.tools.spec.space import SearchSpace

FailureKind = Literal["timeout", "memory", "diverged", "crashed", "error"]
CONFIRM = "confirm"
# Key of a training's details: epochs that were planned, where its time limit ended it before them and before its patience did.
PLANNED = "planned_epochs"
# Confirmation trains with seeds that no search decision has seen: seed i of the confirmation is 100 + i, on split i.
CONFIRM_SEED = 100


@dataclass(frozen=True)
class Rung:
    """One fidelity of the ladder: a share of the recipe's epochs, a number of seeds, and the share of trials promoted to it."""

    name: str
    epochs: float
    seeds: int
    promoted: float


@dataclass(frozen=True)
class Request:
    """One evaluation to make: a spec at a rung with a seed. ``weights`` is the file to write the weights to."""

    trial: str
    spec: ArchitectureSpec
    rung: str
    seed: int
    split: int
    epochs: int | None = None
    weights: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a request. ``val`` is the validation score in percent, None where the evaluation failed."""

    request: Request
    val: float | None
    seconds: float
    epochs: int | None = None
    best_epoch: int | None = None
    details: dict[str, Any] = field(default_factory=dict)
    failure: FailureKind | None = None
    reason: str = ""


@dataclass(frozen=True)
class Limits:
    """Hard limits of a design; None is no limit."""

    max_params: int | None = None
    max_latency_ms: float | None = None
    max_memory_mb: float | None = None
    max_train_memory_mb: float | None = None

    NAMES: ClassVar[dict[str, tuple[str, str]]] = {
        "max_params": ("parameters", "parameters"),
        "max_latency_ms": ("latency_ms_p50", "latency (ms, p50)"),
        "max_memory_mb": ("peak_memory_mib", "peak memory of inference (MiB)"),
        "max_train_memory_mb": ("train_memory_mib", "peak memory of training (MiB)"),
    }

    def violations(self, profile: Mapping[str, Any]) -> list[str]:
        """Each broken limit with both numbers; figures that were not measured break nothing."""
        found = []
        for name, (key, words) in self.NAMES.items():
            limit, value = getattr(self, name), profile.get(key)
            if limit is not None and value is not None and value > limit:
                found.append(f"{words} {_figure(value)} > {_figure(limit)}")
        return found

    @property
    def measured(self) -> bool:
        """True where a limit needs a measurement and not only arithmetic."""
        return any(limit is not None for limit in (self.max_latency_ms, self.max_memory_mb, self.max_train_memory_mb))

    def as_text(self) -> str:
        flags = [f"--{name.replace('_', '-')} {getattr(self, name):g}" for name in self.NAMES if getattr(self, name) is not None]
        return " ".join(flags) or "none"


def _figure(value: float) -> str:
    """Counts to the last digit, measurements to six."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


class Evaluator(Protocol):
    """Makes evaluations. An evaluator never raises because of a candidate: a candidate's failure is an outcome."""

    space: SearchSpace
    rungs: tuple[Rung, ...]
    confirm_seeds: int
    num_splits: int
    test_quality: dict[tuple[str, int], dict[str, Any]]  # what ``open_test`` saw beside the scores, by trial and seed; see tools.quality

    def price(self, spec: ArchitectureSpec) -> dict[str, Any]:
        """Static figures of a spec (parameters, flops, size_mib) without training it; quick and small however wide the spec is.

        Raises SpecError, one line, for a spec that cannot be built: a reason to reject it, not to end the run.
        """

    def measure(self, specs: Sequence[ArchitectureSpec]) -> list[dict[str, Any]]:
        """Price plus latency (ms) and memory (MiB), measured with untrained weights."""

    def evaluate(self, requests: Iterable[Request | None], stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Outcomes as they finish. Requests are drawn when there is room for one; a None says that nothing is due now, and the next is
        drawn after the next outcome, or a moment later. After ``stop()`` is true nothing new begins; what runs is finished and yielded."""

    def open_test(self, requests: Sequence[Request]) -> dict[tuple[str, int], float]:
        """Test scores in percent by (trial, seed). Called once in a run, after the choice is made and journalled."""

    def close(self) -> None:
        """Release workers. Safe to call twice."""
