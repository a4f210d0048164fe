"""Puts the page together: template, style and script of this package, the run's data, and a policy that lets nothing else in.

The Content-Security-Policy names the one script and the one style sheet by their hashes and forbids all else, so that a text that got
past the escaping would still not run, load or send anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from agentnas.page import sections
from agentnas.page.markup import script_data
from agentnas.report_search import order_text

if TYPE_CHECKING:
    from jinja2 import Environment

    from agentnas.run import Run


def render_page(run: Run, **more: Any) -> str:
    """The report as HTML; also of a run that is unfinished, failed, or was killed before it began. ``more`` is for the template."""
    page = sections.Page(run)
    told = {"header": sections.header(page), **more}
    if run.view.started is not None:
        told |= _body(page)
    return render_template("page.html", told)


def render_template(name: str, told: Mapping[str, Any]) -> str:
    """A page from a template of this package, with the package's style, script and policy; every text in ``told`` is escaped."""
    return _templates().get_template(name).render({**assets(), **told})


def _body(page: sections.Page) -> dict[str, Any]:
    from agentnas.page.search import search

    return {
        "page": page, "answer": sections.answer(page), "why": sections.why(page), "choices": sections.choices(page),
        "card": sections.card_text(page),
        "search": search(page), "trials": sections.trials(page), "left_out": len(page.view.proposals) - len(page.rows),
        "rounds": sections.rounds(page), "order": order_text(page.view), "failures": sections.failures(page), "cost": sections.cost(page),
        "environment": sections.environment(page), "data": script_data(data_of(page)),
    }  # fmt: skip


def data_of(page: sections.Page) -> dict[str, Any]:
    """What the page holds for its script and for other programs: the outcome, and every trial of the table with its spec and scores.

    Where the run lies is left out: a page is made to be handed on.
    """
    view = page.view
    shown = [view.proposals[trial] for trial in page.rows]
    return {
        "summary": {key: value for key, value in page.run.summary().items() if key != "path"},
        "trials": {
            p.trial: {
                "text": p.text, "score": page.score(p.trial), "rank": view.rank(p.trial), "round": view.round_of[p.trial],
                "author": p.author, "parent": p.parent, "factor": p.factor, "change": p.change, "hypothesis": p.hypothesis,
                "spec": p.spec, "profile": view.profiles.get(p.trial, {}),
                "evaluations": [[e.rung, e.seed, e.split, e.val, e.seconds] for e in view.evaluations(p.trial)],
            }
            for p in shown
        },
    }  # fmt: skip


def assets(*scripts: str, allowed: str = "") -> dict[str, Any]:
    """Style, script and the policy that lets these two in; ``scripts`` are run after the page's own, ``allowed`` is let in as well."""
    style, script = _read("page.css"), "".join(map(_read, ("page.js", *scripts)))
    policy = f"default-src 'none'; script-src '{hash_of(script)}'; style-src '{hash_of(style)}'; base-uri 'none'; form-action 'none'"
    return {"style": Markup(style), "script": Markup(script), "policy": Markup(policy + allowed)}


def hash_of(text: str) -> str:
    """The source expression under which a policy knows an inline script or style: ``sha256-<base64>``."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _read(name: str) -> str:
    return resources.files("agentnas.page").joinpath(name).read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(_read))
