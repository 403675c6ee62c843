"""The version of this code, which every plan and every classification records."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def code_version() -> str:
    """Return the installed version, or "0.0.0" in a checkout that was never installed."""
    try:
        return version("loupe-eo")
    except PackageNotFoundError:
        return "0.0.0"
