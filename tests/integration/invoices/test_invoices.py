"""Invoices and credit notes: import, differences to the ledger, and the share that they confirm."""

import csv
import io
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from pyarrow import parquet

from service.access.repository import create_key, create_workspace
from service.database.engine import Database
from tests.support.ordering import Json, buy, code, movements, open_budget, place, plan_scene, publish_prices

HEADER = "number,kind,provider,date,currency,tax,reason,reference,amount,description"


@pytest.fixture
def order(client: TestClient) -> str:
    """Return a complete order of three patches."""
    publish_prices(client)
    open_budget(client)
    return buy(client, plan_scene(client))


def paid(client: TestClient, order: str) -> str:
    return str(client.get(f"/v1/orders/{order}").json()["amounts"]["settled"]["amount"])


def invoice(order: str, amount: str, number: str = "R-1", **changes: Any) -> Json:
    document = {
        "number": number, "provider": "Acme", "date": "2026-11-30", "currency": "USD", "tax": "1.90",
        "lines": [{"reference": order, "amount": amount}],
    }  # fmt: skip
    return document | changes


def send_csv(client: TestClient, *rows: str) -> Any:
    body = "\n".join((HEADER, *rows))
    return client.post("/v1/invoices", content=body, headers={"Content-Type": "text/csv"})


def differences(client: TestClient) -> list[tuple[str, str]]:
    items = client.get("/v1/invoices/differences").json()["items"]
    return [(one["order"] or one["reference"], one["state"]) for one in items]


def test_invoice_of_what_was_paid_confirms_the_order(
    client: TestClient, order: str, database: Database
) -> None:
    assert differences(client) == [(order, "not-invoiced")]
    before = movements(database)

    answer = client.post("/v1/invoices", json=invoice(order, paid(client, order)))

    assert (answer.status_code, answer.json()["imported"]) == (201, 1)
    assert differences(client) == []
    assert movements(database) == before
    (entry,) = client.get("/v1/reports/savings").json()["currencies"]
    assert (entry["confirmed"], entry["confirmed_percent"]) == (entry["settled"], 100.0)
    assert entry["definition"].endswith("; confirmed by invoices to 100 %.")
    shown = client.get(f"/v1/reports/savings/orders/{order}").json()
    assert (shown["confirmed"], shown["invoices"]) == (True, ["R-1"])


def test_documents_of_an_order_are_those_that_name_it(client: TestClient, order: str) -> None:
    other = "00000000-0000-4000-8000-000000000000"
    for number, named in (("R-1", order), ("R-2", other), ("R-3", order.upper())):
        client.post("/v1/invoices", json=invoice(f"order {named}", "1.00", number)).raise_for_status()

    def numbers(query: str) -> list[str]:
        return [one["number"] for one in client.get(f"/v1/invoices{query}").json()["items"]]

    assert numbers("") == ["R-3", "R-2", "R-1"]
    assert numbers(f"?order={order}") == ["R-3", "R-1"]
    onward = client.get(f"/v1/invoices?order={order}&limit=1").json()["links"]
    assert numbers("?" + next(one["href"] for one in onward if one["rel"] == "next").partition("?")[2]) == [
        "R-1"
    ]


def test_csv_groups_rows_into_documents(client: TestClient, order: str) -> None:
    answer = send_csv(
        client,
        f"R-1,,Acme,2026-11-30,USD,0.10,,{order},1.00,first",
        f"R-1,,Acme,2026-11-30,USD,0.10,,{order},2.00,second",
        f"G-1,credit-note,Acme,2026-12-01,USD,,cloud,{order},0.50,",
    )

    assert answer.status_code == 201, answer.text
    first, note = answer.json()["items"]
    assert (first["net"]["amount"], first["tax"]["amount"], first["gross"]["amount"]) == (
        "3.00",
        "0.10",
        "3.10",
    )
    assert [line["description"] for line in first["lines"]] == ["first", "second"]
    assert (note["kind"], note["reason"]) == ("credit-note", "cloud")
    assert differences(client) == [(order, "amount-differs")]
    assert {one["number"] for one in client.get("/v1/invoices").json()["items"]} == {"G-1", "R-1"}
    assert client.get(f"/v1/invoices/{note['id']}").json() == note


def test_credit_note_and_its_refund_agree_and_are_exported(client: TestClient, order: str) -> None:
    body = {
        "kind": "refund",
        "order": order,
        "amount": {"amount": "0.50", "currency": "USD"},
        "reason": "cloud",
    }
    client.post("/v1/ledger/adjustments", json=body, headers={"Idempotency-Key": str(uuid4())})
    client.post("/v1/invoices", json=invoice(order, paid(client, order)))
    assert differences(client) == [(order, "amount-differs")]

    client.post("/v1/invoices", json=invoice(order, "0.50", "G-1", kind="credit-note", reason="cloud"))

    assert differences(client) == []
    (row,) = csv.DictReader(io.StringIO(client.get("/v1/reports/savings?format=csv").text))
    assert (row["confirmed"], row["invoices"], row["credit_notes"]) == ("yes", "R-1", "G-1")
    assert row["reasons"] == "cloud"
    newest, *charges = csv.DictReader(io.StringIO(client.get("/v1/reports/spend?format=csv").text))
    assert (newest["InvoiceId"], newest["x_Reason"]) == ("G-1", "cloud")
    assert {(charge["InvoiceId"], charge["x_Reason"]) for charge in charges} == {("R-1", "")}


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_ledger_carries_reasons_and_documents(client: TestClient, order: str, form: str) -> None:
    for kind, reason in (("refund", "=cloud"), ("charge", "late fee")):
        amount = {"amount": "0.50", "currency": "USD"}
        body = {"kind": kind, "order": order, "amount": amount, "reason": reason}
        key = {"Idempotency-Key": str(uuid4())}
        assert client.post("/v1/ledger/adjustments", json=body, headers=key).status_code == 201
    place(client, plan_scene(client, max_patches=5))  # an order without a document
    for document in (
        invoice(f"our {order.upper()}/0", "1.00", "R-2", date="2026-11-30"),
        invoice(order, "1.00", "R-10", date="2026-11-29"),
        invoice(order, "0.50", "G-1", kind="credit-note", reason="cloud"),
        invoice("PO 4711", "7.00", "R-3"),
    ):
        assert client.post("/v1/invoices", json=document).status_code == 201

    rows = ledger_rows(client, form)

    found = {(row["kind"], row["reason"], row["documents"]) for row in rows}
    quoted = "'=cloud" if form == "csv" else "=cloud"  # a spreadsheet would compute it
    assert found == {
        ("fund", None, None), ("reserve", None, None), ("settle", None, "R-10, R-2"),
        ("refund", quoted, "G-1"), ("charge", "late fee", "R-10, R-2"),
    }  # fmt: skip
    newest = client.get("/v1/ledger").json()["items"][0]
    assert client.get(f"/v1/ledger/{newest['seq']}").json() == newest
    listed = client.get("/v1/invoices/differences").json()["items"]
    assert [one["reasons"] for one in listed if one["order"] == order] == [["=cloud", "late fee"]]


