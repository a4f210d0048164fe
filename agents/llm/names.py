"""Models by name, as people type them.

    openai:MODEL                         OpenAI, by its responses protocol
    openai:MODEL@URL                     any compatible server, by chat completions: openai:llama3.1:8b@http://127.0.0.1:11434/v1
    openai-chat:MODEL[@URL]              chat completions
    openai-responses:MODEL[@URL]         responses
    anthropic:MODEL[@URL]                Anthropic, or a server that speaks its protocol
    scripted:FILE                        answers from a JSON file
    replay:FILE                          a recording, by its file or by the name of one that ships

``?mode=schema``, ``tool`` or ``text`` at the end says how a server of one's own is first asked for a form. Keys come from
OPENAI_API_KEY and ANTHROPIC_API_KEY, else from a ``.env`` file in the current folder; a server at an address of one's own needs none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentnas.agents.llm.base import LLM, CredentialsError
from agentnas.agents.llm.failures import Address
from agentnas.agents.llm.provider import MODES, Mode, Provider, is_local
from agentnas.tools.errors import UsageError, suggest

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

VARIABLES = {
    "openai": "OPENAI_API_KEY", "openai-chat": "OPENAI_API_KEY", "openai-responses": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY",
}  # fmt: skip
FILES = ("scripted", "replay")
KINDS = (*VARIABLES, *FILES)
EXAMPLES = "for example openai:gpt-5-mini, anthropic:claude-sonnet-4-5 or openai:llama3.1:8b@http://127.0.0.1:11434/v1"
_NAME = re.compile(r"(?P<model>[^\s?]+?)(?:@(?P<url>https?://[^\s?]+))?(?:\?mode=(?P<mode>\w+))?")
# What some clouds write after @: claude-sonnet-4@20250514.
_VERSION = re.compile(r"v?\d+|latest|default")
_ENTRY = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([^#\n]*?))[ \t]*(?:#.*)?$""", re.MULTILINE
)


@dataclass(frozen=True)
class Named:
    """A provider's model as it was named."""

    kind: str
    model: str
    url: str | None
    mode: Mode | None

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.model}{f'@{self.url}' if self.url else ''}"


def make_llm(
    name: str, *, environment: Mapping[str, str] | None = None, folder: Path | None = None, skip: Mapping[str, int] | None = None
) -> LLM:
    """The model of a name; nothing is called yet. ``folder`` is where ``.env`` is looked for, the current one by default.

    ``skip`` counts the answers of each role that a resumed run has used, of a script or recording. Raises UsageError for a name that is
    none, CredentialsError for a key that is missing, ConfigError for a file that cannot be read.
    """
    kind, colon, rest = name.strip().partition(":")
    if kind not in KINDS or not colon or not rest:
        what = f"unknown provider {kind!r}; {suggest(kind, KINDS)}" if kind not in KINDS else f"{kind}: names no model or file"
        raise UsageError(f"{shown(name)}: {what}; {EXAMPLES}")
    if kind in FILES:
        return _from_file(kind, rest, skip)
    return _provider(parse(kind, rest), os.environ if environment is None else environment, folder or Path())


def parse(kind: str, rest: str) -> Named:
    """Model, address and mode of a name; raises UsageError for an address that is none, or that holds a password."""
    found = _NAME.fullmatch(rest)
    if found is None or "@http" in found["model"]:
        raise UsageError(
            f"{shown(f'{kind}:{rest}')}: is no name of a model; allowed: MODEL, MODEL@URL and ?mode=MODE at the end; {EXAMPLES}"
        )
    url, mode = found["url"], found["mode"]
    model, at, rest_of_it = found["model"].rpartition("@")
    if at and model and url is None and not _VERSION.fullmatch(rest_of_it):
        allowed = "allowed after @: http://HOST:PORT/PATH or https://..."
        raise UsageError(f"{kind}:{model.partition('@')[0]}@{rest_of_it}: {rest_of_it!r} is no address; {allowed}; {EXAMPLES}")
    if mode is not None and mode not in MODES:
        raise UsageError(f"{kind}:{found['model']}: unknown mode {mode!r}; {suggest(mode, MODES)}")
    if url is not None and (urlsplit(url).username is not None or not urlsplit(url).hostname):
        raise UsageError(f"{kind}:{found['model']}: the address holds a password or no host; give the key in {VARIABLES[kind]}")
    return Named(kind, found["model"], url.rstrip("/") if url else None, next((known for known in MODES if known == mode), None))


def shown(name: str) -> str:
    """A name that was typed wrong, without what may be a password in it."""
    return re.sub(r"(https?://)[^\s/@]*@", r"\1...@", name)


def _provider(named: Named, environment: Mapping[str, str], folder: Path) -> Provider:
    variable = VARIABLES[named.kind]
    key = environment.get(variable, "").strip() or dotenv(folder).get(variable, "").strip() or None
    if key is None and named.url is None:
        raise CredentialsError(f"{named.name}: no key; set {variable}, in the environment or in {folder.absolute() / '.env'}")
    if named.url is not None and urlsplit(named.url).scheme == "http" and not is_local(named.url):
        key = None  # anybody on the way could read it
    where = Address(named.name, named.model, variable, key)
    if named.kind == "anthropic":
        from agentnas.agents.llm.anthropic_provider import AnthropicMessages

        return AnthropicMessages(where, named.url, named.mode)
    from agentnas.agents.llm.openai_provider import OpenAIChat, OpenAIResponses

    chat = named.kind == "openai-chat" or (named.kind == "openai" and named.url is not None)
    return OpenAIChat(where, named.url, named.mode) if chat else OpenAIResponses(where, named.url, named.mode)


def dotenv(folder: Path) -> dict[str, str]:
    """Names and values of a folder's ``.env`` file; empty where there is none that can be read."""
    try:
        text = (folder / ".env").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: double or single or plain for name, double, single, plain in _ENTRY.findall(text)}


def _from_file(kind: str, rest: str, skip: Mapping[str, int] | None) -> LLM:
    from agentnas.agents.llm.recording import Replay
    from agentnas.agents.llm.scripted import load_script

    if kind == "scripted":
        return load_script(Path(rest), f"scripted:{rest}", skip)
    file = Path(rest)
    if not file.exists():
        found = recordings().get(rest.removesuffix(".jsonl"))
        if found is None:
            raise UsageError(f"replay:{rest}: no such file, and no recording of that name ships; {_ships(rest)}")
        file = Path(str(found))
    return Replay(file, f"replay:{rest}", skip)


def recordings() -> dict[str, Traversable]:
    """The recordings that ship, by name."""
    folder = resources.files("agentnas.agents.llm.recordings")
    return {entry.name.removesuffix(".jsonl"): entry for entry in folder.iterdir() if entry.name.endswith(".jsonl")}


def _ships(name: str) -> str:
    known = recordings()
    return suggest(name, known) if known else "record a run with --record FILE"
