"""What a conversation prints: answers to stdout as they come, folded at words; talk to stderr; nothing that commands a terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TextIO

# Longer lines are hard to read, however wide the terminal is.
WIDEST = 100
NARROWEST = 40
ASCII = str.maketrans({
    "±": "+-", "·": "-", "…": "...", "─": "-", "│": "|", "░": ".", "█": "#", "→": "->", "≤": "<=", "≥": ">=", "×": "x", "└": "`", "−": "-",
    "–": "-", "—": "-", "’": "'", "“": '"', "”": '"', "≈": "~", "•": "*",
})  # fmt: skip
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
_WHOLE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[^\[\]])")
# A sequence that is longer is none.
LONGEST_ESCAPE = 200
_FENCE = "```"


def clean(text: str) -> str:
    """The text without escape sequences and control characters; what a model wrote may hold anything."""
    return "".join(c for c in _ESCAPES.sub("", text.replace("\t", "    ")) if c == "\n" or c.isprintable())


def _torn(text: str) -> str:
    """The escape sequence at the end of a text whose rest is still to come."""
    at = text.rfind("\x1b")
    if at < 0 or len(text) - at > LONGEST_ESCAPE or _WHOLE.match(text, at):
        return ""
    return text[at:]


def has_utf8(stream: TextIO) -> bool:
    """Whether the stream and the person's locale show more than ASCII."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return (stream.encoding or "").lower().replace("-", "").startswith("utf") and locale not in ("C", "POSIX")


class Screen:
    """``is_live`` says that a person sits at a terminal."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None, *, utf8: bool | None = None) -> None:
        self._out, self._err = out or sys.stdout, err or sys.stderr
        self.is_live = self._out.isatty() and sys.stdin.isatty()
        self._utf8 = has_utf8(self._out) if utf8 is None else utf8
        self._colour = self._out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._fold = Fold(self.width)
        self._torn = ""

    @property
    def width(self) -> int:
        """Columns to write in."""
        return max(NARROWEST, min(shutil.get_terminal_size((80, 24)).columns - 1, WIDEST))

    def say(self, piece: str) -> None:
        """A piece of an answer."""
        text = self._torn + piece
        self._torn = _torn(text)
        self._put(self._out, self._fold.feed(clean(text[: len(text) - len(self._torn)])))

    def end(self) -> None:
        """The end of an answer, or of what was said of it until it was interrupted."""
        self._put(self._out, self._fold.end())
        self._fold, self._torn = Fold(self.width), ""

    def text(self, text: str) -> None:
        """What a tool printed, as it is; lines that are too long for a terminal are folded."""
        if not text:
            return
        lines = clean(text).rstrip().split("\n")
        if self.is_live:
            columns = max(NARROWEST, shutil.get_terminal_size((80, 24)).columns)
            lines = [part for line in lines for part in _folded(line, columns)]
        self._put(self._out, "\n".join(lines) + "\n")

    def note(self, text: str, style: str = "2") -> None:
        """Talk: a tool that was called, news of a run."""
        for line in clean(text).splitlines():
            for part in _folded(line, self.width) if self.is_live else [line]:
                self._put(self._err, f"\x1b[{style}m{part}\x1b[0m\n" if self._colour else f"{part}\n")

    def warn(self, text: str) -> None:
        """What a person must see: an error, a number from nowhere."""
        self.note(text, "33")

    def tool(self, name: str, given: str, result: str) -> None:
        """A tool that was called, in one line: the arguments give way where it is too long."""
        given, result = " ".join(given.split()), " ".join(result.split())
        room = self.width - len(name) - len("· () → ")
        result = _cut(result, max(room // 2, room - len(given)))
        self.note(f"· {name}({_cut(given, max(8, room - len(result)))}){f' → {result}' if result else ''}")

    def folded(self, text: str) -> list[str]:
        """The text as this terminal can show it, on as many lines as it takes."""
        return _folded(self.fitted(clean(text)), self.width)

    def fitted(self, text: str) -> str:
        """The text as this terminal can show it."""
        return text if self._utf8 else text.translate(ASCII).encode("ascii", "replace").decode()

    def _put(self, stream: TextIO, text: str) -> None:
        if text:
            (self._out if stream is self._err else self._err).flush()
            stream.write(self.fitted(text))
            stream.flush()


class Fold:
    """Folds a text that comes in pieces at words; code and tables keep their lines."""

    def __init__(self, width: int) -> None:
        self._width, self._column, self._word = width, 0, ""
        self._line, self._is_code = "", False

    def feed(self, piece: str) -> str:
        """What can be shown now: all but the last word, which may go on."""
        out = ""
        for char in piece:
            if char in " \n":
                out += self._flush() + self._space(char)
            else:
                self._word += char
                self._line += char
        return out

    def end(self) -> str:
        """What is left, and the end of the line."""
        left = self._flush()
        return left + ("\n" if self._column else "")

    def _flush(self) -> str:
        word, self._word = self._word, ""
        if not word:
            return ""
        whole = self._is_code or self._line.lstrip().startswith(("|", _FENCE))
        if self._column and self._column + len(word) > self._width and not whole:
            self._column = len(word)
            return f"\n{word}"
        self._column += len(word)
        return word

    def _space(self, char: str) -> str:
        if char == "\n":
            self._is_code ^= self._line.lstrip().startswith(_FENCE)
            self._column, self._line = 0, ""
            return "\n"
        self._line += char
        self._column += 1
        return char


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _folded(line: str, width: int) -> list[str]:
    """A line on as many as it takes, those that follow as far in as the first; a table's or a path's stays in words."""
    import textwrap

    if len(line) <= width:
        return [line]
    indent = " " * min(len(line) - len(line.lstrip()) + 2, width // 2)
    return textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True) or [line]
