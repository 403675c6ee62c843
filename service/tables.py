"""Every table of the service in one place, for migrations to compare with."""

from importlib import import_module

MODULES = (
    "service.access.tables",
    "service.idempotency",
    "service.scenes.tables",
    "service.pricing.tables",
    "service.plans.tables",
    "service.orders.tables",
    "service.classification.tables",
)


def register_tables() -> None:
    """Import every module that declares tables, so that `Base.metadata` knows them."""
    for module in MODULES:
        import_module(module)
