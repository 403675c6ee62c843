"""The command line, `loupe`."""

import typer

from service.cli.alternatives import alternatives
from service.cli.budgets import budget_commands, savings
from service.cli.bundles import bundle_commands
from service.cli.connection import Commands
from service.cli.delivering import deliver
from service.cli.invoices import invoice_commands
from service.cli.keys import keys
from service.cli.labels import label_commands
from service.cli.ledger import ledger_commands
from service.cli.operating import db_commands, order_commands, serve
from service.cli.orders import approve, cancel, classify, deadline, order
from service.cli.plans import curve, next_round, plan, replan
from service.cli.prices import price_commands
from service.cli.tracing import trace

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Decide which high-resolution satellite patches to buy, and account for every dollar.",
)
for panel, commands in {
    "Start": (serve,),
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
    "Money": (savings, trace),
}.items():
    for command in commands:
        name = "next" if command is next_round else None  # `next` is a builtin function
        app.command(name, rich_help_panel=panel)(command)
app.add_typer(ledger_commands, name="ledger", rich_help_panel="Money")
app.add_typer(invoice_commands, name="invoices", rich_help_panel="Money")
app.add_typer(label_commands, name="labels", rich_help_panel="From a scene to labels")
app.add_typer(price_commands, name="prices", rich_help_panel="Money")
app.add_typer(budget_commands, name="budget", rich_help_panel="Money")
app.add_typer(bundle_commands, name="bundles", rich_help_panel="Operate")
app.add_typer(keys, name="keys", rich_help_panel="Operate")
app.add_typer(order_commands, name="orders", rich_help_panel="Operate")
app.add_typer(db_commands, name="db", rich_help_panel="Operate")
