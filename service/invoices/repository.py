"""Invoices in the database, and what they are compared with."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.errors import ConflictError, InvalidInputError, NotFoundError
from service.invoices.reconciling import BookedOrder, InvoicedLine, Reconciled, order_named_by, reconcile
from service.invoices.schemas import InvoiceIn
from service.invoices.tables import Invoice, InvoiceLine
from service.money import Money
from service.web.paging import Cursor, PageRequest, fetch_page


class InvoiceNumberTakenError(ConflictError):
    """A document whose number was imported before with other content."""

    code = "invoice-number-taken"
    title = "This invoice was imported with other content"


def keep_invoice(session: Session, caller: Caller, wanted: InvoiceIn) -> tuple[Invoice, bool]:
    """Store a document, or return the one of the same content; the flag says whether it is new.

    Errors: invoice-number-taken, and 422 for an amount of zero or with too many decimals.
    """
    new = _row(caller, wanted)
    query = select(Invoice).where(
        Invoice.workspace_id == caller.workspace_id,
        Invoice.provider == wanted.provider,
        Invoice.number == wanted.number,
    )
    known = session.scalars(query).one_or_none()
    if known is None:
        try:
            with session.begin_nested():
                session.add(new)
                session.flush()
        except IntegrityError:  # another request imported it at the same time
            known = session.scalars(query).one()
        else:
            session.refresh(new, ["created_at"])
            return new, True
    if _content(known) != _content(new):
        kind = wanted.kind.replace("-", " ")
        raise InvoiceNumberTakenError(
            f"The {kind} {wanted.number} of {wanted.provider} was imported before with other content. A "
            "document never changes: ask the provider for a credit note and a new number.",
            number=wanted.number,
            provider=wanted.provider,
        )
    return known, False


def _row(caller: Caller, wanted: InvoiceIn) -> Invoice:
    lines = [
        InvoiceLine(
            workspace_id=caller.workspace_id,
            position=position,
            reference=line.reference,
            description=line.description,
            amount_minor=Money.parse(line.amount, wanted.currency).minor,
        )
        for position, line in enumerate(wanted.lines, start=1)
    ]
    if not all(line.amount_minor for line in lines):
        raise InvalidInputError(
            f"A line of {wanted.kind} {wanted.number} has the amount 0. Leave it out.", number=wanted.number
        )
    return Invoice(
        workspace_id=caller.workspace_id,
        kind=wanted.kind,
        provider=wanted.provider,
        number=wanted.number,
        issued_on=wanted.date,
        currency=wanted.currency,
        tax_minor=Money.parse(wanted.tax, wanted.currency).minor,
        reason=wanted.reason,
        key_id=caller.key_id,
        lines=lines,
    )


def _content(row: Invoice) -> tuple[object, ...]:
    """Return what is equal in two imports of the same document."""
    lines = tuple((line.reference, line.description, line.amount_minor) for line in row.lines)
    return row.kind, row.issued_on, row.currency, row.tax_minor, row.reason, lines


def find_invoice(session: Session, workspace_id: UUID, invoice_id: UUID) -> Invoice:
    """Return one document; NotFoundError outside the workspace."""
    query = select(Invoice).where(Invoice.id == invoice_id, Invoice.workspace_id == workspace_id)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no invoice {invoice_id}.", invoice=str(invoice_id))
    return row


def lines_naming(session: Session, workspace_id: UUID, order_id: UUID) -> list[tuple[Invoice, InvoiceLine]]:
    """Return the lines whose reference names an order, with their documents, oldest document first."""
    query = (
        select(Invoice, InvoiceLine)
        .join(InvoiceLine, InvoiceLine.invoice_id == Invoice.id)
        .where(Invoice.workspace_id == workspace_id, InvoiceLine.reference.icontains(str(order_id)))
        .order_by(Invoice.issued_on, Invoice.number, InvoiceLine.position)
    )
    rows = session.execute(query).all()
    return [(invoice, line) for invoice, line in rows if order_named_by(line.reference) == order_id]


def page_of_invoices(
    session: Session, workspace_id: UUID, page: PageRequest, order_id: UUID | None = None
) -> tuple[Sequence[Invoice], Cursor | None]:
    """Return one page of documents, newest import first; only those that name an order if one is given."""
    query = select(Invoice).where(Invoice.workspace_id == workspace_id)
    if order_id is not None:
        query = query.where(Invoice.lines.any(InvoiceLine.reference.icontains(str(order_id))))
    return fetch_page(session, query, Invoice, page)


_BOOKED = text("""
    SELECT m.order_id, m.currency, m.settled_minor + m.charged_minor AS paid, m.refunded_minor AS refunded,
        ARRAY(
            SELECT a.reason FROM ledger.adjustment a WHERE a.order_id = m.order_id ORDER BY a.number
        ) AS reasons
    FROM ledger.order_money m JOIN public."order" o ON o.id = m.order_id
    WHERE m.workspace_id = :workspace ORDER BY o.created_at, o.id
""")


def read_reconciled(session: Session, workspace_id: UUID) -> list[Reconciled]:
    """Compare every order of a workspace with its invoices, oldest order first."""
    booked = [
        BookedOrder(
            order_id=order_id,
            paid=Money(paid, currency),
            refunded=Money(refunded, currency),
            reasons=tuple(dict.fromkeys(reasons)),
        )
        for order_id, currency, paid, refunded, reasons in session.execute(
            _BOOKED, {"workspace": workspace_id}
        )
    ]
    query = (
        select(
            Invoice.id,
            Invoice.number,
            Invoice.kind,
            Invoice.currency,
            InvoiceLine.position,
            InvoiceLine.reference,
            InvoiceLine.amount_minor,
        )
        .join(InvoiceLine, InvoiceLine.invoice_id == Invoice.id)
        .where(Invoice.workspace_id == workspace_id)
        .order_by(Invoice.issued_on, Invoice.number, InvoiceLine.position)
    )
    lines = [
        InvoicedLine(
            number=number,
            is_credit=kind == "credit-note",
            reference=reference,
            amount=Money(minor, currency),
            invoice_id=invoice_id,
            position=position,
        )
        for invoice_id, number, kind, currency, position, reference, minor in session.execute(query)
    ]
    return reconcile(booked, lines)
