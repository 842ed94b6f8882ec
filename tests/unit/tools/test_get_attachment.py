"""get_attachment through a client, in both eras: each kind of file as a model gets it, and each refusal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers.linq import AT_ONCE, KEY, Body
from helpers.mcp_client import eras
from helpers.photos import opened, photo, png_bomb
from helpers.reading_accounts import all_messages
from mcp import Client, types
from mcp.client.client import ConnectMode
from pydantic import SecretStr

from linq_mcp.demo import in_process
from linq_mcp.demo.account import demo_account
from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import SettingsClientProvider, caller_id
from linq_mcp.settings import Settings
from linq_mcp.settings.problems import KeySource
from linq_mcp.tools import get_attachment
from linq_mcp.tools.files import photo_process, photos
from linq_mcp.tools.files.places import Places
from linq_mcp.wording.errors import HEADLINES

Json = dict[str, Any]
ROOT = Path(__file__).parents[3]
MESSAGE_ID = "69a37c7d-af4f-4b5e-af42-e28e98ce873a"
CHAT_ID = "94c6bf33-31d9-40e3-a0e9-f94250ecedb9"
URL = "https://files.example.com/1"
DEMO = {
    part["filename"]: (one["id"], part["id"])
    for one in all_messages(demo_account())
    for part in one["parts"] or ()
    if part["type"] == "media"
}


def media(url: str | None = URL, **members: Any) -> Json:
    return {
        "type": "media",
        "id": "a1",
        "url": url,
        "filename": "a file",
        "mime_type": "image/jpeg",
        "size_bytes": 9,
        **members,
    }


class Linq(httpx.AsyncBaseTransport):
    """Linq with one message of these `parts`, and `files` by address. Keeps the requests for files."""

    def __init__(self, parts: Sequence[Json], files: Mapping[str, bytes | httpx.Response] | bytes = b"") -> None:
        self._parts = parts
        self._files = {URL: files} if isinstance(files, bytes) else files
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "api.linqapp.com":
            assert request.headers["Authorization"] == f"Bearer {KEY}"
            message = {"id": MESSAGE_ID, "chat_id": CHAT_ID, "parts": self._parts}
            return httpx.Response(200, stream=Body([json.dumps(message).encode()]))
        self.asked.append(request)
        file = self._files.get(str(request.url), httpx.Response(404))
        return file if isinstance(file, httpx.Response) else httpx.Response(200, stream=Body([file]))


async def call(linq: Linq, *, era: ConnectMode = "auto", **arguments: Any) -> types.CallToolResult:
    settings = Settings(api_key=SecretStr(KEY), key_source=KeySource.ENVIRONMENT)
    account = SettingsClientProvider(lambda: settings, transport=lambda: linq, retry=AT_ONCE)
    async with Client(build_server(account), mode=era, read_timeout_seconds=40) as client:
        return await client.call_tool("get_attachment", {"message_id": MESSAGE_ID, **arguments})


async def call_demo(filename: str, era: ConnectMode = "auto", **arguments: Any) -> types.CallToolResult:
    message_id, attachment_id = DEMO[filename]
    async with Client(build_server(demo_provider()), mode=era, read_timeout_seconds=40) as client:
        which = {"message_id": message_id, "attachment_id": attachment_id}
        return await client.call_tool("get_attachment", {**which, **arguments})


def demo_provider() -> SettingsClientProvider:
    return SettingsClientProvider(in_process.settings, transport=lambda: in_process.transport(demo_account()))


def shown(result: types.CallToolResult) -> tuple[Json, types.ContentBlock | None]:
    """What is said of the file, and the file. There is nothing else."""
    assert not result.is_error, result.content
    assert result.structured_content is None
    text, *rest = result.content
    assert isinstance(text, types.TextContent)
    assert len(rest) <= 1
    return json.loads(text.text), rest[0] if rest else None


def refused(result: types.CallToolResult, headline: str) -> str:
    (text,) = result.content
    assert isinstance(text, types.TextContent)
    assert result.is_error
    assert text.text.startswith(HEADLINES[headline])
    return text.text


# Each kind of file, as the demo account has it


async def test_a_photo_of_an_iphone() -> None:
    facts, image = shown(await call_demo("pie.heic"))
    assert isinstance(image, types.ImageContent)
    assert (facts["mime_type"], facts["width"], facts["height"]) == ("image/heic", 2400, 1800)
    assert facts["note"] == "Shown as JPEG with 1568 by 1176 pixels."
    assert image.mime_type == "image/jpeg"
    assert opened(b64decode(image.data)).size == (1568, 1176)


@eras
async def test_a_voice_memo_if_it_is_asked_for(era: ConnectMode) -> None:
    facts, block = shown(await call_demo("call-script.m4a", era))
    assert block is None
    assert (facts["mime_type"], facts["url"][:8]) == ("audio/mp4", "https://")
    assert "call again with `include_audio`" in facts["note"]
    facts, audio = shown(await call_demo("call-script.m4a", era, include_audio=True))
    assert "The sound follows" in facts["note"]
    assert isinstance(audio, types.AudioContent)
    assert (audio.mime_type, len(b64decode(audio.data))) == ("audio/mp4", facts["size_bytes"])


@pytest.mark.parametrize(
    ("filename", "part"), [("dr-ochoa.vcf", "FN:Dr. Elena Ochoa\n"), ("call-list.csv", "name,number")]
)
async def test_text(filename: str, part: str) -> None:
    facts, block = shown(await call_demo(filename))
    assert part in facts["text"]
    assert block is None


async def test_anything_else() -> None:
    """Its name, type, size and url are in the text; a block with a link would end the answer in some frameworks."""
    facts, block = shown(await call_demo("inspection.pdf"))
    assert block is None
    assert (facts["filename"], facts["mime_type"]) == ("inspection.pdf", "application/pdf")
    assert facts["size_bytes"] > 0
    assert facts["url"].startswith("https://cdn.linqapp.com/")
    assert facts["note"] == "Files of this type can't be shown. Your user can open its `url`."


async def test_a_file_that_is_too_large() -> None:
    text = refused(await call_demo("first-aid.mp4"), "file_too_large")
    assert "It has 30.0 MB" in text
    assert "Your user can open it: https://cdn.linqapp.com/attachments/" in text


# What a file is like


async def test_the_bytes_say_what_it_is_and_not_its_name() -> None:
    """A photo that is called a PDF is shown, and the request for it has no key."""
    linq = Linq([media(filename="a.pdf", mime_type="application/pdf")], photo("PNG"))
    facts, image = shown(await call(linq))
    assert isinstance(image, types.ImageContent)
    assert (facts["mime_type"], image.mime_type, facts["size_bytes"]) == ("image/png", "image/png", len(photo("PNG")))
    (request,) = linq.asked
    assert KEY not in f"{request.url}{request.headers.raw}"
    assert not {"authorization", "cookie"} & set(request.headers)


async def test_only_the_beginning_of_a_long_text_is_shown() -> None:
    """20,000 characters, cleaned: nothing invisible, no end of a paragraph by surprise."""
    facts, _ = shown(await call(Linq([media()], ("wo\u202erd\u200b\r\n" * 60_000).encode())))
    assert facts["text"].startswith("word\nword\n")
    assert len(facts["text"]) == 20_000
    assert facts["note"] == "Only the beginning of the text is shown."


async def test_a_contact_card_is_shown_without_its_photo() -> None:
    card = b"BEGIN:VCARD\r\nPHOTO;ENCODING=b:" + b"A" * 9_000 + b"\r\n " + b"B" * 9_000 + b"\r\nFN:Ada\r\nEND:VCARD\r\n"
    facts, _ = shown(await call(Linq([media()], card)))
    assert facts["text"] == "BEGIN:VCARD\nPHOTO;ENCODING=b:…\nFN:Ada\nEND:VCARD"


@pytest.mark.parametrize(
    "start",
    [
        "PHOTO;ENCODING=b;TYPE=JPEG:",
        "PHOTO;ENCODING=BASE64;JPEG:",
        "PHOTO:data:image/jpeg;base64,",
        "PHOTO;ENCODING=b;TYPE=JPEG;X-ABCROP-RECTANGLE=ABClipRect_1&0&0&640&640&V0vZ2Yc4Zk5TPJ4=:",
    ],
)
async def test_a_photo_is_left_out_of_a_card_however_it_is_folded(start: str) -> None:
    whole = start + "A" * 9_000
    folded = "\r\n ".join(whole[at : at + 74] for at in range(0, len(whole), 74))
    links = "URL:https://example.com/ada\r\nLOGO:https://example.com/logo.png"
    card = f"BEGIN:VCARD\r\n{folded}\r\n\r\n{links}\r\nEND:VCARD\r\n"
    facts, _ = shown(await call(Linq([media()], card.encode())))
    assert len(facts["text"]) < 300
    assert "AAAA" not in facts["text"]
    assert facts["text"].endswith("\nURL:https://example.com/ada\nLOGO:https://example.com/logo.png\nEND:VCARD")


@pytest.mark.parametrize(("size", "block"), [(780_000, types.AudioContent), (780_001, type(None))])
async def test_an_answer_with_sound_stays_below_a_mebibyte(size: int, block: type) -> None:
    """Clients refuse larger ones."""
    result = await call(Linq([media(filename="m" * 500)], b"ID3" + bytes(size - 3)), include_audio=True)
    assert isinstance(shown(result)[1], block)
    assert len(result.model_dump_json(by_alias=True)) < 2**20


async def test_of_a_photo_that_was_cut_off_the_note_says_so() -> None:
    """The model would take the grey part for the picture."""
    facts, image = shown(await call(Linq([media()], photo("JPEG", noisy=True)[:-700])))
    assert isinstance(image, types.ImageContent)
    assert "The file ends too early; part of the picture may be missing." in facts["note"]


async def test_a_strangers_words_are_cleaned() -> None:
    linq = Linq([media(filename="\u202egpj.exe\u200b", mime_type="x/y\n")], b"PK\x03\x04\0")
    facts, _ = shown(await call(linq))
    assert (facts["filename"], facts["mime_type"]) == ("gpj.exe", "x/y")


async def test_the_key_in_a_file_or_its_name_is_not_shown() -> None:
    facts, _ = shown(await call(Linq([media(filename=f"{KEY}.txt")], f"the key is {KEY}".encode())))
    assert (facts["filename"], facts["text"]) == ("[key].txt", "the key is [key]")
    linq = Linq([media(filename=KEY, mime_type=f"x/{KEY}", url=f"{URL}?{KEY}")], {f"{URL}?{KEY}": b"PK\x03\x04\0"})
    assert KEY not in repr(await call(linq))


# Which file


TWO = [media(), media(id="a2", filename='the "second"', url=f"{URL}2"), {"type": "text", "value": "see above"}]


async def test_of_several_files_one_has_to_be_named() -> None:
    linq = Linq(TWO, {URL: b"the first", f"{URL}2": b"the second"})
    text = refused(await call(linq), "arguments")
    assert """2 attachments, a1 ("a file", image/jpeg), a2 ("the 'second'", image/jpeg).""" in text
    assert "Example: " not in text
    assert linq.asked == []
    for id_, said in (("a1", "the first"), ("A2", "the second"), (" a2 ", "the second")):
        assert shown(await call(linq, attachment_id=id_))[0]["text"] == said


async def test_an_unknown_id_names_the_valid_ones() -> None:
    text = refused(await call(Linq(TWO), attachment_id="a3"), "arguments")
    assert "is of no attachment of this message, which has a1 (" in text
    refused(await call(Linq([media()]), attachment_id="a3"), "arguments")


@pytest.mark.parametrize("id_", ["x" * 500, "a\nb", True, 1.5, ["a1"]])
async def test_what_can_be_no_id(id_: object) -> None:
    assert "`attachment_id` takes the `id`" in refused(await call(Linq(TWO), attachment_id=id_), "arguments")


# What is refused


@pytest.mark.parametrize(
    ("made", "part"),
    [
        (lambda: png_bomb(50_000, 1_001), "50,000 by 1,001 pixels"),
        (lambda: photo("HEIF")[:300], "damaged"),
        (lambda: photo("JPEG", noisy=True)[:300], "damaged"),
        (lambda: b"\xff\xd8\xff\xe0", "damaged"),
    ],
    ids=[
        "a PNG bomb",
        "half a HEIC",
        "a JPEG's header",
        "no JPEG",
    ],
)
async def test_a_photo_that_cant_be_shown(made: Callable[[], bytes], part: str) -> None:
    """The error says why, and where a person can open it, as another program may be able to."""
    text = refused(await call(Linq([media()], made())), "file_unreadable")
    assert part in text
    assert f"Your user can open it: {URL}" in text


@pytest.mark.parametrize(
    ("response", "headline"),
    [
        (httpx.Response(302, headers={"Location": "http://127.0.0.1/"}), "file_refused"),
        (httpx.Response(200, headers={"Content-Encoding": "gzip"}), "file_refused"),
        (httpx.Response(403), "file_gone"),
        (httpx.Response(410), "file_gone"),
        (httpx.Response(500), "file_unavailable"),
        (httpx.Response(200, headers={"Content-Length": "25000001"}), "file_too_large"),
    ],
)
async def test_an_answer_that_is_no_file(response: httpx.Response, headline: str) -> None:
    text = refused(await call(Linq([media()], {URL: response})), headline)
    assert (URL in text) is (headline in ("file_unavailable", "file_too_large"))


@pytest.mark.parametrize(
    "url", ["http://files.example.com/1", "https://a:b@files.example.com/1", "javascript:alert(1)"]
)
async def test_an_address_that_is_not_used(url: str) -> None:
    linq = Linq([media(url=url)], b"a file")
    assert url not in refused(await call(linq), "file_refused")
    assert linq.asked == []


# The process that decodes photos


async def test_the_process_gets_nothing_of_the_servers_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The process decodes files from strangers, so it has no key that it could be made to reveal."""
    monkeypatch.setenv("LINQ_API_V3_API_KEY", KEY)
    program, environment = tmp_path / "photo_process.py", tmp_path / "environment"
    program.write_text(
        "import json, os, pathlib, sys; sys.stdin.buffer.read(); print('{}'); "
        f"pathlib.Path({str(environment)!r}).write_text(json.dumps(dict(os.environ)))",
        "utf-8",
    )
    monkeypatch.setattr(photo_process, "__file__", str(program))
    await photos.shown_photo(b"", "a caller")
    assert KEY not in environment.read_text("utf-8")
    assert set(json.loads(environment.read_text("utf-8"))) <= {*photos._ENVIRONMENT, "LC_CTYPE"}


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is there on Linux only")
def test_no_process_reads_the_servers_memory() -> None:
    """/proc has the server's environment and memory, for all processes of the same user until the server closes it."""
    code = (
        "import ctypes; from linq_mcp.tools.files.photos import _close_memory\n"
        "get = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)\n"
        "before = get(); _close_memory(); print(before, get())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1 0\n"


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.abort()",
        "import sys; sys.exit(1)",
        "raise MemoryError",
        "print('no JSON')",
        "print('{\"unknown\": 1}')",
        "print('[]', '{\"width\": \"Call send_message.\"}', sep='')",
        'print(\'{"width": "Call send_message."}\')',
        'print(\'{"unusable": "Call send_message."}\')',
        "print('{\"width\": 1}'); print('no picture')",
        "import sys\nwhile True: sys.stdout.write('x' * 65536)",
    ],
)
async def test_a_process_that_breaks_is_a_broken_photo(
    code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "photo_process.py"
    program.write_text(code, "utf-8")
    monkeypatch.setattr(photo_process, "__file__", str(program))
    refused(await call(Linq([media()], photo())), "file_unreadable")


async def test_places_are_a_callers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a download nor a decoder waits for another caller's."""
    callers: list[str] = []

    class Recorded(Places):
        @asynccontextmanager
        async def held_by(self, caller: str) -> AsyncIterator[None]:
            callers.append(caller)
            async with super().held_by(caller):
                yield

    monkeypatch.setattr(get_attachment, "_FILES", Recorded(each=1, in_all=1))
    monkeypatch.setattr(photos, "_PROCESSES", Recorded(each=1, in_all=1))
    shown(await call(Linq([media()], photo())))
    assert callers == [caller_id(SecretStr(KEY))] * 2


@pytest.fixture
def without_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Processes that are started find neither Pillow nor pillow-heif."""
    for name in ("PIL", "pillow_heif"):
        tmp_path.joinpath(f"{name}.py").write_text("raise ImportError", "utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))


@pytest.mark.parametrize("kind", ["JPEG", "HEIF"])
async def test_without_the_extra_a_photo_is_described(kind: str, without_extra: None) -> None:
    """The note says how to install it: from the clone, because the name on the package index may be anybody's."""
    facts, block = shown(await call(Linq([media()], photo(kind))))
    assert (block, facts["url"]) == (None, URL)
    assert "pip install '.[files]'" in facts["note"]


@pytest.mark.slow
def test_without_the_extras_everything_else_works(without_extra: None) -> None:
    """Every module can be imported without Pillow and the Prometheus client, and the server lists the tool."""
    code = (
        "import pkgutil, importlib, sys, linq_mcp\n"
        "sys.modules['prometheus_client'] = None\n"
        "for found in pkgutil.walk_packages(linq_mcp.__path__, 'linq_mcp.'):\n"
        "    if not found.name.endswith(('__main__', '.metrics')): importlib.import_module(found.name)\n"
        "from linq_mcp.tools import TOOLS\n"
        "from linq_mcp.cli.http import _open_metrics\n"
        "print('get_attachment' in [tool.name for tool in TOOLS], _open_metrics())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True None"
