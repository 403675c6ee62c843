"""Tokens of an issuer instead of a key: who gets in, who does not, and under whose name."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import jwt
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.roles import Role
from service.access.tables import ApiKey
from service.app import create_app
from service.database.engine import Database
from service.settings import Settings
from tests.support.databases import KEY
from tests.support.issuer import LocalIssuer, rsa_key
from tests.support.ordering import code, open_budget
from tests.support.orders import Planned
from tests.support.people import let_in


@pytest.fixture
def client(signing_in: Settings) -> Iterator[TestClient]:
    """Connect to an application that trusts the issuer, with a key."""
    with TestClient(create_app(signing_in), headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


@pytest.fixture
def ada(database: Database, workspace_id: UUID, issuer: LocalIssuer) -> ApiKey:
    """Let a viewer in."""
    return let_in(database, workspace_id, issuer)


def order_as(client: TestClient, plan: Planned, issuer: LocalIssuer) -> Any:
    """Order a plan as the issuer's person."""
    headers = issuer.bearer() | {"Idempotency-Key": "order-of-a-person"}
    return client.post("/v1/orders", json={"plan": str(plan.id)}, headers=headers)


def test_token_opens_what_the_persons_role_may(client: TestClient, issuer: LocalIssuer, ada: ApiKey) -> None:
    me = client.get("/v1/me", headers=issuer.bearer()).json()

    assert (me["key"]["id"], me["key"]["holder"]) == (ada.id, ada.id)
    assert (me["key"]["name"], me["key"]["issuer"], me["key"]["subject"]) == (
        "Ada Lovelace", issuer.url, "ada",
    )  # fmt: skip
    assert (me["key"]["role"], me["rights"]) == ("viewer", ["view"])
    assert code(client.post("/v1/orders", headers=issuer.bearer())) == (403, "role-needed")


def test_money_of_a_person_is_under_their_name(
    client: TestClient,
    database: Database,
    workspace_id: UUID,
    issuer: LocalIssuer,
    plan: Planned,
) -> None:
    key = let_in(database, workspace_id, issuer, Role.BUYER)
    budget = open_budget(client)
    ordered = order_as(client, plan, issuer)
    name = text("""
        SELECT k.subject, o.key_id FROM "order" o JOIN api_key k ON k.id = o.key_id
    """)
    with database.sessions() as session:
        rows = session.execute(name).all()

    assert (ordered.status_code, ordered.json()["budget"]) == (201, budget)
    assert [tuple(row) for row in rows] == [("ada", key.id)]


def test_person_does_not_approve_their_own_order_with_a_key_that_they_made(
    client: TestClient, database: Database, workspace_id: UUID, issuer: LocalIssuer, plan: Planned
) -> None:
    let_in(database, workspace_id, issuer, Role.ADMIN)
    open_budget(client, approval_above={"amount": "1.00", "currency": "USD"})
    order = order_as(client, plan, issuer).json()["id"]
    made = client.post("/v1/keys", json={"name": "mine", "role": "admin"}, headers=issuer.bearer()).json()
    own = client.post(
        f"/v1/orders/{order}/approval",
        json={"decision": "approve"},
        headers={"Authorization": f"Bearer {made['key']}"},
    )
    other = client.post(f"/v1/orders/{order}/approval", json={"decision": "approve"})

    assert (own.status_code, other.status_code) == (403, 200), own.text


def test_unknown_person_is_told_what_to_do(client: TestClient, issuer: LocalIssuer) -> None:
    answer = client.get("/v1/me", headers=issuer.bearer(sub="somebody"))

    assert code(answer) == (403, "person-unknown")
    assert answer.json()["subject"] == "somebody"
    assert "loupe people add somebody" in answer.json()["detail"]


def test_removed_person_is_refused_from_the_next_request_on(
    client: TestClient, issuer: LocalIssuer, ada: ApiKey
) -> None:
    token = issuer.bearer()
    before = client.get("/v1/me", headers=token)
    client.post(f"/v1/people/{ada.holder}/remove").raise_for_status()

    assert (before.status_code, code(client.get("/v1/me", headers=token))) == (200, (403, "person-unknown"))


def test_refused_token_says_why(client: TestClient, issuer: LocalIssuer, ada: ApiKey) -> None:
    assert ada
    forged = jwt.encode(issuer.claims(), rsa_key(1), "RS256", {"kid": "first"})
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "first"}).encode()).decode()
    tokens = {
        "signature": forged,
        "algorithm": f"{unsigned.rstrip('=')}.{issuer.token().split('.')[1]}.",
        "audience": issuer.token(aud="another"),
        "issuer": issuer.token(iss="https://another.example"),
        "expired": issuer.token(exp=1),
        "not-yet-valid": issuer.token(nbf=9_999_999_999),
        "too-long": issuer.token(groups=["x" * 20_000]),
    }
    answers = {
        wrong: client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
        for wrong, token in tokens.items()
    }

    assert {wrong: code(answer) for wrong, answer in answers.items()} == dict.fromkeys(
        answers, (401, "token-refused")
    )
    assert {answer.json()["reason"]: wrong for wrong, answer in answers.items()} == {
        wrong: wrong for wrong in answers
    }
    assert 'error="invalid_token"' in answers["expired"].headers["www-authenticate"]


def test_token_is_an_unknown_key_where_there_is_no_issuer(settings: Settings, issuer: LocalIssuer) -> None:
    with TestClient(create_app(settings), headers=issuer.bearer()) as client:
        assert code(client.get("/v1/me")) == (401, "unauthenticated")


def test_persons_key_has_no_text_and_cannot_be_rotated(
    client: TestClient, issuer: LocalIssuer, ada: ApiKey
) -> None:
    own = client.post(f"/v1/keys/{ada.id}/rotate", headers=issuer.bearer())
    others = client.post(f"/v1/keys/{ada.id}/rotate")

    assert (code(own), code(others)) == ((409, "key-of-person"), (409, "key-of-person"))


def test_person_may_revoke_themself_when_a_token_is_stolen(
    client: TestClient, issuer: LocalIssuer, ada: ApiKey
) -> None:
    client.post(f"/v1/keys/{ada.id}/revoke", headers=issuer.bearer()).raise_for_status()

    assert client.get("/v1/me", headers=issuer.bearer()).status_code == 403


def test_refused_tokens_are_in_the_audit_log_of_the_server(
    client: TestClient, database: Database, issuer: LocalIssuer
) -> None:
    client.get("/v1/me", headers=issuer.bearer(exp=1))
    client.get("/v1/me", headers=issuer.bearer(sub="somebody"))
    client.app_state["notes"].write(database)
    with database.sessions() as session:
        events = text("SELECT workspace_id, detail FROM audit_event WHERE kind = 'refused-token'")
        found = {row.detail["reason"]: (row.workspace_id, row.detail) for row in session.execute(events)}

    assert set(found) == {"expired", "person-unknown"}
    assert found["person-unknown"] == (
        None,
        {"reason": "person-unknown", "issuer": issuer.url, "subject": "somebody"},
    )


def test_strangers_with_tokens_are_counted(signing_in: Settings, issuer: LocalIssuer) -> None:
    few = signing_in.model_copy(update={"requests_per_stranger": 3})
    with TestClient(create_app(few), headers=issuer.bearer(exp=1)) as client:
        statuses = [client.get("/v1/me").status_code for _ in range(4)]

    assert statuses == [401, 401, 401, 429]
