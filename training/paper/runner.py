"""The rows of each table, and the measurement of those that are missing."""

from collections.abc import Callable, Iterable
from pathlib import Path

from tqdm import tqdm

from training.paper import compared, timed
from training.paper.measure_rows import Rows
from training.paper.networks import Networks
from training.paper.rows import load_rows, save_row
from training.run import processes
from training.run.folder import Run
from training.run.recipe import Recipe
from training.run.splits import Splits

RowsOf = Callable[[Networks], Rows]
"""Function that trains what a method needs and yields its rows."""

# Rows are measured in this order; `Networks` trains what a row needs at its first use.
COMPARED_ROWS: dict[str, RowsOf] = {
    "lr_cnn": compared.lr_cnn,
    "hr_cnn": compared.hr_cnn,
    "patchdrop": compared.patchdrop,
    "srgan": compared.srgan,
    "kd": compared.kd,
    "pcn": compared.pcn,
    "fixed_h": compared.chooser("fixed_h"),
    "fixed_v": compared.chooser("fixed_v"),
    "stochastic": compared.chooser("stochastic"),
    "stn": compared.chooser("stn"),
    "product": compared.product,
    "oracle": compared.oracle,
}
BAGNET_ROWS: dict[str, RowsOf] = {
    "hr_cnn": timed.timed_hr_cnn,
    "bagnet": timed.bagnet,
    "bagnet_patchdrop": timed.bagnet_patchdrop,
    "bagnet_fixed_h": timed.bagnet_chooser("fixed_h"),
    "bagnet_fixed_v": timed.bagnet_chooser("fixed_v"),
    "bagnet_stochastic": timed.bagnet_chooser("stochastic"),
    "bagnet_stn": timed.bagnet_chooser("stn"),
}
AUGMENTED_ROWS: dict[str, RowsOf] = {
    "augment_none": compared.augment_none,
    "augment_cutout": compared.augment_cutout,
    "augment_patchdrop": compared.augment_patchdrop,
}
TABLE_ROWS: dict[str, dict[str, RowsOf]] = {
    "1": COMPARED_ROWS,
    "2": COMPARED_ROWS,
    "3": BAGNET_ROWS,
    "4": AUGMENTED_ROWS,
}

# Rows that are not named here need only HR-CNN and LR-CNN, which every recipe has.
NEEDS = {
    "patchdrop": ("pt", "ft1", "ft2"),
    "srgan": ("srgan",),
    "kd": ("kd",),
    "pcn": ("pcn",),
    "fixed_h": ("pt", "ft1", "ft2"),
    "fixed_v": ("pt", "ft1", "ft2"),
    "stochastic": ("pt", "ft1", "ft2"),
    "stn": ("pt", "ft1", "ft2", "stn"),
    "product": ("filled", "values"),
    "oracle": ("filled", "values"),
    "bagnet": ("bagnet",),
    "bagnet_patchdrop": ("bagnet", "pt", "ft1"),
    "bagnet_fixed_h": ("bagnet", "ft1"),
    "bagnet_fixed_v": ("bagnet", "ft1"),
    "bagnet_stochastic": ("bagnet", "ft1"),
    "bagnet_stn": ("bagnet", "ft1", "stn"),
    "augment_patchdrop": ("pt", "ft1"),
}
"""Stages that a recipe needs for a row; without them the row stays empty."""


def rows_folder(out: Path, number: str) -> Path:
    """Return the folder of a table's rows."""
    # Table 3 measures HR-CNN with its run time, so its row must not replace that of Table 2.
    return out / "rows" / ("timed" if number == "3" else "compared")


def run_table(number: str, run: Run, splits: Splits, recipe: Recipe, only: Iterable[str] = ()) -> None:
    """Measure every row of a table that is not in `<out>/rows` yet.

    `only` names the rows to measure; empty means all. Raise ValueError if the table lacks one of them.
    """
    folder = rows_folder(run.out, number)
    measures = TABLE_ROWS[number]
    if unknown := sorted(set(only) - measures.keys()):
        raise ValueError(
            f"Table {number} has no row {', '.join(unknown)}: choose from {', '.join(measures)}."
        )
    # A method counts as done by any of its stages: they are measured and saved together.
    done = {row.method for row in load_rows(folder)} if folder.is_dir() else set()
    networks = Networks(run, splits, recipe)
    for name, measure in measures.items():
        if name in done or (only and name not in only):  # an earlier call may have been interrupted
            continue
        if missing := [stage for stage in NEEDS.get(name, ()) if getattr(recipe, stage) is None]:
            tables = "], [".join(missing)
            tqdm.write(f"{name} was not run: the recipe {recipe.name!r} lacks [{tables}].")
            continue
        # Every process measures, because it must take part in training; one writes.
        measured = list(measure(networks))
        if processes.rank() == 0:
            for row in measured:  # saved after the last stage, so a method is never half done
                save_row(folder, row)
                measured_as = f"{name} {row.stage}".strip()
                tqdm.write(f"{measured_as}: {100 * row.accuracy:.1f} % at S = {row.mean_patches:.2f}.")
