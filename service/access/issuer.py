"""The issuer (OpenID Connect): its description and keys are fetched, kept for a while, and used.

A fetch is bounded in time and size, happens in one thread at a time and at most once in RETRY_S, so neither a
hanging issuer nor tokens that name unknown keys keep other requests waiting.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import quote_plus, urlencode

import httpx
import jwt
from fastapi import Request

from service.access.discovery import RETRY_S, Description, IssuerAwayError, ask, fetch_description
from service.access.grants import Grant, granted, read_grants
from service.access.tokens import Expected, Identity, TokenRefusedError, key_id_of, read_token
from service.errors import UnavailableError
from service.settings import Settings

logger = logging.getLogger(__name__)

FRESH_S = 900.0
"""Seconds after which keys are fetched again, although they may still be used."""
LONGEST_S = 3600.0
"""Seconds after which keys are not used any more, because the issuer may have withdrawn one."""
MOST_EXCHANGES = 8
"""Codes that are exchanged at the same time."""


class CodeRefusedError(Exception):
    """The issuer takes a code for used, expired, or made for somebody else."""


@dataclass(kw_only=True)
class Issuer:
    """An issuer whose tokens are accepted. Safe to use from any thread."""

    url: str
    name: str
    audience: str
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    scopes: str = "openid"
    return_url: str | None = None
    roles_claim: str | None = None
    grants: Mapping[str, Grant] = field(default_factory=dict)
    session_hours: float
    clock: Callable[[], float] = time.monotonic
    _known: Description | None = None
    _tried_at: float | None = None
    _fetching: threading.Lock = field(default_factory=threading.Lock)
    _exchanges: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(MOST_EXCHANGES)
    )

    @classmethod
    def of(cls, settings: Settings) -> "Issuer | None":
        """Return the issuer that the settings name, if any. UnavailableError for roles that are wrong."""
        if settings.oidc_issuer is None or settings.oidc_audience is None:
            return None
        try:
            grants = read_grants(settings.oidc_roles)
        except ValueError as error:
            raise UnavailableError(f"LOUPE_OIDC_ROLES cannot be used. {error}") from error
        secret = settings.oidc_client_secret
        return cls(
            url=settings.oidc_issuer,
            name=settings.oidc_name,
            audience=settings.oidc_audience,
            client_id=settings.oidc_client_id,
            client_secret=None if secret is None else secret.get_secret_value(),
            scopes=settings.oidc_scopes,
            return_url=None
            if settings.public_url is None
            else f"{settings.public_url}/dashboard/login/return",
            roles_claim=settings.oidc_roles_claim,
            grants=grants,
            session_hours=settings.oidc_session_hours,
        )

    @classmethod
    def opened(cls, settings: Settings) -> "Issuer | None":
        """Return the issuer with its keys fetched, if it answers; else the first token fetches them."""
        issuer = cls.of(settings)
        try:
            if issuer is not None:
                issuer.describe()
        except IssuerAwayError as away:
            logger.warning("%s API keys are accepted, tokens are not yet.", away.detail)
        return issuer

    @property
    def signs_in(self) -> bool:
        """Whether people can sign in to the dashboard with it."""
        return self.client_id is not None and self.return_url is not None

    def identify(self, token: str) -> Identity:
        """Return the person that a bearer token states. Errors: token-refused, issuer-away."""
        expected = Expected(issuer=self.url, audience=self.audience)
        return read_token(token, self._key(key_id_of(token)), expected)

    def grant(self, identity: Identity) -> Grant | None:
        """Return the workspace and role that a claim gives; only for an issuer with a claim of roles."""
        return None if self.roles_claim is None else granted(identity.claims, self.roles_claim, self.grants)

    def authorization_url(self, state: str, nonce: str, challenge: str) -> str:
        """Return the address at the issuer where a browser signs in. IssuerAwayError without one."""
        endpoint = self.describe().authorization_endpoint
        if endpoint is None:
            raise IssuerAwayError("The issuer offers no sign-in page.")
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.return_url,
            "scope": self.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def exchange(self, code: str, verifier: str, nonce: str) -> Identity:
        """Return the person for whom the issuer made a code, which it takes once.

        CodeRefusedError; TokenRefusedError for an id token that is not of this sign-in; IssuerAwayError.
        """
        if not self._exchanges.acquire(blocking=False):
            raise IssuerAwayError("Too many people are signing in at this moment.")
        try:
            token = self._id_token(code, verifier)
        finally:
            self._exchanges.release()
        client = cast(str, self.client_id)
        expected = Expected(issuer=self.url, audience=client, client=client, nonce=nonce)
        return read_token(token, self._key(key_id_of(token)), expected)

    def _id_token(self, code: str, verifier: str) -> str:
        description = self.describe()
        if description.token_endpoint is None:
            raise IssuerAwayError("The issuer offers no exchange of codes.")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": cast(str, self.return_url),
            "code_verifier": verifier,
        }
        client, secret = cast(str, self.client_id), self.client_secret
        auth: httpx.BasicAuth | None = None
        if secret is not None and not description.posts_secret:
            auth = httpx.BasicAuth(quote_plus(client), quote_plus(secret))
        else:
            form |= {"client_id": client} | ({} if secret is None else {"client_secret": secret})
        status, answer = ask("POST", description.token_endpoint, data=form, auth=auth)
        if status in {400, 401, 403}:
            raise CodeRefusedError(str(answer.get("error", status)))
        token = answer.get("id_token")
        if status != 200 or not isinstance(token, str):
            raise IssuerAwayError(f"The issuer answered {status} without an id token.")
        return token

    def _key(self, kid: str | None) -> jwt.PyJWK:
        """Return the key of a token; keys are fetched again for an unknown one, if they were not just now."""
        keys = self.describe().keys
        if kid not in keys and (kid is not None or len(keys) != 1):
            keys = self.describe(missing=True).keys
        if kid is None and len(keys) == 1:
            return next(iter(keys.values()))
        if kid not in keys:
            raise TokenRefusedError("unknown-key")
        return keys[kid]

    def describe(self, *, missing: bool = False) -> Description:
        """Return what is known of the issuer, fetched again if it is old or something is `missing` in it."""
        now = self.clock()
        known = self._known
        if known is not None and not missing and now - known.read_at < FRESH_S:
            return known
        rested = self._tried_at is None or now - self._tried_at >= RETRY_S
        if rested and self._fetching.acquire(blocking=False):
            try:
                self._tried_at = now
                self._known = fetch_description(self.url, now)
            except IssuerAwayError:
                if known is None or now - known.read_at >= LONGEST_S:
                    raise
            finally:
                self._fetching.release()
        known = self._known
        if known is None or now - known.read_at >= LONGEST_S:
            raise IssuerAwayError(f"The keys of {self.url} could not be fetched.")
        return known


def issuer_of(request: Request) -> Issuer | None:
    """Return the issuer of the running app, if it has one."""
    return cast(Issuer | None, request.state.issuer)
