"""`loupe plan`, `loupe replan` and `loupe next`: choose the patches of a scene to buy, and price them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from loupe import Client, calls
from loupe.answers.base import Json
from loupe.options import PlanOptions, ReplanOptions
from loupe.paths import path_to
from service.cli.budgets import tags_of
from service.cli.connection import (
    DEFAULT_URL,
    ApiKey,
    AsJson,
    Bands,
    Radiometry,
    Url,
    console,
    open_client,
    print_json,
)
from service.cli.jobs import following
from service.cli.naming import ExternalId, Name, PlanTag
from service.cli.plan_options import (
    BundleOption,
    CostWeight,
    GeoJson,
    GuaranteedShare,
    Kind,
    MaxCost,
    MaxPatches,
    NextPriceList,
    Picture,
    PriceList,
    Reuse,
    SceneFile,
    TargetAccuracy,
    TaskOption,
)
from service.cli.short_ids import full_bundle, full_id, full_price_list
from service.terminal.blocks import money, plural
from service.terminal.documents import plan_view


def plan(  # noqa: PLR0913  (a command's parameters are its options)
    file: SceneFile,
    price_list: PriceList = None,
    objective: Kind = None,
    cost_weight: CostWeight = None,
    max_cost: MaxCost = None,
    max_patches: MaxPatches = None,
    target_accuracy: TargetAccuracy = None,
    guarantee: GuaranteedShare = None,
    bands: Bands = None,
    radiometry: Radiometry = None,
    reuse: Reuse = None,
    bundle: BundleOption = None,
    task: TaskOption = None,
    name: Name = None,
    external_id: ExternalId = None,
    tag: PlanTag = None,
    geojson: GeoJson = None,
    png: Picture = None,
    later: Annotated[
        bool,
        typer.Option("--later", help="Return at once; the plan is made as a job. See `loupe jobs show`."),
    ] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Choose the patches of a scene to buy, and show their cost and savings. Spends nothing."""
    options: PlanOptions = {
        "objective": None if objective is None else objective.value,
        "cost_weight": cost_weight,
        "max_cost": max_cost,
        "max_patches": max_patches,
        "target_accuracy": target_accuracy,
        "guarantee": guarantee,
        "bands": bands,
        "radiometry": radiometry,
        "reuse": None if reuse is None else reuse.value,
        "task": None if task is None else task.value,
        "name": name,
        "external_id": external_id,
        "tags": tags_of(tag) or None,
    }
    scene, shown = file.read(), "standard input" if file.name == "<stdin>" else Path(file.name).name
    with open_client(url, api_key) as client:
        options["price_list"] = full_price_list(client, price_list)
        options["bundle"] = full_bundle(client, bundle)
        if later:
            _show_queued(client.run(calls.plan_later(scene, **options)), as_json=as_json)
            return
        with following(f"Planning {shown}") as seen:
            planned = client.run(calls.plan(scene, seen, **options))
        _write_files(client, planned, geojson, png)
    _show_planned(planned, as_json=as_json)


def _show_planned(planned: Json, *, as_json: bool) -> None:
    if as_json:
        print_json(planned)
        return
    out = console()
    out.print(plan_view(planned))
    if planned["patches"]["bought"]:
        out.print(f"\nTo order this plan: loupe order {planned['id']}")


def replan(  # noqa: PLR0913  (a command's parameters are its options)
    plan_id: Annotated[
        str, typer.Argument(metavar="PLAN", help="Id of the plan to replace, or its beginning.")
    ],
    price_list: NextPriceList = None,
    objective: Kind = None,
    cost_weight: CostWeight = None,
    max_cost: MaxCost = None,
    max_patches: MaxPatches = None,
    target_accuracy: TargetAccuracy = None,
    guarantee: GuaranteedShare = None,
    reuse: Reuse = None,
    task: TaskOption = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Re-plan a scene with another price list, objective or task. The new plan replaces the old one."""
    wanted: ReplanOptions = {
        "objective": None if objective is None else objective.value,
        "cost_weight": cost_weight,
        "max_cost": max_cost,
        "max_patches": max_patches,
        "target_accuracy": target_accuracy,
        "guarantee": guarantee,
        "reuse": None if reuse is None else reuse.value,
        "task": None if task is None else task.value,
    }
    with open_client(url, api_key) as client, following("Planning again") as seen:
        plan_id = full_id(client, "plan", plan_id)
        wanted["price_list"] = full_price_list(client, price_list)
        planned = client.run(calls.replan(plan_id, seen, **wanted))
    if as_json:
        print_json(planned)
        return
    changes = planned["changes"]
    out = console()
    out.print(plan_view(planned))
    out.print(
        f"\nCompared with plan {plan_id}: {plural(changes['added'], 'patch')} added, "
        f"{changes['dropped']} dropped, {changes['kept']} kept; "
        f"the cost went from {money(changes['cost_before'])} to {money(changes['cost_now'])}."
    )
    if planned["patches"]["bought"]:
        out.print(f"To order the new plan: loupe order {planned['id']}")


def next_round(  # noqa: PLR0913  (a command's parameters are its options)
    order_id: Annotated[
        str, typer.Argument(metavar="ORDER", help="Id of an order with delivered patches, or its beginning.")
    ],
    price_list: NextPriceList = None,
    objective: Kind = None,
    cost_weight: CostWeight = None,
    max_cost: MaxCost = None,
    max_patches: MaxPatches = None,
    target_accuracy: TargetAccuracy = None,
    guarantee: GuaranteedShare = None,
    task: TaskOption = None,
    worth_each: Annotated[
        str | None,
        typer.Option(
            help='Most that one object, or correct label, is worth to you, such as "40.00". It decides '
            "whether the round is worth it. Default: what the order before was ready to pay for one."
        ),
    ] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Plan what else is worth buying after patches of an order were delivered. Spends nothing."""
    with open_client(url, api_key) as client, following("Reading the delivered patches") as seen:
        order_id = full_id(client, "order", order_id)
        planned = client.run(
            calls.next_round(
                order_id,
                seen,
                price_list=full_price_list(client, price_list),
                objective=None if objective is None else objective.value,
                cost_weight=cost_weight,
                max_cost=max_cost,
                max_patches=max_patches,
                target_accuracy=target_accuracy,
                guarantee=guarantee,
                task=None if task is None else task.value,
                worth_each=worth_each,
            )
        )
    _show_planned(planned, as_json=as_json)


def _show_queued(job: Json, *, as_json: bool) -> None:
    if as_json:
        print_json(job)
        return
    console().print(
        f"The plan is made as job {job['id']}.\nTo follow it: loupe jobs show {job['id']} --follow"
    )


def _write_files(client: Client, planned: Json, geojson: Path | None, png: Path | None) -> None:
    path = path_to("plans", planned["id"])
    if geojson is not None:
        features = [feature for page in client.pages(f"{path}/patches") for feature in page["features"]]
        geojson.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    if png is not None:
        png.write_bytes(client.download(f"{path}/preview.png"))
