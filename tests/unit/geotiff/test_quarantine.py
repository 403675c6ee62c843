"""The decoding child: its limits, its failures and its end."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from service.errors import LoupeError
from service.geotiff import quarantine
from service.geotiff.errors import DamagedTiffError, DecodeOverrunError, DecoderUnavailableError
from service.geotiff.gdal_lock import ENVIRONMENT
from service.geotiff.preflight import Limits
from service.geotiff.quarantine import Quarantine
from service.geotiff.raster import read_geotiff
from service.stopping import CallerGoneError, Stop, under
from tests.support.rasters import SHAPE, handmade_tiff, make_noise, shared_block_bomb, write_geotiff

ROOT = Path(__file__).parents[3]
LIMITS = Limits()


def test_child_has_no_secret_and_tight_limits(own: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_API_KEY", "lp_live_do_not_tell")
    own.decode(handmade_tiff(), SHAPE, "uint8", 20)
    process = Path("/proc") / str(_children()[-1])
    assert b"do_not_tell" not in (process / "environ").read_bytes()
    limits = (process / "limits").read_text()
    for line in (
        "Max file size             0",
        "Max core file size        0",
        "Max address space         3221225472",
    ):
        assert line in limits
    assert "Max open files            64" in limits


def test_quarantine_stops_a_slow_decode_and_serves_the_next(own: Quarantine) -> None:
    own.decode(handmade_tiff(), SHAPE, "uint8", 20)
    big = write_geotiff(np.zeros((3, 6_000, 6_000), np.uint8), compress="zstd")
    before = time.monotonic()
    with pytest.raises(DecodeOverrunError, match=r"0\.02 s"):
        own.decode(big, (3, 6_000, 6_000), "uint8", 0.02)
    assert time.monotonic() - before < 10
    assert own.decode(handmade_tiff(), SHAPE, "uint8", 20).pixels.shape == SHAPE


def test_quarantine_replaces_a_child_killed_between_decodes(own: Quarantine) -> None:
    own.decode(handmade_tiff(), SHAPE, "uint8", 20)
    first = _children()[-1]
    os.kill(first, signal.SIGKILL)
    _wait_until(lambda: _state(first) in ("Z", ""))
    own.decode(handmade_tiff(), SHAPE, "uint8", 20)
    assert _children()[-1] != first


def test_quarantine_reports_a_child_killed_from_outside_as_unavailable(own: Quarantine) -> None:
    own.decode(handmade_tiff(), SHAPE, "uint8", 20)
    child = _children()[-1]
    os.kill(child, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(own.decode, handmade_tiff(), SHAPE, "uint8", 60)
        _wait_until(own._places.empty)
        time.sleep(0.5)
        os.kill(child, signal.SIGKILL)
        assert isinstance(stuck.exception(), DecoderUnavailableError)


def test_quarantine_refuses_an_answer_of_another_size(own: Quarantine) -> None:
    with pytest.raises(DamagedTiffError):
        own.decode(handmade_tiff(), (1, 4_000, 4_000), "uint8", 20)


def test_quarantine_refuses_a_raster_larger_than_the_child_memory(own: Quarantine) -> None:
    bomb = shared_block_bomb(65_536)  # 4 GiB, past the pre-flight on purpose
    with pytest.raises((DecodeOverrunError, DamagedTiffError)):
        own.decode(bomb, (1, 65_536, 65_536), "uint8", 20)


def test_quarantine_is_unavailable_when_no_child_is_free_in_time(own: Quarantine) -> None:
    own.decode(handmade_tiff(), SHAPE, "uint8", 20)
    child = _children()[-1]
    os.kill(child, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(own.decode, handmade_tiff(), SHAPE, "uint8", 1.0)
        _wait_until(own._places.empty)
        with pytest.raises(DecoderUnavailableError, match="All decoders are busy"):
            own.decode(handmade_tiff(), SHAPE, "uint8", 0.02)
        # The file is legal: the child got no CPU time.
        assert isinstance(stuck.exception(), DecoderUnavailableError)


def test_quarantine_ends_the_child_of_a_decode_that_is_stopped(own: Quarantine) -> None:
    own.decode(handmade_tiff(), SHAPE, "uint8", 20)
    child = _children()[-1]
    os.kill(child, signal.SIGSTOP)
    stop = Stop()

    def decode() -> None:
        with under(stop):
            own.decode(handmade_tiff(), SHAPE, "uint8", 60)

    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(decode)
        _wait_until(own._places.empty)
        stop.end(CallerGoneError("The client has gone."))
        assert isinstance(stuck.exception(), CallerGoneError)
    assert _state(child) in ("Z", "")
    assert own.decode(handmade_tiff(), SHAPE, "uint8", 20).pixels.shape == SHAPE


def test_decode_that_waits_for_a_child_can_be_stopped(own: Quarantine) -> None:
    own.decode(handmade_tiff(), SHAPE, "uint8", 20)
    stop = Stop()
    stop.end(CallerGoneError("The client has gone."))
    with own._child(20), under(stop), pytest.raises(CallerGoneError):
        own.decode(handmade_tiff(), SHAPE, "uint8", 20)


def test_quarantine_gives_each_thread_its_own_pixels() -> None:
    bodies = [write_geotiff(make_noise(seed=seed)) for seed in range(24)]
    with ThreadPoolExecutor(8) as pool:
        rasters = list(pool.map(lambda body: read_geotiff(body, LIMITS), bodies))
    for seed, raster in enumerate(rasters):
        np.testing.assert_array_equal(raster.pixels, make_noise(seed=seed))


def test_close_quarantine_ends_children_and_a_later_decode_starts_new_ones() -> None:
    read_geotiff(handmade_tiff(), LIMITS)
    children = _children()
    quarantine.close_quarantine()
    assert not set(children) & set(_children())
    assert read_geotiff(handmade_tiff(), LIMITS).pixels.shape == SHAPE


def test_child_ends_with_a_killed_server() -> None:
    script = (
        "import time\nfrom service.geotiff.quarantine import decode\n"
        "from tests.support.rasters import handmade_tiff\n"
        "decode(handmade_tiff(), (1, 8, 8), 'uint8', 20)\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    server = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    with server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        (child,) = _children(server.pid)
        server.kill()
    _wait_until(lambda: _state(child) in ("Z", ""))


def test_assert_locked_names_drivers_when_gdal_was_loaded_first() -> None:
    script = (
        "import rasterio\nwith rasterio.Env() as env: env.drivers()\n"
        "from service.geotiff.gdal_lock import assert_locked\nassert_locked()"
    )
    unlocked = {key: value for key, value in os.environ.items() if key not in ENVIRONMENT}
    late = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=unlocked, capture_output=True, text=True, check=False
    )
    assert "GdalNotLockedError" in late.stderr
    assert "AAIGrid" in late.stderr
    timely = subprocess.run(
        [sys.executable, "-c", "import service.geotiff\n" + script], cwd=ROOT, env=unlocked, check=False
    )
    assert timely.returncode == 0


def test_decode_raises_own_errors_for_a_file_that_is_no_tiff() -> None:
    with pytest.raises(LoupeError):
        quarantine.decode(b"II*\0 not a tiff", SHAPE, "uint8", 20)


def _children(pid: int | None = None) -> list[int]:
    """Return the decoding processes started by a process, oldest first.

    psutil asks by parent process; the kernel's `task/*/children` lists by thread, and threads end while it
    is read. Sorted by start time, because process ids start over when they run out.
    """
    children = sorted(psutil.Process(pid).children(), key=lambda child: child.create_time())
    return [child.pid for child in children if any("decoder.py" in part for part in _command(child))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def _state(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return ""


def _wait_until(condition: object, seconds: float = 10) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not hold in time"
        time.sleep(0.02)
