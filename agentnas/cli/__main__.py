"""``python -m agentnas.cli`` is ``agentnas``."""

import sys

from agentnas.cli import main

if __name__ == "__main__":
    sys.exit(main())
