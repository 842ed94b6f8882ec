"""get_attachment by a real server over a real port: every kind of file, and how much memory hostile ones take."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pytest
from helpers.linq import KEY
from helpers.photos import gif_bomb, photo, png_bomb
from helpers.piped import Piped, text_of
from helpers.reading_accounts import all_messages
from helpers.running_api import running
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from linq_mcp.demo.account import demo_account
from linq_mcp.demo.api import DEMO_KEY, demo_api
from linq_mcp.tools.files import photo_process
from linq_mcp.wording.errors import HEADLINES

MESSAGE_ID = "69a37c7d-af4f-4b5e-af42-e28e98ce873a"
Answer: TypeAlias = Callable[[Request], Response]


def environment(url: str, key: str) -> dict[str, str]:
    return {"LINQ_API_V3_API_KEY": key, "LINQ_API_V3_BASE_URL": url}


@pytest.mark.slow
def test_the_demo_api_serves_its_files_to_the_server() -> None:
    """Its messages lead to the port of the API, which is the one place on this machine that files may come from."""
    wanted = {"knee-monday.jpg": "image", "wrist.heic": "image", "call-script.m4a": "text", "inspection.pdf": "text"}
    with running(demo_api(demo_account())) as url, Piped(env=environment(url, DEMO_KEY)) as server:
        server.initialize()
        for message in all_messages(demo_account()):
            for part in message["parts"] or ():
                if kind := wanted.pop(part.get("filename", ""), None):
                    arguments = {"message_id": message["id"], "attachment_id": part["id"]}
                    result = server.call("get_attachment", arguments)
                    assert "structuredContent" not in result
                    assert "isError" not in result or not result["isError"], result
                    assert result["content"][-1]["type"] == kind
    assert wanted == {}


class Hostile:
    """Linq with one message, whose file `a0` is the next of its `answers`; further ones have the addresses `urls`.

    Keeps the headers of the requests for files.
    """

    def __init__(self, *answers: Answer, urls: Sequence[str] = ()) -> None:
        self.answers = iter(answers)
        self._urls = urls
        self.headers: list[dict[str, str]] = []
        self.app = Starlette(
            routes=[
                Route("/api/partner/v3/messages/{id}", self._message),
                Route("/file", self._file, methods=["GET"]),
            ]
        )

    async def _message(self, request: Request) -> Response:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        urls = [f"{request.base_url}file", *self._urls]
        parts = [{"type": "media", "id": f"a{number}", "url": url} for number, url in enumerate(urls)]
        answer = JSONResponse({"id": MESSAGE_ID, "chat_id": MESSAGE_ID, "parts": parts})
        answer.set_cookie("session", "1")
        return answer

    async def _file(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        return next(self.answers)(request)


def always(data: bytes) -> Answer:
    return lambda _: Response(data)


@pytest.mark.slow
def test_no_address_but_the_apis_own_leads_to_this_machine() -> None:
    with running(Starlette()) as other:
        port = urlsplit(other).port
        urls = [
            f"http://127.0.0.1:{port}/file",
            f"https://127.0.0.1:{port}/file",
            f"https://localhost:{port}/file",
            f"https://2130706433:{port}/file",
            f"https://[::1]:{port}/file",
            f"https://[::ffff:127.0.0.1]:{port}/file",
            "https://169.254.169.254/latest/meta-data/",
        ]
        linq = Hostile(always(photo()), urls=urls)
        with running(linq.app) as url, Piped(env=environment(url, KEY)) as server:
            server.initialize()
            arguments = [{"message_id": MESSAGE_ID, "attachment_id": f"a{number}"} for number in range(len(urls) + 1)]
            own, *others = [server.call("get_attachment", one) for one in arguments]
    assert own["content"][-1]["type"] == "image"
    for result in others:
        assert text_of(result).startswith(HEADLINES["file_refused"])
        assert "127.0.0.1" not in text_of(result)


def streamed(megabytes: int, **headers: str) -> Response:
    """What begins like a photo and goes on with zeros."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"\xff\xd8\xff"
        for _ in range(megabytes):
            yield bytes(1_000_000)

    return StreamingResponse(chunks(), headers=headers, media_type="image/jpeg")


