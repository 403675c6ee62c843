"""`loupe bundles`: list the bundles of a server; add, remove and choose them on its machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loupe.answers.base import Json
from service.cli.connection import (
    DEFAULT_URL,
    ApiKey,
    AsJson,
    Commands,
    Url,
    UsageError,
    console,
    open_client,
    print_json,
)
from service.cli.operating import opened_database, read_settings
from service.cli.short_ids import full_id_unless_name
from service.terminal.blocks import plural
from service.terminal.documents import bundles_view
from service.terminal.wording import plainly

if TYPE_CHECKING:
    from service.bundles.stored import StoredBundle

# The server code takes seconds to import (torch, GDAL), so each command imports only what it needs.
# ruff: noqa: PLC0415

bundle_commands = typer.Typer(
    cls=Commands, no_args_is_help=True, help="List bundles, and manage them on the machine of the server."
)


@bundle_commands.command("list")
def list_held_bundles(as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """List the bundles that the server holds, the default one first."""
    with open_client(url, api_key) as client:
        found = list(client.items("/v1/bundles"))
    if as_json:
        print_json(found)
        return
    console().print(bundles_view(found))


@bundle_commands.command("add")
def add_from_folder(
    source: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Folder of the bundle.", exists=True, file_okay=False),
    ],
    as_json: AsJson = False,
) -> None:
    """Check a bundle and copy it into LOUPE_BUNDLES under its name and version. A restart serves it."""
    from service.bundles.installing import add_bundle

    settings = read_settings()
    stored, is_new = add_bundle(source, settings.bundles)
    if as_json:
        print_json(_document(stored) | {"added": is_new, "after_restart": _next_start().document()})
        return
    if is_new:
        console().print(f"Added {stored.label} as {stored.folder}.")
    else:
        console().print(f"{stored.folder} is the same bundle, {stored.label}: nothing was added.")
    _print_next_start()


@bundle_commands.command("remove")
def remove_by_name(
    name: Annotated[
        str, typer.Argument(metavar="NAME@VERSION", help="Bundle to remove, or its sha256 or its beginning.")
    ],
    force: Annotated[bool, typer.Option("--force", help="Remove it even if orders still need it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a bundle from LOUPE_BUNDLES, unless orders still need it.

    Orders need the bundle of their plan while they are open, and after that until they are classified.
    """
    from service.bundles.installing import check_removable, find_bundle, remove_bundle
    from service.classification.repository import uses_of_bundle

    settings = read_settings()
    bundle = find_bundle(settings.bundles, _full_name(name, settings.bundles))
    check_removable(bundle, settings.default_bundle)
    with opened_database() as database, database.sessions() as session:
        uses = uses_of_bundle(session, bundle.sha256)
    if uses.needed and not force:
        raise UsageError(
            f"{plural(uses.open, 'open order')} and {plural(uses.unclassified, 'delivered order')} without "
            f"labels need {bundle.label}.\n"
            "Classify or cancel these orders first, or repeat the command with --force."
        )
    remove_bundle(bundle)
    if as_json:
        gone = {"removed": True, "plans": uses.plans, "after_restart": _next_start().document()}
        print_json(_document(bundle) | gone)
        return
    console().print(f"Removed {bundle.label}.")
    if uses.plans:
        console().print(
            f"{plural(uses.plans, 'plan')} made with it can no longer be ordered, delivered or classified."
        )
    _print_next_start()


@bundle_commands.command("default")
def choose_by_name(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Name, for its highest version at each start, or NAME@VERSION."),
    ],
    as_json: AsJson = False,
) -> None:
    """Choose the bundle of plans that name none. LOUPE_DEFAULT_BUNDLE overrides the choice."""
    from service.bundles.installing import choose_default

    settings = read_settings()
    choose_default(settings.bundles, name)
    if as_json:
        overridden_by = settings.default_bundle
        after = _next_start().document()
        print_json({"default": name, "overridden_by": overridden_by, "after_restart": after})
        return
    if settings.default_bundle is not None:
        console().print(
            f"LOUPE_DEFAULT_BUNDLE is {settings.default_bundle} and overrides the choice. Unset it."
        )
    _print_next_start()


def _full_name(typed: str, folder: Path) -> str:
    """Return what names a bundle: a name, or a sha256 that was typed by its beginning."""
    from service.bundles.stored import read_bundles

    def held() -> list[Json]:
        return [{"name": one.manifest.name, "id": one.sha256} for one in read_bundles(folder)]

    return full_id_unless_name(typed, "bundle", held)


@dataclass(frozen=True)
class NextStart:
    """The default bundle after a restart of the server, or the reason why it could not plan."""

    default: str | None
    reason: str | None = None

    def document(self) -> Json:
        """Return plain values for `--json`."""
        return {"default": self.default} | ({"reason": self.reason} if self.reason else {})


def _next_start() -> NextStart:
    from service.bundles.installing import default_label
    from service.errors import UnavailableError

    settings = read_settings()
    try:
        label = default_label(settings.bundles, settings.default_bundle, settings.bundle_sha256)
    except UnavailableError as error:
        return NextStart(None, plainly(error.detail))
    return NextStart(label)


def _print_next_start() -> None:
    found = _next_start()
    if found.default is None:
        console().print(f"The server cannot plan after a restart. {found.reason}")
    else:
        console().print(f"Restart the server. Plans that name no bundle then use {found.default}.")


def _document(bundle: "StoredBundle") -> Json:
    """Return a bundle as JSON values, with its folder."""
    named = {"name": bundle.manifest.name, "version": bundle.manifest.version}
    return {**named, "sha256": bundle.sha256, "folder": str(bundle.folder)}
