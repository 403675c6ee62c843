"""Two workspaces: every operation with the other's ids finds nothing, shows nothing and changes nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.keys import id_of
from service.access.people import Person, add_person
from service.access.repository import create_key, create_workspace
from service.access.roles import Role
from service.access.tables import Workspace
from service.app import create_app
from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import make_geotiff, usd
from tests.support.databases import KEY
from tests.support.operations import templates
from tests.support.ordering import (
    TIFF,
    charge,
    deliver,
    let_time_pass,
    open_budget,
    place,
    plan_scene,
    publish_prices,
)
from tests.support.orders import make_patch

Json = dict[str, Any]
REASONS = {"decision": "reject"}
PRICES = {
    "name": "own", "provider": "Acme", "product": "0.5 m archive", "gsd_m": "0.5", "currency": "USD",
    "price_per_km2": "10000",
}  # fmt: skip
LATER = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
HIDDEN: Mapping[str, Json] = {
    "get_price_list": {},
    "replan_scene": {"json": {}},
    "get_plan": {},
    "name_plan": {"json": {"name": "theirs"}},
    "name_order": {"json": {"name": "theirs"}},
    "get_patches": {},
    "get_shapes": {},
    "get_bill": {},
    "get_scene": {},
    "get_curve": {},
    "get_alternatives": {},
    "get_preview": {},
    "create_order": {"json": {"plan": "{plan_id}", "budget": "{budget_id}"}},
    "get_order": {},
    "get_order_shapes": {},
    "cancel_order": {},
    "preview_cancel": {},
    "list_statuses": {},
    "decide_order": {"json": REASONS},
    "put_off_order": {"json": {"last_day": LATER}},
    "deliver_file": {"content": make_patch(0, 0), "headers": TIFF},
    "deliver_patch": {"content": make_patch(0, 0), "headers": TIFF},
    "download_patch": {},
    "classify_order": {"json": {"allow_partial": True}},
    "get_classification": {},
    "plan_next_round": {"json": {}},
    "put_truth": {"json": {"tiles": [{"tile": 0, "true_label": "farm"}]}},
    "get_truth": {},
    "get_invoice": {},
    "get_order_savings": {},
    "get_order_alternatives": {},
    "change_role": {"json": {"role": "viewer"}},
    "remove_person": {},
    "rotate_api_key": {},
    "revoke_api_key": {},
    "lend_approval": {"json": {"holder": "{key_id}", "ends_at": f"{LATER}T00:00:00Z"}},
    "end_delegation": {},
    "get_job": {},
    "cancel_job": {},
    "get_budget": {},
    "change_budget": {
        "json": {"limit": usd("900.00")},
        "headers": {"Content-Type": "application/merge-patch+json"},
    },
    "get_usage": {},
    "post_adjustment": {
        "json": {"kind": "charge", "order": "{order_id}", "amount": usd("1.00"), "reason": "late"}
    },
    "get_transfer": {},
    "get_proposal": {},
    "decide_proposal": {"json": REASONS},
    "withdraw_proposal": {},
    "delete_scene_pixels": {},
    "delete_order_pixels": {},
}
"""Operations that name an object, with what is sent: each answers 404 for one of another workspace."""
READING: Mapping[str, Json] = {
    name: {}
    for name in (
        "get_versions", "get_me", "list_bundles", "list_price_lists", "list_plans", "list_orders",
        "list_invoices",
        "list_differences", "get_savings", "list_order_savings", "list_spend", "list_api_keys", "list_audit",
        "list_people",
        "list_delegations", "list_jobs", "list_closes", "list_budgets", "list_ledger", "list_adjustments",
        "list_proposals", "get_retention",
    )
}  # fmt: skip
"""Operations that list what a workspace has."""
WRITING: Mapping[str, Json] = {
    "publish_price_list": {"json": PRICES},
    "import_price_lists": {"json": [PRICES | {"name": "more"}]},
    "plan_scene": {"content": make_geotiff(), "headers": TIFF, "params": {"price_list": "own"}},
    "create_api_key": {"json": {"name": "own"}},
    "open_budget": {"json": {"name": "own", "limit": usd("5.00")}},
    "import_invoices": {
        "json": {
            "number": "R-2", "provider": "Acme", "date": "2026-11-30", "currency": "USD",
            "lines": [{"reference": "own", "amount": "1.00"}],
        }
    },
    "close_month": {"json": {"month": "2020-01"}},
    "set_retention": {"json": {"scene_days": 9, "delivery_days": None}},
}  # fmt: skip
"""Operations that add something to the caller's workspace."""
SHARED = {"get_bundle"}
"""Operations about what the server has for everybody."""


@dataclass(frozen=True)
class Theirs:
    """What another workspace has: ids by the names of the parameters of addresses."""

    workspace_id: UUID
    ids: Mapping[str, str]

    def fill(self, part: Any) -> Any:
        """Return an address or a body with the ids in place."""
        if isinstance(part, dict):
            return {name: self.fill(value) for name, value in part.items()}
        if isinstance(part, str) and "{" in part:
            return part.format(**self.ids, tile="0", patch="0")
        return part


