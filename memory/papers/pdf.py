"""PDF files: their text and their title; one that is encrypted, broken or a picture is said to be."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnas.memory.papers.document import FEWEST_LETTERS, paper_of, quiet, read_bytes
from agentnas.memory.papers.paper import LONGEST_TITLE, Reading, normal_title, plain_text
from agentnas.tools.errors import DataError

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

# Of a book the first pages are read: a card is of one paper.
MOST_PAGES = 60
SHORTEST_TITLE = 8
# Sizes within this share of the largest are the title's; capitals are often set a little larger.
SAME_SIZE = 0.9


def read_pdf(path: Path) -> Reading:
    """The one paper that a PDF file is. Raises DataError for one that is none, is encrypted, or holds no text."""
    data = read_bytes(path)
    if b"%PDF-" not in data[:1024]:
        raise DataError(f"{path} is no PDF: it begins with {data[:8]!r}; give the file its own ending")
    with quiet("pypdf"), _said(path):
        reader = _opened(data, path)
        pages = reader.pages[:MOST_PAGES]
        text = plain_text("\n".join(page.extract_text() for page in pages))
        if sum(letter.isalpha() for letter in text) < FEWEST_LETTERS:
            raise DataError(f"{path} holds no text on {_counted(pages)}: a picture, it seems; run it through OCR, such as ocrmypdf, first")
        title = _title(reader, pages[0], text)
    return Reading("pdf", (paper_of(text, path, title=title),))


def _opened(data: bytes, path: Path) -> PdfReader:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data))
    # A file that only restricts what may be done with it opens with the empty password.
    if reader.is_encrypted and not reader.decrypt(""):
        raise DataError(f"{path} is encrypted; save it without its password, such as with qpdf --decrypt, and add that")
    return reader


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """What goes wrong in a broken file as DataError: pypdf raises its own errors, and those of what it takes a broken file for."""
    from pypdf.errors import DependencyError, PyPdfError

    try:
        yield
    except DependencyError:
        raise DataError(
            f"{path} is encrypted in a way that needs the package cryptography; install it, or save the file decrypted"
        ) from None
    except (PyPdfError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, NotImplementedError) as error:
        raise DataError(f"{path} is a broken PDF ({' '.join(str(error).split())[:80]}); print it to a new PDF, or add its text") from None


def _title(reader: PdfReader, first: PageObject, text: str) -> str:
    """The title that the file gives where the text has it too, else what is set largest on the first page, else nothing."""
    given = " ".join(str((reader.metadata and reader.metadata.title) or "").split())
    if SHORTEST_TITLE <= len(given) <= LONGEST_TITLE and normal_title(given) in normal_title(text[:5000]):
        return given
    largest = _largest(first)
    return largest if SHORTEST_TITLE <= len(largest) <= LONGEST_TITLE else ""


def _largest(page: PageObject) -> str:
    """The upright text of the largest size on a page."""
    found: list[tuple[float, str]] = []

    def visit(text: str, _: Any, matrix: Sequence[float], __: Any, size: float) -> None:
        upright = abs(matrix[0]) > abs(matrix[1])  # the stamp of arXiv stands on end
        if upright and any(letter.isalpha() for letter in text):
            found.append((size * math.hypot(matrix[2], matrix[3]), text))

    page.extract_text(visitor_text=visit)
    most = max((size for size, _ in found), default=0.0)
    return " ".join(plain_text("\n".join(text for size, text in found if size >= SAME_SIZE * most)).split())


def _counted(pages: Sequence[Any]) -> str:
    return "its one page" if len(pages) == 1 else f"its {len(pages)} pages"
