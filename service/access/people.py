"""People: those who sign in at the issuer, or send its tokens, instead of a key.

A person acts with a key that has no text, so what they do is recorded, limited and ended like what is done
with a key. A role never changes: another role is another key of the same holder (decision record 43).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from service.access.ending import check_not_last, revoke
from service.access.events import LONGEST_NAME, Event, EventKind, escaped, record
from service.access.grants import Grant
from service.access.issuer import Issuer
from service.access.keys import digest, id_of, new_key
from service.access.repository import Caller
from service.access.roles import RIGHTS, Right, Role, check_right
from service.access.tables import ApiKey, Workspace
from service.access.tokens import Identity, PersonUnknownError, TokenRefusedError
from service.errors import ConflictError, NotFoundError


class PersonElsewhereError(ConflictError):
    """A person who is in a workspace already; a person is in one at a time."""

    code = "person-elsewhere"
    title = "The person is in a workspace already"


class RoleFromIssuerError(ConflictError):
    """A role that tokens of the issuer state, so that it is changed there."""

    code = "role-from-issuer"
    title = "The issuer gives the role"


@dataclass(frozen=True)
class Person:
    """Somebody whom an issuer knows: its address, their id there, and their name."""

    issuer: str
    subject: str
    name: str

    @classmethod
    def of(cls, identity: Identity) -> "Person":
        """Return the person of a token."""
        name = (escaped(identity.name.strip()) or identity.subject)[:LONGEST_NAME]
        return cls(identity.issuer, identity.subject, name)


def key_of_person(
    session: Session, issuer: str, subject: str, *, lock: bool = False
) -> tuple[ApiKey, str] | None:
    """Return the key in use of a person and the name of its workspace; None for somebody in no workspace."""
    query = select(ApiKey, Workspace.name).join(Workspace, Workspace.id == ApiKey.workspace_id)
    mine = query.where(ApiKey.issuer == issuer, ApiKey.subject == subject, ApiKey.revoked_at.is_(None))
    found = session.execute(mine.with_for_update(of=ApiKey) if lock else mine).one_or_none()
    return None if found is None else (found[0], found[1])


def add_person(session: Session, workspace: Workspace, person: Person, role: Role) -> ApiKey:
    """Let a person into a workspace; one who was removed from it comes back as the same holder.

    Errors: person-elsewhere.
    """
    _lock(session, person)
    found = key_of_person(session, person.issuer, person.subject, lock=True)
    if found is not None:
        raise PersonElsewhereError(
            f"{person.subject} is {found[0].name} of the workspace {found[1]}. Remove the person there "
            "first, or change the role.",
            subject=person.subject,
        )
    row = _store(session, workspace.id, person, role)
    _record(session, EventKind.PERSON_ADDED, row, None)
    return row


def take_grant(session: Session, identity: Identity, grant: Grant) -> ApiKey:
    """Give a person the workspace and role that a token states, and return the key to act with.

    A token that is not newer than what gave the present role changes nothing. Errors: person-unknown for a
    person who was removed here, and without the workspace; token-refused for such an old token.
    """
    person = Person.of(identity)
    _lock(session, person)
    workspace = session.scalar(select(Workspace).where(Workspace.name == grant.workspace))
    if workspace is None:
        raise PersonUnknownError(
            f"There is no workspace {grant.workspace}. Ask the operator of the server to make it "
            f"(`loupe workspaces create {grant.workspace}`)."
        )
    found = key_of_person(session, person.issuer, person.subject, lock=True)
    if found is None and was_here(session, person.issuer, person.subject):
        raise removed(person.subject)
    if found is not None:
        row = found[0]
        if (row.workspace_id, row.role) == (workspace.id, grant.role):
            return row
        if row.claimed_at is not None and identity.issued_at <= row.claimed_at:
            raise TokenRefusedError("outdated")
        revoke(session, row)
        _end_stronger(session, row, grant.role if row.workspace_id == workspace.id else None)
    new = _store(session, workspace.id, person, grant.role, identity.issued_at)
    _record(session, EventKind.PERSON_ADDED if found is None else EventKind.PERSON_CHANGED, new, None)
    return new


def change_role(
    session: Session,
    workspace_id: UUID,
    person_id: str,
    role: Role,
    caller: Caller | None,
    *,
    allow_last: bool = False,
) -> ApiKey:
    """Give a person another role: a new key of the same holder takes the place of the present one.

    Keys that the person made, and that may do more than the new role, are revoked. Without a caller the
    server's machine does it. Errors: role-needed, not-found, last-key.
    """
    old = _present(session, workspace_id, person_id, caller)
    if old.role == role:
        return old
    if role != Role.ADMIN and not allow_last:
        check_not_last(session, old)
    revoke(session, old)
    _end_stronger(session, old, role)
    row = _store(session, workspace_id, _person(old), role)
    _record(session, EventKind.PERSON_CHANGED, row, caller)
    return row


def remove_person(
    session: Session, workspace_id: UUID, person_id: str, caller: Caller | None, *, allow_last: bool = False
) -> ApiKey:
    """End everything of a person, from the next request on: tokens, sessions, and keys that they made.

    Errors: role-needed, not-found, last-key.
    """
    row = _present(session, workspace_id, person_id, caller)
    if not allow_last:
        check_not_last(session, row)
    revoke(session, row)
    _end_stronger(session, row, None)
    _record(session, EventKind.PERSON_REMOVED, row, caller)
    return row


def people_of(session: Session, workspace_id: UUID) -> Sequence[ApiKey]:
    """Return the newest key of each person who is or was in a workspace, newest first."""
    query = select(ApiKey).where(ApiKey.workspace_id == workspace_id, ApiKey.subject.is_not(None))
    newest = query.ext(distinct_on(ApiKey.holder)).order_by(
        ApiKey.holder, ApiKey.created_at.desc(), ApiKey.id
    )
    return sorted(session.scalars(newest).all(), key=lambda row: (row.created_at, row.id), reverse=True)


def check_roles_are_ours(issuer: Issuer | None) -> None:
    """Raise RoleFromIssuerError where a claim of tokens gives roles."""
    if issuer is not None and issuer.roles_claim is not None:
        raise RoleFromIssuerError(
            f"The claim {issuer.roles_claim} of {issuer.name} gives roles. Change it there, or remove the "
            "person here."
        )


def removed(subject: str) -> PersonUnknownError:
    """Return the refusal of somebody who was removed here although the issuer still gives a role."""
    return PersonUnknownError(
        "You were removed from this server. Ask its operator to add you again "
        f"(`loupe people add {subject}`).",
        subject=subject,
    )


def _lock(session: Session, person: Person) -> None:
    """Let no other transaction change the keys of a person before this one ends."""
    name = f"loupe.person:{person.issuer} {person.subject}"
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def _present(session: Session, workspace_id: UUID, person_id: str, caller: Caller | None) -> ApiKey:
    """Return the key in use of a person of the workspace, with all keys of the workspace locked."""
    if caller is not None:
        check_right(caller.role, Right.ADMINISTER)
    query = select(ApiKey).where(ApiKey.workspace_id == workspace_id).order_by(ApiKey.id)
    mine = query.where(ApiKey.holder == person_id, ApiKey.subject.is_not(None), ApiKey.revoked_at.is_(None))
    if (seen := session.scalar(mine)) is not None:
        _lock(session, _person(seen))  # before the rows, as `take_grant` does
        session.scalars(query.with_for_update()).all()
        if (row := session.scalar(mine.execution_options(populate_existing=True))) is not None:
            return row
    raise NotFoundError(
        f"There is no person {person_id} in the workspace. GET /v1/people (`loupe people list`) lists them.",
        person=person_id,
    )


def _person(row: ApiKey) -> Person:
    return Person(row.issuer or "", row.subject or "", row.name)


def was_here(session: Session, issuer: str, subject: str) -> bool:
    """Return whether a person is or was in a workspace."""
    query = select(ApiKey.id).where(ApiKey.issuer == issuer, ApiKey.subject == subject)
    return session.scalar(query.limit(1)) is not None


def _store(
    session: Session, workspace_id: UUID, person: Person, role: Role, claimed_at: datetime | None = None
) -> ApiKey:
    """Store a key of a person. Its text is thrown away, so that only tokens of the issuer act with it."""
    key = new_key()
    former = select(ApiKey.holder).where(
        ApiKey.workspace_id == workspace_id,
        ApiKey.issuer == person.issuer,
        ApiKey.subject == person.subject,
    )
    row = ApiKey(
        id=id_of(key),
        workspace_id=workspace_id,
        name=person.name,
        digest=digest(key),
        holder=session.scalar(former.limit(1)) or id_of(key),
        role=role,
        issuer=person.issuer,
        subject=person.subject,
        claimed_at=claimed_at,
    )
    session.add(row)
    session.flush()
    return row


def _end_stronger(session: Session, of: ApiKey, role: Role | None) -> None:
    """Revoke the keys of a person's holder that may do more than a role; without a role all of them."""
    allowed = frozenset[Right]() if role is None else RIGHTS[role]
    query = select(ApiKey).where(ApiKey.workspace_id == of.workspace_id, ApiKey.holder == of.holder)
    for row in session.scalars(query.where(ApiKey.revoked_at.is_(None)).order_by(ApiKey.id)).all():
        if not RIGHTS[Role(row.role)] <= allowed:
            revoke(session, row)


def _record(session: Session, kind: EventKind, row: ApiKey, caller: Caller | None) -> None:
    said = {"name": row.name, "role": row.role, "issuer": row.issuer or "", "subject": row.subject or ""}
    by = None if caller is None else caller.key_id
    record(session, Event(kind, row.workspace_id, by, row.holder, detail=said))
