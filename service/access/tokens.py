"""Tokens of an issuer (JWT): recognised, verified, and read as what they say of a person.

Pure: PyJWT verifies, with a key that `service.access.issuer` has fetched. A key is bound to one algorithm,
and no shared secret is ever a key, so a token cannot choose how it is verified.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jwt
from jwt.exceptions import InvalidSubjectError

from service.errors import LoupeError, UnauthenticatedError

ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
"""Algorithms of signatures that are accepted."""
MOST_CHARACTERS = 16_384
"""Most characters of a token."""
MOST_SUBJECT = 255
"""Most characters of a person's id (OpenID Connect Core, section 2)."""
LEEWAY_S = 30
"""Seconds by which the clocks of issuer and server may differ."""
_LATEST_S = 253_402_300_799
"""Seconds from 1970 to the end of the year 9999, beyond which there is no `datetime`."""
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")
_SUBJECT = re.compile(r"[\x21-\x7e]+")
_SENTENCES = {
    "malformed": "It is not a JWT in three parts with JSON inside.",
    "too-long": f"It has more than {MOST_CHARACTERS:,} characters. Ask for fewer claims, such as groups.",
    "algorithm": "It is not signed with RS256, ES256 or EdDSA, or not as its key is used.",
    "unknown-key": "The issuer has no key of its `kid`.",
    "signature": "Its signature is wrong.",
    "expired": "It has expired. Get a new one from the issuer.",
    "not-yet-valid": "It is not valid yet. Compare the clocks of the issuer and of the server.",
    "issuer": "It is of another issuer.",
    "audience": "It is for another audience. Ask the issuer for a token for this server.",
    "claim": "It lacks one of the claims iss, aud, sub, exp and iat, or one of them cannot be used.",
    "nonce": "It belongs to another sign-in.",
    "outdated": "A newer one has given the person another role or workspace. Get a new one.",
}
"""Sentences that say why a token is refused, by the reason in the audit log."""


class TokenRefusedError(UnauthenticatedError):
    """A token that opens nothing. `reason` is one of the keys of the sentences above."""

    code = "token-refused"
    title = "The token cannot be used"
    headers = {"WWW-Authenticate": 'Bearer realm="loupe", error="invalid_token"'}  # noqa: RUF012  (as its base)

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason
        self.detail = f"The token was refused. {_SENTENCES[reason]}"
        self.args = (self.detail,)
        self.extra = {"reason": reason}


class PersonUnknownError(LoupeError):
    """A person whom the issuer knows, and who is in no workspace."""

    status = 403
    code = "person-unknown"
    title = "You are in no workspace"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Claims that a token must have: issuer and audience, and for a sign-in also client and nonce."""

    issuer: str
    audience: str
    client: str | None = None
    nonce: str | None = None


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A person as a verified token states it; `claims` are all its claims."""

    issuer: str
    subject: str
    name: str
    issued_at: datetime
    expires_at: datetime
    claims: Mapping[str, Any] = field(repr=False)


def looks_like_token(text: str) -> bool:
    """Return whether a text has the form of a JWT, which no key that Loupe makes has."""
    return _TOKEN.fullmatch(text) is not None


def key_id_of(token: str) -> str | None:
    """Return the `kid` that an unverified token names. TokenRefusedError before anything costly is done."""
    if len(token) > MOST_CHARACTERS:
        raise TokenRefusedError("too-long")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, RecursionError) as error:
        raise TokenRefusedError("malformed") from error
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenRefusedError("algorithm")
    return header.get("kid")


def read_token(token: str, key: jwt.PyJWK, expected: Expected) -> Identity:
    """Verify a token with its issuer's key and return whom it states. TokenRefusedError for any other."""
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=sorted(ALGORITHMS & {key.algorithm_name}),
            audience=expected.audience,
            issuer=expected.issuer,
            leeway=LEEWAY_S,
            options={"require": ["iss", "aud", "sub", "exp", "iat"], "enforce_minimum_key_length": True},
        )
    except (jwt.PyJWTError, RecursionError) as error:
        raise TokenRefusedError(_reason(error)) from error
    _check_sign_in(claims, expected)
    return _identity(claims)


def _reason(error: Exception) -> str:
    reasons = (
        (jwt.ExpiredSignatureError, "expired"),
        (jwt.ImmatureSignatureError, "not-yet-valid"),
        (jwt.InvalidIssuerError, "issuer"),
        (jwt.InvalidAudienceError, "audience"),
        ((jwt.MissingRequiredClaimError, jwt.InvalidIssuedAtError, InvalidSubjectError), "claim"),
        (jwt.InvalidSignatureError, "signature"),
        ((jwt.InvalidAlgorithmError, jwt.InvalidKeyError), "algorithm"),
    )
    return next((reason for kind, reason in reasons if isinstance(error, kind)), "malformed")


def _check_sign_in(claims: Mapping[str, Any], expected: Expected) -> None:
    """Refuse a token of another sign-in, and one that another client got (OpenID Connect Core, 3.1.3.7)."""
    if expected.nonce is not None and claims.get("nonce") != expected.nonce:
        raise TokenRefusedError("nonce")
    party = claims.get("azp")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if expected.client is not None and (party is not None or several) and party != expected.client:
        raise TokenRefusedError("audience")


def _identity(claims: Mapping[str, Any]) -> Identity:
    subject = str(claims["sub"])
    if len(subject) > MOST_SUBJECT or _SUBJECT.fullmatch(subject) is None:
        raise TokenRefusedError("claim")
    names = (claims.get(name) for name in ("name", "email", "preferred_username"))
    return Identity(
        issuer=str(claims["iss"]),
        subject=subject,
        name=next((name for name in names if isinstance(name, str) and name.strip()), subject),
        issued_at=datetime.fromtimestamp(max(0, int(claims["iat"])), UTC),
        expires_at=datetime.fromtimestamp(min(int(claims["exp"]), _LATEST_S), UTC),
        claims=claims,
    )
