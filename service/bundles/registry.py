"""The bundles that a server holds, found by name, by version or by the plan that was made with one."""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import torch
from fastapi import Depends, Request

from models.bundle import ClassifyBundle, ClassifyManifest, CountBundle, CountManifest
from service.bundles.classifying import ClassifyPredictor
from service.bundles.counting import CountPredictor
from service.bundles.predictor import Device, Predictor, choose_device
from service.bundles.stored import DEFAULT_FILE, StoredBundle, label_of, read_bundles, read_default
from service.errors import ConflictError, InvalidInputError, UnavailableError

MOST_THREADS = 8
"""Most CPU threads by default: small networks gain nothing from more, and other requests need cores."""


class BundleUnknownError(InvalidInputError):
    """The request names a bundle that this server does not hold."""

    code = "bundle-unknown"
    title = "This bundle is not served here"


class BundleChangedError(ConflictError):
    """The plan was made with a bundle that the server no longer holds."""

    code = "bundle-changed"
    title = "The plan's bundle is no longer served"


class Bundles:
    """All bundles of a server. It changes only by a restart, so it is safe to share between threads."""

    def __init__(self, by_folder: Mapping[str, Predictor], default: str | None) -> None:
        """Hold predictors by the names of their folders. UnavailableError unless one of them is the default.

        Without `default` the bundles must be versions of one name.
        """
        self._by_folder = by_folder
        self._by_sha256 = {one.sha256: one for one in by_folder.values()}
        self._default = self._choose(default)

    def __iter__(self) -> Iterator[Predictor]:
        """Yield the default bundle, then the others by name, newest version first."""
        newest_first = sorted(self._by_sha256.values(), key=_version_key, reverse=True)
        by_name = sorted(newest_first, key=lambda one: one.manifest.name)
        return iter(sorted(by_name, key=lambda one: one is not self._default))

    def __len__(self) -> int:
        return len(self._by_sha256)

    @property
    def default(self) -> Predictor:
        """The bundle of requests that name none; UnavailableError (503) when the server holds no bundle."""
        if self._default is None:
            raise UnavailableError(
                "This server has no bundle. Add one with `loupe bundles add FOLDER` on its machine, and "
                "restart it."
            )
        return self._default

    def named(self, wanted: str | None) -> Predictor:
        """Return the bundle of a name (its highest version), a name@version, a sha256 or a folder.

        None means the default. BundleUnknownError when the server holds no such bundle.
        """
        default = self.default
        found = default if wanted is None else self.find(wanted)
        if found is None:
            held = [label_of(one.manifest) for one in self]
            raise BundleUnknownError(
                f"The request asks for the bundle {wanted!r}, but this server holds {', '.join(held)}.",
                bundle=wanted,
                served=held,
            )
        return found

    def of_plan(self, provenance: Mapping[str, Any]) -> Predictor:
        """Return the bundle that a plan was made with; BundleChangedError when the server lacks it."""
        bundle = provenance["bundle"]
        found = self._by_sha256.get(bundle["sha256"])
        if found is None:
            raise BundleChangedError(
                f"The plan was made with the bundle {bundle['name']} {bundle['version']}, which this server "
                "no longer holds. Add it again with `loupe bundles add FOLDER` and restart the server, or "
                "plan the scene again.",
                bundle=bundle,
            )
        return found

    def holds(self, provenance: Mapping[str, Any]) -> bool:
        """Return whether the server has the bundle that a plan was made with."""
        return provenance["bundle"]["sha256"] in self._by_sha256

    def find(self, wanted: str) -> Predictor | None:
        """Return the bundle that `named` would, or None."""
        if wanted in self._by_sha256:
            return self._by_sha256[wanted]
        for one in self._by_sha256.values():
            if wanted == label_of(one.manifest):
                return one
        versions = [one for one in self._by_sha256.values() if one.manifest.name == wanted]
        return max(versions, key=_version_key) if versions else self._by_folder.get(wanted)

    def _choose(self, default: str | None) -> Predictor | None:
        if not self._by_sha256:
            return None
        names = {one.manifest.name for one in self._by_sha256.values()}
        if default is None and len(names) > 1:
            raise UnavailableError(
                f"There are the bundles {', '.join(sorted(names))}, and none of them is the default. Choose "
                "one with `loupe bundles default NAME`, or set LOUPE_DEFAULT_BUNDLE."
            )
        found = self.find(default or names.pop())
        if found is None:
            held = ", ".join(sorted(label_of(one.manifest) for one in self._by_sha256.values()))
            raise UnavailableError(
                f"The default bundle {default!r} is not among those held: {held}. Correct "
                f"LOUPE_DEFAULT_BUNDLE, or the file `{DEFAULT_FILE}` in the folder of the bundles."
            )
        return found


