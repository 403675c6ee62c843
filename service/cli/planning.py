"""`loupe plan`, `loupe replan`: which patches of a scene to buy, and what that costs."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from service.cli.connection import DEFAULT_URL, ApiKey, Bands, Radiometry, Url, connect, console
from service.client import Client, Json, Query
from service.terminal.blocks import money, plural
from service.terminal.documents import plan_view


class ObjectiveKind(StrEnum):
    """What a plan optimises."""

    POLICY = "policy"
    LAMBDA = "lambda"
    MAX_COST = "max_cost"
    MAX_PATCHES = "max_patches"
    TARGET_ACCURACY = "target_accuracy"


PriceList = Annotated[
    str | None, typer.Option(help="Price list, by name or id. Default: example-no-minimum, an example.")
]
Kind = Annotated[
    ObjectiveKind | None,
    typer.Option(help="What to optimise. Default: policy, or the one whose number is given."),
]
CostWeight = Annotated[
    float | None, typer.Option("--lambda", help="Utility that one unit of money must bring.", min=0)
]
MaxCost = Annotated[
    str | None, typer.Option(help='The most to spend, such as "12.50", in the price list\'s currency.')
]
MaxPatches = Annotated[int | None, typer.Option(help="The most patches to buy.", min=0)]
TargetAccuracy = Annotated[
    float | None,
    typer.Option(
        help="The least accuracy to expect, such as 0.95, by the bundle's evaluation.", min=0, max=1
    ),
]
GeoJson = Annotated[Path | None, typer.Option(help="Write every patch with its decision as GeoJSON (QGIS).")]
Picture = Annotated[Path | None, typer.Option(help="Write a picture: the scene, bought patches outlined.")]


def plan(  # noqa: PLR0913  (a command's parameters are its options)
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Low-resolution GeoTIFF.", exists=True, dir_okay=False)
    ],
    price_list: PriceList = None,
    objective: Kind = None,
    cost_weight: CostWeight = None,
    max_cost: MaxCost = None,
    max_patches: MaxPatches = None,
    target_accuracy: TargetAccuracy = None,
    bands: Bands = None,
    radiometry: Radiometry = None,
    geojson: GeoJson = None,
    png: Picture = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Plan a scene: which patches of each tile to buy, what they cost, what that saves. Spends nothing."""
    options: dict[str, Query] = {
        "price_list": price_list,
        "objective": None if objective is None else objective.value,
        "lambda": cost_weight,
        "max_cost": max_cost,
        "max_patches": max_patches,
        "target_accuracy": target_accuracy,
        "bands": bands,
        "radiometry": radiometry,
    }
    with connect(url, api_key) as client:
        with console(stderr=True).status(f"Planning {file.name}"):
            planned = client.plan_scene(file.read_bytes(), **options)
        _write_files(client, planned, geojson, png)
    if as_json:
        typer.echo(json.dumps(planned, indent=2))
        return
    out = console()
    out.print(plan_view(planned))
    out.print(f"\nPlan {planned['id']}. To buy: loupe order {planned['id']}")


def replan(  # noqa: PLR0913  (a command's parameters are its options)
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="Id of the plan to decide anew.")],
    price_list: Annotated[
        str | None,
        typer.Option(help="Price list, by name or id. Default: the newest version of the plan's own."),
    ] = None,
    objective: Kind = None,
    cost_weight: CostWeight = None,
    max_cost: MaxCost = None,
    max_patches: MaxPatches = None,
    target_accuracy: TargetAccuracy = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Decide a plan anew with other prices or another objective. The new plan takes the old one's place."""
    wanted = {
        "price_list": price_list,
        "objective": None if objective is None else objective.value,
        "lambda": cost_weight,
        "max_cost": max_cost,
        "max_patches": max_patches,
        "target_accuracy": target_accuracy,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    with connect(url, api_key) as client:
        planned = client.post(f"/v1/plans/{plan_id}/replan", given)
    changes = planned["changes"]
    out = console()
    out.print(plan_view(planned))
    out.print(
        f"\nAgainst plan {plan_id}: {plural(changes['added'], 'patch')} added, {changes['dropped']} dropped, "
        f"{changes['kept']} kept; {money(changes['cost_before'])} became {money(changes['cost_now'])}."
    )
    out.print(f"Plan {planned['id']}. To buy: loupe order {planned['id']}")


def _write_files(client: Client, planned: Json, geojson: Path | None, png: Path | None) -> None:
    path = f"/v1/plans/{planned['id']}"
    if geojson is not None:
        features = [feature for page in client.pages(f"{path}/patches") for feature in page["features"]]
        geojson.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    if png is not None:
        png.write_bytes(client.download(f"{path}/preview.png"))
