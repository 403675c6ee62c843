"""The decoding process: read a TIFF from standard input, answer with its pixels, and repeat.

`service.geotiff.quarantine` starts it; nothing imports it. It holds no secret and reaches no network. Its
memory, CPU time and files are limited. It ends when its standard input does, so that it never outlives the
server. A message in either direction is a length (4 bytes, little-endian), that many bytes of JSON, and the
raw bytes that the JSON announces. Pickle is not used: the server would have to trust this process.
"""

import json
import os
import resource
import signal
import struct
import sys
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import ProjError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from service.geotiff.confinement import confine, folders_of_data

_ALLOWED_DRIVERS = {"GTiff", "MEM", "Memory"}
_MAX_WKT = 32 * 1024  # characters; the longest system of EPSG has some 5,000


def main() -> None:
    """Limit this process, then answer requests until standard input ends."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 0)
    os.dup2(silence, 1)
    with rasterio.Env() as env:
        extra = set(env.drivers()) - _ALLOWED_DRIVERS
    warm_up()
    layers = confine(folders_of_data())
    send(answers, {"error": "drivers"} if extra else {"ready": True, "layers": layers})
    while not extra and (head := requests.read(4)):
        request = json.loads(requests.read(struct.unpack("<I", head)[0]))
        body = requests.read(request["bytes"])
        start_clocks(request["cpu"], request["wall"])
        send(answers, *answer_for(body))
        stop_clocks()


def warm_up() -> None:
    """Load what decoding loads late: afterwards neither modules nor registers can be opened any more."""
    profile = {"driver": "GTiff", "width": 1, "height": 1, "count": 1, "dtype": "uint8", "crs": "EPSG:32632"}
    with MemoryFile() as memory:
        with memory.open(**profile, transform=Affine.scale(10.0)) as file:
            file.write(np.ones((1, 1, 1), np.uint8))
        answer_for(memory.read())


def start_clocks(cpu: float, wall: float) -> None:
    """End this process when the next decode takes longer than `cpu` seconds of CPU time.

    The clock on the wall ends it if the server is gone. The hard limit of CPU time holds against code that
    would stop the clocks.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + cpu) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_PROF, cpu)
    signal.setitimer(signal.ITIMER_REAL, wall + 1)


def stop_clocks() -> None:
    """Let the process wait for the next file."""
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)


def answer_for(body: bytes) -> tuple[dict[str, Any], bytes | memoryview, bytes | memoryview]:
    """Return the answer for one file: facts, pixels (bands, H, W), and mask (H, W) if the file has one."""
    try:
        return read_pixels(body)
    except MemoryError:
        return {"error": "memory"}, b"", b""
    except (RasterioError, ValueError, TypeError, OverflowError):
        return {"error": "undecodable"}, b"", b""


def read_pixels(body: bytes) -> tuple[dict[str, Any], bytes | memoryview, bytes | memoryview]:
    """Decode a file at full resolution only: overviews can make GDAL open other files."""
    with MemoryFile(body) as memory, memory.open(driver="GTiff", OVERVIEW_LEVEL="NONE") as file:
        pixels: NDArray[Any] = np.ascontiguousarray(file.read())
        mask: bytes = b""
        if MaskFlags.per_dataset in file.mask_flag_enums[0] and ColorInterp.alpha not in file.colorinterp:
            mask = file.read_masks(1).tobytes()
        facts = {
            "shape": pixels.shape,
            "dtype": str(pixels.dtype),
            "transform": tuple(file.transform)[:6],
            "crs": describe_crs(file.crs.to_wkt()) if file.crs else None,
            "nodata": file.nodata,
            "colours": [colour.name for colour in file.colorinterp],
            "mask": len(mask),
        }
    return facts, pixels.data.cast("B"), mask


@lru_cache(maxsize=64)
def describe_crs(wkt: str) -> dict[str, Any]:
    """Return the EPSG code of a CRS, or None, and the name that the CRS states.

    The code is that of the horizontal part. A CRS that states another register's code, or none, gets the
    code of the EPSG system that PROJ finds equal to it in every parameter.
    """
    name = wkt.split('"')[1] if '"' in wkt else "unnamed"
    return {"epsg": find_epsg(wkt) if len(wkt) <= _MAX_WKT else None, "name": name[:200]}


def find_epsg(wkt: str) -> int | None:
    """Return the EPSG code of the horizontal part of a CRS, or None if no system of EPSG equals it."""
    try:
        crs = horizontal_part(CRS.from_wkt(wkt))
        code = crs.to_epsg(min_confidence=70)
        if code is not None and CRS.from_epsg(code).equals(crs, ignore_axis_order=True):
            return code
    except ProjError:
        pass
    return None


def horizontal_part(crs: CRS) -> CRS:
    """Return a CRS without heights and without the datum shift that a file may state."""
    for _ in range(4):  # nesting that real systems do not exceed
        if crs.is_bound and crs.source_crs is not None:
            crs = crs.source_crs
        elif crs.is_compound:
            crs = crs.sub_crs_list[0]
    return crs.to_2d() if len(crs.axis_info) == 3 else crs


def send(answers: BinaryIO, facts: dict[str, Any], *parts: bytes | memoryview) -> None:
    """Write one message."""
    head = json.dumps(facts).encode()
    answers.write(struct.pack("<I", len(head)) + head)
    answers.writelines(parts)
    answers.flush()


if __name__ == "__main__":
    main()
    sys.exit(0)
