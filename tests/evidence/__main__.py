"""Measurements that the documentation quotes: `python -m tests.evidence NAME`."""

import typer

from tests.evidence import deliveries, rasters, savings, transcripts

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def evidence() -> None:
    """Measure what the documentation quotes, and print it."""


app.command("deliveries")(deliveries.print_deliveries)
app.command("rasters")(rasters.print_rasters)
app.command("savings")(savings.print_savings)
app.command("transcripts")(transcripts.write_transcripts)

if __name__ == "__main__":
    app()
