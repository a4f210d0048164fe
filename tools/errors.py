"""Every error that a person can cause or must act on, and the exit code that it ends a command with.

    AgentNASError                  1  it ran and failed
    ├── UsageError                 2  the person typed something that does not exist or does not fit
    │   ├── SpecError              2  a spec that the language does not allow
    │   └── DataError              2  a data file that is missing, broken or not what it claims to be
    ├── ConstraintError            3  no architecture can meet (or did meet) the limits
    ├── ConfigError                4  configuration or credentials
    ├── BudgetEndedError           5  the budget ended before there was a result
    ├── RunError                   1  a run directory that cannot be read, written or resumed
    └── StoreError                 1  the memory that outlives runs cannot be read or written; a run goes on without it

Messages are one line: the value seen, what is allowed, the fix.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AgentNASError(Exception):
    """Base of all expected errors; the command line prints its message without a traceback."""

    exit_code = 1


class UsageError(AgentNASError):
    """The person must change what they typed."""

    exit_code = 2


class SpecError(UsageError):
    """A spec that the language does not allow; the author of the spec (person, rule or model) must change it."""


class DataError(UsageError):
    """A data file is missing, truncated, unsafe or not in the expected format."""


class ConstraintError(AgentNASError):
    """No design meets the constraints; the person must loosen them."""

    exit_code = 3


class ConfigError(AgentNASError):
    """Configuration or credentials are wrong; the person must fix them before anything is spent."""

    exit_code = 4


class BudgetEndedError(AgentNASError):
    """The budget ended before there was a result."""

    exit_code = 5


class RunError(AgentNASError):
    """A run directory cannot be read, written or resumed."""


class StoreError(AgentNASError):
    """The memory that outlives runs cannot be read or written; no run ends because of it."""


def suggest(seen: str, allowed: Iterable[str]) -> str:
    """``'did you mean x or y?'`` for near misses, else the allowed names; always ends without a full stop."""
    names = sorted(allowed)
    near = difflib.get_close_matches(seen, names, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"allowed: {', '.join(names)}"
