"""What the serving role cannot take back: the revocation of a key, and the answer to a request."""

from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service.database.engine import Database, connect
from service.web.idempotency import fingerprint, remember, replay_or_claim

STATEMENTS = {
    "a revocation taken back": "UPDATE api_key SET revoked_at = NULL WHERE revoked_at IS NOT NULL",
    "a revocation put off": "UPDATE api_key SET revoked_at = now() + interval '1 day' "
    "WHERE revoked_at IS NOT NULL",
    "another answer": "UPDATE idempotency SET body = '{}'",
    "another status": "UPDATE idempotency SET status = 500",
    "a retold event": "UPDATE audit_event SET subject = 'nothing'",
    "a forgotten event": "DELETE FROM audit_event",
}


@pytest.fixture
def used(client: TestClient, database: Database, workspace_id: UUID) -> None:
    """Answer a request under an Idempotency-Key, and revoke an API key."""
    with database.sessions.begin() as session:
        replay_or_claim(session, workspace_id, "a-key-of-a-request", fingerprint("POST /v1/orders"))
        remember(session, workspace_id, "a-key-of-a-request", 201, {"order": 1})
    made = client.post("/v1/keys", json={"name": "former", "role": "viewer"}).json()
    client.post(f"/v1/keys/{made['id']}/revoke").raise_for_status()


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
