"""The filters of the map: which places are shown, by kind, day, cost and part of the Earth."""

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from service.dashboard.filter_fields import read_currency
from service.dashboard.ground import KINDS, NAMES, Mask, Places, in_utc, on_days
from service.dashboard.map_drawing import Box, meets, read_box
from service.dashboard.plan_list import days_of
from service.errors import InvalidInputError
from service.money import Money
from service.web.days import EVERY_DAY

Text = Annotated[str, Field(max_length=80)]


class MapFilters(BaseModel):
    """Filters of the map, as its form shows them again."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)

    kind: Text = ""
    first_day: Text = ""
    last_day: Text = ""
    currency: Text = ""
    at_least: Text = ""
    box: Text = ""

    @property
    def are_set(self) -> bool:
        """Whether ground is left out at all."""
        return bool(self.query)

    @property
    def query(self) -> str:
        """The filters that are set, as the query of an address."""
        return self._query({})

    @property
    def everywhere(self) -> str:
        """The same query for the whole Earth."""
        return self._query({"box": ""})

    def within(self, box: str) -> str:
        """Return the same query for a part of the Earth."""
        return self._query({"box": box})

    @property
    def part(self) -> Box | None:
        """The part of the Earth that is shown; None for all of it. InvalidInputError for another text."""
        return read_box(self.box) if self.box else None

    def choose(self, places: Places) -> Places:
        """Return the places that are wanted now; InvalidInputError for a filter that cannot be read."""
        chosen = places["until"] > in_utc(datetime.now(UTC))
        for one in (self._of_kind(places), self._on_days(places), self._of_cost(places)):
            if one is not None:
                chosen &= one
        found = places if chosen.all() else places[chosen]
        return found if (part := self.part) is None else found[meets(found["extent"], part)]

    def _query(self, changed: dict[str, str]) -> str:
        given = self.model_dump() | changed
        return urlencode({name: value for name, value in given.items() if value})

    def _of_kind(self, places: Places) -> Mask | None:
        if self.kind not in {"", *KINDS}:
            raise InvalidInputError(
                f"{self.kind!r} is no status of ground. Choose one of {', '.join(KINDS)}."
            )
        return np.asarray(places["kind"] == NAMES.index(self.kind)) if self.kind else None

    def _on_days(self, places: Places) -> Mask | None:
        days = days_of(self.first_day, self.last_day)
        return on_days(places["made"], days.starts, days.ends) if days != EVERY_DAY else None

    def _of_cost(self, places: Places) -> Mask | None:
        if self.at_least and not self.currency:
            raise InvalidInputError("Choose the currency of the least cost: money is never converted.")
        if not self.currency:
            return None
        in_currency = places["currency"] == read_currency(self.currency).encode()
        least = Money.parse(self.at_least, self.currency).minor if self.at_least else 0
        return np.asarray(in_currency & (places["minor"] >= least))
