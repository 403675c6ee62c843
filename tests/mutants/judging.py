"""The verdict on a mutant: it is read, or refused with a typed error. Anything else is a fault."""

import io
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from service.deliveries.archives import DeliveredArchive
from service.errors import LoupeError
from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from service.imagery.radiometry import to_imagery
from service.imagery.tiling import cut_tiles
from tests.mutants.mutating import Mutant, mutant

LIMITS = Limits()
LARGEST = 8 * 1024 * 1024
REFUSALS = frozenset({409, 413, 415, 422})
TILE_PX, LR_M, HR_M = 8, 10.0, 2.5
"""Tiles of the bundle that the mutants are cut for."""
ACCEPTED = "accepted"


@dataclass
class Verdicts:
    """What became of mutants: the number of each outcome, the slowest with its seconds, and the faults."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, int] = (0.0, -1)
    faults: list[str] = field(default_factory=list)
    memory_mib: int = 0
    """Most memory of a process that judged, without its decoders."""

    def add(self, number: int, read: "Read") -> None:
        """Judge the mutant of a number by what `read` makes of it."""
        one, begun = mutant(number), time.perf_counter()
        try:
            outcome = read(one)
        except Exception as error:  # every exception that is not typed is what we look for
            outcome = "fault"
            self.faults.append(f"{number} ({one.origin}: {', '.join(one.changes)}): {error!r}")
        self.outcomes[outcome] += 1
        self.slowest = max(self.slowest, (time.perf_counter() - begun, number))

    def merge(self, others: "Verdicts") -> None:
        """Add the verdicts on other mutants."""
        self.outcomes.update(others.outcomes)
        self.faults += others.faults
        self.slowest = max(self.slowest, others.slowest)
        self.memory_mib = max(self.memory_mib, others.memory_mib)


Read = Callable[[Mutant], str]
"""A function that reads a mutant and returns ACCEPTED or the code of its refusal."""


def read_here(one: Mutant) -> str:
    """Read a mutant in this process with its decoders; return ACCEPTED or the code of the refusal.

    ValueError for a refusal that is none.
    """
    try:
        if one.is_archive:
            read_archive(one.body)
        else:
            read_scene(one.body)
    except LoupeError as error:
        if error.status not in REFUSALS or not error.detail.endswith("."):
            raise ValueError(f"{error.status} {error.code}: {error.detail}") from error
        return error.code
    return ACCEPTED


def read_scene(body: bytes) -> None:
    """Read a scene as far as its tiles: structure, pixels, place, bands, radiometry."""
    imagery = to_imagery(read_geotiff(body, LIMITS), None, None, is_scene=True, strict=True)
    cut_tiles(imagery, TILE_PX, LR_M, HR_M)


def read_archive(body: bytes) -> None:
    """Unpack an archive and read what it holds. A file in it may be refused without the archive."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "delivery.zip"
        path.write_bytes(body)
        with DeliveredArchive(path, LARGEST) as archive:
            for entry in archive.entries():
                if entry.ignored is None:
                    unpacked = io.BytesIO()
                    unpacked.writelines(archive.chunks(entry))
                    _try_file(unpacked.getvalue())


def _try_file(body: bytes) -> None:
    try:
        read_scene(body)
    except LoupeError as error:
        if error.status not in REFUSALS:
            raise