@pytest.fixture
def theirs(client: TestClient, database: Database, workspace_id: UUID) -> Theirs:
    """Let a workspace have one of everything, with an order that is overdue."""
    publish_prices(client)
    budget = open_budget(client, approval_above=usd("50.00"))
    plan = plan_scene(client)
    order = str(place(client, plan).json()["id"])
    assert deliver(client, order, *plan.bought[0]).status_code == 201
    classification = client.post(f"/v1/orders/{order}/classification", json={"allow_partial": True}).json()
    invoice = {
        "number": "R-1", "provider": "Acme", "date": "2026-11-30", "currency": "USD",
        "lines": [{"reference": order, "amount": "1.00"}],
    }  # fmt: skip
    assert client.post("/v1/invoices", json=invoice).status_code == 201
    with database.sessions.begin() as session:
        own = session.get_one(Workspace, workspace_id)
        other = id_of(create_key(session, own, "another"))
        person = add_person(session, own, Person("https://issuer.example", "ada", "Ada"), Role.ADMIN)
    lent = client.post("/v1/delegations", json={"holder": other, "ends_at": f"{LATER}T00:00:00Z"}).json()
    headers = TIFF | {"Prefer": "respond-async"}
    job = client.post("/v1/plans", content=make_geotiff(), headers=headers, params={"price_list": "acme"})
    assert job.status_code == 202, job.text
    ids = {
        "budget_id": budget,
        "plan_id": str(plan.id),
        "order_id": order,
        "classification_id": classification["id"],
        "invoice_id": client.get("/v1/invoices").json()["items"][0]["id"],
        "price_list_id": client.get("/v1/price-lists").json()["items"][0]["id"],
        "proposal_id": charge(client, order, "60.00").json()["id"],
        "transfer": client.get("/v1/ledger").json()["items"][0]["id"],
        "key_id": id_of(KEY),
        "delegation_id": lent["id"],
        "person_id": person.holder,
        "job_id": job.headers["Location"].rpartition("/")[2],
    }
    let_time_pass(database, order)
    return Theirs(workspace_id, ids)


@pytest.fixture
def stranger(settings: Settings, database: Database, theirs: Theirs) -> Iterator[TestClient]:
    """Connect with an admin key of another workspace."""
    assert theirs
    with database.sessions.begin() as session:
        key = create_key(session, create_workspace(session, "stranger"), "theirs")
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


def ask(client: TestClient, operation: str, sent: Json, theirs: Theirs) -> Any:
    """Send an operation with the other workspace's ids."""
    method, path = templates()[operation]
    headers = {"Idempotency-Key": str(uuid4())} | sent.get("headers", {})
    if "json" in sent:
        sent = sent | {"json": theirs.fill(sent["json"])}
    return client.request(method, theirs.fill(path), **sent | {"headers": headers})


def rows_of(database: Database, workspace_id: UUID) -> dict[str, str]:
    """Return a digest of every table's rows of a workspace, and of every row without a workspace.

    The stranger's own idempotency keys and events are left out, and when keys were last used.
    """
    tables = text("""
        SELECT c.oid::regclass::text, EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'workspace_id')
        FROM pg_class c WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'ledger')
    """)
    digests = {}
    with database.sessions() as session:
        for table, owned in session.execute(tables).all():
            where = "WHERE workspace_id = :id" if owned else ""
            digest = text(f"""SELECT count(*) || md5(coalesce(string_agg(row, '' ORDER BY row), '')) FROM (
                SELECT (to_jsonb(t) - 'last_used_at')::text AS row FROM {table} t {where}) AS rows""")
            digests[table] = str(session.scalar(digest, {"id": workspace_id} if owned else {}))
    return digests


def test_every_operation_is_in_one_list() -> None:
    """Fail for a new operation until it says what it does with the ids of another workspace."""
    lists = [*HIDDEN, *READING, *WRITING, *SHARED]

    assert sorted(lists) == sorted(templates())


def test_objects_of_another_workspace_are_not_found(
    stranger: TestClient, theirs: Theirs, database: Database
) -> None:
    before = rows_of(database, theirs.workspace_id)
    answers = {name: ask(stranger, name, sent, theirs) for name, sent in HIDDEN.items()}

    found = {
        name: answer.text
        for name, answer in answers.items()
        if (answer.status_code, answer.json().get("type")) != (404, "/problems/not-found")
    }
    assert found == {}
    assert rows_of(database, theirs.workspace_id) == before


def test_lists_show_nothing_of_another_workspace(
    stranger: TestClient, theirs: Theirs, database: Database
) -> None:
    before = rows_of(database, theirs.workspace_id)
    for name, sent in READING.items():
        answer = ask(stranger, name, sent, theirs)
        assert answer.status_code == 200, (name, answer.text)
        assert [one for one in theirs.ids.values() if one in answer.text] == [], name

    assert rows_of(database, theirs.workspace_id) == before


def test_what_a_workspace_adds_changes_nothing_in_another(
    stranger: TestClient, theirs: Theirs, database: Database
) -> None:
    def owned() -> dict[str, str]:
        with database.sessions() as session:
            columns = text("SELECT attrelid::regclass::text FROM pg_attribute WHERE attname = 'workspace_id'")
            tables = set(session.scalars(columns).all())
        found = rows_of(database, theirs.workspace_id)
        return {table: digest for table, digest in found.items() if table in tables}

    before = owned()
    answers = {name: ask(stranger, name, sent, theirs) for name, sent in WRITING.items()}

    statuses = {name: answer.status_code for name, answer in answers.items()}
    expected = dict.fromkeys(WRITING, 201) | {"close_month": 409, "set_retention": 200}
    assert statuses == expected, answers["plan_scene"].text
    assert owned() == before


def test_the_owner_finds_every_object(client: TestClient, theirs: Theirs) -> None:
    """Check that the ids above are right: with the own key no reading operation answers 404."""
    reading = [name for name in HIDDEN if templates()[name][0] == "GET"]
    missing = [name for name in reading if ask(client, name, {}, theirs).status_code == 404]

    assert missing == ["download_patch"]  # of the only tile and patch that every address names here
