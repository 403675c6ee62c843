"""`loupe budget` and `loupe ledger`."""

import json

import httpx
import pytest

from tests.support.bundles import usd
from tests.support.command_line import BUDGET, BUDGET_ID, ORDER, ORDER_ID, PlayedServer, loupe


def test_budget_list_shows_limit_spent_held_and_available(server: PlayedServer) -> None:
    usage = {"limit": usd("5.00"), "spent": usd("1.00"), "held": usd("0.50"), "available": usd("3.50")}
    server.lists("/v1/budgets", BUDGET)
    server.routes[f"GET /v1/budgets/{BUDGET_ID}/usage"] = (200, usage)

    done = loupe("budget", "list")

    line = next(line for line in done.stdout.splitlines() if "harvest" in line)
    assert line.split() == ["harvest", "5.00", "USD", "1.00", "USD", "0.50", "USD", "3.50", "USD", BUDGET_ID]


def test_budget_create_sends_every_given_term(server: PlayedServer) -> None:
    server.routes["POST /v1/budgets"] = (201, BUDGET)

    done = loupe(
        "budget", "create", "harvest", "5.00", "usd", "--period", "month", "--threshold", "50",
        "--threshold", "80", "--tag", "team=north", "--approval-above", "2.00",
    )  # fmt: skip

    assert done.exit_code == 0
    assert json.loads(server.asked[0].content) == {
        "name": "harvest", "limit": usd("5.00"), "period": "month", "thresholds": [50, 80],
        "tags": {"team": "north"}, "approval_above": usd("2.00"),
    }  # fmt: skip


def test_budget_create_refuses_a_tag_without_a_value() -> None:
    done = loupe("budget", "create", "harvest", "5.00", "usd", "--tag", "north", "--api-key", "a-key")

    assert (done.exit_code, done.stderr) == (1, "Error: A tag needs a name and a value: --tag NAME=VALUE.\n")


def test_budget_limit_sends_only_the_limit(server: PlayedServer) -> None:
    server.lists("/v1/budgets", BUDGET)
    changed = BUDGET | {"version": 2, "limit": usd("7.00"), "available": usd("6.00")}
    server.routes[f"PATCH /v1/budgets/{BUDGET_ID}"] = (200, changed)

    done = loupe("budget", "limit", "harvest", "7.00")

    assert json.loads(server.asked[-1].content) == {"limit": usd("7.00")}
    assert done.stdout == "The limit is now 7.00 USD; 6.00 USD is available.\n"


PROPOSAL = {
    "id": ORDER_ID, "kind": "charge", "status": "waiting", "by": "abcdefgh", "at": "2026-11-29T12:00:00Z",
    "order": ORDER_ID, "amount": usd("9.00"), "reason": "invoice 17",
}  # fmt: skip


def test_budget_limit_says_that_it_waits_for_a_second_key(server: PlayedServer) -> None:
    server.lists("/v1/budgets", BUDGET)
    change = {"id": ORDER_ID, "kind": "terms", "changes": {"limit": usd("7.00")}}
    server.routes[f"PATCH /v1/budgets/{BUDGET_ID}"] = (202, BUDGET | {"waiting": [change]})

    done = loupe("budget", "limit", "harvest", "7.00")

    assert "The limit is now" not in done.stdout
    assert f"Waits for approval by a second key: limit 7.00 USD. To approve it: loupe approve {ORDER_ID}" in (
        " ".join(done.stdout.split())
    )


def test_ledger_adjust_says_that_a_charge_waits(server: PlayedServer) -> None:
    server.routes[f"GET /v1/orders/{ORDER_ID}"] = (200, ORDER)
    server.routes["POST /v1/ledger/adjustments"] = (202, PROPOSAL)

    done = loupe("ledger", "adjust", ORDER_ID, "charge", "9.00", "--reason", "invoice 17")

    assert f"loupe approve {ORDER_ID}" in " ".join(done.stdout.split())


@pytest.mark.parametrize(("words", "sent"), [((), "true"), (("--decided",), "false")])
def test_budget_proposals_lists_what_waits(server: PlayedServer, words: tuple[str, ...], sent: str) -> None:
    server.lists("/v1/proposals", PROPOSAL)

    done = loupe("budget", "proposals", *words)

    assert server.asked[0].url.params["waiting"] == sent
    assert "charge 9.00 USD" in " ".join(done.stdout.split())


