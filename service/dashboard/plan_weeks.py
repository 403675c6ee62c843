"""Weeks of plans: how much of what was planned buys nothing, and how the inputs and utilities move.

Band means of scenes are not stored, so a drift of the imagery is read from what is: the utilities that the
bundle gave, and the scenes that were read with a doubt.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.grid import PATCHES
from models.manifest import Task
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
    "scenes_with_doubts": "integer",
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

    @property
    def empty_share(self) -> float | None:
        """Share of planned tiles of which no patch is bought; None without a planned tile."""
        return self.empty_tiles / self.tiles if self.tiles else None

    @property
    def mean_utility(self) -> float | None:
        """Mean utility of a patch; None without a planned tile."""
        return self.utility / (self.tiles * PATCHES) if self.tiles else None

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
    about = Plan.created_at, Plan.provenance["bundle"], Plan.task, Scene.reading["warnings"]
    query = (
        select(*about, *arrays)
        .join(Scene, Scene.id == Plan.scene_id)
        .where(Plan.workspace_id == workspace_id)
        .order_by(Plan.created_at.desc(), Plan.id.desc())
        .limit(MOST_PLANS)
    )
    weeks: dict[tuple[Any, ...], PlanWeek] = {}
    for at, bundle, task, warnings, selected, utilities, valid in session.execute(
        query.execution_options(yield_per=AT_ONCE)
    ):
        monday = at.date() - timedelta(days=at.weekday())
        label = f"{bundle['name']} {bundle['version']}"
        week = weeks.setdefault((monday, label, task), PlanWeek(week=monday, bundle=label, task=task))
        week.count(selected, utilities, valid, is_doubtful=bool(warnings))
    return sorted(weeks.values(), key=lambda one: (-one.week.toordinal(), one.bundle, one.task))


def week_rows(weeks: Iterable[PlanWeek]) -> Iterator[Sequence[object]]:
    """Write weeks as rows of WEEK_COLUMNS."""
    for one in weeks:
        yield (
            one.week.isoformat(), one.bundle, one.task, one.plans, one.tiles, one.empty_tiles,
            one.empty_share, one.mean_utility, one.doubtful,
        )  # fmt: skip