def version_order(version: str) -> tuple[Any, ...]:
    """Return a key that puts versions in order: 1.10 after 1.9, and 2.0-rc1 before 2.0."""
    release, _, early = version.partition("+")[0].partition("-")
    return _parts(release), not early, _parts(early)


def _version_key(predictor: Predictor) -> tuple[Any, ...]:
    return version_order(predictor.manifest.version)


def _parts(text: str) -> list[tuple[int, str]]:
    return [(int(digits or -1), word) for digits, word in re.findall(r"(\d+)|([^\d.]+)", text)]


def open_bundles(
    folder: Path,
    default: str | None,
    device: Device = "auto",
    threads: int = 0,
    pinned: Collection[str] = (),
) -> Bundles:
    """Check every bundle below `folder` and build the networks of the default one; others wait for first use.

    `default` overrides the folder's own choice. `threads` limits torch's CPU threads in this process; 0 means
    every core, at most MOST_THREADS. `pinned`, unless empty, are the sha256 of bundles that may be served.
    UnavailableError when a bundle cannot be used or is not pinned, when no default can be told, or when
    `device` is cuda and there is none.
    """
    torch.set_num_threads(threads or min(os.cpu_count() or 1, MOST_THREADS))
    chosen = choose_device(device)
    stored = read_bundles(folder)
    check_pinned(stored, pinned)
    bundles = hold_bundles(stored, default or read_default(folder), chosen)
    if bundles:
        bundles.default.prepare()
    return bundles


def check_pinned(stored: Iterable[StoredBundle], pinned: Collection[str]) -> None:
    """Raise UnavailableError if a bundle's sha256 is not among those `pinned`, unless none is."""
    for one in stored:
        if pinned and one.sha256 not in pinned:
            raise UnavailableError(
                f"LOUPE_BUNDLE_SHA256 does not list the bundle {one.label} in {one.folder}, whose sha256 is "
                f"{one.sha256}. Remove the bundle, or list its sha256 if you trust it."
            )


def hold_bundles(stored: Iterable[StoredBundle], default: str | None, device: torch.device) -> Bundles:
    """Hold stored bundles by their folders without building a network; equal ones share their networks."""
    held = dict[str, Predictor]()
    by_sha256 = dict[str, Predictor]()
    for one in stored:
        if one.sha256 not in by_sha256:
            by_sha256[one.sha256] = predictor_of(one, device)
        held[one.folder.name] = by_sha256[one.sha256]
    return Bundles(held, default)


def predictor_of(stored: StoredBundle, device: torch.device) -> Predictor:
    """Return the predictor of a bundle's kind. Its networks are built at first use."""
    manifest = stored.manifest
    if isinstance(manifest, ClassifyManifest):
        return ClassifyPredictor(manifest, stored.sha256, device, lambda: cast(ClassifyBundle, stored.load()))
    if isinstance(manifest, CountManifest):
        return CountPredictor(manifest, stored.sha256, device, lambda: cast(CountBundle, stored.load()))
    raise TypeError(f"no predictor uses {type(manifest).__name__}")


def get_bundles(request: Request) -> Bundles:
    """Return the bundles of the running application."""
    return cast(Bundles, request.state.bundles)


BundlesDep = Annotated[Bundles, Depends(get_bundles)]
