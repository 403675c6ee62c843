"""Receipts of delivered files."""

from datetime import datetime

from loupe.answers.base import Answer, Json, Link, Money, Part, WarningNote
from loupe.answers.orders import Footprint


class SupersededFile(Part):
    """An earlier file of a patch, which a newer one replaced. It stays available by its version."""

    version: int
    """Version of the file, from 1."""
    sha256: str
    """SHA-256 of the file."""


class Receipt(Answer):
    """The receipt of one file of a patch; sending the same file again gives the same receipt."""

    order: str
    """Id of the order."""
    tile: int
    """Number of the tile in the plan, from 0."""
    patch: int
    """Number of the patch in its tile, 0 to 15, column by column."""
    version: int
    """Version of this file among those of the patch, from 1."""
    supersedes: SupersededFile | None = None
    """The file that was in use before this one. None for the first file."""
    sha256: str
    """SHA-256 of the delivered file."""
    size: int
    """Size of the delivered file in bytes."""
    settled: Money
    """Amount that was paid for the patch, once."""
    checks: Json
    """Properties of the file that were verified, with the numbers."""
    delivered_at: datetime
    """Time of the delivery of this file (UTC)."""
    links: tuple[Link, ...]
    """The patch, this file of it, and its order."""


class OutcomeCounts(Part):
    """Numbers of patches by outcome."""

    settled: int
    """Awaited patches that were stored and paid."""
    superseded: int
    """Delivered patches that have a newer file now."""
    already_delivered: int
    """Patches that these bytes had delivered before."""
    not_covered: int
    """Awaited patches of which a part is shown, and kept."""
    refused: int
    """Patches that are shown, but were not accepted."""
    untouched: int
    """Awaited patches that lie outside the upload."""
    left: int
    """Covered patches beyond the 4,096 that one upload stores. Send the file again for them."""


class PatchOutcome(Part):
    """The result for one patch that the upload shows at least in part."""

    tile: int
    """Number of the tile in the plan, from 0."""
    patch: int
    """Number of the patch in its tile, 0 to 15, column by column."""
    outcome: str
    """`settled`: stored and paid.

    `superseded`: stored beside the earlier files, used now and free. `already-delivered`: the same bytes were
    delivered before. `not-covered`: a part of it is shown, which is kept until other files show the rest.
    `refused`: shown, but not accepted.
    """
    sha256: str | None = None
    """SHA-256 of the GeoTIFF that delivers the patch, or that it was joined to."""
    version: int | None = None
    """Version of that file among those of the patch, from 1."""
    supersedes: SupersededFile | None = None
    """The file that was in use before."""
    settled: Money | None = None
    """Amount that was paid for the patch, once."""
    files: tuple[str, ...] | None = None
    """SHA-256 of the files that show the patch together, of this upload and of earlier ones.

    None when one file shows it.
    """
    covered: float | None = None
    """Share of the patch's area that all files so far cover, 0 to 1."""
    remainder: Footprint | None = None
    """Ground that is still missing, in longitude and latitude (EPSG:4326)."""
    problem: Json | None = None
    """Reason of a refusal: type, title, detail."""
    warnings: tuple[WarningNote, ...] | None = None
    """Doubts about an accepted patch."""


class FileOutcome(Part):
    """Result of one file of the upload."""

    name: str | None = None
    """Path in the archive. None for a GeoTIFF that was sent as it is."""
    sha256: str | None = None
    """SHA-256 of the file. None for a file that was not tried."""
    size: int
    """Size of the file in bytes."""
    use: str
    """`used`: patches or parts of them were taken from it.

    `refused`: it was tried and nothing was taken. `ignored`: it was not tried.
    """
    detail: str | None = None
    """Reason why the file was refused or ignored."""
    checks: Json | None = None
    """How the file was read: CRS, size, bands, numbers."""


class FilesReceipt(Answer):
    """The result of a file or an archive for many patches."""

    order: str
    """Id of the order."""
    settled: Money
    """Amount that this upload paid in all."""
    counts: OutcomeCounts
    """How many patches have each outcome."""
    patches: tuple[PatchOutcome, ...]
    """The patches that the upload shows, in plan order."""
    files: tuple[FileOutcome, ...]
    """The file, or every file of the archive."""
    links: tuple[Link, ...]
    """The order."""
