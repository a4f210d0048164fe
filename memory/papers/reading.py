"""Which files can be added, by how their names end; what a text file holds is decided by its content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agentnas.memory.papers.bibtex import read_bibtex
from agentnas.memory.papers.cardfile import read_cards
from agentnas.memory.papers.document import read_document
from agentnas.memory.papers.paper import Reading
from agentnas.memory.papers.pdf import read_pdf
from agentnas.tools.errors import UsageError

READERS: dict[str, Callable[[Path], Reading]] = {
    ".jsonl": read_cards,
    ".txt": read_document,
    ".md": read_document,
    ".markdown": read_document,
    ".pdf": read_pdf,
    ".bib": read_bibtex,
}


def read_file(path: Path) -> Reading:
    """Papers or cards of a file. Raises UsageError for a kind of file that nobody reads, DataError for one that cannot be read."""
    if not path.is_dir() and path.suffix.lower() not in READERS:
        raise UsageError(f"{path} ends in {path.suffix or 'nothing'}; files that can be added end in {', '.join(READERS)}")
    return READERS.get(path.suffix.lower(), read_document)(path)
