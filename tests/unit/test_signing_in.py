"""Settings of the issuer: off by default, and wrong ones end in a sentence that says what to set."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.settings import Settings
from service.signing_in import is_safe

WHOLE: dict[str, Any] = {
    "oidc_issuer": "https://issuer.example",
    "oidc_client_id": "loupe",
    "public_url": "https://loupe.example/",
}


def test_there_is_no_issuer_by_default() -> None:
    settings = Settings(_env_file=None)

    assert (settings.oidc_issuer, settings.oidc_audience, settings.public_url) == (None, None, None)


def test_empty_settings_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "AUDIENCE", "ROLES_CLAIM", "ROLES"):
        monkeypatch.setenv(f"LOUPE_OIDC_{name}", "")
    monkeypatch.setenv("LOUPE_PUBLIC_URL", "")
    settings = Settings(_env_file=None)

    assert (settings.oidc_issuer, settings.oidc_client_secret, settings.public_url) == (None, None, None)


def test_audience_is_the_client_unless_it_is_set() -> None:
    assert Settings(_env_file=None, **WHOLE).oidc_audience == "loupe"
    assert Settings(_env_file=None, **WHOLE, oidc_audience="api").oidc_audience == "api"


def test_secret_of_the_client_may_be_a_file_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "loupe_oidc_client_secret").write_text("very secret\n")
    monkeypatch.setenv("LOUPE_SECRETS", str(tmp_path))
    settings = Settings(_env_file=None, **WHOLE)

    assert settings.oidc_client_secret is not None
    assert settings.oidc_client_secret.get_secret_value() == "very secret"
    assert "very secret" not in repr(settings)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"oidc_issuer": "http://issuer.example"}, "begins with https://"),
        ({"oidc_issuer": "https://user@issuer.example"}, "begins with https://"),
        ({"public_url": None}, "Set the address by which browsers reach this server"),
        ({"public_url": "https://loupe.example/path"}, "scheme and host only"),
        ({"public_url": "loupe.example"}, "scheme and host only"),
        ({"oidc_client_id": None}, "Set it, or LOUPE_OIDC_CLIENT_ID"),
        ({"oidc_scopes": "profile"}, "must be openid"),
        ({"oidc_roles_claim": "groups"}, "go together"),
        ({"oidc_roles": "eo=default/buyer"}, "go together"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Settings(_env_file=None, **(WHOLE | changed))


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://issuer.example/realm", True),
        ("http://localhost:9000", True),
        ("http://127.0.0.1:9000", True),
        ("http://[::1]:9000", True),
        ("http://10.0.0.7", False),
        ("http://127.0.0.1.evil.example", False),
        ("https://[::1", False),
        ("file:///etc/passwd", False),
        ("https://", False),
    ],
)
def test_addresses_of_issuers_are_encrypted_or_local(url: str, safe: bool) -> None:
    assert is_safe(url) == safe