def test_budget_withdraw_takes_a_proposal_back(server: PlayedServer) -> None:
    server.routes[f"POST /v1/proposals/{ORDER_ID}/withdrawal"] = (200, PROPOSAL | {"status": "withdrawn"})

    done = loupe("budget", "withdraw", ORDER_ID)

    assert done.exit_code == 0
    assert "withdrawn" in done.stdout


def test_budget_terms_counts_the_proposals_that_it_does_not_show(server: PlayedServer) -> None:
    server.lists("/v1/budgets", BUDGET)
    terms = {"version": 1, "period": "none", "enforcement": "block", "thresholds": [], "tags": {}}
    waiting = {"waiting": [PROPOSAL], "waiting_number": 3}
    server.routes[f"PATCH /v1/budgets/{BUDGET_ID}"] = (202, BUDGET | terms | waiting)

    done = loupe("budget", "terms", "harvest", "--enforcement", "off")

    assert "2 more wait: loupe budget proposals" in " ".join(done.stdout.split())


def test_budget_terms_sends_the_given_terms_and_prints_all(server: PlayedServer) -> None:
    server.lists("/v1/budgets", BUDGET)
    terms = {"version": 2, "period": "none", "enforcement": "warn", "thresholds": [50], "tags": {}}
    server.routes[f"PATCH /v1/budgets/{BUDGET_ID}"] = (200, BUDGET | terms | {"ends_on": "2026-12-31"})

    done = loupe("budget", "terms", "harvest", "--enforcement", "warn", "--ends-on", "2026-12-31")

    assert json.loads(server.asked[-1].content) == {"enforcement": "warn", "ends_on": "2026-12-31"}
    assert "until 2026-12-31" in done.stdout
    assert "50%" in done.stdout


def test_ledger_csv_prints_column_names_once_over_all_pages(server: PlayedServer) -> None:
    def ledger(request: httpx.Request) -> httpx.Response:
        assert request.headers["Accept"] == "text/csv"
        if "cursor" in request.url.params:
            return httpx.Response(200, text="seq,kind\r\n1,fund\r\n")
        onward = {"Link": '</v1/ledger>; rel="self", </v1/ledger?cursor=x>; rel="next"'}
        return httpx.Response(200, text="seq,kind\r\n2,reserve\r\n", headers=onward)

    server.routes["GET /v1/ledger"] = ledger

    done = loupe("ledger", "--csv")

    assert done.stdout.splitlines() == ["seq,kind", "2,reserve", "1,fund"]


def test_ledger_adjust_uses_the_currency_of_the_order(server: PlayedServer) -> None:
    server.routes[f"GET /v1/orders/{ORDER_ID}"] = (200, ORDER)
    made = {"kind": "refund", "amount": usd("0.10"), "reference": f"refund:{ORDER_ID}#1"}
    server.routes["POST /v1/ledger/adjustments"] = (201, made)

    done = loupe("ledger", "adjust", ORDER_ID, "refund", "0.10", "--reason", "credit note 4711")

    assert done.stdout == f"Recorded a refund of 0.10 USD. Reference: refund:{ORDER_ID}#1\n"
    assert json.loads(server.asked[-1].content) == {
        "kind": "refund", "order": ORDER_ID, "reason": "credit note 4711", "amount": usd("0.10"),
    }  # fmt: skip


def test_budget_terms_takes_terms_away(server: PlayedServer) -> None:
    server.lists("/v1/budgets", BUDGET)
    terms = {"version": 2, "period": "none", "enforcement": "block", "thresholds": [], "tags": {}}
    server.routes[f"PATCH /v1/budgets/{BUDGET_ID}"] = (200, BUDGET | terms)

    done = loupe(
        "budget", "terms", "harvest", "--no-approval", "--no-starts-on", "--no-ends-on", "--tag", "team="
    )

    assert done.exit_code == 0, done.output
    assert json.loads(server.asked[-1].content) == {
        "starts_on": None, "ends_on": None, "approval_above": None, "tags": {"team": None},
    }  # fmt: skip


def test_budget_terms_refuses_to_set_a_term_and_take_it_away(server: PlayedServer) -> None:
    done = loupe("budget", "terms", "harvest", "--no-approval", "--approval-above", "5.00")

    assert done.exit_code != 0
    assert "Give --approval-above or take it away, not both." in done.output
    assert server.asked == []


def test_savings_chooses_by_cost_center(server: PlayedServer) -> None:
    server.routes["GET /v1/reports/savings/orders"] = (200, {"items": [], "links": []})

    loupe("savings", "--orders", "--cost-center", "4711")

    assert server.asked[0].url.params["cost_center"] == "4711"
