"""Which validation items (nodes, graphs, pairs) a training got right, as text short enough for a journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

DETAIL = "val_right"
# Beyond so many, which ones they are moves a score by less than what seeds do, and the text would be long.
MOST_ITEMS = 10_000


def packed(right: NDArray[Any]) -> str:
    """Booleans [n] as ``n:`` and hexadecimal digits, four of them a digit."""
    import numpy as np

    return f"{len(right)}:{np.packbits(right).tobytes().hex()}"


def unpacked(text: str) -> NDArray[Any]:
    """The booleans [n] that ``packed`` was given."""
    import numpy as np

    count, digits = text.split(":")
    return np.unpackbits(np.frombuffer(bytes.fromhex(digits), dtype=np.uint8), count=int(count)).astype(bool)


def share_right(texts: Sequence[str]) -> NDArray[Any]:
    """Of each validation item [n], the share of trainings that got it right."""
    import numpy as np

    share: NDArray[Any] = np.mean([unpacked(text) for text in texts], axis=0)
    return share
