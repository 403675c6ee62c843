"""`loupe-train`: fit a recipe, evaluate a bundle, make the paper's tables and figures, check data."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from training.cli.answers import AsJson, print_written, said_aside
from training.cli.bundles import evaluate_command, fit_command
from training.cli.data import data_app
from training.cli.errors import user_errors
from training.cli.options import (
    CompileOption,
    DataOption,
    DeviceChoice,
    DeviceOption,
    OutOption,
    RecipeOption,
    SeedsOption,
    device_of,
    opened,
)
from training.cli.rounds import table_rounds
from training.cli.where import table_where
from training.objects.recipe import SEARCH_RECIPES
from training.paper.reports import report_ablation, report_figures, report_table
from training.paper.runner import TABLE_ROWS, run_table
from training.run.machine import keep_freed_memory
from training.run.output import end_when_unread
from training.run.recipe import load_recipe, recipe_names


class Program(TyperGroup):
    """The command `loupe-train`."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command that was typed, and end. The exit code is `UNREAD` once nobody reads its output."""
        end_when_unread()
        try:
            return super().main(*args, **options)
        except OSError as error:  # of help and the version, which no command writes
            typer.echo(f"Error: {error.filename or 'The output'}: {error.strerror}", err=True)
            raise SystemExit(1) from None
        finally:
            sys.stdout.flush()


app = typer.Typer(
    cls=Program,
    no_args_is_help=True,
    help="Train and evaluate bundles, and reproduce the paper's tables and figures.",
    epilog=f"Recipes that ship with Loupe: {', '.join((*recipe_names(), *recipe_names(SEARCH_RECIPES)))}.",
)
app.add_typer(data_app, name="data")


def print_version(wanted: bool) -> None:
    """Print the version and end, if it is wanted."""
    if wanted:
        typer.echo(f"loupe-train {version('loupe-eo')}")
        raise typer.Exit


@app.callback()
def loupe_train(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=print_version, help="Print the version and exit."),
    ] = False,
) -> None:
    """Train and evaluate bundles, and reproduce the paper's tables and figures."""
    # Before torch allocates anything: every command trains or predicts.
    keep_freed_memory()


app.command("fit")(fit_command)
app.command("evaluate")(evaluate_command)


@app.command("table")
def table_command(  # noqa: PLR0913  (a command's parameters are its options)
    number: Annotated[
        str,
        typer.Argument(
            help="1 or 2 (every method), 3 (BagNet), 4 (augmentation), where (looking for objects), "
            "or rounds (a second round of buying, and guarantees)."
        ),
    ],
    recipe: RecipeOption,
    data: DataOption,
    out: OutOption,
    seed: SeedsOption = None,
    row: Annotated[
        list[str] | None, typer.Option(help="Row to measure. Repeat the option for several. Default: all.")
    ] = None,
    fold: Annotated[
        list[str] | None,
        typer.Option(
            help="where: fold to test on, by networks of the other folds. Repeat the option to pool several. "
            "Default: the test split."
        ),
    ] = None,
    paper: Annotated[
        Path | None,
        typer.Option(help="where: OUT of `table 1 --data DIR/pairs.csv`, whose STN and PatchDrop join in."),
    ] = None,
    perfect_reading: Annotated[
        bool,
        typer.Option(
            "--perfect-reading",
            help="where: train no counter, and read bought patches without errors. Much faster.",
        ),
    ] = False,
    device: DeviceOption = DeviceChoice.auto,
    compiled: CompileOption = False,
    as_json: AsJson = False,
) -> None:
    """Measure the rows of a table of the paper and write OUT/report/table<N>-<data>.{md,json,png}.

    Rows that an earlier call measured in OUT are kept. The tables of one OUT share their networks.
    """
    with user_errors(), said_aside(as_json=as_json):
        seeds, place = seed or [0], device_of(device)
        _check_options(number, rows=row, where_only=bool(fold or paper or perfect_reading))
        if number == "where":
            chosen = recipe, data, out, seeds, fold or [], place
            written = table_where(*chosen, compiled=compiled, paper=paper, perfect=perfect_reading)
        elif number == "rounds":
            written = table_rounds(recipe, data, out, seeds, place, compiled=compiled)
        else:
            # Seeds have folders of their own, so that several processes can share OUT.
            for one in seeds:
                folder = out / f"seed{one}"
                # Always resumed: a table is measured in many calls.
                with opened(recipe, data, folder, one, device, compiled, resume=True) as parts:
                    run_table(number, *parts, row or ())
            written = report_table(number, load_recipe(recipe), out, place)
    print_written(written, as_json=as_json)


def _check_options(number: str, *, rows: list[str] | None, where_only: bool) -> None:
    """Raise ValueError for an unknown table, and for options that the table does not take."""
    if number not in TABLE_ROWS and number not in ("where", "rounds"):
        known = ", ".join((*TABLE_ROWS, "where", "rounds"))
        raise ValueError(f"There is no table {number!r}: choose one of {known}.")
    if number not in TABLE_ROWS and rows:
        raise ValueError(f"The table `{number}` always has all its rows: leave --row out.")
    if number != "where" and where_only:
        raise ValueError("Only the table `where` takes --fold, --paper and --perfect-reading.")


@app.command("ablation")
def ablation_command(
    recipe: RecipeOption,
    data: DataOption,
    out: OutOption,
    seed: Annotated[int, typer.Option(help="Seed whose networks are measured.")] = 0,
    device: DeviceOption = DeviceChoice.auto,
    compiled: CompileOption = False,
    as_json: AsJson = False,
) -> None:
    """Measure what each part of the product is worth on validation: OUT/report/ablation-<data>.{md,json}."""
    with user_errors(), said_aside(as_json=as_json):
        place = out / f"seed{seed}"
        with opened(recipe, data, place, seed, device, compiled, resume=True) as parts:
            written = report_ablation(*parts, out)
    print_written(written, as_json=as_json)


@app.command("figures")
def figures_command(
    recipe: RecipeOption,
    data: DataOption,
    out: OutOption,
    seed: SeedsOption = None,
    sweeps: Annotated[
        bool,
        typer.Option(help="Also train for Fig. 5: other ratios of HR to LR, other sigmas. Takes hours."),
    ] = False,
    device: DeviceOption = DeviceChoice.auto,
    compiled: CompileOption = False,
    as_json: AsJson = False,
) -> None:
    """Draw the paper's figures, and the frontier of the rows measured in OUT, into OUT/report.

    Trains the networks that are missing for them: HR-CNN, LR-CNN and PatchDrop's stages. Only the first
    seed is drawn.
    """
    with user_errors(), said_aside(as_json=as_json):
        chosen = (seed or [0])[0]
        # The folder of `table` for this seed, so that networks and rows are shared.
        place = out / f"seed{chosen}"
        with opened(recipe, data, place, chosen, device, compiled, resume=True) as parts:
            written = report_figures(*parts, out, sweeps=sweeps)
    print_written(*written, as_json=as_json)
