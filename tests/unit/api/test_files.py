"""Fetching a file: what is asked of whom, what is refused, and how much is read."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from typing import Any

import anyio
import httpx
import pytest
from helpers.linq import KEY, Body
from helpers.scripted_api import MB, SETTINGS, Reply, Server

from linq_mcp.api.client import LinqApi
from linq_mcp.api.files import HEAD_BYTES, MOST_BYTES, File, FileFetcher
from linq_mcp.errors import FileError, FileProblem

URL = "https://files.example.com/attachments/1/photo.jpg?X-Amz-Signature=5ec2e7"
BASE = "https://api.example.com/api/partner"
PUBLIC = "93.184.216.34"
CHUNK = bytes(64 * 1024)


class Names:
    """A DNS that gives each of `answers` in turn, the last of them for good."""

    def __init__(self, *answers: Sequence[str] | OSError) -> None:
        self._answers = answers
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        answer = self._answers[min(len(self.asked), len(self._answers) - 1)]
        self.asked.append((host, port))
        if isinstance(answer, OSError):
            raise answer
        return answer


async def fetch(
    server: Server,
    *,
    url: str = URL,
    names: Names | None = None,
    base_url: str = BASE,
    needed: int = MOST_BYTES,
    seconds: float = 10,
) -> File:
    fetcher = FileFetcher(base_url, lookup=names or Names([PUBLIC]), transport=server)
    return await fetcher.fetch(url, needed=lambda _: needed, deadline=anyio.current_time() + seconds)


async def refused(server: Server, problem: FileProblem, **how: Any) -> str:
    """What the error says."""
    with pytest.raises(FileError) as failed:
        await fetch(server, **how)
    assert failed.value.problem is problem
    text = str(failed.value)
    assert "5ec2e7" not in text
    assert "files.example.com" not in text
    return text


# What is asked of whom


async def test_the_request_has_nothing_of_the_account() -> None:
    """No key, no cookie, no referrer: only what fetching takes, and that the answer must not be compressed."""
    server = Server(Reply(body=b"a file", headers={"Set-Cookie": "id=1"}))
    async with LinqApi(SETTINGS, transport=server) as api:
        for _ in range(2):
            await api.fetch_file(URL, needed=lambda _: 10, deadline=anyio.current_time() + 10)
    for request in server.requests:
        assert request.method == "GET"
        assert sorted(request.headers) == ["accept", "accept-encoding", "host", "user-agent"]
        assert request.headers["accept-encoding"] == "identity"
        assert KEY not in f"{request.url} {request.headers}"


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """The name is looked up once, so a second answer can't lead elsewhere; the certificate has to be for the name."""
    server, names = Server(Reply(body=b"a file")), Names([PUBLIC], ["127.0.0.1"])
    await fetch(server, names=names)
    (request,) = server.requests
    assert names.asked == [("files.example.com", 443)]
    assert (request.url.host, request.url.raw_path) == (PUBLIC, httpx.URL(URL).raw_path)
    assert request.headers["Host"] == "files.example.com"
    assert request.extensions["sni_hostname"] == "files.example.com"


async def test_the_next_address_is_tried_where_one_does_not_connect() -> None:
    """A machine without IPv6 gets the file all the same, as in a browser."""
    server = Server(httpx.ConnectError("no route"), Reply(body=b"a file"))
    file = await fetch(server, names=Names(["2606:4700::1", PUBLIC]))
    assert file.data == b"a file"
    assert [request.url.host for request in server.requests] == ["2606:4700::1", PUBLIC]


async def test_a_port_is_part_of_the_host() -> None:
    server, names = Server(Reply()), Names([PUBLIC])
    await fetch(server, url="https://files.example.com:8443/1", names=names)
    assert names.asked == [("files.example.com", 8443)]
    assert server.requests[0].headers["Host"] == "files.example.com:8443"


# What is refused before anything is sent


