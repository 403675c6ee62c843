"""`loupe savings` and `loupe spend`, divided into groups and steps."""

import json
from typing import Any

import pytest

from tests.support.bundles import usd
from tests.support.command_line import PlayedServer, loupe

TOTAL: dict[str, Any] = {
    "currency": "USD", "charges": 3, "purchased": usd("5.00"), "credited": usd("1.00"),
    "adjusted": usd("0.50"), "net": usd("4.50"),
}  # fmt: skip
OCTOBER = {"first_day": "2026-10-01", "last_day": "2026-10-31", "group": None}
SPENT = {"currencies": [TOTAL], "groups": [TOTAL | OCTOBER]}
SAVED_BY_TEAM = {
    "currencies": [
        {
            "currency": "USD", "orders": 1, "settled": usd("2.00"),
            "savings": {"realised": usd("3.00"), "ordered": usd("7.00")},
        }
    ],
    "groups": [
        {
            "first_day": None, "last_day": None, "group": "north", "currency": "USD", "orders": 1,
            "realised_saving": usd("3.00"), "ordered_saving": usd("7.00"), "held_saving": usd("0.00"),
            "settled": usd("2.00"),
        }
    ],
}  # fmt: skip


def test_spending_is_shown_by_month_with_its_total(server: PlayedServer) -> None:
    server.routes["GET /v1/reports/spend"] = (200, SPENT)

    titles, line, total = loupe("spend").stdout.splitlines()

    assert dict(server.asked[0].url.params) == {"step": "month"}
    assert titles.split()[:3] == ["From", "To", "Charges"]
    assert line.split()[:3] == ["2026-10-01", "2026-10-31", "3"]
    assert line.split()[-2:] == ["4.50", "USD"]
    assert total == "USD: 3 charges, 4.50 USD net"


def test_groups_and_limits_go_to_the_server(server: PlayedServer) -> None:
    server.routes["GET /v1/reports/spend"] = (200, {"currencies": [], "groups": []})

    done = loupe("spend", "--group-by", "tag:team", "--from", "2026-01-01", "--provider", "Acme")

    assert dict(server.asked[0].url.params) == {
        "group_by": "tag:team", "from": "2026-01-01", "provider": "Acme",
    }  # fmt: skip
    assert done.stdout == "Nothing has been paid yet.\n"


def test_savings_by_group_are_a_table_above_the_total(server: PlayedServer) -> None:
    server.routes["GET /v1/reports/savings"] = (200, SAVED_BY_TEAM)

    titles, line, total = loupe("savings", "--group-by", "tag:team").stdout.splitlines()

    assert titles.split()[:2] == ["Group", "Orders"]
    assert line.split() == ["north", "1", "3.00", "USD", "7.00", "USD", "0.00", "USD", "2.00", "USD"]
    assert total == "USD: 1 order, realised saving 3.00 USD, ordered saving 7.00 USD, 2.00 USD paid"


@pytest.mark.parametrize("command", ["savings", "spend"])
def test_json_is_the_answer_of_the_server(server: PlayedServer, command: str) -> None:
    server.routes[f"GET /v1/reports/{command}"] = (200, SAVED_BY_TEAM)
    assert json.loads(loupe(command, "--json", "--step", "week").stdout) == SAVED_BY_TEAM
    assert dict(server.asked[0].url.params) == {"step": "week"}


def test_orders_are_not_divided(server: PlayedServer) -> None:
    done = loupe("savings", "--orders", "--group-by", "budget")
    assert (done.exit_code, server.asked) == (1, [])
    assert "--orders" in done.stderr