def peak(pid: int, *, begin: bool = False) -> float:
    """The most memory that the process has had, in MiB: ever, or since `begin`."""
    if begin:
        Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


Get = Callable[[Answer], tuple[dict[str, Any], float]]


@pytest.fixture(scope="module")
def get() -> Iterator[Get]:
    """Gets a file from one server, which has shown a photo before: the result, and the memory that it took in MiB."""
    linq = Hostile()
    with running(linq.app) as url, Piped(env=environment(url, KEY)) as server:
        server.initialize()

        def get(answer: Answer) -> tuple[dict[str, Any], float]:
            linq.answers = iter([answer])
            linq.headers.clear()
            before = peak(server.process.pid, begin=True)
            result = server.call("get_attachment", {"message_id": MESSAGE_ID})
            (headers,) = linq.headers
            assert not {"authorization", "cookie"} & set(headers)
            assert KEY not in repr(headers)
            return result, peak(server.process.pid) - before

        shown, _ = get(always(photo()))
        assert [block["type"] for block in shown["content"]] == ["text", "image"], shown
        yield get


# Made only when they are needed.
HOSTILE: dict[str, tuple[Callable[[], Answer], str]] = {
    "30 MB, declared": (lambda: lambda _: streamed(30, **{"Content-Length": "30000003"}), "file_too_large"),
    "1 GB, not declared": (lambda: lambda _: streamed(1000), "file_too_large"),
    "22 MB of no photo": (lambda: lambda _: streamed(22), "file_unreadable"),
    "a compressed answer": (
        lambda: lambda _: Response(zlib.compress(bytes(10**8)), headers={"Content-Encoding": "deflate"}),
        "file_refused",
    ),
    "a redirect to this machine": (lambda: lambda _: RedirectResponse("http://127.0.0.1:1/"), "file_refused"),
    "a PNG of 20,000 by 20,000": (lambda: always(png_bomb(20_000, 20_000)), "file_unreadable"),
    "a GIF of 50,000 by 50,000": (lambda: always(gif_bomb(50_000, 50_000)), "file_unreadable"),
    "a broken HEIC": (lambda: always(photo("HEIF", (400, 300))[:300]), "file_unreadable"),
}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize(("made", "headline"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_takes_little_memory(made: Callable[[], Answer], headline: str, get: Get) -> None:
    result, memory = get(made())
    assert text_of(result).startswith(HEADLINES[headline])
    assert memory < 50


def decoder_peak(data: bytes) -> tuple[dict[str, Any], float]:
    """What the process that decodes photos says of one, and the most memory that it had, in MiB."""
    code = (
        "import resource, subprocess, sys\n"
        f"done = subprocess.run([sys.executable, '-P', {photo_process.__file__!r}], input=sys.stdin.buffer.read(), "
        "stdout=subprocess.PIPE)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
        "sys.stdout.flush(); sys.stdout.buffer.write(done.stdout)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    kilobytes, line, _ = done.stdout.split(b"\n", 2)
    return json.loads(line), int(kilobytes) / 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
@pytest.mark.parametrize(
    "made", [lambda: png_bomb(50_000, 1_001), lambda: gif_bomb(50_000, 50_000)], ids=["PNG", "GIF"]
)
def test_a_bomb_takes_little_memory_in_the_decoder_either(made: Callable[[], bytes]) -> None:
    """Its header is all that is read."""
    outcome, memory = decoder_peak(made())
    assert outcome["unusable"] == photo_process.Unusable.TOO_MANY_PIXELS
    assert memory < 100


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    # Encoding them takes most of the time.
    [
        ("JPEG", "RGB", {}),
        ("HEIF", "RGB", {"enc_params": {"preset": "ultrafast"}}),
        ("PNG", "RGBA", {"compress_level": 1}),
    ],
    ids=["JPEG", "HEIF", "PNG"],
)
def test_the_largest_photos_of_phones_can_be_shown(kind: str, mode: str, options: dict[str, Any]) -> None:
    """48 megapixels fit into the memory that decoding may take."""
    outcome, memory = decoder_peak(photo(kind, (8064, 6048), mode=mode, **options))
    assert (outcome["width"], outcome["shown_width"]) == (8064, 1568)
    assert memory < 700
