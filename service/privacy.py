"""Keep the server's memory and secrets from other processes of the same user."""

import ctypes
import os
import sys

SECRETS = (
    "LOUPE_API_KEY",
    "LOUPE_DATABASE_URL",
    "LOUPE_OIDC_CLIENT_SECRET",
    "LOUPE_SERVER_PASSWORD",
    "PGPASSWORD",
)
"""Variables of the environment that are forgotten once the settings are read."""

_SET_DUMPABLE = 4  # prctl(2)


def keep_private() -> None:
    """Forget the secrets of the environment, and let no process of this user read or trace this one.

    The kernel shows a process's first environment in /proc as long as it runs, so the bytes are overwritten
    there as well. Only a superuser can attach a debugger afterwards, and no core is dumped.
    """
    for name in SECRETS:
        forget(name)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def forget(name: str) -> None:
    """Remove a variable from the environment, and overwrite its value where the process received it."""
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    if address := libc.getenv(name.encode()):
        ctypes.memset(address, 0, len(ctypes.string_at(address)))
    os.environ.pop(name, None)
