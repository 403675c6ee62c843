"""Proposals over HTTP: list what waits for the key of another holder, decide on it, or take it back."""

from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request

from service.access.caller import CallerDep
from service.access.delegations import check_approves
from service.access.repository import holder_of
from service.database.engine import SessionDep
from service.errors import LoupeError
from service.ledger import proposals, writer
from service.ledger.proposal_schemas import ApprovalIn, ProposalOut
from service.web.openapi import problems
from service.web.paging import Page, PageDep, page_links
from service.web.values import YesOrNo

router = APIRouter(prefix="/v1/proposals", tags=["proposals"], responses=problems(401, 422))


class NotYourProposalError(LoupeError):
    """A withdrawal with the key of another holder than the one who proposed."""

    status: ClassVar[int] = 403
    code = "not-your-proposal"
    title = "Another holder proposed this"


ProposalPath = Annotated[UUID, Path(description="Id of the proposal.")]


@router.get("", response_model_exclude_none=True, summary="List proposals, newest first")
def list_proposals(
    request: Request,
    caller: CallerDep,
    session: SessionDep,
    page: PageDep,
    waiting: Annotated[
        YesOrNo | None, Query(description="Only proposals that wait for a decision, or only decided ones.")
    ] = None,
    budget: Annotated[UUID | None, Query(description="Only proposals of this budget.")] = None,
) -> Page[ProposalOut]:
    """List charges and changes of terms that need, or needed, the key of another holder."""
    found, following = proposals.list_proposals(
        session, caller.workspace_id, page, waiting=waiting, budget_id=budget
    )
    return Page(items=[ProposalOut.of(one) for one in found], links=page_links(request, following))


@router.get(
    "/{proposal_id}", response_model_exclude_none=True, summary="Show a proposal", responses=problems(404)
)
def get_proposal(proposal_id: ProposalPath, caller: CallerDep, session: SessionDep) -> ProposalOut:
    """Return a proposal with its decision, if there is one."""
    return ProposalOut.of(proposals.find_proposal(session, caller.workspace_id, proposal_id))


@router.post(
    "/{proposal_id}/approval",
    name="decide_proposal",
    response_model_exclude_none=True,
    summary="Approve or reject a proposal",
    responses=problems(402, 403, 404, 409),
)
def decide_proposal(
    proposal_id: ProposalPath, wanted: ApprovalIn, caller: CallerDep, session: SessionDep
) -> ProposalOut:
    """Decide once on a proposal. Another holder than the one who proposed it can approve it.

    An approved charge is posted, and approved terms are in force at once; a refused effect, such as 402
    `budget-exceeded`, leaves the proposal waiting.
    """
    proposed = proposals.find_proposal(session, caller.workspace_id, proposal_id)
    check_approves(session, caller, holder_of(session, proposed.key_id), str(proposal_id))
    writer.decide(
        session,
        caller.workspace_id,
        proposal_id,
        approve=wanted.approves,
        note=wanted.note,
        key_id=caller.key_id,
    )
    return ProposalOut.of(proposals.find_proposal(session, caller.workspace_id, proposal_id))


@router.post(
    "/{proposal_id}/withdrawal",
    name="withdraw_proposal",
    response_model_exclude_none=True,
    summary="Withdraw a proposal",
    responses=problems(403, 404, 409),
)
def withdraw_proposal(proposal_id: ProposalPath, caller: CallerDep, session: SessionDep) -> ProposalOut:
    """Take back a proposal of your own, which then never takes effect. Others reject it instead."""
    proposed = proposals.find_proposal(session, caller.workspace_id, proposal_id)
    if holder_of(session, proposed.key_id) != caller.holder:
        raise NotYourProposalError(
            f"Key {proposed.key_id} proposed this, and only its holder can withdraw it. Others reject it: "
            f"POST /v1/proposals/{proposal_id}/approval (`loupe approve {proposal_id} --reject`).",
            proposal=str(proposal_id),
            key=caller.key_id,
        )
    writer.decide(session, caller.workspace_id, proposal_id, approve=False, note=None, key_id=caller.key_id)
    return ProposalOut.of(proposals.find_proposal(session, caller.workspace_id, proposal_id))
