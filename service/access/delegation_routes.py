"""Delegations over HTTP: lend approval to another holder until a date, list, and take back."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from service.access import delegations
from service.access.caller import CallerDep
from service.access.tables import Delegation
from service.database.engine import SessionDep
from service.web.openapi import problems
from service.web.paging import Page, page_links
from service.web.values import Line, Moment, Note

router = APIRouter(prefix="/v1/delegations", tags=["keys"], responses=problems(401))
DelegationPath = Annotated[UUID, Path(description="Id of the delegation.")]


class DelegationIn(BaseModel):
    """Approval to lend."""

    model_config = ConfigDict(extra="forbid")

    holder: Line = Field(
        min_length=1, max_length=64, description="Holder who may approve for you, as a key shows it."
    )
    ends_at: Moment = Field(
        description="Time at which the approval ends, at most 92 days from now.",
        examples=["2030-01-01T00:00:00Z"],
    )
    note: Note | None = Field(None, description="Reason, kept with it.")


class DelegationOut(BaseModel):
    """Approval that one holder lends to another."""

    id: UUID = Field(description="Id of the delegation.")
    lender: str = Field(description="Holder who lends the right to approve.")
    borrower: str = Field(description="Holder who may approve until then, but not what the lender asks for.")
    created_at: datetime = Field(description="Time of lending.")
    ends_at: datetime = Field(description="Time at which it ends. The newest row of two holders applies.")
    by: str = Field(description="Id of the key that lent it or took it back.")
    note: str | None = Field(description="Reason, if one was given.")

    @classmethod
    def of(cls, row: Delegation) -> "DelegationOut":
        """Write a delegation for JSON."""
        return cls(
            id=row.id,
            lender=row.lender,
            borrower=row.borrower,
            created_at=row.created_at,
            ends_at=row.ends_at,
            by=row.key_id,
            note=row.note,
        )


@router.post(
    "",
    name="lend_approval",
    status_code=201,
    response_model_exclude_none=True,
    summary="Lend your right to approve until a date",
    responses=problems(404, 422),
)
def lend_approval(wanted: DelegationIn, caller: CallerDep, session: SessionDep) -> DelegationOut:
    """Let another holder approve for you, such as during your holidays.

    Nobody approves with it what the own holder or the lender ordered or proposed, and a borrowed right is not
    lent again. It ends at `ends_at`, when you take it back, or with the last key of yours that may approve.
    """
    row = delegations.lend(session, caller, wanted.holder, wanted.ends_at, wanted.note)
    return DelegationOut.of(row)


@router.get("", response_model_exclude_none=True, summary="List delegations, newest first")
def list_delegations(request: Request, caller: CallerDep, session: SessionDep) -> Page[DelegationOut]:
    """List who lent approval to whom, ended delegations included, on one page of at most 1,000."""
    rows = delegations.delegations_of(session, caller.workspace_id)
    return Page(items=[DelegationOut.of(row) for row in rows], links=page_links(request, None))


@router.post(
    "/{delegation_id}/end",
    name="end_delegation",
    response_model_exclude_none=True,
    summary="Take lent approval back",
    responses=problems(403, 404, 422),
)
def end_delegation(delegation_id: DelegationPath, caller: CallerDep, session: SessionDep) -> DelegationOut:
    """End a delegation now. Its lender and admins may do this; one that has ended stays as it is."""
    return DelegationOut.of(delegations.take_back(session, caller, delegation_id))
