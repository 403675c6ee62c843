"""Two price lists to start with. They are examples with a date and a source, not offers."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

RESERVED = "example-"
"""Names that begin so belong to this module."""

NO_MINIMUM = RESERVED + "no-minimum"
"""What a plan uses when it is not told otherwise."""

NOTICE = "An example from public sources, not an offer. Enter your provider's terms before you decide by it."

EXAMPLES: tuple[Mapping[str, Any], ...] = (
    {
        "name": NO_MINIMUM,
        "provider": "Pleiades-like archive",
        "product": "0.5 m archive, sold without a minimum area",
        "gsd_m": Decimal("0.5"),
        "currency": "USD",
        "price_per_km2": Decimal(10),
        "minimum_km2": Decimal(0),
        "minimum_applies_to": "order",
        "source": "price: SkyWatch plans, 50 cm archive 'from 10 USD per km2'; "
        "no minimum charge: UP42 documentation, minimum charges, Pleiades archive",
        "captured_at": date(2026, 11, 22),
    },
    {
        "name": RESERVED + "30cm-minimum",
        "provider": "SkyWatch-like archive",
        "product": "0.3 m archive, at least 5 km2 per order",
        "gsd_m": Decimal("0.3"),
        "currency": "USD",
        "price_per_km2": Decimal("22.5"),
        "minimum_km2": Decimal(5),
        "minimum_applies_to": "order",
        "source": "SkyWatch plans, 30 cm archive 'from 22.50 USD per km2', minimum 5 km2",
        "captured_at": date(2026, 11, 22),
    },
)
