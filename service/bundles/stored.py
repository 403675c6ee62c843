"""Bundles in a folder: every sub-folder with a manifest is one, checked when the folder is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.bundle import (
    MANIFEST,
    BundleError,
    ClassifyBundle,
    CountBundle,
    Manifest,
    check_files,
    load_bundle,
    manifest_sha256,
)
from service.errors import UnavailableError

DEFAULT_FILE = "default"
"""File beside the bundles that names the default one."""


@dataclass(frozen=True, kw_only=True)
class StoredBundle:
    """A bundle whose files had the digests that its manifest states when it was read."""

    folder: Path
    manifest: Manifest
    sha256: str

    @property
    def label(self) -> str:
        """The bundle as name@version."""
        return label_of(self.manifest)

    def load(self) -> ClassifyBundle | CountBundle:
        """Read the files again and build the networks. UnavailableError if they changed or cannot be used."""
        try:
            bundle = load_bundle(_files(self.folder))
        except (BundleError, OSError) as error:
            raise _unusable(self.folder, error) from error
        if bundle.sha256 != self.sha256:
            raise UnavailableError(
                f"The bundle in {self.folder} was replaced since it was read. Restart the server, or put "
                f"{self.label} back there."
            )
        return bundle


def label_of(manifest: Manifest) -> str:
    """Return a bundle's name@version."""
    return f"{manifest.name}@{manifest.version}"


def read_bundle(folder: Path) -> StoredBundle:
    """Read and check the bundle in `folder` without building its networks.

    UnavailableError that names the folder and the cause if a file is missing, altered or malformed.
    """
    try:
        manifest = check_files(_files(folder))
    except (BundleError, OSError) as error:
        raise _unusable(folder, error) from error
    return StoredBundle(folder=folder, manifest=manifest, sha256=manifest_sha256(manifest))


def read_bundles(folder: Path) -> list[StoredBundle]:
    """Read and check every bundle below `folder`, in the order of their folders; no folder holds none.

    Hidden folders and those without a manifest are passed over. UnavailableError when a bundle cannot be
    used, or when two different ones have the same name and version.
    """
    if not folder.is_dir():
        return []
    if (folder / MANIFEST).exists():
        raise UnavailableError(
            f"LOUPE_BUNDLES is {folder}, which is a bundle itself. Set it to the folder that holds the "
            "bundles' folders."
        )
    found = [read_bundle(one) for one in sorted(folder.iterdir()) if _holds_bundle(one)]
    by_label: dict[str, StoredBundle] = {}
    for one in found:
        other = by_label.setdefault(one.label, one)
        if other.sha256 != one.sha256:
            raise UnavailableError(
                f"The bundles in {other.folder} and {one.folder} are both {one.label} but differ. Remove one "
                "of them, or release it under another version."
            )
    return found


def read_default(folder: Path) -> str | None:
    """Return the name that the file `default` of a folder of bundles states; None without that file.

    UnavailableError when it is no text.
    """
    file = folder / DEFAULT_FILE
    try:
        return file.read_text().strip() or None if file.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(f"{file} is no text. Write the name of a bundle into it.") from error


def _holds_bundle(folder: Path) -> bool:
    return not folder.name.startswith(".") and (folder / MANIFEST).is_file()


def _files(folder: Path) -> Mapping[str, bytes]:
    names = [path for path in folder.iterdir() if path.name == MANIFEST or path.suffix == ".safetensors"]
    return {path.name: path.read_bytes() for path in names}


def _unusable(folder: Path, error: BundleError | OSError) -> UnavailableError:
    cause = f"{error.filename}: {error.strerror}." if isinstance(error, OSError) else str(error)
    return UnavailableError(f"The bundle in {folder} cannot be used. {cause}")
