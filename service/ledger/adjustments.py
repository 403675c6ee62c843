"""Refunds and later charges over HTTP."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.orm import Session

from service.access.caller import CallerDep
from service.access.repository import Caller
from service.database.engine import DatabaseDep, SessionDep
from service.ledger import repository, writer
from service.ledger.book import Movement
from service.ledger.repository import Adjustment
from service.ledger.routes import seq_of
from service.web.idempotency import Answer, KeyedRequest, RequiredKeyDep, fingerprint, store_once
from service.web.money import MoneyIn, MoneyOut
from service.web.openapi import problems
from service.web.paging import Link, Page, encode_cursor, page_links

router = APIRouter(prefix="/v1/ledger/adjustments", tags=["money"], responses=problems(401, 422))


class AdjustmentIn(BaseModel):
    """A refund (credit note) of an order or of one patch delivered for it, or a later charge of an order."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["refund", "charge"]
    order: UUID
    tile: int | None = Field(None, ge=0, description="with `patch`: the delivery that is refunded")
    patch: int | None = Field(None, ge=0, le=15)
    amount: MoneyIn
    reason: str = Field(
        min_length=1, max_length=500, pattern=r"^[^\x00-\x1f]+$", examples=["credit note 4711: cloud"]
    )

    @model_validator(mode="after")
    def _names_a_whole_place(self) -> Self:
        if (self.tile is None) != (self.patch is None):
            raise ValueError("tile and patch name a delivery together")
        if self.tile is not None and self.kind == "charge":
            raise ValueError("a charge is of a whole order")
        return self

    @property
    def place(self) -> tuple[int, int] | None:
        """Tile and patch, where one delivery is meant."""
        return None if self.tile is None or self.patch is None else (self.tile, self.patch)


class AdjustmentOut(BaseModel):
    """A refund or a later charge, with the entry that it is in the ledger."""

    order: UUID
    number: int = Field(description="1, 2, 3 ... of its order")
    kind: Movement
    tile: int | None
    patch: int | None
    amount: MoneyOut
    reason: str
    by: str | None = Field(description="id of the key")
    at: datetime
    seq: int = Field(description="of its entry in the ledger")
    reference: str
    links: list[Link]

    @classmethod
    def of(cls, adjustment: Adjustment) -> "AdjustmentOut":
        """Write an adjustment for JSON."""
        return cls(
            order=adjustment.order_id,
            number=adjustment.number,
            kind=adjustment.kind,
            tile=adjustment.tile,
            patch=adjustment.patch,
            amount=MoneyOut.of(adjustment.amount),
            reason=adjustment.reason,
            by=adjustment.key_id,
            at=adjustment.at,
            seq=adjustment.seq,
            reference=adjustment.reference,
            links=[Link(rel="order", href=f"/v1/orders/{adjustment.order_id}")],
        )


@router.post(
    "",
    status_code=201,
    response_model=AdjustmentOut,
    openapi_extra={"x-billable": True},
    responses=problems(400, 402, 404, 409),
)
def post_adjustment(
    wanted: AdjustmentIn, caller: CallerDep, database: DatabaseDep, key: RequiredKeyDep
) -> Response:
    """Enter a refund (never more than was paid and has not come back) or a later charge, with its reason."""
    request_print = fingerprint("POST /v1/ledger/adjustments", wanted.model_dump_json())
    request = KeyedRequest(database, caller.workspace_id, key, request_print)
    return store_once(request, lambda session: _adjust(session, caller, wanted))


def _adjust(session: Session, caller: Caller, wanted: AdjustmentIn) -> Answer:
    writer.adjust(
        session,
        caller.workspace_id,
        wanted.order,
        Movement(wanted.kind),
        wanted.amount.money(),
        wanted.reason,
        place=wanted.place,
        key_id=caller.key_id,
    )
    (newest,), _ = repository.list_adjustments(
        session, caller.workspace_id, limit=1, before_seq=repository.NEWEST, order_id=wanted.order
    )
    return Answer(201, AdjustmentOut.of(newest).model_dump(mode="json", exclude_none=True))


@router.get("", response_model_exclude_none=True)
def list_adjustments(
    request: Request,
    caller: CallerDep,
    session: SessionDep,
    order: Annotated[UUID | None, Query(description="only this order's")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Page[AdjustmentOut]:
    """Refunds and later charges with their reasons, newest first."""
    found, following = repository.list_adjustments(
        session, caller.workspace_id, limit=limit, before_seq=seq_of(cursor), order_id=order
    )
    onward = None if following is None else encode_cursor("seq", str(following))
    return Page(items=[AdjustmentOut.of(one) for one in found], links=page_links(request, onward))
