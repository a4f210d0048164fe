"""How a run's scores are shown, and what they are of: percent as they are, errors in the unit of the target. Holds no numpy, for journals
are read without it."""

from __future__ import annotations

import math
from dataclasses import dataclass

EQUAL = 1e-9  # points below which scores and their differences are equal but for rounding
ERRORS = ("mae", "rmse")
ITEMS = {"node": "node", "graph": "graph", "link": "pair"}  # kind of task -> what one item of it is called
SHORT = {
    "macro_f1": "macro F1", "roc_auc": "ROC AUC", "ap": "AP", "mrr": "MRR", "mae": "MAE", "rmse": "RMSE", "r2": "R2", "hits@20": "Hits@20",
    "hits@50": "Hits@50", "hits@100": "Hits@100",
}  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """The metric of a run. A score is percent, higher is better; an error's is what it takes away of ``unit``, the error of the best
    constant, and is shown as the error itself, of which lower is better."""

    metric: str = "accuracy"
    unit: float = 1.0

    @property
    def is_error(self) -> bool:
        return self.metric in ERRORS

    @property
    def name(self) -> str:
        """The metric as people write it."""
        return SHORT.get(self.metric, self.metric)

    @property
    def digits(self) -> int:
        """Decimals to show: two, and of an error as many as show a two-hundredth of its unit or less."""
        return min(9, max(0, 1 - math.floor(math.log10(self.unit / 20)))) if self.is_error and 0 < self.unit < math.inf else 2

    @property
    def sign(self) -> str:
        """What stands behind a score."""
        return "" if self.is_error else " %"

    @property
    def better(self) -> str:
        """Which way is up, to be said beside errors."""
        return "lower is better" if self.is_error else "higher is better"

    def natural(self, score: float) -> float:
        """A score as the metric is usually given."""
        return self.unit * (1.0 - score / 100.0) if self.is_error else score

    def width(self, deviation: float | None) -> float | None:
        """A deviation of scores, or a standard error, in what is shown."""
        return None if deviation is None else self.size(deviation)

    def size(self, gain: float) -> float:
        """A gain of scores in what is shown, positive where it is better: of errors, what is taken away."""
        return gain * self.unit / 100.0 if self.is_error else gain

    def change(self, difference: float) -> float:
        """A difference of scores in what is shown: of errors, negative is better."""
        return -self.size(difference) if self.is_error else difference

    def number(self, score: float | None, digits: int | None = None) -> str:
        """One score, ``83.12`` or ``0.71``; ``?`` where there is none."""
        return "?" if score is None else f"{self.natural(score):.{self._digits(digits)}f}"

    def spread(self, mean: float, deviation: float | None, digits: int | None = None) -> str:
        """``83.12 ± 0.45`` or ``0.71 ± 0.03``; ``± ?`` where the noise is unknown."""
        noise = "?" if deviation is None else self.noise(deviation, digits)
        return f"{self.number(mean, digits)} ± {noise}"

    def told(self, mean: float, *deviation: float | None) -> str:
        """The number, or with a deviation the ``spread``; the name of an error stands before it, else it would be taken for percent."""
        said = self.spread(mean, deviation[0]) if deviation else self.number(mean)
        return f"{self.name} {said}" if self.is_error else said

    @property
    def with_direction(self) -> str:
        """The metric as people write it, and for errors which way is better."""
        return f"{self.name} ({self.better})" if self.is_error else self.name

    def noise(self, deviation: float, digits: int | None = None) -> str:
        """A deviation alone."""
        return f"{self.width(deviation):.{self._digits(digits)}f}"

    def gap(self, difference: float, digits: int | None = None) -> str:
        """A difference with its sign."""
        return f"{self.change(difference):+.{self._digits(digits)}f}"

    def named_gap(self, difference: float) -> str:
        """The same, with the name of an error before it."""
        return f"{self.name} {self.gap(difference)}" if self.is_error else self.gap(difference)

    def lead(self, gain: float, deviation: float | None) -> str:
        """By how much something is better, ``1.57 ± 1.00`` or ``RMSE 0.03 ± 0.01``."""
        noise = "?" if deviation is None else self.noise(deviation)
        return f"{f'{self.name} ' if self.is_error else ''}{self.size(gain):.{self.digits}f} ± {noise}"

    def named_change(self, difference: float, deviation: float | None) -> str:
        """A difference with its sign and, where it is known, its noise."""
        return self.named_gap(difference) + ("" if deviation is None else f" ± {self.noise(deviation)}")

    def _digits(self, digits: int | None) -> int:
        """Fewer decimals than usual mean as many fewer of an error."""
        return self.digits if digits is None else max(0, self.digits + digits - 2)
