"""The command line, `loupe`."""

from typing import Annotated

import typer

from service.cli.alternatives import alternatives, curve
from service.cli.audit import audit
from service.cli.budgets import budget_commands
from service.cli.bundles import bundle_commands
from service.cli.choosing import ProfileName, Program
from service.cli.delegations import delegation_commands
from service.cli.delivering import deliver
from service.cli.invoices import invoice_commands
from service.cli.jobs import job_commands
from service.cli.keys import keys, me, workspaces
from service.cli.labels import label_commands
from service.cli.ledger import ledger_commands
from service.cli.lists import order_commands, plan_commands
from service.cli.naming import edit_order, edit_plan
from service.cli.operating import db_commands, serve, worker
from service.cli.orders import approve, cancel, classify, deadline, order
from service.cli.people import people
from service.cli.pixels import blobs, pixel_commands
from service.cli.plans import next_round, plan, replan
from service.cli.prices import price_commands
from service.cli.profiles import profile_commands
from service.cli.reports import savings, spend
from service.cli.shapes import write_order_shapes, write_plan_shapes
from service.cli.tracing import trace
from service.version import code_version

app = typer.Typer(
    cls=Program,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def print_version(wanted: bool) -> None:
    """Print the version and end, if it is wanted."""
    if wanted:
        typer.echo(f"loupe {code_version()}")
        raise typer.Exit


@app.callback()
def program(
    profile: ProfileName = None,
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=print_version, help="Print the version and exit."),
    ] = False,
) -> None:
    """Decide which high-resolution satellite patches to buy, and account for every dollar."""


for panel, commands in {
    "Start": (serve, worker),
    "From a scene to labels": (
        plan,
        replan,
        curve,
        alternatives,
        order,
        approve,
        deliver,
        deadline,
        cancel,
        next_round,
        classify,
    ),
    "Money": (savings, spend, trace),
    "Operate": (me, audit, blobs),
}.items():
    for command in commands:
        name = "next" if command is next_round else None  # `next` is a builtin function
        app.command(name, rich_help_panel=panel)(command)
plan_commands.command("shapes")(write_plan_shapes)
plan_commands.command("edit")(edit_plan)
order_commands.command("edit")(edit_order)
order_commands.command("shapes")(write_order_shapes)
app.add_typer(ledger_commands, name="ledger", rich_help_panel="Money")
app.add_typer(invoice_commands, name="invoices", rich_help_panel="Money")
app.add_typer(label_commands, name="labels", rich_help_panel="From a scene to labels")
app.add_typer(plan_commands, name="plans", rich_help_panel="From a scene to labels")
app.add_typer(order_commands, name="orders", rich_help_panel="From a scene to labels")
app.add_typer(job_commands, name="jobs", rich_help_panel="From a scene to labels")
app.add_typer(price_commands, name="prices", rich_help_panel="Money")
app.add_typer(budget_commands, name="budget", rich_help_panel="Money")
app.add_typer(bundle_commands, name="bundles", rich_help_panel="Operate")
app.add_typer(delegation_commands, name="delegations", rich_help_panel="Money")
app.add_typer(keys, name="keys", rich_help_panel="Operate")
app.add_typer(people, name="people", rich_help_panel="Operate")
app.add_typer(workspaces, name="workspaces", rich_help_panel="Operate")
app.add_typer(profile_commands, name="profiles", rich_help_panel="Start")
app.add_typer(pixel_commands, name="pixels", rich_help_panel="Operate")
app.add_typer(db_commands, name="db", rich_help_panel="Operate")
