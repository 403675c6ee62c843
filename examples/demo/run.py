"""The main job on real imagery, through the public HTTP API: plan, order, deliver, classify, compare."""

import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from examples.demo.process import Server, running_server
from examples.demo.report import count_right, measured, movements_table, truth_table
from examples.demo.scenes import STARTER, DemoScene
from examples.demo.tank_job import show_tanks
from loupe import Client, Money, ProblemError
from loupe.answers.base import Json
from service.terminal.blocks import indent, money, plural
from service.terminal.documents import order_view, plan_view, savings_view
from service.terminal.tables import facts

BUDGET = ("demo", "5.00", "USD")
WITH_MINIMUM = "example-30cm-minimum"
SENTINEL_2 = Path("rasters") / "sentinel2_demmin_10m.tif"


def run_demo(scenes: Sequence[DemoScene], data: Path | None, *, keep: bool, out: Console) -> None:
    """Run the whole job for each scene on a temporary server and print every step.

    `data` may contain rasters/ with a Sentinel-2 file, which is then planned too. With `keep` the server runs
    until Enter is pressed, or until Ctrl-C without a terminal. Raises ServerError and ClientError.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped too
    out.print("Starting a temporary server with an empty database ...")
    with (
        tempfile.TemporaryDirectory(prefix="loupe-demo-", ignore_cleanup_errors=True) as home,
        running_server(Path(home)) as server,
        Client(server.url, server.key) as client,
    ):
        out.print(f"The server listens on {server.url}. Every step below uses its public HTTP API.")
        show_tanks(client, data, Path(home) / "tanks", out)
        budget = client.create_budget(BUDGET[0], Money.of(*BUDGET[1:])).document
        for scene in scenes:
            _main_job(client, scene, budget, out)
        _money(client, out)
        _sentinel_2(client, data, out)
        _farewell(server, keep, out)


def _main_job(client: Client, scene: DemoScene, budget: Json, out: Console) -> None:
    _heading(out, "The imagery")
    out.print(scene.words)
    planned = _plan(client, scene, out)
    placed = _order(client, planned, budget, out)
    _deliver(client, placed, scene, out)
    _classify(client, planned, placed, scene, out)
    _minimum_area(client, scene, out)


def _plan(client: Client, scene: DemoScene, out: Console) -> Json:
    _heading(out, "1. Plan: choose the patches worth buying")
    started = time.perf_counter()
    planned = client.plan(scene.lr.read_bytes(), bundle=scene.bundle).document
    seconds = time.perf_counter() - started
    decisions = plural(planned["patches"]["total"], "decision")
    out.print(f"POST /v1/plans answered in {seconds:.1f} s with {decisions}, 16 for each tile:\n")
    out.print(indent(plan_view(planned)))
    return planned


def _order(client: Client, planned: Json, budget: Json, out: Console) -> Json:
    _heading(out, "2. Order: hold the money")
    placed = client.order(planned["id"], budget["id"]).document
    out.print(
        f'Budget "{budget["name"]}" of {money(budget["limit"])} now holds {money(placed["amounts"]["held"])}.'
    )
    return placed


def _deliver(client: Client, placed: Json, scene: DemoScene, out: Console) -> None:
    _heading(out, "3. Deliver: one mosaic, from which the bought patches are cut, checked and paid")
    answer = client.deliver(placed["id"], scene.hr).document
    settled = plural(answer["counts"]["settled"], "patch")
    out.print(
        f"One upload of {scene.hr.stat().st_size:,} bytes delivered {settled}. It shows the whole scene; the "
        "patches that were not bought are neither paid nor used.\n"
    )
    out.print(indent(order_view(client.get(f"/v1/orders/{placed['id']}"))))


def _classify(client: Client, planned: Json, placed: Json, scene: DemoScene, out: Console) -> None:
    _heading(out, "4. Classify: every label beside the truth")
    labelled = client.classify(placed["id"]).document
    out.print(indent(truth_table(labelled, scene.truth)))
    tiles, patches = len(scene.truth), planned["patches"]
    alone, sure = (count_right(labelled, scene.truth, which) for which in ("lr_label", "label"))
    paid = client.get(f"/v1/orders/{placed['id']}")["amounts"]["settled"]
    out.print(
        f"\n{alone} of {tiles} labels are right from LR only, {sure} of {tiles} with the bought patches. "
        f"{patches['bought']} patches cost {money(paid)}; all {patches['total']} would cost "
        f"{money(planned['baseline'])}."
    )
    served = planned["provenance"]["bundle"]["sha256"]
    bundle = next(one for one in client.items("/v1/bundles") if one["sha256"] == served)
    out.print(f"{tiles} tiles are an illustration, not a measurement. {measured(bundle, scene.card)}")


def _minimum_area(client: Client, scene: DemoScene, out: Console) -> None:
    """Plan the same scene under a price list with a minimum area, which can undo the saving."""
    planned = client.plan(
        scene.lr.read_bytes(), bundle=scene.bundle, price_list=WITH_MINIMUM, reuse="none"
    ).document
    out.print(
        f"\nThe same scene under the price list {WITH_MINIMUM} would cost {money(planned['cost'])} and save "
        f"{money(planned['savings']['billable'])}: {planned['decision']}",
    )


def _money(client: Client, out: Console) -> None:
    _heading(out, "5. Money: what the ledger recorded and what was saved")
    out.print(indent(movements_table(list(client.items("/v1/ledger")))))
    out.print()
    out.print(indent(savings_view(client.get("/v1/reports/savings"))))


def _sentinel_2(client: Client, data: Path | None, out: Console) -> None:
    """Plan a real Sentinel-2 file if `data` has it: it shows the speed, and that such a file is read."""
    if data is None or not (path := data / SENTINEL_2).is_file():
        return
    _heading(out, "A real Sentinel-2 scene")
    out.print(f"Planning {path.name} (fields near Demmin, Germany), about 20 s on two free CPU cores ...")
    started = time.perf_counter()
    try:
        planned = client.plan(path.read_bytes(), bundle=STARTER).document
    except ProblemError as error:
        out.print(f"{path.name} was refused: {error}")
        return
    seconds = time.perf_counter() - started
    scene, patches = planned["scene"], planned["patches"]
    tiles = plural(scene["columns"] * scene["rows"], "tile")
    out.print(
        f"{tiles}, {patches['total']:,} patch decisions in {seconds:.1f} s. {planned['decision']} "
        f"Cost {money(planned['cost'])} instead of {money(planned['baseline'])}, "
        f"a saving of {money(planned['savings']['billable'])}. Nothing is ordered, because the demo has no "
        "high-resolution image of this place. The starter bundle was trained on simulated low resolution, so "
        "this shows that a real file is read and priced, not that the choice of patches is good."
    )


def _farewell(server: Server, keep: bool, out: Console) -> None:
    _heading(out, "The dashboard")
    out.print(indent(facts([("Address", f"{server.url}/dashboard"), ("API key", server.key)])))
    if not keep:
        out.print("\nThe server stops now and deletes its data. To keep it running:\n  make demo ARGS=--keep")
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
