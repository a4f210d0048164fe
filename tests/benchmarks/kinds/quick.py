"""``agentnas design`` with anchors of every kind, a plain and a strong one, trained for a moment."""

from __future__ import annotations

import sys

from agentnas.cli import main
from tests.quick import shorten

KEPT = ("mlp", "dagnn", "dirgnn", "rgcn", "gine", "ncn")

if __name__ == "__main__":
    shorten(kept=KEPT)
    sys.exit(main())
