"""The decoding of hostile files in a few child processes that can harm only themselves.

A child starts once and decodes many files, so that a small file costs one round trip through a pipe. A child
that overruns its CPU time is killed and replaced. Its answer is checked against the result of the pre-flight:
the server allocates memory for the size that it knows, never for a size that the child states.
"""

import atexit
import contextlib
import io
import json
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from service.errors import LoupeError
from service.geotiff.errors import DamagedTiffError, DecodeOverrunError, DecoderUnavailableError
from service.geotiff.gdal_lock import ENVIRONMENT
from service.metrics import DECODE_SECONDS, timed
from service.stopping import checkpoint, current_stop

WORKERS = 4
"""Children: twice as many as the requests of one workspace take at a time."""
WALL_PER_CPU = 6
"""Seconds on the wall for each second of CPU time: on a busy machine, a decode gets a part of a core."""
_START_SECONDS = 60.0  # importing numpy and rasterio on a busy machine
_LOOKING_SECONDS = 0.5
"""Seconds between two looks whether a request that waits for a child was stopped."""
_MAX_FACTS = 64 * 1024  # bytes of JSON
_KEPT_VARIABLES = ("GDAL_DATA", "PROJ_DATA", "PROJ_LIB", "LD_LIBRARY_PATH")

ArrayShape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """Answer of a child with checked sizes: pixels (bands, H, W), and mask (H, W) uint8 or None."""

    pixels: NDArray[Any]
    mask: NDArray[np.uint8] | None
    facts: dict[str, Any]


class _LostError(Exception):
    """The child fell silent or gave an answer that does not match the request."""


