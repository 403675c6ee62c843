"""Example price lists from public sources, each with its date and source. They are not offers."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from service.pricing.schemas import RESERVED, PriceListTerms, TierOut

NO_MINIMUM = RESERVED + "no-minimum"
"""The price list of plans that name none."""

CAPTURED = date(2026, 11, 22)

EXAMPLES: Mapping[str, PriceListTerms] = {
    NO_MINIMUM: PriceListTerms(
        provider="Pleiades-like archive",
        product="0.5 m archive, sold without a minimum area",
        gsd_m=Decimal("0.5"),
        currency="USD",
        price_per_km2=Decimal(10),
        source="price: SkyWatch plans, 50 cm archive 'from 10 USD per km2'; "
        "no minimum charge: UP42 documentation, minimum charges, Pleiades archive",
        captured_at=CAPTURED,
    ),
    RESERVED + "30cm-minimum": PriceListTerms(
        provider="SkyWatch-like archive",
        product="0.3 m archive, at least 5 km2 per order",
        gsd_m=Decimal("0.3"),
        currency="USD",
        price_per_km2=Decimal("22.5"),
        minimum_km2=Decimal(5),
        source="SkyWatch plans, 30 cm archive 'from 22.50 USD per km2', minimum 5 km2",
        captured_at=CAPTURED,
    ),
    RESERVED + "50cm-tiers": PriceListTerms(
        provider="Sentinel Hub-like archive",
        product="0.5 m archive, cheaper beyond 500 km2",
        gsd_m=Decimal("0.5"),
        currency="EUR",
        price_per_km2=Decimal("8.5"),
        tiers=[TierOut(above_km2=Decimal(500), price_per_km2=Decimal(7))],
        minimum_km2=Decimal("0.25"),
        source="Sentinel Hub third-party data, Pleiades: 8.5 EUR per km2 to 500 km2, then 7 (a third tier of "
        "5 has no published limit and is left out; its window of six months is read as one order)",
        captured_at=CAPTURED,
    ),
    RESERVED + "50cm-large-minimum": PriceListTerms(
        provider="SkySat-like archive",
        product="0.5 m archive, at least 25 km2 per order",
        gsd_m=Decimal("0.5"),
        currency="EUR",
        price_per_km2=Decimal(7),
        minimum_km2=Decimal(25),
        source="UP42 documentation, minimum charges: SkySat archive 17,500 credits for 25 km2, "
        "100 credits to the euro",
        captured_at=CAPTURED,
    ),
    RESERVED + "scene": PriceListTerms(
        provider="BlackSky-like archive",
        product="about 1 m archive, sold by the scene",
        gsd_m=Decimal(1),
        currency="EUR",
        price_per_scene=Decimal(113),
        source="UP42 documentation, minimum charges: BlackSky mono 11,300 credits a scene, "
        "100 credits to the euro",
        captured_at=CAPTURED,
    ),
    RESERVED + "30cm-tasking": PriceListTerms(
        provider="Pleiades Neo-like tasking",
        product="0.3 m tasking, at least 100 km2 in one piece",
        mode="tasking",
        gsd_m=Decimal("0.3"),
        currency="USD",
        price_per_km2=Decimal(28),
        minimum_km2=Decimal(100),
        minimum_applies_to="shape",
        source="Upstream Tech support: Pleiades Neo 30 cm tasking, 2,800 USD for 100 km2, contiguous",
        captured_at=CAPTURED,
    ),
    RESERVED + "50cm-tasking": PriceListTerms(
        provider="SkyWatch-like tasking",
        product="0.5 m tasking, one area at a time, at least 25 km2 and 2 km wide",
        mode="tasking",
        gsd_m=Decimal("0.5"),
        currency="USD",
        price_per_km2=Decimal(12),
        minimum_km2=Decimal(25),
        minimum_applies_to="shape",
        minimum_width_m=Decimal(2000),
        areas_summed=False,
        source="SkyWatch plans: 50 cm tasking 'from 12 USD per km2', 25 km2, 2 km wide, one area of interest",
        captured_at=CAPTURED,
    ),
}
