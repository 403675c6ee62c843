"""Which code this is: part of every plan's and every label's provenance."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def code_version() -> str:
    """Version of this code, as installed; "0.0.0" from a checkout that was never installed."""
    try:
        return version("loupe-eo")
    except PackageNotFoundError:
        return "0.0.0"
