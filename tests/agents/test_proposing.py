"""From a coder's answer to a spec: who chooses the batches."""

from __future__ import annotations

from typing import Any

import pytest

from agentnas.agents.proposing import Claim, DiffProposal, FullProposal, spec_of
from agentnas.tools.spec.bounded import BoundedSpace
from agentnas.tools.spec.edits import Edit
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.spec.wire import to_wire

CLAIM: dict[str, Any] = {"parent": "t0001", "evidence": [], "hypothesis": "", "factor": "", "expected_gain": 0.0}
NODES = [{"id": "n1", "op": "sgc"}, {"id": "n2", "op": "mlp", "width": 8, "inputs": ["n1"]}]
WIDER = Edit(path="n2.width", value="16")


def sgc(batching: str) -> ArchitectureSpec:
    return parse_spec({"body": {"nodes": NODES, "outputs": ["n2"]}, "recipe": {"batching": batching}})


def edits(*made: Edit) -> DiffProposal:
    return DiffProposal(**CLAIM, edits=made)


def named(batching: str) -> Edit:
    return Edit(path="recipe.batching", value=batching)


@pytest.mark.parametrize(
    ("claim", "parent", "batching"),
    [
        (edits(WIDER), "full", "full"),
        (edits(WIDER), "precomputed", "precomputed"),
        (edits(WIDER, named("precomputed")), "full", "full"),
        (edits(WIDER, named("neighbour")), "precomputed", "full"),
        (edits(WIDER, named("full")), "precomputed", "full"),
        (FullProposal(**CLAIM, spec=to_wire(sgc("precomputed"))), "full", "full"),
        (FullProposal(**CLAIM, spec=to_wire(sgc("precomputed"))), "precomputed", "precomputed"),
    ],
)
def test_batches_that_the_space_does_not_search_are_for_code_to_choose(claim: Claim, parent: str, batching: str) -> None:
    """What a model names is no error and decides nothing; code turns the whole graph into rows where that pays."""
    found = spec_of(claim, sgc(parent), SearchSpace.default())
    assert found.recipe.batching == batching
    if isinstance(claim, DiffProposal):
        assert found.body.nodes[1].width == 16


def test_batches_that_the_space_searches_are_the_coders() -> None:
    space = BoundedSpace(values={"recipe.batching": ("full", "precomputed")})
    assert spec_of(edits(WIDER, named("precomputed")), sgc("full"), space).recipe.batching == "precomputed"
