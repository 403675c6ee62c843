"""The caller of a token: verified, looked up, and given the role that the token states."""

from service.access.discovery import IssuerAwayError
from service.access.events import Event, EventKind
from service.access.issuer import Issuer
from service.access.notes import Notes
from service.access.people import key_of_person, removed, take_grant, was_here
from service.access.repository import Caller, caller_of_row
from service.access.tokens import Identity, PersonUnknownError, TokenRefusedError
from service.database.durability import end_at_once
from service.database.engine import Database

REFUSALS = (TokenRefusedError, PersonUnknownError, IssuerAwayError)
"""Errors of a request whose token opens nothing, or cannot be verified now."""


def caller_of_token(
    database: Database, notes: Notes, issuer: Issuer, token: str, address: str | None
) -> Caller:
    """Return who acts with `token`; note its use, or that `address` sent a token that is refused.

    Errors: token-refused, person-unknown, issuer-away.
    """
    try:
        identity = issuer.identify(token)
    except TokenRefusedError as refusal:
        notes.event(Event(EventKind.REFUSED_TOKEN, address=address, detail={"reason": refusal.reason}))
        raise
    return caller_of_identity(database, notes, issuer, identity, address)


def caller_of_identity(
    database: Database, notes: Notes, issuer: Issuer, identity: Identity, address: str | None
) -> Caller:
    """Return who acts for a person. Errors: person-unknown; token-refused for a token that is outdated."""
    try:
        caller = _find(database, issuer, identity)
    except (TokenRefusedError, PersonUnknownError) as refusal:
        said = {"reason": refusal.code, "issuer": identity.issuer, "subject": identity.subject}
        notes.event(Event(EventKind.REFUSED_TOKEN, address=address, detail=said))
        raise
    notes.use(caller.key_id)
    return caller


def _find(database: Database, issuer: Issuer, identity: Identity) -> Caller:
    """Return the caller of a person. It writes only when a token is the first to state a role."""
    everything = database.of_all()  # nobody knows the workspace before
    with everything.sessions() as session:
        found = key_of_person(session, identity.issuer, identity.subject)
        known = found is not None or was_here(session, identity.issuer, identity.subject)
        end_at_once(session)
    if issuer.roles_claim is None:
        if found is None:
            raise unknown(identity.subject)
        return caller_of_row(found[0])
    grant = issuer.grant(identity)
    if grant is None:
        raise PersonUnknownError(
            f"Your token has no value of the claim {issuer.roles_claim} that opens a workspace. Ask whoever "
            f"manages the accounts of {issuer.name} for one.",
            subject=identity.subject,
        )
    if found is not None and (found[1], found[0].role) == (grant.workspace, grant.role):
        return caller_of_row(found[0])
    if found is None and known:
        raise removed(identity.subject)
    with everything.sessions.begin() as session:
        return caller_of_row(take_grant(session, identity, grant))


def unknown(subject: str) -> PersonUnknownError:
    """Return the refusal of somebody whom nobody has added."""
    return PersonUnknownError(
        f"Your id at the issuer is {subject}, and it is in no workspace. Ask the operator of the server to "
        f"add you (`loupe people add {subject}`).",
        subject=subject,
    )