def ledger_rows(client: TestClient, form: str) -> list[Json]:
    """Return the rows of the ledger in one of its forms; unknown values are None."""
    answer = client.get("/v1/ledger", params={"format": form, "limit": 100})
    assert answer.status_code == 200, answer.text
    if form == "json":
        rows: list[Json] = answer.json()["items"]
    elif form == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.text)))
    else:
        rows = parquet.read_table(io.BytesIO(answer.content)).to_pylist()
    return [{name: row[name] or None for name in ("kind", "reason", "documents")} for row in rows]


def test_invoice_of_an_order_without_payment_and_of_no_order_are_differences(
    client: TestClient, order: str
) -> None:
    waiting = buy(client, plan_scene(client, max_patches=5), patches=0)
    client.post("/v1/invoices", json=invoice(waiting, "9.00"))
    client.post("/v1/invoices", json=invoice("PO 4711", "7.00", "R-2"))

    assert differences(client) == [
        (order, "not-invoiced"), (waiting, "not-delivered"), ("PO 4711", "order-unknown"),
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(client.get("/v1/invoices/differences?format=csv").text)))
    assert [row["state"] for row in rows] == ["not-invoiced", "not-delivered", "order-unknown"]


def test_same_document_again_changes_nothing_and_other_content_is_refused(
    client: TestClient, order: str
) -> None:
    document = invoice(order, "5.00")
    assert client.post("/v1/invoices", json=document).json()["imported"] == 1

    again = client.post("/v1/invoices", json=[document]).json()
    assert (again["imported"], again["unchanged"]) == (0, 1)
    changed = client.post("/v1/invoices", json=[invoice(order, "1.00", "R-9"), invoice(order, "6.00")])
    assert code(changed) == (409, "invoice-number-taken")
    assert len(client.get("/v1/invoices").json()["items"]) == 1


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"date": "2026-02-30"}, "/date"),
        ({"currency": "XXX"}, "/currency"),
        ({"lines": []}, "/lines"),
        ({"number": ""}, "/number"),
        ({"total": "5.00"}, "/total"),
        ({"lines": [{"reference": "x", "amount": "-1"}]}, "/lines/0/amount"),
    ],
)
def test_invalid_document_is_refused_with_the_place_and_nothing_is_kept(
    client: TestClient, changes: Json, pointer: str
) -> None:
    good = invoice("x", "1.00", "R-0")

    answer = client.post("/v1/invoices", json=[good, invoice("x", "1.00") | changes])

    assert answer.status_code == 422
    assert f"/invoices/2{pointer}" in {one["pointer"].removeprefix("#") for one in answer.json()["errors"]}
    assert client.get("/v1/invoices").json()["items"] == []


@pytest.mark.parametrize(
    "amount", ["0.00", "1.001"], ids=["an amount of zero", "more decimals than the currency"]
)
def test_line_whose_amount_does_not_fit_is_refused(client: TestClient, amount: str) -> None:
    assert client.post("/v1/invoices", json=invoice("x", amount)).status_code == 422
    assert client.get("/v1/invoices").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"number,colour\n1,red", "text/csv"),
        (b"number,provider\n1,Acme,more", "text/csv"),
        (b"", "text/csv"),
        (b"\xff\xfe", "text/csv"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'[{"number": "R-1", "number": "R-2"}]', "application/json"),
        (f"{HEADER}\nR-1,,Acme,2026-11-30,USD,,,x,1,\nR-1,,Acme,2026-11-29,USD,,,x,1,".encode(), "text/csv"),
    ],
)  # fmt: skip
def test_unreadable_file_is_refused(client: TestClient, body: bytes, kind: str) -> None:
    answer = client.post("/v1/invoices", content=body, headers={"Content-Type": kind})

    assert code(answer) == (422, "invoices-unreadable")


def test_invoices_of_another_workspace_are_unknown(
    client: TestClient, order: str, database: Database
) -> None:
    document = client.post("/v1/invoices", json=invoice(order, "5.00")).json()["items"][0]
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    client.headers["Authorization"] = f"Bearer {stranger}"

    assert client.get("/v1/invoices").json()["items"] == []
    assert client.get(f"/v1/invoices/{document['id']}").status_code == 404
    assert client.get("/v1/invoices/differences").json()["items"] == []
