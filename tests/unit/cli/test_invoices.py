"""`loupe invoices`."""

from pathlib import Path

from tests.support.command_line import PlayedServer, loupe

USD = {"currency": "USD"}
DOCUMENT = {
    "number": "R-1", "kind": "invoice", "date": "2026-11-30", "provider": "Acme",
    "net": {"amount": "12.00"} | USD, "tax": {"amount": "2.28"} | USD,
}  # fmt: skip


def test_import_sends_the_file_as_it_is_and_shows_the_documents(server: PlayedServer, tmp_path: Path) -> None:
    file = tmp_path / "march.csv"
    file.write_bytes(b"number,provider\n")
    server.routes["POST /v1/invoices"] = (201, {"items": [DOCUMENT], "imported": 1, "unchanged": 0})

    done = loupe("invoices", "import", str(file))

    assert done.exit_code == 0, done.output
    assert "R-1" in done.stdout
    assert "1 document imported, 0 known before." in done.stdout
    (request,) = server.asked
    assert (request.content, request.headers["Content-Type"]) == (b"number,provider\n", "text/csv")


def test_import_refuses_another_kind_of_file(server: PlayedServer, tmp_path: Path) -> None:
    file = tmp_path / "march.pdf"
    file.write_bytes(b"%PDF")

    done = loupe("invoices", "import", str(file))

    assert done.exit_code == 1
    assert "march.pdf is neither .csv nor .json." in done.output
    assert server.asked == []


def test_list_and_differences_show_what_to_do(server: PlayedServer) -> None:
    server.lists("/v1/invoices", DOCUMENT)
    found = {"order": "an order", "reference": None, "state": "not-invoiced", "detail": "Ask for it."}
    server.routes["GET /v1/invoices/differences"] = (200, {"items": [found], "links": []})

    assert "12.00 USD" in loupe("invoices", "list").stdout
    shown = loupe("invoices", "differences").stdout
    assert "not invoiced" in shown
    assert "Ask for it." in shown
