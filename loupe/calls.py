"""The operations of the API as steps: what each sends, and which document it returns.

`Client` and `AsyncClient` perform them, and read the documents as typed answers.
"""

from collections.abc import Mapping
from typing import Unpack

from loupe.answers.base import Json
from loupe.bodies import Body, File, Sent
from loupe.exchange import Request, Steps, Value, exchange, fetch
from loupe.following import Seen, outcome_of
from loupe.options import (
    BudgetChanges,
    BudgetOptions,
    DeliveryOptions,
    NextRoundOptions,
    OrderOptions,
    PatchDeliveryOptions,
    PlanOptions,
    ReplanOptions,
    Sum,
    to_wire,
    written,
)
from loupe.paths import path_to
from loupe.problems import MissingError

TIFF = {"Content-Type": "image/tiff"}
ANY_FILE = {"Content-Type": "application/octet-stream"}
"""A GeoTIFF or an archive: the server looks at the file itself."""


def keyed(key: str | None) -> dict[str, str]:
    """Return the header for an Idempotency-Key of the caller's."""
    return {} if key is None else {"Idempotency-Key": f'"{key}"'}


def plan(
    scene: File,
    seen: Seen | None = None,
    sent: Sent | None = None,
    key: str | None = None,
    **options: Unpack[PlanOptions],
) -> Steps[Json]:
    """Plan a scene, and wait for the job that a large one becomes."""
    request = _plan_request(scene, sent, keyed(key), options)
    return (yield from outcome_of((yield from exchange(request)), seen))


def plan_later(
    scene: File, sent: Sent | None = None, key: str | None = None, **options: Unpack[PlanOptions]
) -> Steps[Json]:
    """Ask for a plan of a scene, and return the job at once."""
    return (yield from fetch(_plan_request(scene, sent, keyed(key) | {"Prefer": "respond-async"}, options)))


def replan(
    plan: str, seen: Seen | None = None, key: str | None = None, **options: Unpack[ReplanOptions]
) -> Steps[Json]:
    """Re-plan the scene of a plan."""
    return (yield from post(path_to("plans", plan, "replan"), to_wire(options), seen, key))


def next_round(
    order: str, seen: Seen | None = None, key: str | None = None, **options: Unpack[NextRoundOptions]
) -> Steps[Json]:
    """Plan what else is worth buying after patches of an order were delivered."""
    return (yield from post(path_to("orders", order, "next-round"), to_wire(options), seen, key))


def order(
    plan: str, budget: str | None = None, key: str | None = None, **options: Unpack[OrderOptions]
) -> Steps[Json]:
    """Order the patches of a plan."""
    body = {"plan": plan, **({} if budget is None else {"budget": budget}), **to_wire(options)}
    return (yield from post("/v1/orders", body, key=key))


def decide(waiting: str, decision: str, note: str | None = None) -> Steps[Json]:
    """Approve or reject an order, or else a proposal, that waits; only a proposal has a `kind`."""
    body = {"decision": decision} | ({"note": note} if note else {})
    try:
        return (yield from post(path_to("orders", waiting, "approval"), body))
    except MissingError:
        return (yield from post(path_to("proposals", waiting, "approval"), body))


def deliver(
    order: str, file: File, sent: Sent | None = None, **options: Unpack[DeliveryOptions]
) -> Steps[Json]:
    """Upload a GeoTIFF or a zip archive that shows any patches of an order."""
    path = path_to("orders", order, "deliveries")
    return (yield from _upload(path, Body(file, sent), ANY_FILE, to_wire(options)))


def deliver_patch(
    order: str,
    tile: int,
    patch: int,
    file: File,
    sent: Sent | None = None,
    **options: Unpack[PatchDeliveryOptions],
) -> Steps[Json]:
    """Upload a GeoTIFF that is meant for one patch."""
    path = path_to("orders", order, "tiles", tile, "patches", patch)
    return (yield from _upload(path, Body(file, sent), TIFF, to_wire(options)))


def classify(
    order: str, seen: Seen | None = None, key: str | None = None, *, allow_partial: bool = False
) -> Steps[Json]:
    """Label every tile of an order."""
    body = {"allow_partial": allow_partial}
    return (yield from post(path_to("orders", order, "classification"), body, seen, key))


def create_budget(
    name: str, limit: Sum, key: str | None = None, **terms: Unpack[BudgetOptions]
) -> Steps[Json]:
    """Create a budget."""
    return (
        yield from post("/v1/budgets", {"name": name, "limit": written(limit), **to_wire(terms)}, key=key)
    )


def change_budget(budget: str, **changes: Unpack[BudgetChanges]) -> Steps[Json]:
    """Change a budget with a JSON merge patch."""
    body = {name: written(value) for name, value in changes.items()}
    return (yield from fetch(Request(method="PATCH", path=path_to("budgets", budget), json=body)))


def send_file(method: str, path: str, file: File, media_type: str) -> Steps[Json]:
    """Send a file of price lists, invoices or true labels. Repeating it stores nothing twice."""
    request = Request(method=method, path=path, headers={"Content-Type": media_type}, body=Body(file))
    return (yield from fetch(request))


def post(
    path: str, body: Mapping[str, object], seen: Seen | None = None, key: str | None = None
) -> Steps[Json]:
    """Post a JSON document; if the answer is a job, wait for its result."""
    request = Request(method="POST", path=path, json=body, headers=keyed(key))
    return (yield from outcome_of((yield from exchange(request)), seen))


def _plan_request(
    scene: File, sent: Sent | None, headers: Mapping[str, str], options: PlanOptions
) -> Request:
    query = to_wire(options)
    if "tags" in query:
        query["tag"] = [f"{name}={value}" for name, value in query.pop("tags").items()]
    return Request(
        method="POST", path="/v1/plans", query=query, headers={**TIFF, **headers}, body=Body(scene, sent)
    )


def _upload(path: str, body: Body, headers: Mapping[str, str], query: Mapping[str, Value]) -> Steps[Json]:
    return (yield from fetch(Request(method="PUT", path=path, query=query, headers=headers, body=body)))
