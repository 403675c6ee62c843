"""One order with the documents of the API that tell its savings."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

Json = dict[str, Any]
STANDING = {
    "held": "held", "accepted": "open", "processing": "open", "completed": "completed",
    "user_cancelled": "cancelled", "rejected": "cancelled", "expired": "cancelled",
}  # fmt: skip
MOST_CHANGED = 4.0
"""Mean difference in grey levels up to which two files of one ground are copies."""
SLIVER = 1e-5
"""Share of a scene below which an overlap is an error of measurement."""
TO_EQUAL_AREA = Transformer.from_crs("EPSG:4326", {"proj": "cea", "datum": "WGS84"}, always_xy=True)


@dataclass
class Bought:
    """One order: its documents and what follows from them."""

    order: Json
    plan: Json
    bill: Json
    patches: Sequence[Json]
    adjustments: Sequence[Json]
    fetch: Callable[[str], bytes]
    """Downloads a file of the API."""
    shares: dict[str, float] = field(default_factory=dict)
    """Share of its scene that counts for the ordered, held and realised saving, and for reuse."""
    standing: str = ""
    """Standing in which it counts; that of its status unless it relies on patches of other orders."""
    kept: Fraction = Fraction(1)
    """Share of the patches it reuses that came or may still come."""
    foreign: Fraction = Fraction(0)
    """Part of `kept` that other price lists' orders bought."""
    reused: Decimal = Decimal(0)
    """What its reuse adds to that of earlier orders of its price list."""

    @property
    def status(self) -> str:
        return STANDING[self.order["status"]]

    @property
    def has_ground(self) -> bool:
        """Whether its price list delivers anything of its plan."""
        return self.order["counts"]["bought"] > 0 or self.foreign < self.kept

    @property
    def sources(self) -> Sequence[Json]:
        """The orders whose patches its plan reuses."""
        reuse = self.plan.get("reuse")
        return reuse["orders"] if reuse and reuse["mode"] == "owned" else ()

    @property
    def product(self) -> tuple[str, str, bool]:
        """Name of the price list, currency, and whether its prices are an example."""
        prices = self.plan["provenance"]["price_list"]
        return prices["name"], self.plan["cost"]["currency"], prices["example"]

    @property
    def placed(self) -> tuple[datetime, str]:
        return datetime.fromisoformat(self.order["created_at"]), self.order["id"]

    @property
    def paid(self) -> Decimal:
        """Sum of the deliveries and the difference to the final bill, minus refunds, plus later charges."""
        paid = sum((amount(one["settled"]) for one in self.order["patches"]["delivered"]), Decimal(0))
        paid += amount(self.order["final_bill"]["difference"]) if "final_bill" in self.order else 0
        signs = {"refund": -1, "charge": 1}
        return paid + sum(signs[one["kind"]] * amount(one["amount"]) for one in self.adjustments)

    @cached_property
    def returned(self) -> dict[tuple[int, int], Decimal]:
        """The patches whose whole payment came back after their newest file, with what was paid for them."""
        found = {}
        refunds = [one for one in self.adjustments if one["kind"] == "refund"]
        gross = self.paid + total(amount(one["amount"]) for one in refunds)
        for one in self.order["patches"]["delivered"]:
            place = one["tile"], one["patch"]
            its = [part for part in refunds if (part.get("tile"), part.get("patch")) == place]
            for parts, paid in ((its, amount(one["settled"])), (refunds, gross)):
                back = total(amount(part["amount"]) for part in parts)
                if back and back >= paid and max(map(time_of, parts)) >= moment(one["delivered_at"]):
                    found[place] = amount(one["settled"])
        return found

    @property
    def is_returned(self) -> bool:
        """Whether every patch that came was refunded as unusable."""
        return len(self.order["patches"]["delivered"]) == len(self.returned) > 0

    @cached_property
    def picture(self) -> NDArray[np.float64]:
        """The pixels of its scene."""
        scene = self.fetch(f"/v1/plans/{self.order['plan']}/scene.tif")
        with rasterio.MemoryFile(scene) as file, file.open() as raster:
            return np.asarray(raster.read(), np.float64)

    @property
    def unit(self) -> Decimal:
        """The currency's minor unit."""
        return Decimal(1).scaleb(Decimal(self.plan["cost"]["amount"]).as_tuple().exponent)  # type: ignore[arg-type]

    @cached_property
    def ground(self) -> BaseGeometry:
        """The patches with data, in an equal-area plane."""
        shapes = [shapely.geometry.shape(one["geometry"]) for one in self.patches]
        return shapely.transform(shapely.union_all(shapes), to_equal_area)

    def listed(self, name: str) -> Decimal:
        """Price without minimums of the bought patches, of those and the reused ones, or of everything."""
        if self.bill[name] is None:
            return self.listed("chosen")
        terms = self.bill["terms"]
        area = sum((Decimal(line["area_km2"]) for line in self.bill[name]["lines"]), Decimal(0))
        if not area:
            return Decimal(0)
        tiers = [(Decimal(one["above_km2"]), Decimal(one["price_per_km2"])) for one in terms["tiers"]]
        if terms["price_per_km2"] is not None:
            tiers = [(Decimal(0), Decimal(terms["price_per_km2"])), *tiers]
        ends = [above for above, _ in tiers[1:]] + [max(area, Decimal(10) ** 12)]
        price = Decimal(terms["price_per_scene"] or 0)
        for (above, rate), end in zip(tiers, ends, strict=False):
            price += rate * max(Decimal(0), min(area, end) - above)
        return price.quantize(self.unit, ROUND_HALF_UP)

    def part(self, whole: Decimal, share: float | Fraction) -> Decimal:
        """Return a share of an amount, rounded down to the minor unit."""
        return math.floor(Fraction(whole / self.unit) * Fraction(share)) * self.unit

    def of_others(self, whole: Decimal) -> Decimal:
        """Return the part of an amount of its reuse that is owed to other price lists' orders."""
        saved = reused(self)
        if not saved or not self.kept or not self.has_ground:
            return Decimal(0)
        return self.part(whole, Fraction(self.reused) / Fraction(saved) * self.foreign / self.kept)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def time_of(adjustment: Json) -> datetime:
    return moment(adjustment["at"])


