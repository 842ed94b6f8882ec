"""The files of the demo account: they are there, they are what they say, and only their own address leads to them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from helpers.reading_accounts import all_messages

from linq_mcp.demo import attachments
from linq_mcp.demo.account import demo_account
from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY, demo_api
from linq_mcp.demo.attachments import content_of, size_of
from linq_mcp.demo.serve import running
from linq_mcp.tools.files.file_types import Kind, file_type
from linq_mcp.tools.files.photo_process import LONGEST_SIDE, converted, load_libraries

GONE = {"leak.mov"}
FILES: list[dict[str, Any]] = [
    {**part, "message_id": message["id"]}
    for message in all_messages(demo_account())
    for part in message["parts"] or ()
    if part["type"] == "media"
]
NAMES = sorted({file["filename"] for file in FILES})


def one(filename: str) -> dict[str, Any]:
    return next(file for file in FILES if file["filename"] == filename)


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(demo_api(demo_account())), base_url=DEMO_BASE_URL)


async def test_every_file_can_be_fetched() -> None:
    """A file needs no key at the address in its message, and has the size that the message says; one is gone."""
    async with client() as http:
        for file in FILES:
            if file["filename"] == "first-aid.mp4":
                continue
            response = await http.get(file["url"])
            assert response.status_code == (404 if file["filename"] in GONE else 200), file["filename"]
            if file["filename"] not in GONE:
                assert len(response.content) == file["size_bytes"]
                assert response.headers["Content-Type"].startswith(file["mime_type"])


@pytest.mark.parametrize("filename", [name for name in NAMES if name.endswith((".jpg", ".heic"))])
def test_every_photo_can_be_shown(filename: str) -> None:
    """Each file's bytes are of the type that its name says."""
    data = b"".join(content_of(filename))
    assert file_type(data, None).mime_type == one(filename)["mime_type"]
    assert load_libraries(data)
    outcome, _ = converted(data)
    assert outcome.width >= 640
    is_shown_anew = filename.endswith(".heic") or outcome.width > LONGEST_SIDE
    assert (outcome.shown_width > 0) is is_shown_anew


def test_there_is_a_file_of_each_kind() -> None:
    assert {name.rpartition(".")[2] for name in NAMES} == {"jpg", "heic", "m4a", "vcf", "csv", "pdf", "mp4", "mov"}
    heads = {name: b"".join(content_of(name))[:4096] for name in set(NAMES) - GONE}
    kinds = {name: file_type(head, one(name)["mime_type"]).kind for name, head in heads.items()}
    assert kinds["inspection.pdf"] is kinds["first-aid.mp4"] is Kind.OTHER
    assert kinds["call-script.m4a"] is Kind.AUDIO
    assert kinds["dr-ochoa.vcf"] is kinds["call-list.csv"] is Kind.TEXT


def test_no_file_is_left_over() -> None:
    assert attachments._kept() <= set(NAMES)


def test_the_film_takes_no_memory() -> None:
    chunks = list(content_of("first-aid.mp4"))
    assert sum(map(len, chunks)) == size_of("first-aid.mp4") == 30_000_000
    assert sum(map(len, {id(chunk): chunk for chunk in chunks}.values())) < 200_000


async def test_only_the_signed_address_leads_to_a_file() -> None:
    photo, other = one("knee-monday.jpg"), one("wrist.heic")
    path, _, query = photo["url"].partition("?")
    wrong = [
        path,
        f"{path}?{query[:-1]}",
        f"{path}?{other['url'].partition('?')[2]}",
        photo["url"].replace("knee-monday.jpg", "api.py"),
        photo["url"].replace("knee-monday.jpg", "wrist.heic"),
        photo["url"].replace(photo["id"], "00000000-0000-4000-8000-000000000000"),
        photo["url"].replace(photo["id"], "no-id"),
    ]
    async with client() as http:
        assert {(await http.get(url)).status_code for url in wrong} == {403}
        assert (await http.post(photo["url"])).status_code == 405


async def test_over_a_port_messages_lead_to_files_on_the_same_port() -> None:
    file = one("knee-monday.jpg")
    with running(demo_api(demo_account())) as url:
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {DEMO_KEY}"}, trust_env=False) as http:
            message = (await http.get(f"{url}/v3/messages/{file['message_id']}")).json()
            listed = (await http.get(f"{url}/v3/chats/{message['chat_id']}/messages?limit=100")).json()["messages"]
        assert [same["parts"] for same in listed if same["id"] == message["id"]] == [message["parts"]]
        (address,) = [part["url"] for part in message["parts"] if part.get("id") == file["id"]]
        assert address.startswith(url.removesuffix("/api/partner") + "/attachments/")
        async with httpx.AsyncClient(trust_env=False) as http:
            assert len((await http.get(address)).content) == file["size_bytes"]
