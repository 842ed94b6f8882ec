"""Fetches the files of messages, without the key and from public addresses only.

A file's address is part of a message, so it is not trusted. It has to be https; its name is looked up once, every
address found has to be public, and the connection goes to one of these very addresses. No redirect is followed, no
compressed answer is read, and no proxy is used, because a proxy would look the name up again.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import anyio
import httpx

from linq_mcp import __version__
from linq_mcp.api.public_addresses import is_public
from linq_mcp.errors import FileError, FileProblem
from linq_mcp.settings import is_loopback

logger = logging.getLogger(__name__)

MOST_BYTES = 25_000_000
# Enough to recognise every type of file.
HEAD_BYTES = 4096
_MOST_ADDRESSES = 4
_HIGHEST_PORT = 65_535
_TIMEOUT = {"connect": 5.0, "read": 12.0, "write": 5.0, "pool": None}
_GONE = frozenset({403, 404, 410})

Lookup: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
Needed: TypeAlias = Callable[[bytes], int]
"""How many bytes to read of a file that begins with the given ones."""


@dataclass(frozen=True, slots=True)
class File:
    """A file, or at least its first `HEAD_BYTES`. `size` is how many it has in all; None if that is not known."""

    data: bytearray
    size: int | None

    @property
    def is_whole(self) -> bool:
        return len(self.data) == self.size


class FileFetcher:
    """Fetches files. `tls` has the certificates to trust, `lookup` the addresses of names.

    Without `lookup` the names are left to `transport`, which replaces the network. While `base_url` leads to this
    machine, as that of the demo account's API does, files of the same origin are fetched from there.
    """

    def __init__(
        self,
        base_url: str,
        *,
        lookup: Lookup | None,
        tls: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._own_origin = _origin(httpx.URL(base_url)) if is_loopback(base_url) else None
        self._lookup = lookup
        self._tls = tls
        self._transport = transport

    async def fetch(self, url: str, *, needed: Needed, deadline: float) -> File:
        """As much of the file at `url` as is `needed`, by `deadline`. Raises `FileError`."""
        try:
            with anyio.fail_after(deadline - anyio.current_time()):
                return await self._fetch(url, needed)
        except TimeoutError:
            raise FileError(FileProblem.UNAVAILABLE, "It did not arrive within the time of a call.") from None
        except (httpx.HTTPError, httpx.StreamError, OSError, UnicodeError) as error:
            # The text of the cause may contain the address, and with it its signature.
            cause = type(error).__name__
            raise FileError(FileProblem.UNAVAILABLE, f"The connection failed ({cause}).") from None

    async def _fetch(self, url: str, needed: Needed) -> File:
        try:
            parsed = httpx.URL(url)
            origin = _origin(parsed)
        except (httpx.InvalidURL, UnicodeError):
            raise _refused("It is not a valid URL.") from None
        hosts = [parsed.host] if origin == self._own_origin else await self._public_hosts(parsed)
        transport = self._transport or httpx.AsyncHTTPTransport(verify=self._tls or True, trust_env=False)
        try:
            for host in hosts[:-1]:
                try:
                    return await _received(transport, _request(parsed, host), needed)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    continue
            return await _received(transport, _request(parsed, hosts[-1]), needed)
        finally:
            if transport is not self._transport:
                with anyio.CancelScope(shield=True):
                    await transport.aclose()

    async def _public_hosts(self, url: httpx.URL) -> Sequence[str]:
        """The hosts to connect to for `url`, which have to be public."""
        port = url.port or 443
        if url.scheme != "https" or not url.host or url.userinfo or port > _HIGHEST_PORT:
            raise _refused("Only https addresses without a user name are used.")
        if self._lookup is None:
            return [url.host]
        try:
            addresses = await self._lookup(url.raw_host.decode("ascii"), port)
        except (OSError, UnicodeError):
            raise FileError(FileProblem.UNAVAILABLE, "The name in its address could not be looked up.") from None
        if not addresses or not all(map(is_public, addresses)):
            raise _refused("It does not lead to a public address of the internet.")
        return addresses[:_MOST_ADDRESSES]


def _request(url: httpx.URL, host: str) -> httpx.Request:
    """The request for `url`, sent to `host`; the certificate still has to be for the host of `url`."""
    return httpx.Request(
        "GET",
        url.copy_with(host=host, fragment=None),
        headers={
            "Host": url.netloc.decode("ascii"),
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "User-Agent": f"linq-mcp/{__version__}",
        },
        extensions={"sni_hostname": url.raw_host.decode("ascii"), "timeout": _TIMEOUT},
    )


async def _received(transport: httpx.AsyncBaseTransport, request: httpx.Request, needed: Needed) -> File:
    # Sent by the transport itself: a client would add cookies, proxies and credentials of its own.
    response = await transport.handle_async_request(request)
    try:
        file = await _read(response, needed)
    finally:
        with anyio.CancelScope(shield=True):
            await response.aclose()
    logger.info("GET a file -> %d, %d bytes read", response.status_code, len(file.data))
    return file


async def _read(response: httpx.Response, needed: Needed) -> File:
    status = response.status_code
    if status in _GONE:
        raise FileError(FileProblem.GONE, f"Its address answered {status}.")
    if 300 <= status < 400:
        raise _refused(f"It answered with a redirect ({status}), which is not followed.")
    if status != httpx.codes.OK:
        raise FileError(FileProblem.UNAVAILABLE, f"Its address answered {status}.")
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise _refused("It answered with a compressed file, which had not been asked for.")
    declared = response.headers.get("Content-Length", "")
    size = int(declared) if declared.isascii() and declared.isdecimal() and len(declared) < 16 else None
    if size is not None and size > MOST_BYTES:
        raise _too_large(f"It has {size / 1e6:.1f} MB")
    data = bytearray()
    enough: int | None = None
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > MOST_BYTES:
            raise _too_large("It has more than 25 MB")
        if enough is None and len(data) >= HEAD_BYTES:
            enough = max(HEAD_BYTES, needed(bytes(data[:HEAD_BYTES])))
        if enough is not None and len(data) > enough:
            del data[enough:]
            break
    else:
        size = len(data)
    return File(data, size)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _refused(message: str) -> FileError:
    return FileError(FileProblem.REFUSED, message)


def _too_large(size: str) -> FileError:
    return FileError(FileProblem.TOO_LARGE, f"{size}, and at most 25 MB are fetched.")
