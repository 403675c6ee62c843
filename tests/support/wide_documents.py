"""Documents whose amounts, ids and names are as long as real ones, and the view of each."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from rich.console import RenderableType

from service.terminal import (
    alternatives,
    counts,
    deliveries,
    documents,
    invoices,
    jobs,
    keys,
    labels,
    ledger,
    lists,
    profiles,
    proposals,
    reports,
    stored,
)
from service.terminal.traces import trace_view

PLAN = "0b6f1c1e-7a77-4a9e-9b1c-1f3f6f6b2a10"
ORDER = "7d9f0a52-3a1c-4bb5-8a0e-2a7f3f1f9c11"
BUDGET = "c1a5e7a0-1111-4222-8333-444455556666"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
NAME = "Harbours and oil terminals of the northern coast, spring survey 2026"
AT = "2026-11-29T10:00:00.123456Z"
NOW = datetime(2026, 11, 29, 10, tzinfo=UTC)
HOLDER = "ijklmnop"


def amount(**more: str) -> dict[str, str]:
    return {"amount": "1,234,567.89", "currency": "USD", **more}


BASELINE = amount(
    baseline="the bill for every patch of the scene under the same price list, minimum areas included"
)
SAVINGS: dict[str, Any] = dict.fromkeys(
    ("list", "billable", "realised", "example", "ordered", "held", "reused"), BASELINE
)
COUNT = {"expected": 1234.5, "low": 1180, "high": 1302}
HERE = {"objects": 1312.2, "objects_share": 0.934, "correct_labels": 1090.9, "correct_share": 0.908}
AMOUNTS = {name: amount() for name in ("total", "held", "settled", "released")}
COUNTS = {"bought": 22080, "delivered": 12080, "awaited": 10000}
ORDERED: dict[str, Any] = {
    "id": ORDER, "status": "user_cancelled", "amounts": AMOUNTS, "counts": COUNTS, "name": NAME,
    "expires_at": AT, "cost_center": "R&D of the department of remote sensing", "tags": {"team": NAME},
    "final_bill": {"billed": amount(), "difference": amount()},
    "warnings": [{"detail": f"The budget has {amount()['amount']} USD available. Its terms allow it."}],
    "statuses": [{"at": AT, "status": "user_cancelled", "reason_code": "cancelled_by_key", "note": NAME}],
    "patches": {"awaited": [{"tile": number, "patch": 15} for number in range(1370, 1379)]},
}  # fmt: skip
PLANNED: dict[str, Any] = {
    "id": PLAN, "created_at": AT, "name": NAME, "patches": {"bought": 12080, "total": 22080, "filled": 0},
    "cost": amount(), "baseline": amount(), "savings": SAVINGS, "billable_km2": "8123.4567",
    "decision": f"Buys 12,080 of 22,080 patches: most utility for at most {amount()['amount']} USD.",
    "bound": {"measure": "cost", "reached": 1234567.89, "bound": 1234500.0, "gap": 67.89},
    "scene": {"columns": 38, "rows": 36, "tile_m": 768.0, "planned_km2": 806.9, "tiles_without_data": 12},
    "provenance": {"price_list": {"name": "acme-30cm-archive", "version": 12, "example": False},
                   "bundle": {"name": "tanks", "version": "1.2.0"}},
    "reuse": {"mode": "owned", "owned": 1200, "on_order": 300, "area_km2": "71.9", "orders": [{}, {}],
              "saved": amount()},
}  # fmt: skip
PRICES: dict[str, Any] = {
    "name": "acme-30cm-archive", "version": 12, "gsd_m": "0.3", "price_per_scene": None, "currency": "USD",
    "price_per_km2": "1234567.89", "tiers": [{"above_km2": "500", "price_per_km2": "1034567.89"}],
    "minimum_km2": "25", "minimum_applies_to": "shape", "minimum_charge": "1234567.89", "areas_summed": False,
    "minimum_width_m": "2000", "convex": True, "max_vertices": 200, "holes": False,
}  # fmt: skip
BUNDLE: dict[str, Any] = {
    "name": "tanks", "version": "1.2.0", "default": True, "objects": "oil tanks", "classes": ["tank"],
    "tasks": [{"task": "label"}, {"task": "count"}, {"task": "find"}], "second_look": True, "tile_m": 768.0,
    "guarantees": [{"loss": "labels", "at_most": 0.05}, {"loss": "objects", "at_most": 0.1}],
    "licence": "CC BY-NC-SA 4.0", "sha256": SHA256,
}  # fmt: skip
SCORE: dict[str, Any] = {
    "tiles": 1368, "right": 1290, "share": 0.943, "interval": [0.93, 0.954], "lr_right": 1003,
    "outdated": False, "evaluation": None, "true_label": "mediumresidential",
}  # fmt: skip
LABEL: dict[str, Any] = {
    "tile": 1367, "label": "mediumresidential", "confidence": 0.914, "lr_label": "sparseresidential",
    "lr_confidence": 0.4, "patches_used": 12, "patches_bought": 16, "count": COUNT, "lr_count": COUNT,
}  # fmt: skip
LINE: dict[str, Any] = {
    "seq": 123456, "at": AT, "kind": "settle", "amount": amount(), "budget": NAME, "hash": SHA256,
    "reference": f"{ORDER}/1367/15", "budget_id": BUDGET,
}  # fmt: skip
GROUP: dict[str, Any] = {
    "first_day": "2026-11-01", "last_day": "2026-11-30", "group": NAME, "orders": 1234, "charges": 1234,
} | dict.fromkeys(
    ("realised_saving", "ordered_saving", "held_saving", "settled", "purchased", "credited", "adjusted",
     "net"), amount(),
)  # fmt: skip
ENTRY: dict[str, Any] = {
    "currency": "USD", "orders": 1234, "completed": 1000, "open": 200, "held": 30, "cancelled": 4,
    "settled": amount(), "savings": SAVINGS, "returned_patches": 12, "returned": amount(),
    "definition": "Realised saving = a formula.", "charges": 1234, "net": amount(),
}  # fmt: skip
MEASURED = {"patches_per_tile": 4.2, "accuracy": 0.964, "interval": (0.94, 0.98)}
WAY = {"way": "central", "cost": amount(), "patches": 12080, "measured": MEASURED, "expected": HERE}
OFFER = {
    "price_list": PLAN, "name": "acme-30cm-archive", "version": 12, "example": True, "bought": amount(),
    "everything": amount(), "difference": amount(),
}  # fmt: skip
POINT = {
    "threshold": 0.5, "patches": 12080, "cost": amount(), "saving": amount(), "expected_accuracy": 0.87,
    "interval": [0.81, 0.92], "measured_found": 0.96, "here": HERE, "chosen": True,
}  # fmt: skip
DELIVERED = {
    "counts": dict.fromkeys(("settled", "superseded", "already_delivered", "not_covered", "refused"), 22080),
    "patches": [], "settled": amount(), "files": [],
}  # fmt: skip
BUDGETED: dict[str, Any] = {
    "id": BUDGET, "name": NAME, "version": 12, "period": "month", "enforcement": "block", "thresholds": [80],
    "tags": {"team": NAME}, "approval_above": amount(), "starts_on": "2026-01-01", "ends_on": "2026-12-31",
} | dict.fromkeys(("limit", "spent", "held", "available"), amount())  # fmt: skip
BALANCE = dict.fromkeys(("granted", "available", "held", "spent"), amount())
CHARGE = {
    "id": PLAN, "at": AT, "by": HOLDER, "status": "waiting", "kind": "charge", "amount": amount(),
    "order": ORDER, "reason": "The provider billed clouds as well.",
}  # fmt: skip
JOB = {
    "id": PLAN, "kind": "plan", "status": "failed", "progress": {"tiles": 1368, "tiles_done": 1200},
    "attempts": 3, "created_at": AT, "result": {"plan": PLAN},
    "problem": {"title": "The request cannot be used", "detail": f"{ORDER} needs {amount()['amount']} USD."},
}  # fmt: skip
DOCUMENT = {
    "number": "INV-2026-000123456", "kind": "credit-note", "date": "2026-11-29",
    "provider": "Acme Imagery Ltd.", "net": amount(), "tax": amount(), "amount": amount(), "reference": ORDER,
}  # fmt: skip
DIFFERENCE = {
    "order": ORDER, "reference": ORDER, "state": "amounts-differ",
    "detail": f"Paid {amount()['amount']} USD. Ask the provider about the invoice INV-2026-000123456.",
}  # fmt: skip
ROW = SimpleNamespace(
    id="abcdefgh", name=NAME, role="approver", holder=HOLDER, subject="00u1a2b3c4d5e6f7g8h9-northern-coast",
    created_at=NOW, last_used_at=NOW, expires_at=NOW, revoked_at=NOW,
)  # fmt: skip
EVENT = {
    "at": AT, "kind": "pixels-deleted", "key": HOLDER, "subject": ORDER, "times": 12345,
    "address": "2001:db8:85a3::8a2e:370:7334", "detail": {"file": SHA256},
}  # fmt: skip
LENT = {
    "id": PLAN, "lender": HOLDER, "borrower": "abcdefgh", "created_at": AT, "ends_at": AT, "note": NAME,
}  # fmt: skip
TRACE = {
    "order": ORDERED, "proofs": [], "ledger": [LINE], "invoices": [DOCUMENT], "plan": PLANNED,
    "report": {"settled": amount(), "planned_cost": amount(), "scene_baseline": amount(), "savings": SAVINGS},
    "deliveries": [{"tile": 1367, "patch": 15, "settled": amount(), "sha256": SHA256}] * 2,
    "bill": {"chosen": {"billable_km2": "8123.4567"}}, "input": {"size": 33554432, "sha256": SHA256},
    "price_list": PRICES | {"example": True, "product": "30 cm archive", "source": "contract 2026-117"},
    "bundle": {"name": "tanks", "version": "1.2.0", "sha256": SHA256},
}  # fmt: skip
SUMMARY = {"tiles": 1368, "changed": 12, "labels": [{"label": "river", "tiles": 1368}]}
TOTALS = {"name": "oil tanks", "level": 0.95, "total": COUNT, "lr_total": COUNT}
SAVED = {
    "order": ORDER, "status": "user_cancelled", "savings": SAVINGS, "baseline": amount(), "net": amount(),
}  # fmt: skip

VIEWS: dict[str, Callable[[], RenderableType]] = {
    "alternatives_view": lambda: alternatives.alternatives_view(
        {"spending": [WAY], "price_lists": [OFFER], "cheapest": PLAN, "left_out": [], "source": "Bills."}
    ),
    "awaited_view": lambda: lists.awaited_view(ORDERED),
    "budgets_view": lambda: ledger.budgets_view([BUDGETED]),
    "bundles_view": lambda: documents.bundles_view([BUNDLE]),
    "classification_view": lambda: documents.classification_view(
        {"tiles": [LABEL], "summary": SUMMARY | {"objects": TOTALS}, "complete": True}
    ),
    "closes_view": lambda: ledger.closes_view(
        [{"month": "2026-10", "budgets": [{"name": NAME, "opening": BALANCE, "closing": BALANCE}]}]
    ),
    "curve_view": lambda: counts.curve_view(
        {"points": [POINT], "source": "Measured."}, PLANNED | {"objects": {"name": "oil tanks"}}
    ),
    "delegations_view": lambda: keys.delegations_view([LENT]),
    "delivery_table": lambda: deliveries.delivery_table(
        [("S2A_MSIL1C_20220101T101401_N0301_R022.tif", DELIVERED)]
    ),
    "differences_view": lambda: invoices.differences_view([DIFFERENCE]),
    "events_view": lambda: keys.events_view([EVENT]),
    "findings_view": lambda: ledger.findings_view([SimpleNamespace(rule=NAME, subject=f"{ORDER} {SHA256}")]),
    "invoices_view": lambda: invoices.invoices_view([DOCUMENT]),
    "job_view": lambda: jobs.job_view(JOB),
    "jobs_view": lambda: jobs.jobs_view([JOB]),
    "key_view": lambda: keys.key_view(
        {"workspace": {"name": NAME}, "rights": ["view", "buy"], "key": vars(ROW) | {"expires_at": AT}}
    ),
    "keys_view": lambda: keys.keys_view([ROW]),
    "ledger_view": lambda: ledger.ledger_view([LINE]),
    "order_savings_view": lambda: documents.order_savings_view([SAVED]),
    "order_view": lambda: documents.order_view(ORDERED),
    "orders_view": lambda: lists.orders_view([ORDERED]),
    "people_view": lambda: keys.people_view([ROW]),
    "plan_view": lambda: documents.plan_view(PLANNED),
    "plans_view": lambda: lists.plans_view([PLANNED]),
    "price_lists_view": lambda: documents.price_lists_view([PRICES]),
    "profiles_view": lambda: profiles.profiles_view(
        [{"name": "office", "url": "https://loupe.remote-sensing.agency.example.com:8443", "key": HOLDER}]
    ),
    "proposals_view": lambda: proposals.proposals_view([CHARGE]),
    "savings_groups_view": lambda: reports.savings_groups_view({"groups": [GROUP], "currencies": [ENTRY]}),
    "savings_table": lambda: documents.savings_table(SAVINGS),
    "savings_view": lambda: documents.savings_view({"currencies": [ENTRY]}),
    "spend_view": lambda: reports.spend_view({"groups": [GROUP], "currencies": [ENTRY]}),
    "stocks_view": lambda: stored.stocks_view(
        [SimpleNamespace(name=NAME, files=12, size=10**12, orphans=3, orphans_size=10**9, workspace_id=None)]
    ),
    "terms_view": lambda: ledger.terms_view(BUDGETED),
    "trace_view": lambda: trace_view(TRACE),
    "truth_view": lambda: labels.truth_view(
        {"order": ORDER, "tiles": [{}], "score": SCORE | {"by_class": [SCORE]}}
    ),
    "workspaces_view": lambda: keys.workspaces_view(
        [(SimpleNamespace(name=NAME, id=UUID(PLAN), created_at=NOW), 12345)]
    ),
}
