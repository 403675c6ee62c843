"""Wrong values are named by their option, argument or row; an output that takes no more is named, too."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from loupe import ProblemError
from loupe.options import BudgetOptions, OrderOptions, PlanOptions, to_wire
from service.cli import app
from service.cli.faults import place_of, refusal
from tests.support.command_line import ORDER, ORDER_ID, PLAN_ID, PlayedServer, loupe


def command(words: str) -> Any:
    found: Any = typer.main.get_command(app)
    for word in words.split():
        assert isinstance(found, TyperGroup)
        found = found.commands[word]
    return found


@pytest.mark.parametrize(
    ("words", "pointer", "place"),
    [
        ("budget create", "/body/name", "NAME"),
        ("budget create", "/body/limit/amount", "AMOUNT"),
        ("budget create", "/body/limit/currency", "CURRENCY"),
        ("budget create", "/body/approval_above/amount", "--approval-above"),
        ("budget create", "/body/thresholds/0", "--threshold"),
        ("budget create", "/body/tags/team", "--tag"),
        ("budget limit", "/body/limit/amount", "AMOUNT"),
        ("budget terms", "/body/ends_on", "--ends-on"),
        ("order", "/body/plan", "PLAN"),
        ("order", "/body/cost_center", "--cost-center"),
        ("orders list", "/query/q", "--search"),
        ("orders list", "/query/from", "--from"),
        ("orders show", "/path/order_id", "ORDER"),
        ("orders shapes", "/path/order_id", "ORDER"),
        ("approve", "/path/order_id", "ID"),
        ("plan", "/query/lambda", "--lambda"),
        ("plan", "/query/target_accuracy", "--target-accuracy"),
        ("replan", "/body/max_cost", "--max-cost"),
        ("next", "/body/worth_each", "--worth-each"),
        ("alternatives", "/path/plan_id", "PLAN"),
        ("curve", "/path/plan_id", "PLAN"),
        ("deadline", "/body/last_day", "DAY"),
        ("deliver", "/query/price", "--price"),
        ("deliver", "/query/accept_late", "--late"),
        ("ledger adjust", "/body/order", "ORDER"),
        ("ledger adjust", "/body/amount/amount", "AMOUNT"),
        ("ledger close", "/body/month", "MONTH"),
        ("delegations lend", "/body/ends_at", "--until"),
        ("delegations end", "/path/delegation_id", "ID"),
        ("budget withdraw", "/path/proposal_id", "PROPOSAL"),
        ("jobs show", "/path/job_id", "JOB"),
        ("savings", "/query/group_by", "--group-by"),
        ("pixels retention", "/body/scene_days", "--scenes"),
        ("prices import", "/rows/2/currency", "Row 2, currency"),
        ("prices import", "/rows/2/tiers/0/price_per_km2", "Row 2, tier 1, price per km2"),
        ("invoices import", "/invoices/4/lines/1/amount", "Invoice 4, line 2, amount"),
        ("labels give", "/body/tiles/3/true_label", "Tile 3, true label"),
        ("me", "/query/unheard", "Unheard"),
    ],
)
def test_place_is_that_of_the_command(words: str, pointer: str, place: str) -> None:
    assert place_of(pointer, command(words)) == place


@pytest.mark.parametrize(
    ("words", "options"), [("plan", PlanOptions), ("order", OrderOptions), ("budget create", BudgetOptions)]
)
def test_every_option_of_an_operation_is_an_option_of_its_command(words: str, options: Any) -> None:
    names = to_wire(dict.fromkeys(options.__annotations__, "x"))
    places = {name: place_of(f"/query/{name}", command(words)) for name in names}

    assert [name for name, place in places.items() if not place.startswith("--")] == []


def test_wrong_value_is_named_by_its_argument(server: PlayedServer) -> None:
    fault = {
        "pointer": "/body/limit/currency",
        "detail": "String should have at most 3 characters",
        "code": "c",
    }
    problem = {"title": "The request is invalid", "detail": "/body/limit/currency: wrong.", "errors": [fault]}
    server.routes["POST /v1/budgets"] = (422, problem)

    done = loupe("budget", "create", "harvest", "12.50", "usdx")

    assert done.exit_code == 3
    assert done.stderr == ("Error: A value cannot be used\nCURRENCY: It should have at most 3 characters.\n")


def test_wrong_value_of_a_command_in_no_group_is_named_by_its_option(server: PlayedServer) -> None:
    fault = {"pointer": "/body/max_cost", "detail": "This is no amount.", "code": "c"}
    server.routes[f"POST /v1/plans/{PLAN_ID}/replan"] = (422, {"title": "No", "errors": [fault]})

    assert loupe("replan", PLAN_ID, "--max-cost", "x").stderr.endswith("--max-cost: This is no amount.\n")


def test_file_that_is_refused_states_the_option(server: PlayedServer, tmp_path: Any) -> None:
    (tmp_path / "hr.tif").write_bytes(b"a")
    fault = {"pointer": "/query/bands", "detail": "Field required", "code": "missing"}
    server.routes[f"PUT /v1/orders/{ORDER_ID}/deliveries"] = (422, {"title": "No", "errors": [fault]})
    server.routes[f"GET /v1/orders/{ORDER_ID}"] = (200, ORDER)

    done = loupe("deliver", ORDER_ID, str(tmp_path / "hr.tif"))

    assert "hr.tif: A value cannot be used: --bands: It is missing." in done.stderr


def test_unknown_parameter_is_a_matter_of_versions() -> None:
    fault = {"pointer": "/query/sort", "detail": "This address has no such query parameter.",
             "code": "parameter-unknown"}  # fmt: skip
    said = refusal(ProblemError(422, {"title": "No", "errors": [fault]}), command("orders list"))

    assert said.splitlines()[1].startswith("--sort: The server does not know it.")


def test_failure_of_the_server_states_the_id_of_the_request() -> None:
    problem = {
        "type": "/problems/internal-error", "title": "The service failed", "request_id": "r-17",
        "detail": "The server's log has the cause under this request id. Give it to the operator.",
    }  # fmt: skip

    assert "The request has the id r-17." in refusal(ProblemError(500, problem))


def test_refusal_without_a_document_has_its_status() -> None:
    assert refusal(ProblemError(502, {})) == "The server answered with status 502."


@pytest.mark.parametrize("words", [["profiles", "list"], ["profiles", "list", "--json"]])
def test_output_that_cannot_be_written_is_named(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    command = [sys.executable, "-c", "from service.cli import app; app()", *words]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr) == (1, "Error: The output: No space left on device\n")
