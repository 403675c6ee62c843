"""Addresses of servers: headers and time limits of a connection, and what a failed one means."""

import re
import ssl

import httpx

from loupe.problems import ClientError, NoAnswerError, NoServerError

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
TIMEOUT = httpx.Timeout(600, connect=5)
"""Planning or classifying a large scene on a CPU takes minutes; connecting never does."""


_PRINTABLE = re.compile(r"[!-~]+")


class UnusableKeyError(ClientError):
    """A text that cannot be an API key. Nothing was sent."""


class AddressError(ClientError):
    """An address that no request can be sent to."""


def own_headers(key: str) -> dict[str, str]:
    """Return the headers of every request. UnusableKeyError for a key that no header can hold."""
    if not _PRINTABLE.fullmatch(key):
        raise UnusableKeyError(
            "An API key has no blanks and only ASCII characters, and this one has others.\n"
            "Copy the whole key again, without quotation marks or line breaks."
        )
    return {"Authorization": f"Bearer {key}"}


def trusts_proxies(url: str) -> bool:
    """Return whether a proxy from the environment may be used: none reaches the loopback address.

    AddressError for a text that is no address.
    """
    try:
        return httpx.URL(url).host not in LOOPBACK
    except httpx.InvalidURL as error:
        raise without_answer(url, error) from error


def place_on(url: str, link: str) -> str:
    """Return a path, or a link of the server at `url`. AddressError for one that leads to another server.

    Every request carries the key, so a link that a hostile server or a proxy wrote could give it away.
    Errors of httpx for a text that is no address.
    """
    asked, own = httpx.URL(link), httpx.URL(url)
    if asked.is_absolute_url and (asked.scheme, asked.netloc) != (own.scheme, own.netloc):
        raise AddressError(
            f"A link of {url} leads to {asked.scheme}://{asked.host}.\n"
            "The key is sent to no other server. Check the address of the server, and the proxy before it."
        )
    return link


def without_answer(url: str, error: httpx.HTTPError | httpx.InvalidURL) -> ClientError:
    """Return the error for a request that has no answer."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return AddressError(
            f"No request can be sent to {url}: {reason}\nGive an address such as https://HOST."
        )
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return NoServerError(url, _fault_of_tls(error))
    return NoAnswerError(f"The server at {url} did not answer correctly: {reason}")


def _fault_of_tls(error: BaseException | None) -> str | None:
    """Return what TLS found wrong, if that is the cause of an error."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            said = getattr(error, "verify_message", None) or error.reason or str(error)
            return said.replace("_", " ").lower()
        error = error.__cause__ or error.__context__
    return None
