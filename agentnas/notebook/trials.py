"""The trials of a run as a sequence, and as a pandas table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, overload

from markupsafe import Markup

from agentnas.memory.view import JournalView
from agentnas.page.markup import tag
from agentnas.tools.errors import ConfigError, UsageError, suggest
from agentnas.tools.scale import Scale

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 10


@dataclass(frozen=True)
class TrialRow:
    """One trial. ``validation`` and ``sd`` in percent on its highest ``rung``; None is unknown. ``rank`` 1 is the best.

    Errors too are scored in percent, of which more is better: ``run.view.natural(row.validation)`` is the error itself.
    """

    trial: str
    rank: int | None
    state: str
    validation: float | None
    sd: float | None
    seeds: int
    rung: str | None
    parameters: int | None
    latency_ms: float | None
    round: int
    author: str
    parent: str | None
    change: str | None
    anchor: str | None
    architecture: str
    hypothesis: str


class Trials(Sequence[TrialRow]):
    """All trials of a run in the order in which they were proposed: ``trials[0]``, ``trials["t0004"]``, ``trials.to_pandas()``."""

    def __init__(self, view: JournalView) -> None:
        self._scale = view.scale
        self._rows = {trial: _row(view, trial) for trial in view.proposals}

    @overload
    def __getitem__(self, at: int | str) -> TrialRow: ...
    @overload
    def __getitem__(self, at: slice) -> list[TrialRow]: ...
    def __getitem__(self, at: int | str | slice) -> TrialRow | list[TrialRow]:
        if isinstance(at, str):
            if at not in self._rows:
                raise UsageError(f"there is no trial {at!r}; {suggest(at, self._rows)}")
            return self._rows[at]
        return list(self._rows.values())[at]

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<{len(self)} trials: {', '.join(list(self._rows)[:3])}{', ...' if len(self) > 3 else ''}>"

    def best_first(self) -> list[TrialRow]:
        """The trials by rank; those without a score come last."""
        return sorted(self, key=lambda row: row.rank if row.rank is not None else len(self) + 1)

    def to_pandas(self) -> pd.DataFrame:
        """One row a trial, indexed by its id. Raises ConfigError where pandas is not installed."""
        try:
            import pandas as pd
        except ImportError:
            raise ConfigError("to_pandas() needs pandas; install it with pip install 'agentnas[notebook]'") from None
        columns = [field.name for field in fields(TrialRow)]
        return pd.DataFrame([asdict(row) for row in self], columns=columns).set_index("trial")

    def _repr_html_(self) -> str:
        from agentnas.notebook.shown import boxed

        return boxed(trials_table(self.best_first()[:SHOWN], None, self._scale), _left_out(len(self)))


def _left_out(count: int) -> Markup:
    return tag("p", f"{count - SHOWN} more; .to_pandas() holds all", class_="quiet") if count > SHOWN else Markup("")


def trials_table(rows: Sequence[TrialRow], winner: str | None, scale: Scale) -> Markup:
    """The leaders with their scores, the winner marked; every text is escaped."""
    head = tag("tr", *(tag("th", name, scope="col") for name in ("trial", "validation", "seeds", "parameters", "by", "architecture")))
    return tag("table", tag("thead", head), tag("tbody", *(_table_row(row, row.trial == winner, scale) for row in rows)))


def _table_row(row: TrialRow, winner: bool, scale: Scale) -> Markup:
    score = row.state if row.validation is None else scale.spread(row.validation, row.sd)
    size = "?" if row.parameters is None else f"{row.parameters:,}"
    by = f"{row.author} ({row.anchor} anchor)" if row.anchor and row.anchor != "start" else row.author
    cells = (tag("td", text, class_="figure") for text in (score, row.seeds, size))
    return tag(
        "tr",
        tag("th", f"{row.trial} (winner)" if winner else row.trial, scope="row"),
        *cells,
        tag("td", by),
        tag("td", tag("code", row.architecture)),
    )


def _row(view: JournalView, trial: str) -> TrialRow:
    proposal, standing, profile = view.proposals[trial], view.standing(trial), view.profiles.get(trial, {})
    latency, size = profile.get("latency_ms_p50", profile.get("latency_ms")), profile.get("parameters")
    return TrialRow(
        trial=trial,
        rank=view.rank(trial),
        state=view.state(trial),
        validation=standing.val_mean if standing else None,
        sd=standing.val_sd if standing else None,
        seeds=standing.seeds if standing else 0,
        rung=standing.rung if standing else None,
        parameters=None if size is None else round(size),
        latency_ms=latency,
        round=view.round_of[trial],
        author=proposal.author,
        parent=proposal.parent,
        change=proposal.change or proposal.name,
        anchor=proposal.anchor,
        architecture=proposal.text,
        hypothesis=proposal.hypothesis,
    )
