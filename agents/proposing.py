"""What a coder answers: proposals as edits of a parent, or as whole designs on the wire; and how each becomes a spec."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from agentnas.tools.errors import SpecError
from agentnas.tools.spec import cells
from agentnas.tools.spec.bounded import BoundedSpace
from agentnas.tools.spec.cellspace import CellSpace
from agentnas.tools.spec.edits import Edit, apply_edits, cell_spec
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.spec.wire import from_wire, wire_schema

Form = Literal["diff", "full"]
BATCHING = "recipe.batching"


class Claim(BaseModel):
    """What a proposal says beside its design."""

    model_config = ConfigDict(allow_inf_nan=False)

    parent: str = Field(description='id of the trial that it varies, such as t0003; "" for a design of its own')
    evidence: list[str] = Field(description="ids of what it rests on, such as trial:t0003, finding:r1-2 or card:gcnii; at least one")
    hypothesis: str = Field(description="why it should score higher, in one sentence")
    factor: str = Field(description="what is changed, in the words of the paths")
    expected_gain: float = Field(description="percentage points over the parent (without one: over the best so far); may be negative")
    direction: str = Field("", description="name of the direction of the plan that it follows, as it is written there")


class DiffProposal(Claim):
    """One design as changes to a parent."""

    edits: Sequence[Edit] = Field(description="the changes, each once; together they are the new design")


class CellEdit(Edit):
    """One change of a cell."""

    path: str = Field(description="what changes: cell.links or cell.op")
    value: str = Field(description="all four links or all four operators, such as 0,1,1,2 or gin,gcn,gat,gcn")


class CellDiffProposal(DiffProposal):
    """One cell as changes to a parent."""

    edits: Sequence[CellEdit] = Field(description="the changes, each once; together with the rest of the parent they are the new cell")


class FullProposal(Claim):
    """One design as a whole."""

    spec: dict[str, Any] = Field(description="the design")


class CellProposal(Claim):
    """One cell as a whole."""

    links: list[int] = Field(description="4 numbers: what each node reads, 0 for the input, j for node j")
    ops: list[str] = Field(description="4 operators, one a node")


class Proposals(BaseModel):
    """The designs of one round."""

    proposals: Sequence[Claim]


class DiffProposals(Proposals):
    """The designs of one round, as changes to parents."""

    proposals: list[DiffProposal]


class CellDiffProposals(Proposals):
    """The cells of one round, as changes to parents."""

    proposals: list[CellDiffProposal]


class FullProposals(Proposals):
    """The designs of one round, each written whole."""

    proposals: list[FullProposal]


class CellProposals(Proposals):
    """The cells of one round, each written whole."""

    proposals: list[CellProposal]


def answer_type(form: Form, space: SearchSpace) -> type[Proposals]:
    """The type to ask for. Its schema names only what the space holds; what an answer may say is checked later, one proposal at a time."""
    if form == "diff":
        return CellDiffProposals if isinstance(space, CellSpace) else DiffProposals
    if isinstance(space, CellSpace):
        return _cells_of(cells.operators_of(space.dataset))
    return _specs_of(space.allowed_operators() if isinstance(space, BoundedSpace) else None)


@lru_cache(maxsize=8)
def _specs_of(operators: tuple[str, ...] | None) -> type[FullProposals]:
    spec = Annotated[dict[str, Any], WithJsonSchema(wire_schema(operators))]
    one = create_model("FullProposal", __base__=FullProposal, __doc__=FullProposal.__doc__, spec=(spec, Field()))
    return create_model("FullProposals", __base__=FullProposals, __doc__=FullProposals.__doc__, proposals=(list[one], Field()))


@lru_cache(maxsize=8)
def _cells_of(operators: tuple[str, ...]) -> type[CellProposals]:
    ops = Annotated[list[str], WithJsonSchema({"type": "array", "items": {"type": "string", "enum": list(operators)}})]
    held = Field(description=CellProposal.model_fields["ops"].description)
    one = create_model("CellProposal", __base__=CellProposal, __doc__=CellProposal.__doc__, ops=(ops, held))
    return create_model("CellProposals", __base__=CellProposals, __doc__=CellProposals.__doc__, proposals=(list[one], Field()))


def spec_of(claim: Claim, parent: ArchitectureSpec | None, space: SearchSpace) -> ArchitectureSpec:
    """The design that is proposed; raises SpecError for what the language does not allow."""
    if isinstance(claim, CellProposal):
        assert isinstance(space, CellSpace)
        return cell_spec(claim.links, claim.ops, space)
    if isinstance(claim, DiffProposal):
        if not claim.edits:
            raise SpecError("it has no edits; name at least one")
        return _batched(apply_edits(parent, claim.edits, space), parent, space)
    assert isinstance(claim, FullProposal)
    return _batched(from_wire(claim.spec), parent, space)


def _batched(spec: ArchitectureSpec, parent: ArchitectureSpec | None, space: SearchSpace) -> ArchitectureSpec:
    """The design on the whole graph where it names batches that the space does not search and its parent does not have: code chooses
    those, by the sizes of graph and machine (``Room.fitted``)."""
    named = spec.recipe.batching
    if not isinstance(space, BoundedSpace) or named == (parent.recipe.batching if parent else "full"):
        return spec
    if space.allows(BATCHING, named) or not space.allows(BATCHING, "full"):
        return spec
    return spec.model_copy(update={"recipe": spec.recipe.model_copy(update={"batching": "full"})})