def may_be_same(one: Bought, other: Bought) -> bool:
    """Say whether the scenes of two orders may be one acquisition."""
    if one.plan["scene"]["sha256"] == other.plan["scene"]["sha256"]:
        return True
    comparable = one.ground.equals(other.ground) and one.picture.shape == other.picture.shape
    changed = float(np.abs(one.picture - other.picture).mean()) if comparable else 0.0
    days = [each.plan["scene"]["acquired_on"] for each in (one, other)]
    if all(days) and not (comparable and changed == 0):
        return bool(days[0] == days[1])
    return changed <= MOST_CHANGED


def covered_before(one: Bought, others: Iterable[Bought]) -> BaseGeometry:
    """Return the ground of those orders whose scenes may be the same acquisition as that of `one`."""
    return shapely.union_all([other.ground for other in others if may_be_same(one, other)])


def to_equal_area(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project longitudes and latitudes (N, 2)."""
    return np.stack(TO_EQUAL_AREA.transform(degrees[:, 0], degrees[:, 1]), axis=-1)


def amount(money: Json) -> Decimal:
    return Decimal(money["amount"])


def reused(one: Bought) -> Decimal:
    return amount(one.plan["reuse"]["saved"]) if one.plan.get("reuse") else Decimal(0)


def total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def uncovered(one: Bought, others: Iterable[Bought]) -> float:
    """Return the share of an order's ground that the grounds of others leave uncovered."""
    covered = covered_before(one, others)
    share = float(one.ground.difference(covered).area / one.ground.area)
    return 0.0 if share < SLIVER else 1.0 if share > 1 - SLIVER else share
