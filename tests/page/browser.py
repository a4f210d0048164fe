"""A real browser for the tests of pages: Debian's Chromium (or Chrome), driven over its own protocol; it reaches no network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page, Request

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A container's root has no sandbox to use; pages are our own.
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; missing, it is a failure in continuous integration and a skip elsewhere."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = "needs Chromium or Chrome; make browser installs it (apt-get install chromium)"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Tab:
    """A page in a window of its own, and all that went wrong on it."""

    page: Page
    said: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def value(self, script: str, argument: Any = None) -> Any:
        return self.page.evaluate(script, argument)

    def dismissed(self, dialog: Dialog) -> None:
        self.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def asked(self, request: Request) -> None:
        self.requests.append(request.url)


@contextmanager
def opened(browser: Browser, where: str | Path, **window: Any) -> Iterator[Tab]:
    """The page of a file or an address; whatever its scripts say, ask or throw is kept."""
    context = browser.new_context(**window)
    tab = Tab(context.new_page())
    tab.page.on("console", lambda line: tab.said.append(f"{line.type}: {line.text}"))
    tab.page.on("pageerror", lambda error: tab.said.append(str(error)))
    tab.page.on("dialog", tab.dismissed)
    tab.page.on("request", tab.asked)
    tab.page.goto(where.resolve().as_uri() if isinstance(where, Path) else where)
    yield tab
    context.close()
