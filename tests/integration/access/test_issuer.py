"""The issuer's keys: kept for a while, fetched again for a new one, and never so often that it hurts."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from fastapi.testclient import TestClient

from service.access.discovery import RETRY_S, IssuerAwayError, read_keys
from service.access.issuer import FRESH_S, LONGEST_S, Issuer
from service.access.tokens import TokenRefusedError
from service.app import create_app
from service.database.engine import Database
from service.settings import Settings
from tests.support.databases import KEY
from tests.support.issuer import Claims, LocalIssuer, published, rsa_key
from tests.support.ordering import code
from tests.support.people import let_in


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(signing_in: Settings, clock: Clock) -> Issuer:
    """Return the issuer as the service knows it, with its keys."""
    known = Issuer.of(signing_in)
    assert known is not None
    known.clock = clock
    known.describe()
    return known


def test_keys_are_fetched_once_for_many_tokens(known: Issuer, issuer: LocalIssuer) -> None:
    for _ in range(5):
        assert known.identify(issuer.token()).subject == "ada"

    assert issuer.asked["/jwks"] == 1


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", rsa_key(1)),
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ],
)
def test_new_key_is_fetched_when_a_token_names_it(
    known: Issuer, issuer: LocalIssuer, clock: Clock, algorithm: str, key: ec.EllipticCurvePrivateKey
) -> None:
    old = issuer.token()
    issuer.rotate("second", algorithm, key)
    clock.now += RETRY_S

    assert known.identify(issuer.token()).subject == "ada"
    with pytest.raises(TokenRefusedError, match="no key of its `kid`"):
        known.identify(old)


def test_unknown_keys_do_not_make_the_server_fetch_all_the_time(
    known: Issuer, issuer: LocalIssuer, clock: Clock
) -> None:
    issuer.keys["first"], own = ("RS256", rsa_key(1)), issuer.keys["first"]
    issuer.keys = {"unpublished": issuer.keys["first"]}
    strange = issuer.token()
    issuer.keys = {"first": own}
    clock.now += RETRY_S
    for _ in range(20):
        with pytest.raises(TokenRefusedError):
            known.identify(strange)

    assert issuer.asked["/jwks"] == 2
    assert known.identify(issuer.token()).subject == "ada"


def test_keys_are_used_while_the_issuer_is_away_but_not_for_ever(
    known: Issuer, issuer: LocalIssuer, clock: Clock
) -> None:
    issuer.failing = {"/jwks"}
    clock.now += FRESH_S
    assert known.identify(issuer.token()).subject == "ada"
    clock.now += LONGEST_S - FRESH_S
    with pytest.raises(IssuerAwayError):
        known.identify(issuer.token())
    issuer.failing = set()
    clock.now += RETRY_S

    assert known.identify(issuer.token()).subject == "ada"


def test_withdrawn_key_is_forgotten(known: Issuer, issuer: LocalIssuer, clock: Clock) -> None:
    old = issuer.token()
    issuer.rotate("second", "RS256", rsa_key(1))
    clock.now += FRESH_S

    with pytest.raises(TokenRefusedError, match="no key of its `kid`"):
        known.identify(old)


@pytest.mark.parametrize("change", ["name", "address", "size", "text"])
def test_description_that_cannot_be_right_is_not_used(
    signing_in: Settings, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    wrong: dict[str, Claims] = {
        "name": {"issuer": "https://another.example"},
        "address": {"jwks_uri": "http://issuer.example/jwks"},
        "size": {"padding": "x" * 600_000},
        "text": {"jwks_uri": 7},
    }
    document = issuer.describe() | wrong[change]
    monkeypatch.setattr(issuer, "describe", lambda: document)
    known = Issuer.of(signing_in)
    assert known is not None

    with pytest.raises(IssuerAwayError):
        known.identify(issuer.token())


def test_only_keys_of_signatures_are_read() -> None:
    good = published("good", "RS256", rsa_key())
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"}
    encrypting = good | {"kid": "encrypting", "use": "enc"}
    other = good | {"kid": "other", "alg": "PS256"}
    broken = {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"}

    assert list(read_keys({"keys": [good, secret, encrypting, other, broken, 7, {}]})) == ["good"]
    assert read_keys({"keys": "none"}) == {}


@pytest.fixture
def client(signing_in: Settings, issuer: LocalIssuer) -> Iterator[TestClient]:
    """Start an application while the issuer is away."""
    issuer.failing = {"/.well-known/openid-configuration"}
    with TestClient(create_app(signing_in), headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


def test_keys_of_the_api_work_while_the_issuer_is_away_and_tokens_wait(
    client: TestClient, issuer: LocalIssuer, database: Database, workspace_id: UUID, clock: Clock
) -> None:
    let_in(database, workspace_id, issuer)
    away = client.get("/v1/me", headers=issuer.bearer())
    own = client.get("/v1/me")
    issuer.failing = set()
    client.app_state["issuer"].clock = clock
    clock.now = 1e12

    assert (code(away), away.headers["retry-after"]) == ((503, "issuer-away"), "30")
    assert own.status_code == 200
    assert client.get("/v1/me", headers=issuer.bearer()).status_code == 200


def test_readiness_does_not_depend_on_the_issuer(client: TestClient) -> None:
    assert client.get("/readyz").status_code == 200
