"""Roles of keys: every role against every operation, and what a key of less authority cannot get."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from service.access.keys import id_of
from service.access.repository import create_key
from service.access.roles import NEEDED, Role
from service.access.tables import Workspace
from service.database.engine import Database
from tests.support.operations import NOBODY, named_operations
from tests.support.ordering import Json, code

Bearer = Callable[..., dict[str, str]]

EVERYBODY = frozenset(Role)
PLANNERS = frozenset({Role.PLANNER, Role.BUYER, Role.ADMIN})
PRICERS = frozenset({Role.BUYER, Role.FINANCE, Role.ADMIN})
BUYERS = frozenset({Role.BUYER, Role.ADMIN})
APPROVERS = frozenset({Role.APPROVER, Role.ADMIN})
ACCOUNTANTS = frozenset({Role.FINANCE, Role.ADMIN})
ADMINS = frozenset({Role.ADMIN})
MATRIX: dict[str, frozenset[Role]] = {
    "get_me": EVERYBODY,
    "get_versions": EVERYBODY,
    "list_api_keys": ADMINS,
    "create_api_key": ADMINS,
    "list_people": ADMINS,
    "change_role": ADMINS,
    "remove_person": ADMINS,
    "list_audit": ADMINS,
    "lend_approval": APPROVERS,
    "list_delegations": EVERYBODY,
    "end_delegation": EVERYBODY,  # by its lender, or an admin; nobody's, as here, is not found
    "rotate_api_key": ADMINS,  # of somebody else's key, as here
    "revoke_api_key": ADMINS,
    "list_bundles": EVERYBODY,
    "get_bundle": EVERYBODY,
    "list_price_lists": EVERYBODY,
    "get_price_list": EVERYBODY,
    "publish_price_list": PRICERS,
    "import_price_lists": PRICERS,
    "list_plans": EVERYBODY,
    "get_plan": EVERYBODY,
    "get_patches": EVERYBODY,
    "get_shapes": EVERYBODY,
    "get_bill": EVERYBODY,
    "get_scene": EVERYBODY,
    "get_curve": EVERYBODY,
    "get_alternatives": EVERYBODY,
    "get_preview": EVERYBODY,
    "plan_scene": PLANNERS,
    "name_plan": PLANNERS,
    "replan_scene": PLANNERS,
    "plan_next_round": PLANNERS,
    "list_jobs": EVERYBODY,
    "get_job": EVERYBODY,
    "cancel_job": PLANNERS,
    "classify_order": PLANNERS,
    "get_classification": EVERYBODY,
    "put_truth": PLANNERS,
    "get_truth": EVERYBODY,
    "list_orders": EVERYBODY,
    "get_order": EVERYBODY,
    "get_order_shapes": EVERYBODY,
    "preview_cancel": EVERYBODY,
    "list_statuses": EVERYBODY,
    "download_patch": EVERYBODY,
    "create_order": BUYERS,
    "name_order": BUYERS,
    "cancel_order": BUYERS,
    "put_off_order": BUYERS,
    "deliver_file": BUYERS,
    "deliver_patch": BUYERS,
    "decide_order": APPROVERS,
    "decide_proposal": APPROVERS,
    "list_proposals": EVERYBODY,
    "get_proposal": EVERYBODY,
    "list_budgets": EVERYBODY,
    "get_budget": EVERYBODY,
    "get_usage": EVERYBODY,
    "open_budget": ACCOUNTANTS,
    "change_budget": ACCOUNTANTS,
    "withdraw_proposal": ACCOUNTANTS,
    "list_ledger": EVERYBODY,
    "get_transfer": EVERYBODY,
    "list_adjustments": EVERYBODY,
    "post_adjustment": ACCOUNTANTS,
    "list_closes": EVERYBODY,
    "close_month": ACCOUNTANTS,
    "list_invoices": EVERYBODY,
    "list_differences": EVERYBODY,
    "get_invoice": EVERYBODY,
    "import_invoices": ACCOUNTANTS,
    "get_savings": EVERYBODY,
    "list_order_savings": EVERYBODY,
    "get_order_savings": EVERYBODY,
    "get_order_alternatives": EVERYBODY,
    "list_spend": EVERYBODY,
    "delete_scene_pixels": ADMINS,
    "delete_order_pixels": ADMINS,
    "get_retention": EVERYBODY,
    "set_retention": ADMINS,
}
"""Roles whose keys may do each operation under /v1; a new operation needs a row here and in `NEEDED`."""


@pytest.fixture
def bearer(database: Database, workspace_id: UUID) -> Bearer:
    """Return a maker of headers with a new key of a role."""

    def make(role: Role, expires_at: datetime | None = None) -> dict[str, str]:
        with database.sessions.begin() as session:
            workspace = session.get_one(Workspace, workspace_id)
            return {"Authorization": f"Bearer {create_key(session, workspace, role, role, expires_at)}"}

    return make


def own_id(headers: dict[str, str]) -> str:
    """Return the id of the key in these headers."""
    return id_of(headers["Authorization"].removeprefix("Bearer "))


def test_every_operation_has_a_row() -> None:
    assert set(named_operations()) == set(MATRIX) == set(NEEDED)


@pytest.mark.parametrize("role", Role)
def test_each_role_may_do_its_operations_only(client: TestClient, bearer: Bearer, role: Role) -> None:
    headers = bearer(role)
    allowed = set()
    for operation, (method, path) in named_operations().items():
        answer = client.request(method, path, headers=headers)
        if answer.status_code != 403:
            allowed.add(operation)
        else:
            assert code(answer) == (403, "role-needed"), operation

    assert allowed == {operation for operation, roles in MATRIX.items() if role in roles}


def test_refusal_names_the_roles_that_may(client: TestClient, bearer: Bearer) -> None:
    problem = client.post("/v1/orders", headers=bearer(Role.PLANNER)).json()

    assert (problem["role"], problem["roles"]) == ("planner", ["buyer", "admin"])
    assert "needs the role buyer or admin" in problem["detail"]
    assert "--role buyer" in problem["detail"]


def test_document_names_the_roles_of_an_operation(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    assert paths["/v1/orders"]["post"]["description"].endswith("Roles that may do this: buyer, admin.")
    assert "403" in paths["/v1/orders"]["post"]["responses"]
    assert "403" not in paths["/v1/orders"]["get"]["responses"]


def test_me_shows_workspace_role_rights_and_expiry(
    client: TestClient, bearer: Bearer, workspace_id: UUID
) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    me = client.get("/v1/me", headers=bearer(Role.FINANCE, ends)).json()

    assert me["workspace"] == {"id": str(workspace_id), "name": "default"}
    assert (me["key"]["role"], me["rights"]) == ("finance", ["view", "price", "account"])
    assert datetime.fromisoformat(me["key"]["expires_at"]) == ends


@pytest.mark.parametrize("action", ["rotate", "revoke"])
def test_own_key_is_closed_and_replaced_with_any_role(
    client: TestClient, bearer: Bearer, action: str
) -> None:
    headers = bearer(Role.VIEWER)
    answer = client.post(f"/v1/keys/{own_id(headers)}/{action}", headers=headers)

    assert (answer.is_success, answer.json()["role"]) == (True, "viewer")
    assert client.get("/v1/me", headers=headers).status_code == 401


@pytest.mark.parametrize("key_id", ["existing", NOBODY])
def test_key_of_somebody_else_needs_an_admin_and_stays_secret(
    client: TestClient, bearer: Bearer, key_id: str
) -> None:
    other = own_id(bearer(Role.VIEWER)) if key_id == "existing" else key_id

    assert code(client.post(f"/v1/keys/{other}/revoke", headers=bearer(Role.BUYER))) == (403, "role-needed")


def test_rotation_cannot_raise_the_own_role(client: TestClient, bearer: Bearer) -> None:
    headers = bearer(Role.BUYER)
    refused = client.post(f"/v1/keys/{own_id(headers)}/rotate", json={"role": "finance"}, headers=headers)

    assert code(refused) == (403, "key-authority")
    assert client.get("/v1/me", headers=headers).status_code == 200


def test_rotation_gives_a_key_another_role(client: TestClient, bearer: Bearer) -> None:
    made: Json = client.post(f"/v1/keys/{own_id(bearer(Role.BUYER))}/rotate", json={"role": "viewer"}).json()
    headers = {"Authorization": f"Bearer {made['key']}"}

    assert client.get("/v1/me", headers=headers).json()["key"]["role"] == "viewer"


def test_new_key_only_reads_unless_it_gets_a_role(client: TestClient) -> None:
    assert client.post("/v1/keys", json={"name": "unsaid"}).json()["role"] == "viewer"


def test_last_admin_key_keeps_its_role_unless_confirmed(client: TestClient, bearer: Bearer) -> None:
    bearer(Role.FINANCE)
    own = client.get("/v1/me").json()["key"]["id"]
    refused = client.post(f"/v1/keys/{own}/rotate", json={"role": "buyer"})
    rotated = client.post(f"/v1/keys/{own}/rotate", json={"role": "buyer", "allow_last": True})

    assert code(refused) == (409, "last-key")
    assert rotated.json()["role"] == "buyer"
