"""Weeks of plans: how much of what was planned buys nothing, and how the inputs and utilities move.

A drift of the imagery shows in the brightness and the contrast of the low resolution, in the utilities that
the bundle gave, and in the scenes that were read with a doubt.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.grid import PATCHES
from models.tasks import Task
from service.imagery.acquisition import sampled_tiles
from service.plans.arrays import MIN_VALID_SHARE
from service.plans.tables import Plan, Scene
from service.web.tabular import Columns

MOST_PLANS = 200
"""Newest plans that are counted: their arrays are read."""
AT_ONCE = 20
"""Plans whose arrays are in memory at a time."""
WEEK_COLUMNS: Columns = {
    "week": "text", "bundle": "text", "task": "text", "plans": "integer", "tiles": "integer",
    "tiles_buying_nothing": "integer", "share_buying_nothing": "text", "mean_utility": "text",
    "scenes_with_doubts": "integer", "brightness": "text", "contrast": "text",
}  # fmt: skip


@dataclass(kw_only=True)
class PlanWeek:
    """The plans of one week (UTC, from Monday) with one bundle for one task."""

    week: date
    bundle: str
    task: Task
    plans: int = 0
    tiles: int = 0
    """Planned tiles: those with enough valid pixels."""
    empty_tiles: int = 0
    """Planned tiles of which no patch is bought."""
    utility: float = field(default=0.0, repr=False)
    """Sum of the utilities of all patches of the planned tiles, in units of the task."""
    doubtful: int = 0
    """Plans of scenes that were read with a warning."""
    greys: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3), repr=False)
    """Number, sum and sum of squares of the sampled grey values of planned tiles."""

    @property
    def empty_share(self) -> float | None:
        """Share of planned tiles of which no patch is bought; None without a planned tile."""
        return self.empty_tiles / self.tiles if self.tiles else None

    @property
    def mean_utility(self) -> float | None:
        """Mean utility of a patch; None without a planned tile."""
        return self.utility / (self.tiles * PATCHES) if self.tiles else None

    @property
    def brightness(self) -> float | None:
        """Mean grey value (0..255) of the pixels that the bundle saw; None without a planned tile."""
        return float(self.greys[1] / self.greys[0]) if self.greys[0] else None

    @property
    def contrast(self) -> float | None:
        """Standard deviation of the grey values; None without a planned tile."""
        if self.brightness is None:
            return None
        return float(np.sqrt(max(self.greys[2] / self.greys[0] - self.brightness**2, 0)))

    def count_greys(self, sample: bytes, tile_px: int, valid_share: bytes) -> None:
        """Add the grey values that `sample_pixels` took of a scene, but for tiles that are not planned.

        Pixels without data are 0 in planned tiles, so no 0 is counted.
        """
        planned = np.frombuffer(valid_share, "<f4") >= MIN_VALID_SHARE
        sampled = np.frombuffer(sample, np.uint8)
        values = sampled[planned[sampled_tiles(len(planned), tile_px)] & (sampled > 0)].astype(float)
        self.greys += len(values), values.sum(), np.square(values).sum()

    def count(self, selected: bytes, utilities: bytes, valid_share: bytes, *, is_doubtful: bool) -> None:
        """Add a plan by its arrays: selected uint8 (T, 16), utilities float32 (T, 16), valid_share (T,)."""
        planned = np.frombuffer(valid_share, "<f4") >= MIN_VALID_SHARE
        bought = np.frombuffer(selected, np.uint8).reshape(-1, PATCHES)[planned]
        self.plans += 1
        self.tiles += int(planned.sum())
        self.empty_tiles += int((bought == 0).all(axis=1).sum())
        self.utility += float(
            np.frombuffer(utilities, "<f4").reshape(-1, PATCHES)[planned].sum(dtype=np.float64)
        )
        self.doubtful += is_doubtful


def read_weeks(session: Session, workspace_id: UUID) -> list[PlanWeek]:
    """Return the weeks of the newest MOST_PLANS plans, newest first."""
    arrays = Plan.selected, Plan.utilities, Plan.valid_share
    about = Plan.created_at, Plan.scene_id, Plan.provenance["bundle"], Plan.task
    read = Scene.reading["warnings"], Scene.reading["sample"], Scene.reading["grid"]["tile_px"]
    query = (
        select(*about, *read, *arrays)
        .join(Scene, Scene.id == Plan.scene_id)
        .where(Plan.workspace_id == workspace_id)
        .order_by(Plan.created_at.desc(), Plan.id.desc())
        .limit(MOST_PLANS)
    )
    weeks: dict[tuple[Any, ...], PlanWeek] = {}
    seen = set[tuple[Any, ...]]()
    for at, scene, bundle, task, warnings, sample, tile_px, selected, utilities, valid in session.execute(
        query.execution_options(yield_per=AT_ONCE)
    ):
        monday = at.date() - timedelta(days=at.weekday())
        label = f"{bundle['name']} {bundle['version']}"
        week = weeks.setdefault((monday, label, task), PlanWeek(week=monday, bundle=label, task=task))
        week.count(selected, utilities, valid, is_doubtful=bool(warnings))
        if sample is not None and (monday, label, task, scene) not in seen:  # old versions took none
            week.count_greys(bytes.fromhex(sample), tile_px, valid)
            seen.add((monday, label, task, scene))
    return sorted(weeks.values(), key=lambda one: (-one.week.toordinal(), one.bundle, one.task))


def week_rows(weeks: Iterable[PlanWeek]) -> Iterator[Sequence[object]]:
    """Write weeks as rows of WEEK_COLUMNS."""
    for one in weeks:
        yield (
            one.week.isoformat(), one.bundle, one.task, one.plans, one.tiles, one.empty_tiles,
            one.empty_share, one.mean_utility, one.doubtful, one.brightness, one.contrast,
        )  # fmt: skip
