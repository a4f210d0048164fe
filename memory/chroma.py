"""Chroma's clients: embedded in a folder or on a server, without telemetry, their errors named, no wait without end.

Everything that knows Chroma's insides is here. chromadb is imported where it is used: that takes most of a second.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from agentnas.tools.errors import StoreError

SERVER_TIMEOUT_S = 15.0
T = TypeVar("T")


def connect(place: str, folder: Path) -> Any:
    """A client of the server at ``place``, or one that keeps its files in ``folder``."""
    import chromadb
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    if not is_url(place):
        return chromadb.PersistentClient(str(folder), settings=settings)
    parts = urlsplit(place)
    secure = parts.scheme == "https"
    client: Any = chromadb.HttpClient(parts.hostname or "", port=parts.port or (443 if secure else 8000), ssl=secure, settings=settings)
    # Chroma's own client waits for ever; a server that hangs must not hold up a run.
    client._server._session.timeout = SERVER_TIMEOUT_S
    return client


def is_url(place: str) -> bool:
    """Whether a memory's place is a server rather than a folder."""
    return "://" in place


def disconnect(client: Any, place: str) -> None:
    """Free a client's files or its connection."""
    if is_url(place):
        client._server._session.close()  # its own close leaves the connection open
    client.close()


def call(place: str, action: Callable[[], T]) -> T:
    """Do something with Chroma; whatever it or the connection raises becomes a StoreError of one line."""
    try:
        return action()
    except errors() as error:
        _forget_failed_clients()
        told = (str(error).splitlines() or [type(error).__name__])[0]
        if is_url(place):
            raise StoreError(f"the memory at {place} does not answer: {told}; is a Chroma server running there?") from None
        raise StoreError(
            f"the memory in {place} cannot be used: {told}; agentnas memory reindex --memory-dir {place} builds it anew"
        ) from None


def errors() -> tuple[type[Exception], ...]:
    """What Chroma raises, and its connections and files."""
    import httpx
    from chromadb.errors import ChromaError

    return ChromaError, httpx.HTTPError, ValueError, OSError


def _forget_failed_clients() -> None:
    """Chroma keeps a client that could not be opened, and would hand it out again."""
    from chromadb.api.shared_system_client import SharedSystemClient

    SharedSystemClient.clear_system_cache()
