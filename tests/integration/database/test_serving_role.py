"""What the serving role cannot take back: revoked keys, answers, sign-outs, events, deleted pixels."""

from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service.database.engine import Database, connect
from service.web.idempotency import fingerprint, remember, replay_or_claim
from tests.support.dashboard import sign_in, sign_out
from tests.support.ordering import deliver, place, plan_scene, publish_prices

STATEMENTS = {
    "a revocation taken back": "UPDATE api_key SET revoked_at = NULL WHERE revoked_at IS NOT NULL",
    "a revocation put off": "UPDATE api_key SET revoked_at = now() + interval '1 day' "
    "WHERE revoked_at IS NOT NULL",
    "another answer": "UPDATE idempotency SET body = '{}'",
    "another status": "UPDATE idempotency SET status = 500",
    "a retold event": "UPDATE audit_event SET subject = 'nothing'",
    "a forgotten event": "DELETE FROM audit_event",
    "a sign-out taken back": "UPDATE dashboard_session SET ended_at = NULL WHERE ended_at IS NOT NULL",
    "a sign-out put off": "UPDATE dashboard_session SET ended_at = now() WHERE ended_at IS NOT NULL",
    "an operator's key that is none any more": "UPDATE api_key SET operator = false WHERE operator",
    "deleted pixels that were never deleted": 'UPDATE "order" SET pixels_deleted_at = NULL '
    "WHERE pixels_deleted_at IS NOT NULL",
}


@pytest.fixture
def used(client: TestClient, database: Database, workspace_id: UUID, budget: str) -> None:
    """Answer a request under a key, revoke an API key, sign out, and delete an order's pixels."""
    with database.sessions.begin() as session:
        replay_or_claim(session, workspace_id, "a-key-of-a-request", fingerprint("POST /v1/orders"))
        remember(session, workspace_id, "a-key-of-a-request", 201, {"order": 1})
    made = client.post("/v1/keys", json={"name": "former", "role": "viewer"}).json()
    client.post(f"/v1/keys/{made['id']}/revoke").raise_for_status()
    sign_in(client)
    sign_out(client)
    publish_prices(client)
    plan = plan_scene(client)
    order = place(client, plan, budget=budget).json()["id"]
    assert deliver(client, order, *plan.bought[0]).status_code == 201
    client.post(f"/v1/orders/{order}/cancel").raise_for_status()
    client.delete(f"/v1/orders/{order}/pixels").raise_for_status()


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize("name", STATEMENTS)
def test_serving_role_takes_nothing_back(serving_url: str, workspace_id: UUID, name: str) -> None:
    served: Database = connect(serving_url)
    try:
        with served.of(workspace_id).sessions() as session, pytest.raises(DBAPIError) as refusal:
            session.execute(text(STATEMENTS[name]))
    finally:
        served.engine.dispose()

    assert "append-only" in str(refusal.value) or "permission denied" in str(refusal.value)
