"""How long the map's places take to read, all of them and after one new plan, in one run.

    make seed N=10000 SEED=build/large
    python -m tests.benchmarks.kept_places build/large

Both are read from the state in turns. Prints the medians in milliseconds and their ratio.
"""

import argparse
import time
from pathlib import Path
from statistics import median

import torch
from sqlalchemy import select

import service.geotiff  # noqa: F401  (first, for it locks GDAL)
from service.access.tables import Workspace
from service.dashboard.ground import Places
from service.dashboard.ground_reading import read_places
from service.database.engine import Database, open_database
from service.reports.kept import SNAPSHOT
from service.settings import Settings
from training.run.provenance import git_revision, hardware


def main() -> None:
    """Measure the readings of the oldest workspace in turns, after one that warms caches up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("home", type=Path, help="LOUPE_HOME with plans that can be ordered")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    database = open_database(Settings(home=options.home.absolute())).of_all()
    places, _ = timed(database, None)
    all_of_them, new_ones = list[float](), list[float]()
    for _ in range(options.rounds):
        all_of_them.append(timed(database, None)[1])
        new_ones.append(timed(database, places[1:])[1])
    database.engine.dispose()
    whole, kept_up = 1000 * median(all_of_them), 1000 * median(new_ones)
    print(git_revision(), hardware(torch.device("cpu")))
    print(
        f"{len(places):,} places: {whole:.0f} ms, one of them: {kept_up:.0f} ms, {whole / kept_up:.1f} times"
    )


def timed(database: Database, known: Places | None) -> tuple[Places, float]:
    """Read the places that are not known, and return all with the seconds that this took."""
    begun = time.perf_counter()
    with database.sessions() as session:
        session.execute(SNAPSHOT)
        workspace_id = session.scalars(select(Workspace.id).order_by(Workspace.created_at).limit(1)).one()
        places = read_places(session, workspace_id, known)
    return places, time.perf_counter() - begun


if __name__ == "__main__":
    main()
