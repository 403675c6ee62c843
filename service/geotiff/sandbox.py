"""The layers that confine the decoding process: which of them hold here, and whether to serve without one."""

import logging

from service.errors import UnavailableError
from service.geotiff.quarantine import sandbox_layers
from service.settings import Settings

logger = logging.getLogger(__name__)

LAYERS = {
    "limits": "memory, CPU time and open files are limited",
    "no-new-privileges": "no program can give it more rights",
    "capabilities": "it has no rights of a superuser",
    "landlock": "it reads no file but coordinate systems, and signals no other process",
    "seccomp": "it can open no socket, start no process, and trace none",
    "namespaces": "it has a network of its own, where nobody else is",
}
"""Each layer, and what it guarantees."""

REQUIRED = frozenset(LAYERS) - {"namespaces"}
"""Layers without which a server that requires the sandbox does not start. seccomp closes every network, and
many containers allow no namespace."""


def sandbox_of(settings: Settings) -> dict[str, bool]:
    """Return each layer and whether it holds. UnavailableError if a required one is missing."""
    held = sandbox_layers()
    layers = {name: name in held for name in LAYERS}
    missing = missing_layers(layers)
    if missing and settings.sandbox == "require":
        raise UnavailableError(
            f"The decoder's confinement lacks {', '.join(missing)}, and LOUPE_SANDBOX=require is set. "
            "Use Linux 5.13 or newer with Landlock, and install libseccomp 2 (Debian's package libseccomp2)."
        )
    for warning in sandbox_warnings(layers):
        logger.warning("%s", warning)
    return layers


def missing_layers(layers: dict[str, bool]) -> list[str]:
    """Return the required layers that do not hold."""
    return [name for name in LAYERS if name in REQUIRED and not layers[name]]


def sandbox_warnings(layers: dict[str, bool]) -> list[str]:
    """Return a sentence for each required layer that does not hold."""
    return [
        f"The decoder is not confined by {name}, by which {LAYERS[name]}." for name in missing_layers(layers)
    ]
