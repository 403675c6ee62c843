"""Addresses of servers: headers and time limits of a connection, and what a failed one means."""

import httpx

from loupe.problems import ClientError, NoAnswerError, NoServerError

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
TIMEOUT = httpx.Timeout(600, connect=5)
"""Planning or classifying a large scene on a CPU takes minutes; connecting never does."""


class AddressError(ClientError):
    """An address that no request can be sent to."""


def own_headers(key: str) -> dict[str, str]:
    """Return the headers of every request."""
    return {"Authorization": f"Bearer {key}"}


def trusts_proxies(url: str) -> bool:
    """Return whether a proxy from the environment may be used: none reaches the loopback address.

    AddressError for a text that is no address.
    """
    try:
        return httpx.URL(url).host not in LOOPBACK
    except httpx.InvalidURL as error:
        raise without_answer(url, error) from error


def without_answer(url: str, error: httpx.HTTPError | httpx.InvalidURL) -> ClientError:
    """Return the error for a request that has no answer."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return AddressError(
            f"No request can be sent to {url}: {reason}\nGive an address such as https://HOST."
        )
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return NoServerError(url)
    return NoAnswerError(f"The server at {url} did not answer correctly: {reason}")