@pytest.mark.parametrize(
    "url",
    [
        "http://files.example.com/1",
        "http://api.example.com/api/partner/1",
        "ftp://files.example.com/1",
        "file:///etc/passwd",
        "//files.example.com/1",
        "/attachments/1",
        "https:///1",
        "https://user:password@files.example.com/1",
        "https://files.example.com:99999/1",
        "https://[::1/1",
        "https://xn--/1",
        "https://files.example.com/\x00",
        "",
    ],
)
async def test_only_https_addresses_are_used(url: str) -> None:
    server = Server(Reply())
    await refused(server, FileProblem.REFUSED, url=url)
    assert server.requests == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["fd00:ec2::254"],
        [PUBLIC, "192.168.1.1"],
        [*[PUBLIC] * 9, "192.168.1.1"],
        [],
    ],
)
async def test_a_name_that_leads_to_another_network_is_refused(addresses: list[str]) -> None:
    server = Server(Reply())
    text = await refused(server, FileProblem.REFUSED, names=Names(addresses))
    assert "does not lead to a public address" in text
    assert server.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "[::1]", "[::ffff:10.0.0.1]", "localhost"])
async def test_private_addresses_are_refused_by_the_client_itself(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", None)
    async with LinqApi(SETTINGS) as api:
        with pytest.raises(FileError) as failed:
            await api.fetch_file(f"https://{host}/1", needed=lambda _: 10, deadline=anyio.current_time() + 10)
    assert failed.value.problem is FileProblem.REFUSED


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/1", "http://localhost:8787/1", "https://127.0.0.1:8787/1", "http://127.0.0.2:8787/1"]
)
async def test_of_this_machine_only_the_apis_own_origin_is_used(url: str) -> None:
    """Scheme, host and port have to be those of the base URL, which has to lead to this machine itself."""
    own = "http://127.0.0.1:8787/api/partner"
    server = Server(Reply(body=b"a file"))
    assert (await fetch(server, url="http://127.0.0.1:8787/attachments/1", base_url=own)).data == b"a file"
    await refused(server, FileProblem.REFUSED, url=url, base_url=own, names=Names(["127.0.0.1"]))
    assert len(server.requests) == 1


async def test_a_base_url_elsewhere_is_no_exception() -> None:
    server = Server(Reply())
    url = "https://10.0.0.1/attachments/1"
    await refused(server, FileProblem.REFUSED, url=url, base_url="https://10.0.0.1/api", names=Names(["10.0.0.1"]))
    assert server.requests == []


# What is refused of the answer


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["http://127.0.0.1/1", "https://elsewhere.example.com/1", URL])
async def test_no_redirect_is_followed(status: int, target: str) -> None:
    server = Server(Reply(status, headers={"Location": target}), Reply(body=b"a file"))
    text = await refused(server, FileProblem.REFUSED)
    assert f"redirect ({status})" in text
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_file_that_is_gone(status: int) -> None:
    assert str(status) in await refused(Server(Reply(status)), FileProblem.GONE)


@pytest.mark.parametrize("status", [204, 206, 400, 401, 429, 500, 503])
async def test_any_other_status_is_no_file(status: int) -> None:
    assert str(status) in await refused(Server(Reply(status)), FileProblem.UNAVAILABLE)


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "unknown"])
async def test_a_compressed_answer_is_not_unpacked(encoding: str) -> None:
    """A few kilobytes of a compressed file could become gigabytes in memory."""
    body = Body([CHUNK])
    await refused(Server(Reply(body=body, headers={"Content-Encoding": encoding})), FileProblem.REFUSED)
    assert body.sent == 0
    assert body.closed


async def test_a_file_that_says_it_is_too_large_is_not_read() -> None:
    body = Body([CHUNK])
    reply = Reply(body=body, headers={"Content-Length": "30000000"})
    assert await refused(Server(reply), FileProblem.TOO_LARGE) == "It has 30.0 MB, and at most 25 MB are fetched."
    assert body.sent == 0


