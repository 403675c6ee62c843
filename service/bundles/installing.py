"""Changes to the folder of the bundles: a bundle added or removed as a whole, or made the default.

A running server reads the folder at its start, so the changes reach it by a restart.
"""

import re
import shutil
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from models.bundle import MANIFEST
from service.bundles.registry import check_pinned, hold_bundles, predictor_of
from service.bundles.stored import (
    DEFAULT_FILE,
    StoredBundle,
    label_of,
    read_bundle,
    read_bundles,
    read_default,
)
from service.errors import ConflictError, NotFoundError, UnavailableError

CARD = "README.md"
"""The card of a bundle for readers, which is copied with it."""
FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
CPU = torch.device("cpu")


class BundleNotAddedError(ConflictError):
    """Another bundle has the name and version already, or they cannot name a folder."""

    code = "bundle-not-added"
    title = "The bundle was not added"


class BundleIsDefaultError(ConflictError):
    """The bundle is the default, so the server could not start without it."""

    code = "bundle-is-default"
    title = "The bundle is the default"


class BundleHeldTwiceError(ConflictError):
    """Several folders hold the bundle, so that removing one of them would not remove it."""

    code = "bundle-held-twice"
    title = "The bundle lies in several folders"


def add_bundle(source: Path, folder: Path) -> tuple[StoredBundle, bool]:
    """Copy the bundle in `source` below `folder`; return it as stored there, and whether it is new.

    It is checked and its networks are built before anything is copied.
    Errors: bundle-not-added; UnavailableError when a bundle cannot be used.
    """
    made, held = read_bundle(source), read_bundles(folder)
    predictor_of(made, CPU).prepare()
    for other in held:
        if other.label == made.label and other.sha256 == made.sha256:
            return other, False
        if other.label == made.label:
            raise BundleNotAddedError(
                f"{other.folder} is another bundle with the same name and version, {made.label}. Release the "
                "new one under a higher version."
            )
    target = _free_folder(made, folder)
    folder.mkdir(parents=True, exist_ok=True)
    _copy(made, target)
    names = {other.manifest.name for other in held} or {made.manifest.name}
    if read_default(folder) is None and len(names) == 1:
        _write_default(folder, names.pop())  # so that a second name does not leave the default open
    return read_bundle(target), True


def find_bundle(folder: Path, wanted: str) -> StoredBundle:
    """Return the one bundle below `folder` that a name@version or sha256 names.

    Errors: not-found, bundle-held-twice.
    """
    held = read_bundles(folder)
    found = [one for one in held if wanted in (one.label, one.sha256)]
    if not found:
        raise _not_held(folder, wanted, held)
    if len(found) > 1:
        copies = ", ".join(str(one.folder) for one in found)
        raise BundleHeldTwiceError(
            f"{found[0].label} lies in {len(found)} folders with the same files: {copies}. Delete all of "
            "them but one by hand first; servers then use the one that is left.",
            folders=[str(one.folder) for one in found],
        )
    return found[0]


def check_removable(bundle: StoredBundle, default: str | None) -> None:
    """Raise BundleIsDefaultError if the default could not be told without the bundle.

    `default` overrides the choice in the folder.
    """
    folder = bundle.folder.parent
    rest = [one for one in read_bundles(folder) if one.sha256 != bundle.sha256]
    try:
        hold_bundles(rest, default or read_default(folder), CPU)
    except UnavailableError as error:
        raise BundleIsDefaultError(
            f"{bundle.label} is the default bundle. Choose another one first: loupe bundles default NAME."
        ) from error


def remove_bundle(bundle: StoredBundle) -> None:
    """Delete the folder of a bundle. It disappears as a whole."""
    with TemporaryDirectory(dir=bundle.folder.parent, prefix=".outgoing-") as hidden:
        bundle.folder.rename(Path(hidden) / bundle.folder.name)
    if not read_bundles(bundle.folder.parent):
        # It would name a bundle that is gone, and the next one could not be served.
        (bundle.folder.parent / DEFAULT_FILE).unlink(missing_ok=True)


def choose_default(folder: Path, wanted: str) -> None:
    """Write which bundle is the default: a name (its highest version) or name@version. Errors: not-found."""
    held = read_bundles(folder)
    if not held or hold_bundles(held, held[0].sha256, CPU).find(wanted) is None:
        raise _not_held(folder, wanted, held)
    _write_default(folder, wanted)


def default_label(folder: Path, default: str | None, pinned: Collection[str] = ()) -> str:
    """Return name@version of the bundle that a server would start with as its default.

    `default` overrides the choice in the folder. UnavailableError when none can be told, or when a bundle
    is not among those `pinned`.
    """
    stored = read_bundles(folder)
    check_pinned(stored, pinned)
    bundles = hold_bundles(stored, default or read_default(folder), CPU)
    return label_of(bundles.default.manifest)


def _free_folder(bundle: StoredBundle, folder: Path) -> Path:
    name = f"{bundle.manifest.name}-{bundle.manifest.version}"
    if not FOLDER_NAME.fullmatch(name):
        raise BundleNotAddedError(
            f"The bundle {bundle.label} cannot name a folder. Use letters, digits, dots, hyphens and "
            "underscores only."
        )
    if (folder / name).exists():
        raise BundleNotAddedError(
            f"{folder / name} is in the way and is not this bundle. Move it away first."
        )
    return folder / name


def _copy(bundle: StoredBundle, target: Path) -> None:
    """Copy the files that belong to a bundle; it appears as a whole."""
    with TemporaryDirectory(dir=target.parent, prefix=".incoming-") as hidden:
        incoming = Path(hidden) / target.name
        incoming.mkdir()
        for name in (MANIFEST, CARD, *bundle.manifest.weights):
            if (bundle.folder / name).is_file():
                shutil.copyfile(bundle.folder / name, incoming / name)
        incoming.rename(target)


def _write_default(folder: Path, name: str) -> None:
    (folder / DEFAULT_FILE).write_text(f"{name}\n")


def _not_held(folder: Path, wanted: str, held: list[StoredBundle]) -> NotFoundError:
    labels = ", ".join(one.label for one in held) or "no bundle"
    return NotFoundError(f"{folder} holds no bundle {wanted}, only {labels}.", bundle=wanted)
