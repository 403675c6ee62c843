"""View of the profiles of the command line."""

from collections.abc import Sequence

from rich.console import RenderableType

from loupe.answers.base import Json
from service.terminal.tables import columns


def profiles_view(profiles: Sequence[Json]) -> RenderableType:
    """Return profiles with their addresses and the public ids of their keys."""
    rows = [(one["name"], one["url"], one["key"] or "-") for one in profiles]
    return columns(("Profile", "Address", "Key"), rows)
