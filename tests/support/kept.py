"""A comparison of the figures that a server keeps with those that it would compute now."""

from datetime import UTC, datetime
from uuid import UUID

import httpx
from numpy.testing import assert_array_equal

from service.dashboard.ground import Places, in_utc
from service.dashboard.ground_reading import places_now
from service.dashboard.overview import read_page
from service.dashboard.periods import PeriodName
from service.dashboard.savings_view import Chosen
from service.database.engine import Database
from service.reports.filters import EVERYTHING, ReportFilter
from service.reports.kept import KeptFigures, count_now, reconciled_now

FILTERS = (EVERYTHING, ReportFilter(cost_center="4711", tag={"team": "north"}))


def compare_places(kept: KeptFigures, database: Database, workspace_id: UUID) -> Places:
    """Return the places on the map, of prices that still apply. Fail if kept ones are not those of now."""
    both = [places_now(one, database, workspace_id).places for one in (kept, KeptFigures())]
    moment = in_utc(datetime.now(UTC))
    known, read = (places[places["until"] > moment] for places in both)
    assert_array_equal(known, read)
    return read


class KeptWatch:
    """Figures that are kept while a test changes a workspace; compared after every request that writes."""

    def __init__(self, database: Database, workspace_id: UUID) -> None:
        self.database, self.workspace_id = database, workspace_id
        self.kept, self.changes = KeptFigures(), 0
        self._last = tuple[object, ...]()

    def after(self, answer: httpx.Response) -> None:
        """Compare after an answer to a request that may have changed something."""
        if answer.request.method != "GET":
            self.compare()

    def compare(self) -> None:
        """Fail if a kept figure is not what it would be if nothing were kept."""
        for chosen in FILTERS:
            kept = self.kept.counted(self.database, self.workspace_id, chosen)
            assert kept.orders == count_now(self.database, self.workspace_id, chosen)
        assert self.kept.reconciled(self.database, self.workspace_id) == reconciled_now(
            self.database, self.workspace_id
        )
        shown, fresh = (
            read_page(self.database, kept, self.workspace_id, Chosen(name=PeriodName.ALL, by="tag:team"))
            for kept in (self.kept, KeptFigures())
        )
        for name in ("view", "orders", "planned"):
            assert shown[name] == fresh[name]
        compare_places(self.kept, self.database, self.workspace_id)
        orders = self.kept.counted(self.database, self.workspace_id).orders
        self.changes += orders != self._last
        self._last = orders