class _Worker:
    """A child process, used by one thread at a time."""

    def __init__(self) -> None:
        self._process = _start()
        try:
            with self._clock(_START_SECONDS):
                greeting = _receive(_pipe(self._process.stdout))
        except _LostError:
            greeting = {}
        self.layers = frozenset(greeting.get("layers", ()))
        if not greeting.get("ready"):
            self.end()
            raise DecoderUnavailableError("The decoding process did not start. Try again later.")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def decode(self, body: bytes | bytearray, shape: ArrayShape, dtype: str, seconds: float) -> Decoded:
        with self._clock(seconds * WALL_PER_CPU), current_stop().calling(self._process.kill):
            try:
                return self._exchange(body, shape, dtype, seconds)
            except (_LostError, OSError):
                loss = self._explain_loss(seconds)
                checkpoint()  # a request that was stopped says why, not that its child has ended
                raise loss from None

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what was not yet written to the dead child
                _pipe(pipe).close()

    def _exchange(self, body: bytes | bytearray, shape: ArrayShape, dtype: str, seconds: float) -> Decoded:
        to_child, from_child = _pipe(self._process.stdin), _pipe(self._process.stdout)
        request = json.dumps({"bytes": len(body), "cpu": seconds, "wall": seconds * WALL_PER_CPU}).encode()
        to_child.write(struct.pack("<I", len(request)) + request)
        to_child.write(body)
        to_child.flush()
        facts = _receive(from_child)
        _raise_reported(facts.get("error"))
        if facts.get("shape") != list(shape) or facts.get("dtype") != dtype:
            raise _LostError
        pixels = _read_array(from_child, shape, dtype)
        mask = _read_array(from_child, shape[1:], "uint8") if facts.get("mask") else None
        return Decoded(pixels=pixels, mask=mask, facts=facts)

    def _explain_loss(self, seconds: float) -> LoupeError:
        """Reap the child and map its exit code to an error."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        code = self._process.poll()
        self.end()
        if code in (-signal.SIGXCPU, -signal.SIGPROF):
            return DecodeOverrunError(
                f"Decoding the raster took more than {seconds:g} s of CPU time and was stopped. Send a "
                "smaller scene."
            )
        if code in (-signal.SIGKILL, -signal.SIGALRM):
            return DecoderUnavailableError(
                f"The machine is so busy that {seconds * WALL_PER_CPU:g} s did not suffice to decode the "
                "raster, or its decoding process was ended from outside. Send the request again later."
            )
        return DamagedTiffError("The raster's pixels cannot be decoded: they crash the decoder.")

    @contextlib.contextmanager
    def _clock(self, seconds: float) -> Iterator[None]:
        """Kill the child after `seconds` on the wall, which ends any read or write."""
        timer = threading.Timer(seconds, self._process.kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


class Quarantine:
    """Fixed number of children, each started when it is first needed. Safe to use from any thread."""

    def __init__(self, workers: int = WORKERS) -> None:
        self._workers = workers
        self._places: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(workers):
            self._places.put(None)

    def decode(self, body: bytes | bytearray, shape: ArrayShape, dtype: str, seconds: float) -> Decoded:
        """Decode a neutralised TIFF known to be (bands, H, W) of `dtype` within `seconds` of CPU time.

        Raises 422 when the pixels are damaged or decoding overruns, 503 when no child is free in time or the
        machine is too busy, and the reason for which the computation was stopped.
        """
        with self._child(seconds) as worker:
            return worker.decode(body, shape, dtype, seconds)

    def start_all(self) -> None:
        """Start every child that has not been started, so that no request waits for one."""
        with contextlib.ExitStack() as held:
            for _ in range(self._workers):
                held.enter_context(self._child(_START_SECONDS))

    def layers(self) -> frozenset[str]:
        """Return the layers of confinement that a child reports, and start one if none has been started.

        Raises 503 when no child starts.
        """
        with self._child(_START_SECONDS) as worker:
            return worker.layers

    @contextlib.contextmanager
    def _child(self, seconds: float) -> Iterator[_Worker]:
        """Wait for a child that nobody uses, and replace it if it has ended."""
        worker = self._next_free(seconds)
        try:
            if worker is None or not worker.alive:
                if worker is not None:
                    worker.end()
                worker = None  # so that nothing is put back if the start fails
                worker = _Worker()
            yield worker
        finally:
            self._places.put(worker)

    def _next_free(self, seconds: float) -> _Worker | None:
        """Take a child, or the place of one; DecoderUnavailableError when all are busy for too long."""
        until = time.monotonic() + seconds * WALL_PER_CPU
        while (left := until - time.monotonic()) > 0:
            checkpoint()
            with contextlib.suppress(queue.Empty):
                return self._places.get(timeout=min(left, _LOOKING_SECONDS))
        raise DecoderUnavailableError("All decoders are busy. Try again in a moment.")

    def close(self) -> None:
        """End the children, waiting for decodes under way; a later decode starts new ones."""
        places = [self._places.get() for _ in range(self._workers)]
        for worker in places:
            if worker is not None:
                worker.end()
            self._places.put(None)


def _start() -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - our own file, no outside argument
            [sys.executable, "-P", str(Path(__file__).with_name("decoder.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            cwd="/",
        )
    except OSError as error:  # no process or memory left
        raise DecoderUnavailableError("No decoding process can be started. Try again later.") from error


def _environment() -> dict[str, str]:
    """Return the child's environment: GDAL's lock, the path of its modules, and no secret."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    modules = os.pathsep.join(path for path in sys.path if path)
    return kept | ENVIRONMENT | {"PYTHONPATH": modules, "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise _LostError
    return stream


def _receive(pipe: IO[bytes]) -> dict[str, Any]:
    """Read one message's JSON object."""
    head = pipe.read(4)
    length = struct.unpack("<I", head)[0] if len(head) == 4 else 0
    if not 0 < length <= _MAX_FACTS:
        raise _LostError
    try:
        facts = json.loads(pipe.read(length))
    except ValueError as error:
        raise _LostError from error
    if not isinstance(facts, dict):
        raise _LostError
    return facts


def _raise_reported(error: object) -> None:
    if error == "memory":
        raise DecodeOverrunError(
            "Decoding the raster takes more than the 3 GiB of memory that one raster may use. "
            "Send a smaller scene."
        )
    if error is not None:
        raise DamagedTiffError(
            "The raster's pixels cannot be decoded: strips or tiles are damaged or cut off."
        )


def _read_array(pipe: IO[bytes], shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    array: NDArray[Any] = np.empty(shape, dtype)
    if not isinstance(pipe, io.BufferedReader) or pipe.readinto(array.data.cast("B")) != array.nbytes:
        raise _LostError
    return array


_quarantine = Quarantine()


def decode(body: bytes | bytearray, shape: ArrayShape, dtype: str, seconds: float) -> Decoded:
    """Decode a file in the process-wide quarantine; see `Quarantine.decode`."""
    with timed(DECODE_SECONDS):
        return _quarantine.decode(body, shape, dtype, seconds)


def start_decoders() -> None:
    """Start the children of the process-wide quarantine; see `Quarantine.start_all`."""
    with contextlib.suppress(DecoderUnavailableError):  # the first request that needs one tries again
        _quarantine.start_all()


def sandbox_layers() -> frozenset[str]:
    """Return the layers that confine the process-wide quarantine; see `Quarantine.layers`."""
    return _quarantine.layers()


def close_quarantine() -> None:
    """End the children of the process-wide quarantine; called when the server shuts down."""
    _quarantine.close()


atexit.register(close_quarantine)
