"""Between a draft and a trial: no design twice, no invented evidence, no broken limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agentnas.agents.checking import accept, outside, overpriced, price, resolve
from agentnas.agents.roles import Draft
from agentnas.memory.memory import InMemory
from agentnas.tools.errors import SpecError
from agentnas.tools.evaluate.base import Limits
from agentnas.tools.spec.canonical import canonical, spec_hash
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.spec.space import SearchSpace
from tests.agents.making import spec_of_width


def draft(spec: ArchitectureSpec, *evidence: str, **fields: Any) -> Draft:
    return Draft(spec, "coder/test", "it may pay", evidence, **fields)


def renamed(spec: ArchitectureSpec) -> ArchitectureSpec:
    """The same network with another name for its node."""
    data = spec.model_dump()
    data["body"]["nodes"][0]["id"] = "zz"
    data["body"]["outputs"] = ["zz"]
    return parse_spec(data)


def test_proposals_are_numbered_on_from_the_last_trial_and_keep_what_the_draft_said() -> None:
    made = draft(
        spec_of_width(8), "card:gcn", parent="t0001", factor="body.width", change="4 -> 8", expected_gain=0.5, name="n", anchor="plain"
    )
    (first, second), problems = accept([made, draft(spec_of_width(16), "card:gcn")], {}, 10, InMemory())
    assert (first.trial, second.trial, problems) == ("t0010", "t0011", [])
    assert (first.parent, first.factor, first.change, first.expected_gain) == ("t0001", "body.width", "4 -> 8", 0.5)
    assert (first.author, first.hypothesis, first.anchor, first.name) == ("coder/test", "it may pay", "plain", "n")
    assert first.spec_hash == spec_hash(spec_of_width(8))
    assert parse_spec(first.spec) == canonical(spec_of_width(8))


def test_a_design_of_an_earlier_trial_is_skipped_however_it_is_written() -> None:
    known = {spec_hash(spec_of_width(8)): "t0003"}
    proposals, problems = accept([draft(renamed(spec_of_width(8))), draft(spec_of_width(9))], known, 5, InMemory())
    assert [proposal.trial for proposal in proposals] == ["t0005"]
    assert problems == ["coder/test proposed t0003 again; skipped"]


def test_two_drafts_of_one_design_make_one_proposal() -> None:
    proposals, problems = accept([draft(spec_of_width(8)), draft(renamed(spec_of_width(8)))], {}, 1, InMemory())
    assert [proposal.trial for proposal in proposals] == ["t0001"]
    assert problems == ["coder/test proposed t0001 again; skipped"]


def test_evidence_that_does_not_exist_is_dropped_and_told() -> None:
    (proposal,), problems = accept([draft(spec_of_width(8), "card:gcn", "card:no-such", "trial:t0042", "card:gcn")], {}, 1, InMemory())
    assert proposal.evidence == ("card:gcn",)
    assert problems == [
        "t0001: evidence card:no-such does not exist; citation dropped",
        "t0001: evidence trial:t0042 does not exist; citation dropped",
    ]


class Scales:
    """Weighs a spec by its width, and counts what it was asked to measure."""

    def __init__(self, failure: str = "") -> None:
        self.measured: list[int] = []
        self.failure = failure

    def price(self, spec: ArchitectureSpec) -> dict[str, Any]:
        return {"parameters": int(spec.body.nodes[0].width or 0)}

    def measure(self, specs: Sequence[ArchitectureSpec]) -> list[dict[str, Any]]:
        widths = [self.price(spec)["parameters"] for spec in specs]
        self.measured += widths
        return [{"failure": self.failure} if self.failure else {"latency_ms_p50": width / 10} for width in widths]


SPECS = [spec_of_width(width) for width in (10, 20, 40)]


def broken(limits: Limits, scales: Scales) -> list[list[str]]:
    return [violations for _, violations in price(SPECS, scales, limits)]  # type: ignore[arg-type]


def test_without_limits_nothing_is_measured_and_nothing_is_broken() -> None:
    scales = Scales()
    assert broken(Limits(), scales) == [[], [], []]
    assert scales.measured == []


def test_what_arithmetic_rejects_is_not_measured() -> None:
    scales = Scales()
    assert broken(Limits(max_params=20, max_latency_ms=1.5), scales) == [
        [], ["latency (ms, p50) 2 > 1.5"], ["parameters 40 > 20"],
    ]  # fmt: skip
    assert scales.measured == [10, 20]


@pytest.mark.parametrize("limits", [Limits(max_latency_ms=100.0), Limits(max_memory_mb=1.0)])
def test_what_cannot_be_measured_cannot_be_within_a_limit(limits: Limits) -> None:
    assert broken(limits, Scales("could not be profiled (crashed: signal 11)")) == [["could not be profiled (crashed: signal 11)"]] * 3


def test_a_child_may_lie_as_far_outside_the_space_as_its_parent() -> None:
    space, huge = SearchSpace.default(), spec_of_width(2048)
    wider = spec_of_width(4096)
    assert outside(spec_of_width(64), None, space) is None
    assert outside(huge, None, space) == "space default: body.width is 2048; allowed: 16, 32, 64, 128, 256"
    assert outside(wider, huge, space) is None, "one width is outside, as in the parent"
    assert outside(wider, spec_of_width(64), space) == "space default: body.width is 4096; allowed: 16, 32, 64, 128, 256"


def test_a_broken_limit_is_told_with_its_largest_parts() -> None:
    def weigh(_: ArchitectureSpec) -> dict[str, int]:
        return {"input": 3, "a": 40_960, "b": 12, "c": 5_000, "head": 15_028}

    def priced(_: ArchitectureSpec) -> dict[str, Any]:
        return {"parameters": 1_061_003, "latency_ms_p50": 2.0}

    tight = Limits(max_params=1_050_000, max_latency_ms=1.5)
    spec = spec_of_width(8)
    parts = "a 40,960, head 15,028, c 5,000, b 12"
    assert overpriced(spec, tight, priced, weigh) == f"parameters 1,061,003 > 1,050,000, of which {parts}; latency (ms, p50) 2 > 1.5"
    assert overpriced(spec, Limits(max_latency_ms=1.5), priced, weigh) == "latency (ms, p50) 2 > 1.5"
    assert overpriced(spec, Limits(max_params=1_050_000), priced) == "parameters 1,061,003 > 1,050,000"
    assert overpriced(spec, Limits(), priced, weigh) is None


def test_what_cannot_be_built_is_told() -> None:
    def broken_price(_: ArchitectureSpec) -> dict[str, Any]:
        raise SpecError("cannot be built: ValueError: no")

    assert overpriced(spec_of_width(8), Limits(), broken_price) == "cannot be built: ValueError: no"


@pytest.mark.parametrize(("given", "meant"), [("card:gcn", "card:gcn"), (" [gcn]", "card:gcn"), ("trial:gcn", None), ("", None)])
def test_a_citation_is_resolved_where_its_kind_was_left_out(given: str, meant: str | None) -> None:
    assert resolve(given, InMemory()) == meant


class Small:
    """Room for narrow designs alone; wider ones up to 64 are sampled."""

    def fitted(self, spec: ArchitectureSpec) -> tuple[ArchitectureSpec, str | None]:
        width = spec.body.nodes[0].width
        if not isinstance(width, int) or not 16 < width <= 64:
            return spec, None
        recipe = spec.recipe.model_copy(update={"batching": "neighbour"})
        return spec.model_copy(update={"recipe": recipe}), "batching full -> neighbour: on the whole graph it needs 3.0 GiB"

    def refusal(self, spec: ArchitectureSpec) -> str | None:
        return "needs 9.0 GiB of memory" if spec.body.nodes[0].width == 128 else None


def test_a_draft_without_room_goes_on_as_the_spec_that_has_it_and_its_proposal_says_so() -> None:
    drafts = [draft(spec_of_width(width), change=change) for width, change in ((8, None), (32, "16 -> 32"), (64, None))]
    (same, changed, bare), problems = accept(drafts, {}, 1, InMemory(), Small())  # type: ignore[arg-type]
    assert not problems
    assert (same.spec_hash, same.change) == (spec_hash(spec_of_width(8)), None)
    assert changed.spec["recipe"]["batching"] == "neighbour"
    assert "neighbour" in changed.text
    assert changed.spec_hash == spec_hash(parse_spec(changed.spec)) != spec_hash(spec_of_width(32))
    assert changed.change == "16 -> 32; batching full -> neighbour: on the whole graph it needs 3.0 GiB"
    assert bare.change == "batching full -> neighbour: on the whole graph it needs 3.0 GiB"


def test_what_has_no_room_is_refused_beside_the_limits() -> None:
    class Priced:
        def price(self, spec: ArchitectureSpec) -> dict[str, int]:
            return {"parameters": 10}

    specs = [spec_of_width(8), spec_of_width(128)]
    found = price(specs, Priced(), Limits(max_params=5), Small())  # type: ignore[arg-type]
    assert [broken for _, broken in found] == [["parameters 10 > 5"], ["parameters 10 > 5", "needs 9.0 GiB of memory"]]
