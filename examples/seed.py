"""`make seed N=`: fill a server's state with many plans, to try lists, pages and reports on.

    python -m examples.seed 10000 --home build/seed

A temporary server plans the demo's sample scene. The planner then decides, and the writer of the service
stores, plans of other scenes: the same pixels on other ground, 1 km from the next, spread over a year. They
are stored in batches, each in one transaction and a few statements, while the next batch is decided. One of
14 plans of the last 25 days is ordered over HTTP. Running it again adds to what is there, on other ground.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import func, select

import service.geotiff  # noqa: F401  (first, for it locks GDAL)
from examples.demo.process import running_server
from examples.demo.scenes import STARTER, demo_scenes
from loupe import Client, Money
from service.access.repository import authenticate
from service.cli.connection import console
from service.database.engine import Database, open_database
from service.planner.objectives import MaxPatches
from service.plans.arrays import PlanArrays
from service.plans.inputs import PlanInputs
from service.plans.making import decide_plan, store_plans
from service.plans.reading import JudgedScene
from service.plans.repository import find_priced_plan
from service.plans.tables import Plan, Scene
from service.pricing.tables import PriceList
from service.settings import Settings
from service.terminal.blocks import plural

LIMIT = ("90000000.00", "USD")
PATCHES = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89)
"""Numbers of patches that the plans buy, in turns."""
BATCH = 500
"""Plans of a transaction."""
APART_M, COLUMNS = 1_000, 250
"""Metres between two scenes, and scenes in a row of them."""
SPAN, VALID_DAYS, ORDERED_FOR = timedelta(days=365), 30, timedelta(days=25)
"""Age of the oldest plan, days for which a plan may be ordered, and age of the oldest that is ordered."""
PLANS_PER_ORDER = 14
NO_LIMITS = {"LOUPE_WORKSPACE_PLANS": "1000000000", "LOUPE_WORKSPACE_GIB": "1000000"}
"""Settings with which a state that holds many plans takes another one."""

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """The plan that all others resemble."""

    plan: Plan
    scene: Scene
    price_list: PriceList
    before: int
    """Plans that the workspace had: the next ones lie on ground behind theirs."""


@app.command()
def seed(
    plans: Annotated[int, typer.Argument(min=1, help="Number of plans to add.")],
    home: Annotated[Path, typer.Option(help="Folder of the server's state, as LOUPE_HOME names it.")],
) -> None:
    """Add plans to a server's state, and order some of them."""
    out, state = console(), home.expanduser().absolute()
    state.mkdir(parents=True, exist_ok=True)
    with running_server(state, **NO_LIMITS) as server, Client(server.url, server.key) as client:
        first = plan_sample(client)
        database = open_database(Settings(home=state)).of_all()
        try:
            chosen = add_plans(database, read_pattern(database, server.key, first), plans, out)
        finally:
            database.engine.dispose()
        budget = client.create_budget(f"seed {first}", Money.of(*LIMIT)).id
        for plan in chosen:
            client.order(str(plan), budget)
    out.print(f"{plural(plans, 'plan')} and {plural(len(chosen), 'order')} were added to {home}.")
    out.print(f"See them with: LOUPE_HOME={home} LOUPE_API_KEY={server.key} loupe serve")


def plan_sample(client: Client) -> UUID:
    """Plan the sample scene and return the plan's id."""
    (scene,) = demo_scenes()
    plan = client.plan(scene.lr.read_bytes(), bundle=STARTER, reuse="none", max_patches=1).document
    return UUID(plan["id"])


def read_pattern(database: Database, key: str, plan_id: UUID) -> Pattern:
    """Return a plan of the key's workspace with its scene and prices."""
    with database.sessions.begin() as session:
        workspace_id = authenticate(session, key).workspace_id
        plan, scene, price_list = find_priced_plan(session, workspace_id, plan_id)
        before = session.scalars(select(func.count()).where(Plan.workspace_id == workspace_id)).one()
    return Pattern(plan=plan, scene=scene, price_list=price_list, before=before)


def add_plans(database: Database, pattern: Pattern, plans: int, out: Console) -> list[UUID]:
    """Decide and store plans; return those that are to be ordered."""
    columns = (TextColumn("Storing plans"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    recent, storing = list[UUID](), list[Future[list[UUID]]]()
    # The database works on one batch while this thread decides the next.
    with Progress(*columns, console=out, transient=True) as progress, ThreadPoolExecutor(1) as storer:
        task = progress.add_task("", total=plans)
        for first in range(0, plans, BATCH):
            numbers = range(first, min(first + BATCH, plans))
            decided = [decide(pattern, number) for number in numbers]
            recent += [plan for batch in storing for plan in batch.result()]
            storing = [storer.submit(store_batch, database, decided, [number / plans for number in numbers])]
            progress.advance(task, len(numbers))
        recent += [plan for batch in storing for plan in batch.result()]
    return recent[::PLANS_PER_ORDER]


def store_batch(
    database: Database, decided: Sequence[tuple[Plan, Scene]], places: Sequence[float]
) -> list[UUID]:
    """Store plans in one transaction, at their places from 0 to 1 in the span; return the recent ones."""
    recent = []
    with database.sessions.begin() as session:
        now = session.execute(select(func.now())).scalar_one()
        for place, (plan, _) in zip(places, decided, strict=True):
            age = SPAN * (1 - place)
            # Times that are values, not expressions, let one statement store many plans.
            plan.created_at, plan.expires_at = now - age, now - age + timedelta(days=VALID_DAYS)
            if age < ORDERED_FOR:
                recent.append(plan)
        store_plans(session, decided)
        return [plan.id for plan in recent]


def decide(pattern: Pattern, number: int) -> tuple[Plan, Scene]:
    """Plan the ground of a number; return rows that are not stored."""
    plan, scene = pattern.plan, moved(pattern.scene, f"{pattern.plan.id} {number}", pattern.before + number)
    judged = JudgedScene(
        scene=scene, values=PlanArrays.of(plan), pixels=b"", bundle=plan.provenance["bundle"]
    )
    inputs = PlanInputs(
        task=plan.task,
        price_list=pattern.price_list,
        objective=MaxPatches(patches=PATCHES[number % len(PATCHES)]),
        reuse="none",
        bought=(),
        ordered_m=plan.bill["ordered_pixel_m"],
    )
    return decide_plan(judged, inputs, VALID_DAYS), scene


def moved(scene: Scene, name: str, number: int) -> Scene:
    """Return a scene, not stored, of other bytes on the ground of a number."""
    grid = scene.reading["grid"]
    a, b, left, d, e, top = grid["transform"]
    east, south = number % COLUMNS * APART_M, number // COLUMNS * APART_M
    reading = {**scene.reading, "grid": {**grid, "transform": [a, b, left + east, d, e, top - south]}}
    return Scene(sha256=hashlib.sha256(name.encode()).hexdigest(), size=scene.size, reading=reading)


if __name__ == "__main__":
    app()
