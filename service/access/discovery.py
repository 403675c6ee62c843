"""The description (OpenID Connect Discovery) and the keys (JWKS) that an issuer publishes."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import jwt

from service.access.tokens import ALGORITHMS
from service.errors import UnavailableError
from service.signing_in import is_safe

RETRY_S = 30.0
"""Least seconds between two fetches."""
FETCH_S = 5.0
"""Longest fetch, in seconds."""
MOST_BYTES = 512 * 1024
"""Largest answer of the issuer."""
MOST_KEYS = 100
"""Most keys of an issuer that are read."""
PLAIN = {"Accept": "application/json", "Accept-Encoding": "identity"}


class IssuerAwayError(UnavailableError):
    """The issuer does not answer as it should; keys of the API need it not."""

    code = "issuer-away"
    title = "The issuer of the token cannot be reached"
    headers = {"Retry-After": str(int(RETRY_S))}  # noqa: RUF012  (as its base)

    def __init__(self, sentence: str) -> None:
        super().__init__(f"{sentence} Send the request again in {RETRY_S:.0f} s, or use an API key.")


@dataclass(frozen=True, kw_only=True)
class Description:
    """An issuer's endpoints and keys, by their `kid`, as fetched at `read_at` on the monotonic clock."""

    authorization_endpoint: str | None
    token_endpoint: str | None
    posts_secret: bool
    """Whether the client's secret is sent in the body, because the issuer takes no other way."""
    keys: Mapping[str | None, jwt.PyJWK]
    read_at: float


def fetch_description(url: str, now: float) -> Description:
    """Fetch the description and the keys of an issuer. IssuerAwayError if they cannot be used."""
    document = _fetch(f"{url.rstrip('/')}/.well-known/openid-configuration")
    if document.get("issuer") != url:
        raise IssuerAwayError(f"The issuer at {url} calls itself by another name.")
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Description(
        authorization_endpoint=_address(document, "authorization_endpoint"),
        token_endpoint=_address(document, "token_endpoint"),
        posts_secret=isinstance(methods, list) and "client_secret_basic" not in methods,
        keys=read_keys(_fetch(_address(document, "jwks_uri") or "")),
        read_at=now,
    )


def read_keys(document: Mapping[str, Any]) -> Mapping[str | None, jwt.PyJWK]:
    """Return the keys of a JWKS that verify signatures we accept, by their `kid`; others are left out."""
    found: dict[str | None, jwt.PyJWK] = {}
    entries = document.get("keys")
    for entry in entries[:MOST_KEYS] if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(entry)
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if key.algorithm_name in ALGORITHMS:
            found[entry.get("kid") if isinstance(entry.get("kid"), str) else None] = key
    return found


def _address(document: Mapping[str, Any], name: str) -> str | None:
    url = document.get(name)
    return url if isinstance(url, str) and is_safe(url) else None


def _fetch(url: str) -> Mapping[str, Any]:
    status, document = ask("GET", url)
    if status != 200:
        raise IssuerAwayError(f"The issuer answered {status}.")
    return document


def ask(method: str, url: str, **sent: Any) -> tuple[int, Mapping[str, Any]]:
    """Return status and JSON object of an answer. IssuerAwayError if it is late, large or something else."""
    ends, body = time.monotonic() + FETCH_S, b""
    try:
        with (
            httpx.Client(timeout=FETCH_S, headers=PLAIN) as client,
            client.stream(method, url, **sent) as answer,
        ):
            for part in answer.iter_bytes():
                body += part
                if len(body) > MOST_BYTES or time.monotonic() > ends:
                    raise IssuerAwayError("The issuer's answer is too long, or takes too long.")
            document = json.loads(body)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
        raise IssuerAwayError("The issuer does not answer, or not with JSON.") from error
    if not isinstance(document, dict):
        raise IssuerAwayError("The issuer's answer is no JSON object.")
    return answer.status_code, document
