"""PDF files for tests, written byte by byte: pages of text in any size, a page that is a picture, and files with a password."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

Line = tuple[float, str]
"""Size and text."""


def pdf(pages: Sequence[Sequence[Line]], title: str = "") -> bytes:
    """A PDF of these pages, lines from the top; with a title among its metadata."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>", f"<< /Title ({title}) >>"]
    kids = []
    for lines in pages:
        body = _content(lines)
        objects.append(f"<< /Length {len(body)} >>\nstream\n{body}\nendstream")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    return _file(objects)


def picture() -> bytes:
    """One page that shows a picture and holds no text."""
    facts = "/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 1"
    image = f"<< {facts} >>\nstream\n0\nendstream"
    draw = "q 500 0 0 700 50 50 cm /I Do Q"
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R /Resources << /XObject << /I 4 0 R >> >> >>"
    return _file(["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page, image,
                  f"<< /Length {len(draw)} >>\nstream\n{draw}\nendstream"])  # fmt: skip


def encrypted(data: bytes, password: str, owner: str = "owner") -> bytes:
    """The same file, to be opened with a password; an empty one only restricts what may be done with it."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.encrypt(password, owner, algorithm="RC4-128")
    held = io.BytesIO()
    writer.write(held)
    return held.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _content(lines: Sequence[Line]) -> str:
    shown, y = ["BT"], 760.0
    for size, text in lines:
        y -= 1.3 * size
        escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        shown.append(f"/F1 {size:g} Tf 1 0 0 1 50 {y:g} Tm ({escaped}) Tj")
    return "\n".join([*shown, "ET"])


def _file(objects: Sequence[str]) -> bytes:
    out, places = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{text}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    info = next((f" /Info {n} 0 R" for n, text in enumerate(objects, start=1) if "/Title" in text), "")
    tail = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R{info} >>\n"
    return out + f"{tail}startxref\n{len(out)}\n%%EOF\n".encode("latin-1")
