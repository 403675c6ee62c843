"""The main job on real imagery, through the public HTTP API: plan, order, deliver, classify, report."""

import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from rich.console import Console
from rich.progress import track

from examples.demo.imagery import SENTINEL_2, UC_MERCED, find_mosaic
from examples.demo.mosaic import Mosaic
from examples.demo.process import Server, running_server
from service.client import Client, Json, ProblemError
from service.terminal.blocks import facts, indent, money, plural
from service.terminal.documents import classification_view, order_view, plan_view, savings_view

CACHE = Path("~/.cache/loupe").expanduser()
BUDGET = ("demo", "5.00", "USD")
WITH_MINIMUM = "example-30cm-minimum"


def run_demo(data: Path | None, *, keep: bool, out: Console) -> None:
    """Run the whole job on a temporary server and print every step.

    `data` may contain uc-merced.tar and rasters/. With `keep` the server runs until Enter is pressed, or
    until Ctrl-C without a terminal. Raises ImageryError, ServerError and ClientError.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped too
    out.print("Starting a temporary server with an empty database ...")
    with (
        tempfile.TemporaryDirectory(prefix="loupe-demo-", ignore_cleanup_errors=True) as home,
        running_server(Path(home)) as server,
        Client(server.url, server.key) as client,
    ):
        out.print(f"The server listens on {server.url}. Every step below uses its public HTTP API.")
        _main_job(client, data, out)
        _sentinel_2(client, data, out)
        _farewell(server, keep, out)


def _main_job(client: Client, data: Path | None, out: Console) -> None:
    bundle = client.get("/v1/bundles")["items"][0]
    mosaic = find_mosaic(data, CACHE, bundle["tile_m"])
    scene = mosaic.scene(bundle["lr_size"])
    _heading(out, "The imagery")
    if mosaic.truth is None:
        out.print(f"{UC_MERCED} was not found: set LOUPE_DATA to its folder. Using one photograph instead.")
    out.print(f"A low-resolution GeoTIFF of {len(scene):,} bytes, made from {mosaic.words}")
    planned = _plan(client, scene, out)
    if not planned["patches"]["bought"]:
        out.print("\nNo patch is worth its price here, so the demo orders nothing.")
        return
    placed = _order(client, planned, out)
    _deliver(client, placed, mosaic, out)
    _classify(client, placed, mosaic, out)
    _savings(client, out)
    _minimum_area(client, scene, out)


def _plan(client: Client, scene: bytes, out: Console) -> Json:
    _heading(out, "1. Plan: choose the patches worth buying")
    started = time.perf_counter()
    planned = client.plan_scene(scene)
    seconds = time.perf_counter() - started
    decisions = plural(planned["patches"]["total"], "decision")
    out.print(f"POST /v1/plans answered in {seconds:.1f} s with {decisions}, 16 for each tile:\n")
    out.print(indent(plan_view(planned)))
    return planned


def _order(client: Client, planned: Json, out: Console) -> Json:
    _heading(out, "2. Order: hold the money")
    budget = client.create_budget(*BUDGET)
    placed = client.create_order(planned["id"], budget["id"])
    out.print(
        f'Budget "{budget["name"]}" of {money(budget["limit"])} now holds {money(placed["amounts"]["held"])}.'
    )
    return placed


def _deliver(client: Client, placed: Json, mosaic: Mosaic, out: Console) -> None:
    """Upload every awaited patch. The list has at most 4,096 entries, so read it until it is empty."""
    _heading(out, "3. Deliver: upload, check and pay for each bought patch")
    order = placed
    while awaited := order["patches"]["awaited"]:
        for item in track(awaited, "Uploading", console=out, transient=True, disable=not out.is_terminal):
            client.deliver(
                order["id"], item["tile"], item["patch"], mosaic.patch(item["tile"], item["patch"])
            )
        order = client.get(f"/v1/orders/{order['id']}")
    out.print(indent(order_view(order)))


def _classify(client: Client, placed: Json, mosaic: Mosaic, out: Console) -> None:
    _heading(out, "4. Classify: label every tile")
    labelled = client.classify(placed["id"])
    out.print(indent(classification_view(labelled, mosaic.truth)))
    if mosaic.truth is None:
        out.print(
            "\nThe true classes of this image are unknown, so the accuracy of these labels is unknown too."
        )
        return
    right = {
        which: sum(tile[which] == mosaic.truth[tile["tile"]] for tile in labelled["tiles"])
        for which in ("label", "lr_label")
    }
    count = len(mosaic.truth)
    out.print(
        f"\nCorrect: {right['label']} of {count} with the bought patches, {right['lr_label']} of {count} "
        f"from low resolution only. {count} tiles are too few to measure accuracy; the bundle's card "
        "reports it for the whole test split.",
    )


def _savings(client: Client, out: Console) -> None:
    _heading(out, "5. Savings")
    out.print(indent(savings_view(client.get("/v1/reports/savings"))))


def _minimum_area(client: Client, scene: bytes, out: Console) -> None:
    """Plan the same scene under a price list with a minimum area, which can undo the saving."""
    planned = client.plan_scene(scene, price_list=WITH_MINIMUM, reuse="none")
    out.print(
        f"\nThe same scene under the price list {WITH_MINIMUM} would cost {money(planned['cost'])} and save "
        f"{money(planned['savings']['billable'])}: {planned['decision']}",
    )


def _sentinel_2(client: Client, data: Path | None, out: Console) -> None:
    _heading(out, "A real Sentinel-2 scene")
    if data is None or not (path := data / SENTINEL_2).is_file():
        out.print(f"Skipped: there is no {SENTINEL_2}. Set LOUPE_DATA to the folder that holds it.")
        return
    started = time.perf_counter()
    try:
        planned = client.plan_scene(path.read_bytes())
    except ProblemError as error:
        out.print(f"{path.name} was refused: {error}")
        return
    seconds = time.perf_counter() - started
    scene, patches = planned["scene"], planned["patches"]
    tiles = plural(scene["columns"] * scene["rows"], "tile")
    out.print(
        f"{path.name} (fields near Demmin, Germany): {tiles}, {patches['total']:,} patch decisions in "
        f"{seconds:.1f} s. {planned['decision']} Cost {money(planned['cost'])} instead of "
        f"{money(planned['baseline'])}, a saving of {money(planned['savings']['billable'])}. Nothing is "
        "ordered, because the demo has no high-resolution image of this place. The starter bundle was "
        "trained on simulated low resolution, so this shows that a real file is read and priced, not that "
        "the choice of patches is good."
    )


def _farewell(server: Server, keep: bool, out: Console) -> None:
    _heading(out, "The dashboard")
    out.print(indent(facts([("Address", f"{server.url}/dashboard"), ("API key", server.key)])))
    if not keep:
        out.print("\nThe server stops now and deletes its data. Use --keep to keep it running.")
        return
    try:
        if sys.stdin.isatty():
            out.print("\nOpen it now. Press Enter to stop the server and delete its data.")
            input()
        else:
            out.print("\nOpen it now. Press Ctrl-C to stop the server and delete its data.")
            threading.Event().wait()
    except (KeyboardInterrupt, EOFError):
        out.print()


def _heading(out: Console, words: str) -> None:
    out.print(f"\n{words}", style="bold")