@pytest.mark.parametrize("needed", [MOST_BYTES, 100 * MB])
@pytest.mark.parametrize("length", [None, "1", "-1", "no number", "٣"])
async def test_a_file_that_never_ends_is_read_up_to_the_limit(length: str | None, needed: int) -> None:

    def endless() -> Iterator[bytes]:
        while True:
            yield CHUNK

    body = Body(endless())
    headers = {b"Content-Length": length.encode()} if length else None
    text = await refused(Server(Reply(body=body, headers=headers)), FileProblem.TOO_LARGE, needed=needed)
    assert text == "It has more than 25 MB, and at most 25 MB are fetched."
    assert body.sent <= MOST_BYTES + len(CHUNK)
    assert body.closed


# How much is read


async def test_no_more_is_read_than_is_needed() -> None:
    body = Body(iter([CHUNK] * 100))
    file = await fetch(Server(Reply(body=body)), needed=100_000)
    assert (len(file.data), file.size, file.is_whole) == (100_000, None, False)
    assert body.sent == 2 * len(CHUNK)
    assert body.closed


@pytest.mark.parametrize("size", [0, 1, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1, 100_000])
async def test_a_file_as_long_as_needed_is_whole(size: int) -> None:
    content = bytes(size)
    for chunks in ([content], [content[:1], content[1:]]):
        file = await fetch(Server(Reply(body=Body(chunks))), needed=100_000)
        assert (bytes(file.data), file.is_whole) == (content, True)


async def test_the_size_is_known_from_the_header_where_less_is_read() -> None:
    reply = Reply(body=Body([CHUNK]), headers={"Content-Length": str(len(CHUNK))})
    file = await fetch(Server(reply), needed=0)
    assert (len(file.data), file.size) == (HEAD_BYTES, len(CHUNK))


# What goes wrong on the way


async def test_a_file_that_drips_ends_with_the_call() -> None:
    body = Body(iter([b"x"] * 10_000), pause=0.01)
    text = await refused(Server(Reply(body=body)), FileProblem.UNAVAILABLE, seconds=0.1)
    assert text == "It did not arrive within the time of a call."
    # That is how far it can be after 0.1 seconds.
    assert body.sent <= 10
    assert body.closed


async def test_a_name_server_that_does_not_answer_ends_with_the_call() -> None:

    class Silent(Names):
        async def __call__(self, host: str, port: int) -> Sequence[str]:
            await anyio.sleep_forever()
            raise AssertionError

    await refused(Server(Reply()), FileProblem.UNAVAILABLE, names=Silent(), seconds=0.05)


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError(f"to {URL}"),
        httpx.ReadTimeout(f"of {URL}"),
        httpx.RemoteProtocolError(f"in {URL}"),
        ssl.SSLError(1, f"for {URL}"),
        OSError(URL),
    ],
)
async def test_a_connection_that_fails_is_named_without_the_address(error: Exception) -> None:
    """The address has a signature, which would open the file to whoever reads the text."""
    assert type(error).__name__ in await refused(Server(error), FileProblem.UNAVAILABLE)


async def test_a_name_that_is_not_found() -> None:
    text = await refused(Server(Reply()), FileProblem.UNAVAILABLE, names=Names(OSError("files.example.com")))
    assert "could not be looked up" in text


async def test_no_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    sent: list[httpx.Request] = []

    async def connect(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        assert type(transport._pool).__name__ == "AsyncConnectionPool"
        sent.append(request)
        return httpx.Response(200, stream=Body([b"a file"]))

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", connect)
    fetcher = FileFetcher(BASE, lookup=Names([PUBLIC]))
    await fetcher.fetch(URL, needed=lambda _: 10, deadline=anyio.current_time() + 10)
    assert [request.url.host for request in sent] == [PUBLIC]
