"""Other ways to spend the money of a plan, and other price lists for its patches. Opens no session."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.grid import PATCHES
from models.manifest import CountManifest
from service.bundles.evaluated import MeasuredRow, Way, measured_row
from service.bundles.predictor import Predictor
from service.imagery.tile_grid import TileGrid
from service.money import Money
from service.planner.blind_choices import BlindBuyer, BlindChoice, central_first, drawn_at_random
from service.planner.selection_price import pricer
from service.plans.arrays import PlanArrays
from service.plans.curve import ExpectedHere
from service.plans.products import prices_fit, too_coarse
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene
from service.pricing.billing import PriceTerms
from service.pricing.repository import terms_of
from service.pricing.tables import PriceList

DRAWS = 5
"""Number of random choices, with the seeds 0 to 4, of which the mean is shown."""
MOST_ARRANGED_TILES = 400
"""Largest scene, in tiles, for which shapes are arranged: all comparisons together then take seconds."""
MOST_LISTS = 50
"""Most price lists that are compared."""
TOO_LARGE = (
    f"The scene has more than {MOST_ARRANGED_TILES} tiles, and the price depends on the shapes of the order."
)
TOO_MANY = f"Only the newest {MOST_LISTS} price lists are compared."

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Spent:
    """One way to spend the money on a scene; of several draws, the mean."""

    way: Way
    cost: Money
    patches: float
    patches_per_tile: float
    """With patches that are owned or on order, which every way has."""
    measured: MeasuredRow | None
    expected: ExpectedHere | None


@dataclass(frozen=True, kw_only=True)
class ListBill:
    """The bill of another price list for the same patches, and for every patch of the scene."""

    price_list: PriceList
    bought: Money
    everything: Money


@dataclass(frozen=True)
class LeftOut:
    """A comparison that is not made, and the reason as a sentence."""

    subject: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The alternatives to a plan."""

    spent: tuple[Spent, ...]
    lists: tuple[ListBill, ...]
    """By currency, the cheapest first."""
    left_out: tuple[LeftOut, ...]

    def cheapest(self, cost: Money, *, examples: bool) -> ListBill | None:
        """Return the cheapest list that costs less than `cost`, in its currency; None if there is none.

        Without `examples`, lists whose prices are no offers do not count.
        """
        for one in self.lists:
            is_offer = examples or not one.price_list.example
            if is_offer and one.bought.currency == cost.currency and one.bought < cost:
                return one
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Alternatives:
    """A stored plan with all that its alternatives depend on."""

    plan: Plan
    scene: Scene
    terms: PriceTerms
    bought: Mask
    """(T, 16): patches that the plan buys, or that were delivered."""
    money: Money
    """Amount that the other ways may spend: what the plan or the order costs."""
    predictor: Predictor | None
    """The plan's bundle; None if the server no longer holds it."""

    def compare(self, lists: Sequence[PriceList]) -> Compared:
        """Compare with every other way to spend the money, and with other price lists, newest first."""
        refused = {one.id: reason for one in lists if (reason := self.no_bill(one)) is not None}
        fitting = [one for one in lists if one.id not in refused]
        reasons = [*refused.values(), *(TOO_MANY for _ in fitting[MOST_LISTS:])]
        beyond = [*(one for one in lists if one.id in refused), *fitting[MOST_LISTS:]]
        names = [f"the price list {one.name} version {one.version}" for one in beyond]
        too_large = (
            []
            if self._is_arranged(self.terms)
            else [LeftOut(subject="central and random patches", reason=TOO_LARGE)]
        )
        return Compared(
            spent=tuple(self._ways()),
            lists=tuple(sorted(map(self.bill, fitting[:MOST_LISTS]), key=_by_cost)),
            left_out=(*too_large, *map(LeftOut, names, reasons)),
        )

    def extremes(self) -> tuple[Spent, Spent, Spent]:
        """Return what buying nothing, buying the chosen patches and buying everything bring."""
        everything = np.broadcast_to(self._arrays.eligible[:, None], self.bought.shape)
        return (
            self._spent("nothing", self.money.nothing, np.zeros_like(self.bought)),
            self._spent("plan", self.money, self.bought),
            self._spent("everything", self.plan.baseline, everything),
        )

    def _ways(self) -> Iterator[Spent]:
        nothing, chosen, everything = self.extremes()
        yield from (nothing, chosen)
        if self._is_arranged(self.terms):
            buyer = BlindBuyer(areas_m2=self._areas_m2, columns=self._grid.columns, terms=self.terms)
            yield self._blind("central", [buyer.buy(central_first(self._buyable), self.money)])
            orders = [drawn_at_random(self._buyable, seed) for seed in range(DRAWS)]
            yield self._blind("random", [buyer.buy(order, self.money) for order in orders])
        yield everything

    def _blind(self, way: Way, choices: Sequence[BlindChoice]) -> Spent:
        total = sum((one.cost for one in choices), start=self.money.nothing)
        return self._spent(way, total.part(Fraction(1, len(choices))), *(one.selected for one in choices))

    def _spent(self, way: Way, cost: Money, *choices: Mask) -> Spent:
        held = [one | self._arrays.taken for one in choices]
        tiles = max(int(np.count_nonzero(self._arrays.eligible)), 1)
        per_tile = float(np.mean([np.count_nonzero(one) for one in held])) / tiles
        return Spent(
            way=way,
            cost=cost,
            patches=float(np.mean([np.count_nonzero(one) for one in choices])),
            patches_per_tile=per_tile,
            measured=None
            if self.predictor is None
            else measured_row(self.predictor.manifest, self.plan.task, way, per_tile),
            expected=self._expected(choices),
        )

    def _expected(self, choices: Sequence[Mask]) -> ExpectedHere | None:
        """Return the mean of what is expected of this scene; None for a bundle that counts nothing."""
        counts = self._arrays.counts
        if self.predictor is None or counts is None or not isinstance(self.predictor.manifest, CountManifest):
            return None
        bins = self.predictor.manifest.bins
        found = [ExpectedHere.of(self._arrays, counts, one, bins) for one in choices]
        means = {
            name: round(float(np.mean([getattr(one, name) for one in found])), 6)
            for name in ExpectedHere.model_fields
        }
        return ExpectedHere(**means)

    def no_bill(self, price_list: PriceList) -> str | None:
        """Return why a price list is not compared; None if it is."""
        ordered_m = self.plan.bill.get("ordered_pixel_m")
        if ordered_m is not None and too_coarse(price_list, ordered_m) is not None:
            return f"Its pixels of {price_list.gsd_m:.3g} m are too coarse: a delivery would be refused."
        if not prices_fit(price_list, self._areas_m2):
            return "Its prices are so high that an amount could not be written."
        return None if self._is_arranged(terms_of(price_list)) else TOO_LARGE

    def _is_arranged(self, terms: PriceTerms) -> bool:
        return terms.by_area or len(self.bought) <= MOST_ARRANGED_TILES

    def bill(self, price_list: PriceList) -> ListBill:
        """Return what a price list charges for the bought patches, and for every patch of the scene."""
        price = pricer(self._areas_m2, self._grid.columns, terms_of(price_list))
        everything = np.repeat(self._arrays.eligible[:, None], PATCHES, axis=1)
        return ListBill(
            price_list=price_list, bought=price(self.bought).cost, everything=price(everything).cost
        )

    @cached_property
    def _arrays(self) -> PlanArrays:
        return PlanArrays.of(self.plan)

    @cached_property
    def _grid(self) -> TileGrid:
        return grid_of(self.scene)

    @cached_property
    def _areas_m2(self) -> NDArray[np.float64]:
        return self._grid.patch_areas_m2()

    @cached_property
    def _buyable(self) -> Mask:
        return self._arrays.eligible[:, None] & ~self._arrays.taken


def _by_cost(billed: ListBill) -> tuple[str, int, str]:
    return billed.bought.currency, billed.bought.minor, billed.price_list.name
