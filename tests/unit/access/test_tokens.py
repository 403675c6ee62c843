"""Tokens: a good one states a person, and every forged, foreign or malformed one is refused."""

import base64
import json
import time
from datetime import datetime, tzinfo
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.access.keys import new_key
from service.access.tokens import (
    MOST_CHARACTERS,
    Expected,
    Identity,
    TokenRefusedError,
    key_id_of,
    looks_like_token,
    read_token,
)
from tests.support.issuer import PrivateKey, published, rsa_key

ISSUER = "https://issuer.example"
EXPECTED = Expected(issuer=ISSUER, audience="loupe")
NOW = int(time.time())
GOOD = {"iss": ISSUER, "aud": "loupe", "sub": "ada", "iat": NOW - 60, "exp": NOW + 300}


class Stopped(datetime):
    """A clock that stands still: the tests may run minutes after their claims were made."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Stopped":
        return cls.fromtimestamp(NOW, tz)


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwt.api_jwt, "datetime", Stopped)


def signed(claims: dict[str, Any], headers: dict[str, Any] | None = None) -> str:
    return jwt.encode(claims, rsa_key(), "RS256", {"kid": "first"} | (headers or {}))


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def read(token: str, expected: Expected = EXPECTED, key: PrivateKey | None = None) -> Identity:
    """Read a token as a request with it does."""
    key_id_of(token)
    own = jwt.PyJWK(published("first", "RS256", key or rsa_key()))
    return read_token(token, own, expected)


def reason(token: str, expected: Expected = EXPECTED) -> str:
    with pytest.raises(TokenRefusedError) as refusal:
        read(token, expected)
    assert refusal.value.status == 401
    assert refusal.value.detail.endswith(".")
    return refusal.value.reason


def test_good_token_states_a_person() -> None:
    identity = read(signed(GOOD | {"name": "Ada Lovelace", "nbf": NOW - 60}))

    assert (identity.issuer, identity.subject, identity.name) == (ISSUER, "ada", "Ada Lovelace")
    assert identity.issued_at.timestamp() == NOW - 60


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [("ES256", ec.generate_private_key(ec.SECP256R1())), ("EdDSA", ed25519.Ed25519PrivateKey.generate())],
)
def test_each_algorithm_verifies_with_its_key(algorithm: str, key: PrivateKey) -> None:
    token = jwt.encode(GOOD, key, algorithm, {"kid": "first"})

    assert key_id_of(token) == "first"
    assert read_token(token, jwt.PyJWK(published("first", algorithm, key)), EXPECTED).subject == "ada"


def test_token_without_a_signature_is_refused() -> None:
    claims = part(GOOD)

    assert reason(f"{part({'alg': 'none', 'kid': 'first'})}.{claims}.") == "algorithm"
    assert reason(f"{part({'alg': 'RS256', 'kid': 'first'})}.{claims}.") == "signature"


def test_public_key_is_no_shared_secret() -> None:
    """The classical confusion: HS256 with the text of the public key as the secret."""
    text = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    hmac = jwt.get_algorithm_by_name("HS256")
    head = f"{part({'alg': 'HS256', 'kid': 'first'})}.{part(GOOD)}"
    signature = base64.urlsafe_b64encode(hmac.sign(head.encode(), text)).rstrip(b"=").decode()

    assert reason(f"{head}.{signature}") == "algorithm"


@pytest.mark.parametrize("algorithm", [["RS256"], {"name": "RS256"}, 256, None])
def test_algorithm_that_is_no_text_is_refused(algorithm: object) -> None:
    assert reason(f"{part({'alg': algorithm, 'kid': 'first'})}.{part(GOOD)}.AAAA") == "algorithm"


def test_another_algorithm_than_the_keys_is_refused() -> None:
    token = jwt.encode(GOOD, ec.generate_private_key(ec.SECP256R1()), "ES256", {"kid": "first"})

    assert reason(token) == "algorithm"


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"aud": "another"}, "audience"),
        ({"aud": ["another", "third"]}, "audience"),
        ({"aud": None}, "claim"),
        ({"iss": "https://issuer.example.evil"}, "issuer"),
        ({"iss": None}, "claim"),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": None}, "claim"),
        ({"nbf": NOW + 300}, "not-yet-valid"),
        ({"iat": NOW + 300}, "not-yet-valid"),
        ({"iat": None}, "claim"),
        ({"iat": "soon"}, "claim"),
        ({"sub": None}, "claim"),
        ({"sub": ""}, "claim"),
        ({"sub": "a b"}, "claim"),
        ({"sub": "a" * 256}, "claim"),
        ({"sub": "\u202eada"}, "claim"),
    ],
)
def test_claims_that_are_wrong_or_missing_are_refused(changed: dict[str, Any], wrong: str) -> None:
    claims = {name: value for name, value in (GOOD | changed).items() if value is not None}
    token = f"{part({'alg': 'RS256', 'kid': 'first'})}.{part(claims)}"
    signature = jwt.get_algorithm_by_name("RS256").sign(token.encode(), rsa_key())
    encoded = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()

    assert reason(f"{token}.{encoded}") == wrong


@pytest.mark.parametrize("changed", [{"exp": NOW - 20}, {"nbf": NOW + 20}, {"iat": NOW + 20}])
def test_clocks_may_differ_a_little(changed: dict[str, Any]) -> None:
    assert read(signed(GOOD | changed)).subject == "ada"


def test_key_of_somebody_else_does_not_sign() -> None:
    forged = jwt.encode(GOOD, rsa_key(1), "RS256", {"kid": "first"})

    assert reason(forged) == "signature"


def test_claims_changed_after_signing_are_refused() -> None:
    head, _, signature = signed(GOOD).split(".")

    assert reason(f"{head}.{part(GOOD | {'sub': 'somebody'})}.{signature}") == "signature"


def test_critical_extension_that_nobody_knows_is_refused() -> None:
    assert reason(signed(GOOD, {"crit": ["tenant"], "tenant": "other"})) == "malformed"


@pytest.mark.parametrize(
    "token",
    [
        "eyJ..",
        "eyJhbGciOiJSUzI1NiJ9.!!.x",
        "eyJhbGciOiJSUzI1NiJ9",
        f"{part([1])}.e30.x",
        f"{base64.urlsafe_b64encode(b'[' * 9000).decode()}.e30.x",
    ],
)
def test_malformed_token_is_refused(token: str) -> None:
    assert reason(token) in {"malformed", "signature"}


def test_huge_token_is_refused_before_it_is_read() -> None:
    token = signed(GOOD | {"groups": ["x" * 100] * 200})

    assert len(token) > MOST_CHARACTERS
    assert reason(token) == "too-long"


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"nonce": "another"}, "nonce"),
        ({}, "nonce"),
        ({"nonce": "mine", "azp": "another"}, "audience"),
        ({"nonce": "mine", "aud": ["loupe", "another"]}, "audience"),
    ],
)
def test_token_of_another_sign_in_or_client_is_refused(changed: dict[str, Any], wrong: str) -> None:
    expected = Expected(issuer=ISSUER, audience="loupe", client="loupe", nonce="mine")

    assert reason(signed(GOOD | changed), expected) == wrong
    assert read(signed(GOOD | {"nonce": "mine", "azp": "loupe"}), expected).subject == "ada"


def test_keys_do_not_look_like_tokens() -> None:
    assert looks_like_token(signed(GOOD))
    assert not looks_like_token(new_key())
    assert not looks_like_token("an-operators-own-key.with.dots")
