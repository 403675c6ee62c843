"""The command line, `loupe`."""

import typer

from service.cli.accounts import budget, savings
from service.cli.bookkeeping import ledger
from service.cli.buying import approve, classify, deliver, order
from service.cli.connection import Commands
from service.cli.keys import keys
from service.cli.operating import db, orders, serve
from service.cli.planning import plan, replan
from service.cli.prices import prices
from service.cli.tracing import trace

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Decides which high-resolution satellite patches are worth buying, and accounts for every dollar.",
)
for panel, commands in {
    "Start": (serve,),
    "From a scene to labels": (plan, replan, order, approve, deliver, classify),
    "Money": (savings, trace),
}.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(ledger, name="ledger", rich_help_panel="Money")
app.add_typer(prices, name="prices", rich_help_panel="Money")
app.add_typer(budget, name="budget", rich_help_panel="Money")
app.add_typer(keys, name="keys", rich_help_panel="Operate")
app.add_typer(orders, name="orders", rich_help_panel="Operate")
app.add_typer(db, name="db", rich_help_panel="Operate")
