"""Which rows each table has, and measuring those that are not measured yet."""

from collections.abc import Callable, Iterable
from pathlib import Path

from tqdm import tqdm

from training import processes
from training.lab import Lab
from training.tables import measure_rows as rows
from training.tables.networks import Networks
from training.tables.rows import load_rows, save_row

Measure = Callable[[Networks], rows.Rows]

COMPARED: dict[str, Measure] = {
    "lr_cnn": rows.lr_cnn,
    "hr_cnn": rows.hr_cnn,
    "patchdrop": rows.patchdrop,
    "srgan": rows.srgan,
    "kd": rows.kd,
    "pcn": rows.pcn,
    "fixed_h": rows.chooser("fixed_h"),
    "fixed_v": rows.chooser("fixed_v"),
    "stochastic": rows.chooser("stochastic"),
    "stn": rows.chooser("stn"),
    "product": rows.product,
    "oracle": rows.oracle,
}
BAGNET: dict[str, Measure] = {
    "hr_cnn": rows.timed_hr_cnn,
    "bagnet": rows.bagnet,
    "bagnet_patchdrop": rows.bagnet_patchdrop,
    "bagnet_fixed_h": rows.bagnet_chooser("fixed_h"),
    "bagnet_fixed_v": rows.bagnet_chooser("fixed_v"),
    "bagnet_stochastic": rows.bagnet_chooser("stochastic"),
    "bagnet_stn": rows.bagnet_chooser("stn"),
}
AUGMENTED: dict[str, Measure] = {
    "augment_none": rows.augment_none,
    "augment_cutout": rows.augment_cutout,
    "augment_patchdrop": rows.augment_patchdrop,
}
TABLES: dict[str, dict[str, Measure]] = {"1": COMPARED, "2": COMPARED, "3": BAGNET, "4": AUGMENTED}

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
"""Stages that a recipe must have for a row; rows without them stay empty."""


def rows_folder(out: Path, number: str) -> Path:
    """Where a table's rows lie; Table 3 times HR-CNN, so its rows are its own."""
    return out / "rows" / ("timed" if number == "3" else "compared")


def run_table(number: str, lab: Lab, only: Iterable[str] = ()) -> None:
    """Measure every row of a table that is not in `<out>/rows` yet.

    `only` names the rows wanted; the others stay as they are. ValueError if it names none of the table's.
    """
    folder = rows_folder(lab.run.out, number)
    measures = TABLES[number]
    if unknown := sorted(set(only) - measures.keys()):
        raise ValueError(f"table {number} has no row {', '.join(unknown)}: it has {', '.join(measures)}")
    done = {row.method for row in load_rows(folder)} if folder.is_dir() else set()
    networks = Networks(lab)
    for name, measure in measures.items():
        if name in done or (only and name not in only):
            continue
        if missing := [stage for stage in NEEDS.get(name, ()) if getattr(lab.recipe, stage) is None]:
            tqdm.write(f"{name}: not run, recipe {lab.recipe.name!r} has no [{'], ['.join(missing)}]")
            continue
        measured = list(measure(networks))
        if processes.rank() == 0:
            for row in measured:
                save_row(folder, row)
                tqdm.write(
                    f"{row.method} {row.stage}: {100 * row.accuracy:.1f} % at S = {row.mean_patches:.2f}"
                )
