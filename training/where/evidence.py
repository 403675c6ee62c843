"""The evidence beside the rows of the table `where`: bills, controls, matching, calibration, as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from training.objects.maps import FACTORS
from training.objects.presence import presence_auc
from training.where.bills import MINIMUMS_KM2, Terms
from training.where.controls import Gain, gain_over, with_other_lr
from training.where.coverage import expected_by_patch, expected_by_tile, read_by_tile
from training.where.dollars import BUDGETS, SWEPT, Frontier, frontier, swept, swept_by_shape
from training.where.equal_money import at_equal_money
from training.where.matching import matched_at
from training.where.orders import OURS
from training.where.rows import OURS_FOR_LABELS, PER_TILE, PORTFOLIO, Row, Seen, table_rows

TARGET = 0.9
"""Share of the objects to find where savings are compared."""
BILLED = ((OURS, PORTFOLIO), ("LR texture", PORTFOLIO), ("Fixed-H", PER_TILE))
"""Rows that are billed."""
SHAPED = "Loupe: by expected count and polygon"
"""Name of the choice that knows how polygons are billed."""
CONTROLLED = 4.0
"""Mean number of patches per tile of the controls."""


def row_of(order: str, spending: str, bins: Sequence[int]) -> Row:
    """Return a row of the table by its order and its spending."""
    return next(row for row in table_rows(bins) if (row.order, row.spending) == (order, spending))


def bills(by_seed: Sequence[Seen], patch_m: float, bins: Sequence[int]) -> list[dict[str, Any]]:
    """Bill choices of patches of every size under every minimum, by how much of everything they cost."""
    found = []
    for factor in FACTORS:
        if not len(by_seed[0].tiles[factor]):
            continue  # no scene holds a tile of such patches
        choices = {", ".join(row): swept(by_seed, row_of(*row, bins), factor) for row in BILLED}
        for minimum in MINIMUMS_KM2:
            terms = Terms(patch_km2=(patch_m / 1000) ** 2, minimum_km2=minimum)
            sold = choices | {SHAPED: swept_by_shape(by_seed, factor, terms)}
            made = {name: frontier(by_seed, chosen, terms) for name, chosen in sold.items()}
            ours = made[", ".join(BILLED[0])]
            found.append(
                {
                    "patch_m": patch_m * factor,
                    "minimum_km2": minimum,
                    "everything_usd": round(float(ours.whole.sum())),
                    "budgets": _at_budgets(ours, made[SHAPED]),
                    "saving": {name: _saving(one) for name, one in made.items()},
                    "equal_money": at_equal_money(
                        by_seed, {name: (sold[name], one) for name, one in made.items()}, SHAPED, bins
                    ),
                }
            )
    return found


def _at_budgets(ours: Frontier, shaped: Frontier) -> list[dict[str, float]]:
    """Return bill and objects found by S, and what the choice by polygon finds for the same bill."""
    points = []
    for size in BUDGETS:
        bill, found = ours.shares[SWEPT.index(size)]
        shares = {"bill": bill, "saving": 1 - bill, "found": found, "shaped_found": shaped.found_for(bill)}
        points.append(
            {"patches": round(size, 2)} | {name: round(float(one), 4) for name, one in shares.items()}
        )
    return points


def _saving(one: Frontier) -> list[float]:
    return [round(number, 4) for number in one.saving(TARGET)]


def controls(by_seed: Sequence[Seen], bins: Sequence[int]) -> dict[str, Any]:
    """Measure the gains over Fixed-H that must vanish with another LR, and those over whole scenes."""
    tiles = [seen.tiles[1] for seen in by_seed]
    others = [other for one in tiles if (other := with_other_lr(one)) is not None]
    scenes = [seen.tiles[FACTORS[-1]] for seen in by_seed]
    fixed = row_of("Fixed-H", PER_TILE, bins)
    found: dict[str, Any] = {"patches": CONTROLLED}
    for name, judged in (("own_lr", tiles), ("other_lr", others), ("whole_scenes", scenes)):
        if judged and len(judged[0]):
            found[name] = {
                spending: _gain(gain_over(judged, row_of(OURS, spending, bins), fixed, CONTROLLED))
                for spending in (PER_TILE, PORTFOLIO)
            }
    return found


def _gain(one: Gain) -> dict[str, Any]:
    numbers = {**asdict(one), "gain": one.gain}
    return {name: round(number, 4) for name, number in numbers.items()} | {"differs": one.differs}


def calibration(by_seed: Sequence[Seen], *, counted: bool) -> dict[str, Any]:
    """Compare predicted counts with true ones: of patches and tiles from LR, and of tiles that are read.

    Tiles are read unless no counter did so (`counted`).
    """
    tiles = [seen.tiles[1] for seen in by_seed]
    from_lr = {
        "patches from LR": asdict(expected_by_patch(tiles)),
        "tiles from LR": asdict(expected_by_tile(tiles)),
    }
    return from_lr | ({"tiles bought whole": asdict(read_by_tile(tiles))} if counted else {})


def presence(by_seed: Sequence[Seen]) -> list[list[float]]:
    """Return the AUC of the presence of objects in patches with its interval, by seed; [] if undefined."""
    found = [presence_auc(seen.tiles[1]) for seen in by_seed]
    return [[round(number, 4) for number in one] for one in found if one]


def matched(by_seed: Sequence[Seen], bins: Sequence[int], *, counted: bool) -> dict[str, dict[str, float]]:
    """Return the sizes from which on labels match those of everything bought, by reading and by order."""
    readings = {"read by the counter": by_seed} if counted else {}
    readings["read without errors"] = [one.read_perfectly() for one in by_seed]
    return {
        reading: {
            order: matched_at(seen, row_of(order, PORTFOLIO, bins), bins) for order in (OURS, OURS_FOR_LABELS)
        }
        for reading, seen in readings.items()
    }
