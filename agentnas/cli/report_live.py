"""``agentnas report RUN --live``: the page of a run on this machine's own address, until Ctrl-C."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from agentnas.cli.output import emit, say
from agentnas.memory.rundir import RunDirectory

if TYPE_CHECKING:
    from agentnas.page.live import LivePage

LOOK_S = 0.5


def serve(directory: RunDirectory, port: int) -> None:
    """Serve the page, and say when the run ends; Ctrl-C ends the page and leaves the run alone."""
    from agentnas.page.live import LiveServer

    directory.events()  # a journal that cannot be read is said now
    with LiveServer(directory, port) as server:
        threading.Thread(target=server.serve_forever, name="live page", daemon=True).start()
        try:
            emit(server.url)
            _stand_by(server.live)
        except KeyboardInterrupt:
            say("the page is closed; the run has nothing to do with it")
        finally:
            server.shutdown()


def _stand_by(live: LivePage) -> None:
    """Forever; a line whenever the run begins to be written, or ends."""
    name, went_on = live.directory.name, None
    while True:
        goes_on = live.state().goes_on
        if goes_on != went_on:
            stands = "goes on" if goes_on else "does not go on" if went_on is None else "has ended"
            say(f"run {name} {stands}; Ctrl-C closes the page")
        went_on = goes_on
        time.sleep(LOOK_S)
