"""Settings of the issuer (OpenID Connect) whose people may sign in and send its tokens."""

import re
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class SigningIn(BaseSettings):
    """An issuer and what Loupe is to it; `.env.example` explains each. Without an issuer only keys open."""

    oidc_issuer: str | None = Field(
        None, description="Address of the issuer, exactly as its tokens state it in `iss`. Unset: none."
    )
    oidc_name: str = Field(
        "your organisation",
        min_length=1,
        max_length=50,
        description="Name of the issuer on the sign-in page.",
    )
    oidc_client_id: str | None = Field(
        None, description="Id under which the issuer knows Loupe; needed for the sign-in page."
    )
    oidc_client_secret: SecretStr | None = Field(
        None, description="Secret of that client. Unset: a public client, which PKCE protects."
    )
    oidc_scopes: str = Field(
        "openid profile email", description="What the sign-in page asks of the issuer, separated by blanks."
    )
    oidc_session_hours: float = Field(
        8.0,
        gt=0,
        le=12,
        allow_inf_nan=False,
        description="Hours after which somebody who signed in at the issuer has to do so again.",
    )
    public_url: str | None = Field(
        None,
        validate_default=True,
        description="Address by which browsers reach the server, such as https://loupe.example.org; needed "
        "for the sign-in page.",
    )
    oidc_audience: str | None = Field(
        None,
        validate_default=True,
        description="Audience (`aud`) of tokens that are accepted instead of a key. Unset: the client id.",
    )
    oidc_roles_claim: str | None = Field(
        None,
        description="Claim of a token that gives workspace and role, such as groups. Unset: only people whom "
        "`loupe people add` has added.",
    )
    oidc_roles: str = Field(
        "",
        validate_default=True,
        description="Values of that claim as VALUE=WORKSPACE/ROLE, separated by commas; the first that a "
        "token has applies.",
    )

    @field_validator("oidc_issuer", "oidc_client_id", "oidc_client_secret", "oidc_roles_claim", mode="before")
    @classmethod
    def _given(cls, text: object) -> object:
        return text or None  # `LOUPE_OIDC_ISSUER=` in a compose file means "unset"

    @field_validator("oidc_issuer")
    @classmethod
    def _is_safe_address(cls, url: str | None) -> str | None:
        if url is not None and not is_safe(url):
            raise _invalid("An issuer's address begins with https:// (http:// on this machine only).")
        return url

    @field_validator("oidc_scopes")
    @classmethod
    def _asks_for_openid(cls, scopes: str) -> str:
        if "openid" not in scopes.split():
            raise _invalid("One of the scopes must be openid, such as in `openid profile email`.")
        return scopes

    @field_validator("public_url", mode="before")
    @classmethod
    def _where_browsers_return(cls, given: str | None, info: ValidationInfo) -> str | None:
        url = given.rstrip("/") if given else None
        if url is None and info.data.get("oidc_issuer") and info.data.get("oidc_client_id"):
            raise _invalid(
                "Set the address by which browsers reach this server, such as https://loupe.example.org: "
                "the issuer sends them back there."
            )
        if url is not None and re.fullmatch(r"https?://[^/?#@\s]+", url) is None:
            raise _invalid("Write scheme and host only, such as https://loupe.example.org.")
        return url

    @field_validator("oidc_audience", mode="before")
    @classmethod
    def _of_this_server(cls, audience: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("oidc_issuer") and not audience and not info.data.get("oidc_client_id"):
            raise _invalid("Set it, or LOUPE_OIDC_CLIENT_ID: else tokens for other servers would open this.")
        return audience or info.data.get("oidc_client_id")

    @field_validator("oidc_roles")
    @classmethod
    def _go_with_their_claim(cls, text: str, info: ValidationInfo) -> str:
        if bool(text.strip()) != bool(info.data.get("oidc_roles_claim")):
            raise _invalid("LOUPE_OIDC_ROLES_CLAIM and LOUPE_OIDC_ROLES go together: set both or neither.")
        return text


def is_safe(url: str) -> bool:
    """Return whether an address is of HTTPS, or of HTTP on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)


def _invalid(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("oidc_invalid", "{sentence}", {"sentence": sentence})
