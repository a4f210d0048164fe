"""Calling a Python function of the person's own; whether that is allowed is asked before."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from agentnas.tools.errors import AgentNASError, DataError
from agentnas.tools.own.damage import short


def called(name: str, folder: Path) -> Any:
    """What ``module:function`` returns; the module may lie in the folder. DataError, in one line, for whatever goes wrong in it."""
    module, _, function = name.partition(":")
    path = os.fspath(folder.absolute())
    sys.path.insert(0, path)
    try:
        return getattr(importlib.import_module(module), function)()
    except AgentNASError:
        raise
    except Exception as error:  # noqa: BLE001
        # The function is the person's own and may raise anything.
        raise DataError(f"source python:{name}: {type(error).__name__}: {short(error)}") from None
    finally:
        if path in sys.path:
            sys.path.remove(path)
