"""Which files ``agentnas memory add`` reads, by how their names end: each kind has a reader that turns a file into paper cards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from agentnas.memory.cards import PaperCard, load_cards
from agentnas.tools.errors import UsageError

Reader = Callable[[Path], Sequence[PaperCard]]
READERS: dict[str, Reader] = {".jsonl": load_cards}


def reader_of(path: Path) -> Reader:
    """The reader of a file; raises UsageError for a kind of file that nobody reads."""
    if (suffix := path.suffix.lower()) not in READERS:
        raise UsageError(f"{path} ends in {suffix or 'nothing'}; files that can be added end in {', '.join(READERS)}")
    return READERS[suffix]
