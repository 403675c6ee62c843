"""`loupe ledger close` and `loupe ledger closes`."""

import json

from tests.support.bundles import usd
from tests.support.command_line import PlayedServer, loupe

NOTHING = dict.fromkeys(("granted", "available", "held", "spent"), usd("0.00"))
GRANTED = NOTHING | {"granted": usd("100.00"), "available": usd("88.00"), "spent": usd("12.00")}
CLOSED = {"month": "2026-10", "budgets": [{"name": "harvest", "opening": NOTHING, "closing": GRANTED}]}


def test_close_sends_the_month_and_prints_the_balances(server: PlayedServer) -> None:
    server.routes["POST /v1/ledger/closes"] = (201, CLOSED)

    done = loupe("ledger", "close", "2026-10")

    assert done.exit_code == 0, done.output
    assert json.loads(server.asked[0].content) == {"month": "2026-10"}
    opening, closing = done.stdout.splitlines()[-2:]
    assert opening.split()[:3] == ["2026-10", "harvest", "opening"]
    assert closing.split()[2:] == [
        "closing",
        *["100.00", "USD", "88.00", "USD", "0.00", "USD", "12.00", "USD"],
    ]


def test_closes_are_listed(server: PlayedServer) -> None:
    server.lists("/v1/ledger/closes", CLOSED)
    assert "harvest" in loupe("ledger", "closes").stdout

    server.lists("/v1/ledger/closes")
    assert "No month is closed: loupe ledger close MONTH" in loupe("ledger", "closes").stdout
