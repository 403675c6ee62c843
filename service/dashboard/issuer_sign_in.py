"""Sign-in at the issuer: OpenID Connect's code flow with PKCE, bound to the browser that began it.

A cookie of ten minutes holds one random value, and the page that was asked for. State, nonce and PKCE
verifier are made from the value, so an answer of the issuer that belongs to another browser, or to another
attempt, is refused, and nothing is stored.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from service.access.bearer import caller_of_identity
from service.access.caller import address_of
from service.access.discovery import IssuerAwayError
from service.access.events import Event, EventKind
from service.access.issuer import CodeRefusedError, Issuer
from service.access.tokens import Identity, PersonUnknownError, TokenRefusedError
from service.dashboard.session import cookie_name, set_cookie, start_session
from service.errors import LoupeError
from service.web.hosts import lead_away
from service.web.limits import visit_of

COOKIE = "loupe_sign_in"
LIFE = timedelta(minutes=10)
"""Longest time between leaving for the issuer and coming back."""
SHORTEST_SESSION = timedelta(minutes=15)
"""Life of a session that a token of a shorter life opens: time to fill in a form."""
AGAIN = "Sign in again."


class SignInFailedError(LoupeError):
    """An answer of the issuer with which nobody is signed in; `detail` is for the sign-in page."""

    code = "sign-in-failed"
    title = "Signing in failed"


@dataclass(frozen=True, kw_only=True)
class Returned:
    """The parameters with which the issuer sends a browser back."""

    code: str | None
    state: str | None
    issuer: str | None
    """The issuer's own address, if it states it (RFC 9207)."""
    error: str | None


def leave(request: Request, issuer: Issuer, to: str) -> Response:
    """Send the browser to the issuer, and later to the page `to`. IssuerAwayError (503)."""
    secret = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(_made_of(secret, "verifier").encode()).digest())
    url = issuer.authorization_url(
        _made_of(secret, "state"), _made_of(secret, "nonce"), challenge.rstrip(b"=").decode()
    )
    lead_away(request)
    answer = RedirectResponse(url, 303, {"Cache-Control": "no-store"})
    # The issuer's redirect comes from another site: a strict cookie would stay behind.
    set_cookie(request, answer, COOKIE, f"{secret}.{quote(to, safe='')}", LIFE, "lax")
    return answer


def destination(request: Request) -> str:
    """Return the page that the browser's attempt is to lead to, as the browser says; empty without one."""
    return unquote(_attempt(request)[1])


def come_back(request: Request, response: Response, issuer: Issuer, returned: Returned) -> None:
    """Start the session of the person whom the issuer has signed in.

    Errors: sign-in-failed, person-unknown, issuer-away; too-many-requests.
    """
    visit_of(request).admit_stranger()
    try:
        secret, code = _checked(request, issuer, returned)
        identity = issuer.exchange(code, _made_of(secret, "verifier"), _made_of(secret, "nonce"))
        caller = caller_of_identity(
            request.state.database, request.state.notes, issuer, identity, address_of(request)
        )
    except CodeRefusedError as refusal:
        _note(request, "code")
        raise SignInFailedError(f"{issuer.name} takes this sign-in for used or expired. {AGAIN}") from refusal
    except TokenRefusedError as refusal:
        _note(request, refusal.reason)
        raise SignInFailedError(f"{refusal.detail} {AGAIN}") from refusal
    start_session(request, response, caller, session_life(issuer, identity))
    set_cookie(request, response, COOKIE, "", timedelta(), "lax")


def session_life(issuer: Issuer, identity: Identity) -> timedelta:
    """Return how long a person stays signed in.

    Where a claim gives the role, no longer than the token states it, because nobody tells the server when the
    issuer takes the role back.
    """
    longest = timedelta(hours=issuer.session_hours)
    if issuer.roles_claim is None:
        return longest
    return min(longest, max(SHORTEST_SESSION, identity.expires_at - datetime.now(UTC)))


def sentence_of(failure: SignInFailedError | PersonUnknownError | IssuerAwayError, issuer: Issuer) -> str:
    """Return what the sign-in page says of a failure."""
    if isinstance(failure, IssuerAwayError):
        return f"{issuer.name} cannot be reached at the moment. Sign in again in a minute, or use an API key."
    return failure.detail


def _checked(request: Request, issuer: Issuer, returned: Returned) -> tuple[str, str]:
    """Return the secret of the browser's attempt and the code that the issuer gave for it."""
    secret, _ = _attempt(request)
    state = (returned.state or "").encode()
    if not secret or not hmac.compare_digest(state, _made_of(secret, "state").encode()):
        _note(request, "state")
        raise SignInFailedError(
            f"This browser did not begin this sign-in, or more than 10 minutes ago. {AGAIN}"
        )
    if returned.issuer is not None and returned.issuer != issuer.url:
        _note(request, "issuer")
        raise SignInFailedError(f"Another issuer answered than {issuer.name}. {AGAIN}")
    if returned.error is not None or not returned.code:
        _note(request, "declined")
        raise SignInFailedError(f"{issuer.name} did not sign you in. {AGAIN}")
    return secret, returned.code


def _attempt(request: Request) -> tuple[str, str]:
    """Return the secret of the browser's attempt and the page that it is to lead to."""
    secret, _, to = request.cookies.get(cookie_name(request, COOKIE), "").partition(".")
    return secret, to


def _made_of(secret: str, purpose: str) -> str:
    """Return one of the values that a browser's attempt has; none of them can be told from another."""
    return hashlib.sha256(f"{purpose}:{secret}".encode()).hexdigest()


def _note(request: Request, reason: str) -> None:
    event = Event(EventKind.REFUSED_TOKEN, address=address_of(request), detail={"reason": reason})
    request.state.notes.event(event)
