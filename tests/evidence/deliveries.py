"""The table of honest and wrong deliveries in docs/inputs.md: how many are refused, warned of and taken."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from service.errors import LoupeError
from service.geotiff.raster import Raster
from service.imagery.collar import mark_collar
from service.imagery.likeness import compare_with_scene, judge
from service.imagery.placement import PlacedPatch, place_patch
from service.imagery.radiometry import to_imagery
from service.imagery.resemblance import measure_misfits
from service.imagery.siblings import Sibling, find_shared_displacement, sensors_differ
from tests.evidence.made_deliveries import HONEST, WRONG, Make, cut
from tests.evidence.photographs import Layout, Photograph, read_merced, read_photographs, read_tanks
from tests.evidence.rasters import DATA

_ORDERED = 7 / 8  # pixels of an ordered patch's side over those of the photograph; 56 in the starter bundle


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Result of one delivery: "taken", "warned" or "refused", and the code of the reason."""

    word: str
    code: str = ""


def deliver(
    raster: Raster, layout: Layout, scene: NDArray[np.uint8], patch: int, *, differ: bool = False
) -> Outcome:
    """Read, place and judge one file as the service does after decoding it; `scene` is uint8 (1, 3, n, n).

    `differ` says that the order's other patches show that another sensor took the scene.
    """
    try:
        imagery = mark_collar(to_imagery(raster))
        placed = place_patch(imagery, layout.grid, 0, patch, int(layout.patch_px * _ORDERED), scene)
        doubts = judge(compare_with_scene(placed, scene[0]), sensors_differ=differ)
    except LoupeError as refusal:
        return Outcome(word="refused", code=refusal.code)
    warnings = (*imagery.warnings, *doubts)
    return Outcome(word="warned", code=warnings[0].code) if warnings else Outcome(word="taken")


def measure(
    photographs: Sequence[Photograph],
    kinds: Sequence[Make],
    count: int,
    seed: int,
    *,
    same_sensor: bool = True,
) -> dict[str, Counter[Outcome]]:
    """Deliver `count` files, in turn of each kind, of random patches of the photographs.

    The scene is the average of the photograph, or what another sensor would see. Then the order has five
    other patches already.
    """
    generator = np.random.default_rng(seed)
    outcomes: dict[str, Counter[Outcome]] = {kind.__name__: Counter() for kind in kinds}
    order = generator.permutation(len(photographs))
    for number in range(count):
        photograph = photographs[order[number % len(order)]]
        kind, patch = kinds[number % len(kinds)], int(generator.integers(16))
        scene = photograph.scene if same_sensor else photograph.seen_by_another_sensor(generator)
        differ = not same_sensor and _others_differ(photograph, scene, patch, generator)
        file = kind(photograph, patch, generator)
        outcome = deliver(file, photograph.layout, scene, patch, differ=differ)
        outcomes[kind.__name__][outcome] += 1
    return outcomes


def _others_differ(
    photograph: Photograph, scene: NDArray[np.uint8], patch: int, generator: np.random.Generator
) -> bool:
    others = [one for one in generator.permutation(16) if one != patch][:5]
    return sensors_differ(
        [measure_misfits(cut(photograph, int(one)), scene[0], int(one)).own for one in others]
    )


def measure_orders(photographs: Sequence[Photograph], count: int, seed: int) -> dict[str, int]:
    """Deliver whole orders of 16 patches whose scene another sensor took; count those with a shared shift.

    The orders are `count` honest ones, and the same with all patches displaced by 30 m.
    """
    generator = np.random.default_rng(seed)
    found = {"honest": 0, "all patches off 30 m": 0}
    for photograph in (photographs[int(one)] for one in generator.integers(0, len(photographs), count)):
        layout, scene = photograph.layout, photograph.seen_by_another_sensor(generator)
        angle, away = generator.uniform(0, 2 * np.pi), 30 / layout.pixel_m
        shift = round(away * np.sin(angle)), round(away * np.cos(angle))
        for name, (down, right) in (("honest", (0, 0)), ("all patches off 30 m", shift)):
            siblings = [_sibling(photograph, scene, patch, down, right) for patch in range(16)]
            found[name] += find_shared_displacement(siblings, layout.grid, scene, differ=True) is not None
    return found


def _sibling(photograph: Photograph, scene: NDArray[np.uint8], patch: int, down: int, right: int) -> Sibling:
    layout = photograph.layout
    margin = max(abs(down), abs(right))
    wide, edge = cut(photograph, patch, margin), layout.patch_px
    pixels = wide[:, margin + down : margin + down + edge, margin + right : margin + right + edge]
    placed = PlacedPatch(
        tile=0, patch=patch, pixels=pixels, own=np.ones((edge, edge), np.bool_), covered=1, repeated_px=0
    )
    return Sibling.of((0, patch), compare_with_scene(placed, scene[0]).figures())


def print_deliveries(
    data: Annotated[Path, typer.Option(help="Folder that holds uc-merced.tar and airbus-tanks.tar.")] = DATA,
    count: Annotated[int, typer.Option(help="Deliveries, honest and wrong each.")] = 1000,
    half: Annotated[int, typer.Option(help="Half of the images: 0 chose the thresholds, 1 did not.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of every choice.")] = 20,
    sensor_gap: Annotated[
        bool, typer.Option(help="Let another sensor see the scenes; one table for each data set.")
    ] = False,
) -> None:
    """Print how many honest and wrong deliveries are taken, warned of and refused, by kind."""
    if not sensor_gap:
        _print_table(read_photographs(data, half, seed=1), count, seed, same_sensor=True)
        return
    for title, photographs in (
        ("Airbus tanks, patches of 19 x 19 LR pixels", read_tanks(data, half, seed=1)),
        ("UC Merced, patches of 2 x 2 LR pixels", read_merced(data, half, seed=1)),
    ):
        typer.echo(f"\n{title}:\n")
        _print_table(photographs, count, seed, same_sensor=False)
        orders = count // 10
        typer.echo("\n| whole order | uploads | with one warning of a shared shift |\n|---|---|---|")
        for name, warned in measure_orders(photographs, orders, seed).items():
            typer.echo(f"| {name} | {orders} | {warned} |")


def _print_table(photographs: Sequence[Photograph], count: int, seed: int, *, same_sensor: bool) -> None:
    typer.echo("| delivery | files | taken | warned | refused | reasons |\n|---|---|---|---|---|---|")
    for title, kinds in (("honest", HONEST), ("wrong", WRONG)):
        outcomes = measure(photographs, kinds, count, seed, same_sensor=same_sensor)
        for name, found in outcomes.items():
            typer.echo(row(f"{title}: {name.replace('_', ' ')}", found))
        typer.echo(row(f"**{title}**", sum(outcomes.values(), Counter())))


def row(name: str, found: Counter[Outcome]) -> str:
    """Return the line of one kind."""
    words = Counter[str]()
    for outcome, count in found.items():
        words[outcome.word] += count
    reasons = ", ".join(f"`{one.code}` {count}" for one, count in found.most_common() if one.code)
    counts = " | ".join(str(words[word]) for word in ("taken", "warned", "refused"))
    return f"| {name} | {found.total()} | {counts} | {reasons} |"
